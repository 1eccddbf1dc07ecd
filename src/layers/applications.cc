// The layers that keras.applications defines for itself.
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

}  // namespace

std::span<const LayerEntry> ApplicationLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"LayerScale", LayerScale},
      {"StochasticDepth", StochasticDepth},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
