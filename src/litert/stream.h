// Writes the bytes of a laid-out file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "litert/header.h"
#include "util/platform.h"

namespace keras_litert::litert {

struct StreamOptions {
  // Called on the caller's thread; may be empty.
  std::function<void(int64_t written, int64_t total)> progress;
  // Asked on the caller's thread between tiles; may be empty. True stops all threads.
  std::function<bool()> cancelled = {};
  // Threads that evaluate and write, the caller's included; 0: one for each core, at most 8.
  unsigned threads = 0;
  // Size of the pieces in which large weights are evaluated.
  size_t tile_bytes = size_t{8} << 20;
  // What the pieces being evaluated may need together; a single one may need more.
  size_t bytes_in_flight = size_t{64} << 20;
};

// Writes the header and every weight at its place. Weights are evaluated tile by tile, several at
// once, each written as soon as it is known. On an error, which is the first in the order of the
// file, the file is incomplete.
Status StreamFile(const Plan& plan, const Layout& layout, OutputFile& file,
                  const StreamOptions& options);

}  // namespace keras_litert::litert
