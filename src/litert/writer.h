// Writes a module as a LiteRT file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "ir/graph.h"
#include "util/platform.h"
#include "util/result.h"

namespace keras_litert::litert {

struct WriteOptions {
  // Extra metadata entries (name → bytes).
  std::map<std::string, std::string> metadata;
  // Called on the caller's thread as bytes are written; may be empty.
  std::function<void(int64_t written, int64_t total)> progress;
  // Asked on the caller's thread between tiles and before the file gets its name; may be empty.
  // True ends the work with the error "cancelled".
  std::function<bool()> cancelled;
  // Files of this size and more keep weights outside of the FlatBuffer, whose offsets reach no
  // further than 2 GB. Smaller files are readable by every runtime; tests lower the limit.
  int64_t external_weights_from = (int64_t{1} << 31) - 1;
};

// Writes `module` into `file`, which is the caller's to commit; else as WriteFile.
Result<int64_t> WriteInto(const ir::Module& module, OutputFile& file,
                          const WriteOptions& options = {});

// Writes `module` beside `path` and renames it when complete; on an error nothing is left behind.
// Constants are evaluated one at a time, in parallel with writing. Returns the file's size in
// bytes. REQUIRES: the module verifies, and holds only dtypes that LiteRT knows.
Result<int64_t> WriteFile(const ir::Module& module, const std::filesystem::path& path,
                          const WriteOptions& options = {});

}  // namespace keras_litert::litert
