// Replaces float weights by narrow ones, as recipes say.
#pragma once

#include <vector>

#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "util/result.h"

namespace keras_litert::quantize {

// Rewrites `module`, which the pipeline has finished with. Gives one entry for each operator that
// has weights, also those that stay float. Without a recipe and rules it does nothing and gives
// none.
Result<std::vector<QuantizedOperator>> Quantize(ir::Module& module, const QuantizeOptions& options);

}  // namespace keras_litert::quantize
