// Activation and the activation layers.
#include "ops/activation.h"

#include "layers/table.h"

namespace keras_litert::layers {
namespace {

Argument Activation(Layer& layer, Arguments& call) {
  return ApplyActivation(layer, call.Tensor(0, "inputs"), "activation");
}

Argument ReLU(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  return ops::Relu(layer.b(), x, config.Float("negative_slope", 0), config.OptionalFloat("max_value"),
                   config.Float("threshold", 0));
}

}  // namespace

std::span<const LayerEntry> ActivationLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Activation", Activation, MaskRule::kPassThrough},
      {"ReLU", ReLU, MaskRule::kPassThrough},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
