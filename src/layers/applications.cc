// The layers that keras.applications defines for itself.
#include <fmt/core.h>

#include "layers/table.h"
#include "ops/elementwise.h"

namespace keras_litert::layers {
namespace {

// ConvNeXt's x * gamma along the last axis.
Argument LayerScale(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "x");
  layer.config().Ignore({"init_values"});
  const Value gamma = layer.Weight(0, "gamma", Shape{layer.config().Int("projection_dim")});
  return ops::Multiply(layer.b(), x, gamma);
}

// ConvNeXt's dropping of whole residual paths, which only training does.
Argument StochasticDepth(Layer& layer, Arguments& call) {
  layer.config().Ignore({"drop_path_rate"});
  return call.Get(0, "x");
}

// InceptionResNet's residual sum inputs[0] + inputs[1] * scale.
Argument CustomScaleLayer(Layer& layer, Arguments& call) {
  const std::vector<Value> xs = call.Tensors(0, "inputs");
  const double scale = layer.config().Float("scale");
  if (xs.size() != 2) return layer.Fail("merge-1", fmt::format("{} inputs are given", xs.size()));
  return ops::Add(layer.b(), xs[0], ops::Multiply(layer.b(), xs[1], scale));
}

}  // namespace

std::span<const LayerEntry> ApplicationLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"CustomScaleLayer", CustomScaleLayer},
      {"LayerScale", LayerScale},
      {"StochasticDepth", StochasticDepth},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
