// The tables of a file: everything but the streamed weights.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "litert/plan.h"

namespace keras_litert::litert {

// Where the bytes of a streamed buffer lie in the file.
struct Placement {
  uint32_t buffer = 0;  // index into Plan::buffers
  int64_t offset = 0;   // of the first byte; a multiple of kWeightAlignment
  int64_t size = 0;
};

struct Layout {
  // The file up to the first streamed byte, without padding.
  std::vector<uint8_t> header;
  std::vector<Placement> placements;  // ascending
  int64_t total = 0;                  // size of the file
  // True: weights are found by Buffer.offset and Buffer.size. False: each is a vector of its
  // Buffer, its length in the four bytes before it.
  bool external = false;
};

inline constexpr int64_t kWeightAlignment = 16;

// Builds the tables and places the weights. Files of `limit` bytes and more have external weights.
Layout LayOut(const ir::Module& module, const Plan& plan,
              const std::map<std::string, std::string>& metadata, int64_t limit);

}  // namespace keras_litert::litert
