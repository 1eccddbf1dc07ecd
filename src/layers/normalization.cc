// BatchNormalization, LayerNormalization, GroupNormalization …
#include "ops/normalization.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "layers/table.h"

namespace keras_litert::layers {
namespace {

Argument BatchNormalization(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore({"momentum", "beta_initializer", "gamma_initializer", "moving_mean_initializer",
                 "moving_variance_initializer", "beta_regularizer", "gamma_regularizer",
                 "beta_constraint", "gamma_constraint", "synchronized", "renorm", "renorm_clipping",
                 "renorm_momentum", "virtual_batch_size",
                 "fused", "adjustment", "mode"});
  // Keras 2 wrote a list of one axis.
  const nlohmann::json& raw = config.Raw("axis");
  const int axis = raw.is_array() ? config.Ints("axis", 1)[0] : static_cast<int>(config.Int("axis", -1));
  if (axis < -x.rank() || axis >= x.rank()) {
    return layer.Fail("batch-normalization-1", fmt::format("axis {} is outside the input {}", axis,
                                                           x.shape().ToString()));
  }
  const Shape shape{x.dim(axis)};
  int index = 0;
  const Value gamma =
      config.Bool("scale", true) ? layer.Weight(index++, "gamma", shape) : Value();
  const Value beta = config.Bool("center", true) ? layer.Weight(index++, "beta", shape) : Value();
  const Value mean = layer.Weight(index++, "moving_mean", shape, /*trainable=*/false);
  const Value variance = layer.Weight(index++, "moving_variance", shape, /*trainable=*/false);
  return ops::BatchNormalization(layer.b(), x, mean, variance, axis, beta, gamma,
                                 config.Float("epsilon", 1e-3));
}

}  // namespace

std::span<const LayerEntry> NormalizationLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"BatchNormalization", BatchNormalization, MaskRule::kPassThrough},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
