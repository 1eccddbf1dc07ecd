// Arrays that a caller hands over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace keras_litert {

// An array of the caller's: row-major, little-endian, without gaps. Nothing is copied: `bytes` must
// stay as they are until the call that reads them returns (a Graph's constants: until Write()
// returns), or `owner` keeps them alive.
struct Array {
  std::string dtype;           // Keras's spelling: "float32", "bfloat16", "bool" …
  std::vector<int64_t> shape;  // sizes ≥ 0
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner = nullptr;  // may be null
};

}  // namespace keras_litert
