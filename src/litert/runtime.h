// LiteRT's runtime: its C API, opened at run time. The compiler works without it; verifying and
// calibrating need it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/type.h"
#include "util/result.h"

namespace keras_litert::litert {

// A value that goes in or comes out: static shape, row-major bytes.
struct Array {
  ir::TensorType type;
  std::vector<std::byte> bytes;
};

// A file ready to run, on the CPU. Not thread-safe.
class LoadedModel {
 public:
  virtual ~LoadedModel() = default;

  // The first signature's names, in its order.
  virtual const std::vector<std::string>& input_names() const = 0;
  virtual const std::vector<std::string>& output_names() const = 0;

  // Runs once. Dynamic dimensions take the arrays' sizes; state that the file keeps, it keeps
  // between calls. REQUIRES: one array an input, in order, of the input's dtype. `seconds` (may be
  // null) gets the invocation's time. Errors: runtime-4 (a shape that the file does not take),
  // runtime-5 (the runtime failed).
  virtual Result<std::vector<Array>> Run(std::span<const Array> inputs,
                                         double* seconds = nullptr) = 0;

  // An output whose size the file leaves open may need so many bytes, as far as the caller knows;
  // 1 MB where nobody says.
  virtual void Reserve(const std::string& output, size_t bytes) = 0;
};

class Runtime {
 public:
  // Opens LiteRT's library: `path`, a file or its folder; where it is empty, the first of
  //   1. $KERAS_LITERT_RUNTIME, a file or a folder
  //   2. the package ai_edge_litert in $VIRTUAL_ENV, then in .venv of the current folder
  //   3. where the system's loader finds "libLiteRt.so"
  // Errors: runtime-1 (not found), runtime-2 (no LiteRT, or one that lacks a function).
  static Result<std::shared_ptr<const Runtime>> Open(const std::filesystem::path& path = {});
  virtual ~Runtime() = default;

  // What was opened.
  virtual const std::filesystem::path& library() const = 0;
  // The kernels may use so many threads; what they compute does not depend on it. Errors: runtime-3
  // (the runtime refuses the file).
  virtual Result<std::unique_ptr<LoadedModel>> Load(const std::filesystem::path& model,
                                                    unsigned threads = 1) const = 0;
};

}  // namespace keras_litert::litert
