// Numeric preprocessing: Rescaling, Normalization, Resizing …
#include <fmt/core.h>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/elementwise.h"

namespace keras_litert::layers {
namespace {

// y = x * scale + offset in the compute dtype; both are numbers or lists along the last axis.
Argument Rescaling(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  const Value x = lrt::Cast(b, call.Tensor(0, "inputs"), layer.compute_dtype());
  auto operand = [&](const char* key) {
    const std::vector<double> values = layer.config().Floats(key);
    const Shape shape = values.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(values.size())};
    return lrt::Cast(b, b.Constant(DType::kFloat64, shape, values), layer.compute_dtype());
  };
  const Value scale = operand("scale");
  return ops::Add(b, ops::Multiply(b, x, scale), operand("offset"));
}

}  // namespace

std::span<const LayerEntry> PreprocessingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Rescaling", Rescaling, MaskRule::kDrop, false},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
