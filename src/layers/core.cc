// Dense, EinsumDense, Embedding and the other layers of keras.layers.core.
#include <fmt/core.h>

#include "layers/table.h"
#include "ops/elementwise.h"
#include "ops/linear.h"

namespace keras_litert::layers {
namespace {

Argument Dense(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore({"kernel_initializer", "bias_initializer", "kernel_regularizer",
                 "bias_regularizer", "kernel_constraint", "bias_constraint", "lora_rank",
                 "lora_alpha", "quantization_config"});
  const int64_t units = config.Int("units");
  if (x.rank() < 2) {
    return layer.Fail("dense-1", fmt::format("input rank must be >= 2, got {}", x.shape().ToString()));
  }
  const Value kernel = layer.Weight(0, "kernel", Shape{x.dim(-1), units});
  const Value bias =
      config.Bool("use_bias", true) ? layer.Weight(1, "bias", Shape{units}) : Value();
  return ApplyActivation(layer, ops::Dense(layer.b(), x, kernel, bias), "activation");
}

Argument Identity(Layer&, Arguments& call) { return call.Get(0, "inputs"); }

}  // namespace

std::span<const LayerEntry> CoreLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Dense", Dense, MaskRule::kPassThrough},
      {"Identity", Identity, MaskRule::kPassThrough},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
