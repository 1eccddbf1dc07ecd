// The links of an HDF5 group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "archive/hdf5_messages.h"

namespace keras_litert::archive {

// A Diagnostic without its place.
struct Hdf5Problem {
  std::string code;
  std::string message;
  std::string hint;
};
Hdf5Problem DamagedHdf5(std::string what);

// The links of the group with these header messages, whose names are views of `file`. As in
// ReadObjectHeader, what is read is taken off `budget`.
std::expected<std::vector<Link>, Hdf5Problem> ReadLinks(std::span<const std::byte> file,
                                                        const std::vector<Message>& messages,
                                                        uint64_t& budget);

}  // namespace keras_litert::archive
