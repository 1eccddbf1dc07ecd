#include "ops/normalization.h"

#include <cmath>

#include "ir/operators.h"
#include "ops/elementwise.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// A float32 constant whose elements are computed, when the file is written, from those of other constants of one
// size; absent ones are filled with `fallback`.
ir::ConstantPtr Combine(std::string name, const Shape& shape, std::vector<ir::ConstantPtr> inputs,
                        std::function<float(std::span<const float>)> f) {
  for (ir::ConstantPtr& input : inputs) input = ir::Casted(input, DType::kFloat32);
  return ir::ComputedConstant(
      std::move(name), {DType::kFloat32, shape}, std::move(inputs),
      [f = std::move(f)](std::span<const std::span<const std::byte>> in,
                         std::span<std::byte> out) -> Status {
        std::vector<float> row(in.size());
        for (size_t i = 0; i < out.size() / sizeof(float); ++i) {
          for (size_t k = 0; k < in.size(); ++k) {
            std::memcpy(&row[k], in[k].data() + i * sizeof(float), sizeof(float));
          }
          const float y = f(row);
          std::memcpy(out.data() + i * sizeof(float), &y, sizeof(float));
        }
        return {};
      });
}

}  // namespace

Value BatchNormalization(Builder& b, Value x, Value mean, Value variance, int axis, Value offset,
                         Value scale, double epsilon) {
  if (!x.ok() || !mean.ok() || !variance.ok()) return Value();
  const int rank = x.rank();
  if (axis < 0) axis += rank;
  Shape shape(std::vector<Dim>(static_cast<size_t>(rank - axis), Dim(1)));
  shape.Set(0, mean.dim(0));
  const bool constant = mean.is_constant() && variance.is_constant() &&
                        (!offset.ok() || offset.is_constant()) &&
                        (!scale.ok() || scale.is_constant());
  if (constant) {
    const auto e = static_cast<float>(epsilon);
    const bool has_scale = scale.ok();
    const bool has_offset = offset.ok();
    std::vector<ir::ConstantPtr> inputs{mean.constant(), variance.constant()};
    if (has_scale) inputs.push_back(scale.constant());
    auto factor = [=](std::span<const float> v) {
      return (has_scale ? v[2] : 1.0F) / std::sqrt(v[1] + e);
    };
    const ir::ConstantPtr multiplier = Combine("bn_scale", shape, inputs, factor);
    if (has_offset) inputs.push_back(offset.constant());
    const ir::ConstantPtr addend =
        Combine("bn_offset", shape, inputs, [=](std::span<const float> v) {
          return (has_offset ? v.back() : 0.0F) - v[0] * factor(v);
        });
    const Value scaled = lrt::Mul(b, x, lrt::Cast(b, b.Constant(multiplier), x.dtype()));
    return lrt::Add(b, scaled, lrt::Cast(b, b.Constant(addend), x.dtype()));
  }
  auto shaped = [&](Value v) { return lrt::Reshape(b, v, shape); };
  Value inverse = Rsqrt(b, Add(b, shaped(variance), epsilon));
  if (scale.ok()) inverse = Multiply(b, inverse, shaped(scale));
  const Value y = Multiply(b, Subtract(b, x, shaped(mean)), inverse);
  return offset.ok() ? Add(b, y, shaped(offset)) : y;
}

std::span<const OpEntry> NormalizationOps() { return {}; }

}  // namespace keras_litert::ops
