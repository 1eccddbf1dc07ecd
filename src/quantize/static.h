// Computing in integers: operators that have such kernels, with activations of calibrated ranges.
#pragma once

#include <vector>

#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "quantize/affine.h"
#include "quantize/bias.h"
#include "quantize/choose_integers.h"
#include "util/result.h"

namespace keras_litert::quantize {

// The float tensors of the main graph whose ranges the rewrite may ask for.
std::vector<ir::Tensor*> TensorsToObserve(ir::Module& module);

// Those of them whose means biases are corrected by.
std::vector<ir::Tensor*> TensorsToAverage(ir::Module& module);

// Rewrites the main graph. Operators that LiteRT does not run in integers stay float, with
// DEQUANTIZE and QUANTIZE around them, and their report has recipe "float32" and the reason.
// Errors: quantize-4 (weights that are no numbers), quantize-9 (an input or output that was to be
// integer has no finite range).
Result<StaticReports> QuantizeActivations(ir::Module& module, const StaticRecipes& recipes,
                                          const Ranges& ranges, const InputMeans& means,
                                          const QuantizeOptions& options);

}  // namespace keras_litert::quantize
