// The elements of an HDF5 dataset that do not lie in one piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "archive/hdf5_messages.h"

namespace keras_litert::archive {

struct ChunkedData {
  uint64_t index = kUndefinedAddress;  // of the chunks' B-tree; undefined: no chunk is stored
  uint32_t element_size = 0;
  std::vector<uint64_t> sizes;  // of the dataset
  std::vector<uint32_t> chunk;  // of a chunk, as many
  std::vector<Filter> filters;
};

// Fills `out` with copies of `value`; with zeros where it is empty. False where the sizes do not
// fit.
bool Fill(std::span<const std::byte> value, std::span<std::byte> out);

// The name of a filter that is not read here; nothing where all are.
std::optional<std::string> UnknownFilter(const std::vector<Filter>& filters);

// Copies every stored chunk to its place in `out`, which holds the fill value elsewhere. False
// where the data is damaged. REQUIRES: out.size() is the product of `sizes` and `element_size`, and
// not 0; UnknownFilter(filters) is empty.
bool ReadChunks(std::span<const std::byte> file, const ChunkedData& data, std::span<std::byte> out);

}  // namespace keras_litert::archive
