// BatchNormalization, LayerNormalization, GroupNormalization …
#include "ops/normalization.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/table.h"

namespace keras_litert::layers {
namespace {

constexpr std::string_view kTrainingOnly[] = {"beta_initializer", "gamma_initializer",
                                              "beta_regularizer", "gamma_regularizer",
                                              "beta_constraint",  "gamma_constraint"};

// An axis or a list of axes; reported where one is outside x.
std::vector<int> Axes(Layer& layer, Value x, std::string_view code) {
  const nlohmann::json& raw = layer.config().Raw("axis");
  std::vector<int> axes = raw.is_array()
                              ? layer.config().Ints("axis")
                              : std::vector<int>{static_cast<int>(layer.config().Int("axis", -1))};
  for (int axis : axes) {
    if (axis < -x.rank() || axis >= x.rank()) {
      layer.Fail(std::string(code),
                 fmt::format("axis {} is outside the input {}", axis, x.shape().ToString()));
      return {};
    }
  }
  if (axes.empty()) layer.Fail(std::string(code), "no axis is given");
  return axes;
}

Argument BatchNormalization(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore(kTrainingOnly);
  config.Ignore({"momentum", "moving_mean_initializer", "moving_variance_initializer",
                 "synchronized", "renorm", "renorm_clipping", "renorm_momentum",
                 "virtual_batch_size", "fused", "adjustment", "mode"});
  // Keras 2 wrote a list of one axis.
  const nlohmann::json& raw = config.Raw("axis");
  const int axis =
      raw.is_array() ? config.Ints("axis", 1)[0] : static_cast<int>(config.Int("axis", -1));
  if (axis < -x.rank() || axis >= x.rank()) {
    return layer.Fail("batch-normalization-1",
                      fmt::format("axis {} is outside the input {}", axis, x.shape().ToString()));
  }
  const Shape shape{x.dim(axis)};
  int index = 0;
  const Value gamma =
      config.Bool("scale", true) ? layer.VariableWeight(index++, "gamma", shape) : Value();
  const Value beta =
      config.Bool("center", true) ? layer.VariableWeight(index++, "beta", shape) : Value();
  const Value mean = layer.VariableWeight(index++, "moving_mean", shape, /*trainable=*/false);
  const Value variance =
      layer.VariableWeight(index++, "moving_variance", shape, /*trainable=*/false);
  const Value y = ops::BatchNormalization(layer.b(), x, mean, variance, axis, beta, gamma,
                                          config.Float("epsilon", 1e-3));
  return lrt::Cast(layer.b(), y, layer.compute_dtype());
}

Argument LayerNormalization(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore(kTrainingOnly);
  std::vector<int> axes = Axes(layer, x, "layer-normalization-1");
  if (axes.empty()) return Value();
  std::sort(axes.begin(), axes.end());
  Shape shape;
  for (int axis : axes) shape.Append(x.dim(axis));
  const bool rms = config.Bool("rms_scaling", false);
  const bool scale = config.Bool("scale", true) || rms;
  const bool center = config.Bool("center", true) && !rms;
  int index = 0;
  const Value gamma = scale ? layer.VariableWeight(index++, "gamma", shape) : Value();
  const Value beta = center ? layer.VariableWeight(index++, "beta", shape) : Value();
  const Value y =
      ops::LayerNormalization(layer.b(), x, gamma, beta, axes, config.Float("epsilon", 1e-3), rms);
  return lrt::Cast(layer.b(), y, layer.compute_dtype());
}

Argument GroupNormalization(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore(kTrainingOnly);
  const int axis = static_cast<int>(config.Int("axis", -1));
  if (axis < -x.rank() || axis >= x.rank() || axis == 0 || axis == -x.rank()) {
    return layer.Fail("group-normalization-2",
                      fmt::format("axis {} is outside the input {}", axis, x.shape().ToString()));
  }
  const Dim channels = x.dim(axis);
  int64_t groups = config.Int("groups", 32);
  if (groups == -1 && channels.is_static()) groups = channels.value();
  int index = 0;
  const Value gamma = config.Bool("scale", true)
                          ? layer.VariableWeight(index++, "gamma", Shape{channels})
                          : Value();
  const Value beta = config.Bool("center", true)
                         ? layer.VariableWeight(index++, "beta", Shape{channels})
                         : Value();
  const Value y = ops::GroupNormalization(layer.b(), x, gamma, beta, axis, groups,
                                          config.Float("epsilon", 1e-3));
  return lrt::Cast(layer.b(), y, layer.compute_dtype());
}

Argument RMSNormalization(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "x");
  std::vector<int> axes = Axes(layer, x, "rms-normalization-1");
  if (axes.empty()) return Value();
  std::sort(axes.begin(), axes.end());
  Shape shape;
  for (int axis : axes) shape.Append(x.dim(axis));
  const Value scale = layer.Weight(0, "scale", shape);
  return ops::RmsNormalization(layer.b(), x, scale, axes, layer.config().Float("epsilon", 1e-6));
}

Argument UnitNormalization(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  const std::vector<int> axes = Axes(layer, x, "unit-normalization-1");
  if (axes.empty()) return Value();
  return ops::Normalize(layer.b(), x, axes, 2, 1e-12);
}

// Only training renormalizes the kernel: at inference the wrapped layer has it as it was saved.
Argument SpectralNormalization(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  layer.config().Ignore({"power_iterations"});
  layer.SkipWeight(0, "vector_u", /*trainable=*/false);
  // The wrapped layer's kernel once more: Keras tracks it as the wrapper's attribute too.
  layer.context().weights.MarkRead(layer.scope().path + "/vars/1");
  Arguments inner(layer.b(), "SpectralNormalization");
  inner.AddPositional(x);
  const Value y = layer.CallChild("layer", layer.config().Raw("layer"), inner).tensor();
  return lrt::Cast(layer.b(), y, x.dtype());
}

}  // namespace

std::span<const LayerEntry> NormalizationLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"BatchNormalization", BatchNormalization, MaskRule::kPassThrough},
      {"GroupNormalization", GroupNormalization, MaskRule::kPassThrough, false},
      {"LayerNormalization", LayerNormalization, MaskRule::kPassThrough, false},
      {"RMSNormalization", RMSNormalization},
      {"SpectralNormalization", SpectralNormalization},
      {"UnitNormalization", UnitNormalization, MaskRule::kPassThrough},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
