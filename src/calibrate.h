// Ranges of tensors, found by running the float model in LiteRT.
#pragma once

#include <filesystem>
#include <vector>

#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "litert/runtime.h"
#include "quantize/affine.h"

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

// Writes the module with observers beside `output`, runs it on the batches (ReadSamples) and takes
// the file away again. The module is as before then. REQUIRES: there are tensors and batches.
Result<quantize::Ranges> Calibrate(ir::Module& module, const std::vector<ir::Tensor*>& tensors,
                                   const Batches& batches, const CalibrateOptions& options,
                                   const std::filesystem::path& output,
                                   const std::function<bool()>& cancelled);

}  // namespace keras_litert
