// Ranges of tensors, and means of what is multiplied by weights, found by running the float model
// in LiteRT.
#pragma once

#include <filesystem>
#include <vector>

#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "quantize/affine.h"
#include "tuning/run.h"

namespace keras_litert {

// Writes the module with observers beside `output`, runs it on the batches (ReadSamples) and takes
// the file away again. The module is as before then. REQUIRES: there are tensors and batches.
Result<quantize::Ranges> Calibrate(ir::Module& module, const std::vector<ir::Tensor*>& tensors,
                                   const Batches& batches, const CalibrateOptions& options,
                                   const std::filesystem::path& output,
                                   const std::function<bool()>& cancelled);

}  // namespace keras_litert
