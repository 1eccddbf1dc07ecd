// The user's samples as the runtime takes them: in order, checked against the module's inputs.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "litert/runtime.h"

namespace keras_litert {

// Batches, each with one array an input in the order of module.main().inputs(), of their dtypes.
// A file's arrays are split along the first axis, into the model's batch where it is fixed.
// Errors, all at once: samples-1 (none at all), samples-2 (a name), samples-3 (a shape), samples-4
// (a dtype), samples-5 (NaN or infinity), and those of reading the file.
Result<std::vector<std::vector<litert::Array>>> ReadSamples(const ir::Module& module,
                                                            const CalibrateOptions& options);

}  // namespace keras_litert
