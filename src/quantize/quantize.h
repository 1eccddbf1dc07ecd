// Replaces float weights by narrow ones, as recipes say.
#pragma once

#include <vector>

#include "ir/graph.h"
#include "keras_litert/quantize.h"
#include "quantize/affine.h"
#include "util/result.h"

namespace keras_litert::quantize {

// True where the ranges of activations must be known (TensorsToObserve() in static.h). Fails as
// RecipeBook::Make(), and (quantize-10) on dtypes of inputs and outputs that do not exist or that
// need such a recipe.
Result<bool> NeedsCalibration(const QuantizeOptions& options);

// True where some recipe has integer weights, whose rounding the means of what they are multiplied
// by (TensorsToAverage() in static.h) let biases take back. Fails as RecipeBook::Make().
Result<bool> RoundsWeights(const QuantizeOptions& options);

struct Quantized {
  // One entry for each operator that has weights or was to compute in integers, also those that
  // stay float.
  std::vector<QuantizedOperator> reports;
  std::vector<ir::Tensor*>
      outputs;  // the entries' results; null for those in loops, and embeddings
};

// Rewrites `module`, which the pipeline has finished with. Without a recipe and rules it does
// nothing and gives none. `ranges` has the tensors that TensorsToObserve() names, where they
// are needed; else it may have those of TensorsToAverage().
Result<Quantized> Quantize(ir::Module& module, const QuantizeOptions& options,
                           const Ranges& ranges);

}  // namespace keras_litert::quantize
