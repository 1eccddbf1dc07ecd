// Running files on batches of samples.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "litert/runtime.h"
#include "util/result.h"

namespace keras_litert {

using Batches = std::vector<std::vector<litert::Array>>;

// A file beside another, gone when this object is.
class ScratchFile {
 public:
  explicit ScratchFile(const std::filesystem::path& beside);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Runs the file on a batch, whose arrays are in the order of `names`. Gives the outputs in the
// runtime's order.
Result<std::vector<litert::Array>> RunBatch(litert::LoadedModel& model,
                                            const std::vector<litert::Array>& batch,
                                            const std::vector<std::string>& names);

// The one of `outputs`, which the model gave, that has this name.
Result<const litert::Array*> OutputNamed(const litert::LoadedModel& model,
                                         const std::vector<litert::Array>& outputs,
                                         const std::string& name);

}  // namespace keras_litert
