// Add, Concatenate and the other merging layers.
#include <fmt/core.h>

#include "layers/table.h"
#include "ops/elementwise.h"
#include "ops/shape.h"

namespace keras_litert::layers {
namespace {

using BinaryFunction = Value (*)(Builder&, const ops::Operand&, const ops::Operand&);

template <BinaryFunction kFunction>
Argument Merge(Layer&, Arguments& call) {
  const std::vector<Value> xs = call.Tensors(0, "inputs");
  Value result = xs.empty() ? Value() : xs[0];
  for (size_t i = 1; i < xs.size(); ++i) result = kFunction(call.builder(), result, xs[i]);
  return result;
}

Argument Concatenate(Layer& layer, Arguments& call) {
  const std::vector<Value> xs = call.Tensors(0, "inputs");
  return ops::Concatenate(layer.b(), xs, static_cast<int>(layer.config().Int("axis", -1)));
}

}  // namespace

std::span<const LayerEntry> MergingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Add", Merge<ops::Add>},
      {"Multiply", Merge<ops::Multiply>},
      {"Maximum", Merge<ops::Maximum>},
      {"Minimum", Merge<ops::Minimum>},
      {"Subtract", Merge<ops::Subtract>},
      {"Concatenate", Concatenate},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
