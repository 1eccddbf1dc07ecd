// Rescaling and Normalization.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/elementwise.h"

namespace keras_litert::layers {
namespace {

using nlohmann::json;

bool Flatten(const json& value, std::vector<double>& out) {
  if (value.is_number()) {
    out.push_back(value.get<double>());
    return true;
  }
  return value.is_array() && std::all_of(value.begin(), value.end(),
                                         [&](const json& item) { return Flatten(item, out); });
}

// A number, a nested list of numbers or a serialized NumPy array as a float64 constant of its
// shape; failed where it is none of them.
Value NumericConstant(Layer& layer, const char* key) {
  const json* value = &layer.config().Raw(key);
  if (value->is_object() && value->contains("config") && (*value)["config"].is_object() &&
      (*value)["config"].contains("value")) {
    value = &(*value)["config"]["value"];  // {"class_name": "__numpy__", …}
  }
  Shape shape;
  for (const json* item = value; item->is_array(); item = &(*item)[0]) {
    shape.Append(static_cast<int64_t>(item->size()));
    if (item->empty()) break;
  }
  std::vector<double> values;
  if (!Flatten(*value, values) || shape.NumElements() != static_cast<int64_t>(values.size())) {
    return layer.Fail("preprocessing-1", fmt::format("'{}' is no array of numbers", key));
  }
  return layer.b().Constant(DType::kFloat64, shape, values);
}

// y = x * scale + offset in the compute dtype.
Argument Rescaling(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  const Value x = lrt::Cast(b, call.Tensor(0, "inputs"), layer.compute_dtype());
  const Value scale = lrt::Cast(b, NumericConstant(layer, "scale"), layer.compute_dtype());
  const Value offset = lrt::Cast(b, NumericConstant(layer, "offset"), layer.compute_dtype());
  return ops::Add(b, ops::Multiply(b, x, scale), offset);
}

// max(sqrt(variance), epsilon), or one over it.
ir::ConstantPtr Deviation(const ir::ConstantPtr& variance, bool inverse) {
  static constexpr float kEpsilon = 1e-7F;  // keras.config.epsilon()
  const ir::ConstantPtr v = ir::CastedUnrounded(variance, DType::kFloat32);
  return ir::ElementwiseConstant(
      inverse ? "1 / deviation" : "deviation", v->type(), v,
      [inverse](size_t, size_t count, const std::byte* in, std::byte* out) {
        for (size_t i = 0; i < count; ++i) {
          float value;
          std::memcpy(&value, in + i * sizeof(float), sizeof(float));
          value = std::max(std::sqrt(value), kEpsilon);
          if (inverse) value = 1 / value;
          std::memcpy(out + i * sizeof(float), &value, sizeof(float));
        }
      });
}

// (x - mean) / deviation, or inverted x * deviation + mean, along the axes that are kept.
Argument Normalization(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  Config& config = layer.config();
  const DType dtype = layer.compute_dtype();
  const Value x = lrt::Cast(b, call.Tensor(0, "inputs"), dtype);
  const bool invert = config.Bool("invert", false);
  std::vector<int> axes = config.Raw("axis").is_number_integer()
                              ? config.Ints("axis", 1)
                              : config.Ints("axis", std::vector<int>{});
  for (int& axis : axes) {
    if (axis < -x.rank() || axis >= x.rank()) {
      return layer.Fail("normalization-1",
                        fmt::format("axis {} is outside an input of rank {}", axis, x.rank()));
    }
    if (axis < 0) axis += x.rank();
  }
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  Shape kept;
  Shape broadcast(std::vector<Dim>(static_cast<size_t>(x.rank()), 1));
  for (int axis : axes) {
    kept.Append(x.dim(axis));
    broadcast.Set(axis, x.dim(axis));
  }
  Value mean;
  Value variance;
  if (config.Has("mean") || config.Has("variance")) {
    // Their axes are aligned with the kept ones from the right.
    auto given = [&](const char* key) -> Value {
      const Value value = NumericConstant(layer, key);
      if (!value.ok()) return value;
      if (value.rank() > static_cast<int>(axes.size())) {
        return layer.Fail("normalization-2", fmt::format("'{}' has rank {} for {} axes", key,
                                                         value.rank(), axes.size()));
      }
      Shape shape(std::vector<Dim>(static_cast<size_t>(x.rank()), 1));
      for (int i = 1; i <= value.rank(); ++i) {
        const int axis = axes[axes.size() - static_cast<size_t>(i)];
        if (value.dim(-i) != Dim(1) && value.dim(-i) != x.dim(axis)) {
          return layer.Fail("normalization-3",
                            fmt::format("'{}' has {} values for an axis of {}", key,
                                        value.dim(-i).value(), x.shape().ToString()));
        }
        shape.Set(axis, value.dim(-i));
      }
      return lrt::Reshape(b, value, shape);
    };
    mean = given("mean");
    variance = given("variance");
  } else {
    config.Ignore({"mean", "variance"});
    mean = layer.Weight(0, "mean", kept, /*trainable=*/false);
    variance = layer.Weight(1, "variance", kept, /*trainable=*/false);
    layer.Weight(2, "count", Shape{}, /*trainable=*/false);
    if (!mean.ok() || !variance.ok()) return Value();
    mean = lrt::Reshape(b, mean, broadcast);
    variance = lrt::Reshape(b, variance, broadcast);
  }
  if (!mean.ok() || !variance.ok()) return Value();
  mean = lrt::Cast(b, mean, dtype);
  const Value factor =
      lrt::Cast(b, b.Constant(Deviation(variance.constant(), /*inverse=*/!invert)), dtype);
  return invert ? lrt::Add(b, lrt::Mul(b, x, factor), mean)
                : lrt::Mul(b, lrt::Sub(b, x, mean), factor);
}

}  // namespace

std::span<const LayerEntry> PreprocessingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Normalization", Normalization, MaskRule::kPassThrough},
      {"Rescaling", Rescaling, MaskRule::kPassThrough, /*autocast=*/false},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
