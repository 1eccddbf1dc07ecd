// Activation and the activation layers.
#include "ops/activation.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/elementwise.h"

namespace keras_litert::layers {
namespace {

using ir::BuiltinOperator;

Argument Activation(Layer& layer, Arguments& call) {
  return ApplyActivation(layer, call.Tensor(0, "inputs"), std::string_view("activation"));
}

Argument ReLU(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  return ops::Relu(layer.b(), x, config.Float("negative_slope", 0),
                   config.OptionalFloat("max_value"), config.Float("threshold", 0));
}

Argument LeakyReLU(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  // Keras 2 called it alpha.
  const char* key = config.Has("alpha") ? "alpha" : "negative_slope";
  return ops::LeakyRelu(layer.b(), x, config.Float(key, 0.3));
}

Argument ELU(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  return ops::Elu(layer.b(), x, layer.config().Float("alpha", 1));
}

// x for x >= 0, alpha * x below; alpha has x's shape without the batch, 1 on shared axes.
Argument PReLU(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore({"alpha_initializer", "alpha_regularizer", "alpha_constraint"});
  const std::vector<int> shared = config.Ints("shared_axes", std::vector<int>());
  Shape shape;
  for (int i = 1; i < x.rank(); ++i) shape.Append(x.dim(i));
  for (int axis : shared) {
    if (axis < 1 || axis >= x.rank()) {
      return layer.Fail("prelu-1", fmt::format("shared axis {} is outside the input {}", axis,
                                               x.shape().ToString()));
    }
    shape.Set(axis - 1, 1);
  }
  Builder& b = layer.b();
  const Value alpha = layer.Weight(0, "alpha", shape);
  if (x.rank() <= 4) return lrt::PRelu(b, x, alpha);
  // PRELU broadcasts up to rank 4.
  return lrt::Add(b, lrt::Unary(b, BuiltinOperator::RELU, x),
                  lrt::Mul(b, ops::Minimum(b, x, 0.0), alpha));
}

// Masked positions get no weight; where a whole row is masked it is 0.
Argument Softmax(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  const Value x = call.Tensor(0, "inputs");
  const nlohmann::json& raw = layer.config().Raw("axis");
  const std::vector<int> axes =
      raw.is_array() ? layer.config().Ints("axis")
                     : std::vector<int>{static_cast<int>(layer.config().Int("axis", -1))};
  Value mask = call.Has(1, "mask") ? call.Tensor(1, "mask") : layer.Mask(x);
  if (!mask.ok()) return ops::Softmax(b, x, axes);
  const Value given = mask;
  Shape shape;
  if (mask.rank() > x.rank() || !lrt::Broadcast(mask.shape(), x.shape(), &shape) ||
      shape != x.shape()) {
    return layer.Fail("softmax-4", fmt::format("the mask {} does not broadcast to the input {}",
                                               mask.shape().ToString(), x.shape().ToString()));
  }
  if (mask.dtype() != DType::kBool) {
    mask = ops::CompareNumber(b, BuiltinOperator::GREATER, mask, 0.5);
  }
  const double low = x.dtype() == DType::kFloat16 ? -3e4 : -1e9;
  const Value kept = lrt::Select(b, mask, x, b.Scalar(low, x.dtype()));
  const Value y = lrt::Select(b, mask, ops::Softmax(b, kept, axes), b.Scalar(0, x.dtype()));
  layer.SetMask(y, given);
  return y;
}

}  // namespace

std::span<const LayerEntry> ActivationLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Activation", Activation, MaskRule::kPassThrough},
      {"ELU", ELU, MaskRule::kPassThrough},
      {"LeakyReLU", LeakyReLU, MaskRule::kPassThrough},
      {"PReLU", PReLU, MaskRule::kPassThrough},
      {"ReLU", ReLU, MaskRule::kPassThrough},
      {"Softmax", Softmax, MaskRule::kCustom},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
