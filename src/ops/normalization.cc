#include "ops/normalization.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "ir/operators.h"
#include "ops/elementwise.h"
#include "ops/reduction.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;

// A float32 constant whose elements are computed, when the file is written, from those of other
// constants of one size; absent ones are filled with `fallback`.
ir::ConstantPtr Combine(std::string name, const Shape& shape, std::vector<ir::ConstantPtr> inputs,
                        std::function<float(std::span<const float>)> f) {
  for (ir::ConstantPtr& input : inputs) input = ir::Casted(input, DType::kFloat32);
  return ir::ComputedConstant(std::move(name), {DType::kFloat32, shape}, std::move(inputs),
                              [f = std::move(f)](std::span<const std::span<const std::byte>> in,
                                                 std::span<std::byte> out) -> Status {
                                std::vector<float> row(in.size());
                                for (size_t i = 0; i < out.size() / sizeof(float); ++i) {
                                  for (size_t k = 0; k < in.size(); ++k) {
                                    std::memcpy(&row[k], in[k].data() + i * sizeof(float),
                                                sizeof(float));
                                  }
                                  const float y = f(row);
                                  std::memcpy(out.data() + i * sizeof(float), &y, sizeof(float));
                                }
                                return {};
                              });
}

// x in the precision that statistics are computed in, and results in x's own.
class Precision {
 public:
  Precision(Builder& b, Value x)
      : b_(b),
        dtype_(x.dtype()),
        x_(lrt::Cast(b, x, ResultType({Promotable(x.dtype()), Promotable(DType::kFloat32)}))) {}
  Value x() const { return x_; }
  Value Restore(Value y) const { return lrt::Cast(b_, y, dtype_); }

 private:
  Builder& b_;
  DType dtype_;
  Value x_;
};

bool CheckAxes(Builder& b, Value x, const std::vector<int>& axes, std::string code) {
  std::vector<bool> seen(static_cast<size_t>(x.rank()));
  for (int axis : axes) {
    if (axis < -x.rank() || axis >= x.rank()) {
      b.Fail(std::move(code),
             fmt::format("axis {} is outside the input {}", axis, x.shape().ToString()));
      return false;
    }
    const auto index = static_cast<size_t>(axis < 0 ? axis + x.rank() : axis);
    if (seen[index]) {
      b.Fail(std::move(code), fmt::format("axis {} is given twice", axis));
      return false;
    }
    seen[index] = true;
  }
  if (axes.empty()) b.Fail(std::move(code), "no axis is given");
  return !axes.empty();
}

}  // namespace

Value BatchNormalization(Builder& b, Value x, Value mean, Value variance, int axis, Value offset,
                         Value scale, double epsilon) {
  if (!x.ok() || !mean.ok() || !variance.ok()) return Value();
  const int rank = x.rank();
  if (axis < -rank || axis >= rank) {
    return b.Fail("batch-normalization-1",
                  fmt::format("axis {} is outside the input {}", axis, x.shape().ToString()));
  }
  if (axis < 0) axis += rank;
  for (Value v : {mean, variance, offset, scale}) {
    if (v.ok() && (v.rank() != 1 || v.dim(0) != mean.dim(0))) {
      return b.Fail("batch-normalization-2",
                    "mean, variance, offset and scale must be vectors of the axis's size");
    }
  }
  Shape shape(std::vector<Dim>(static_cast<size_t>(rank - axis), Dim(1)));
  shape.Set(0, mean.dim(0));
  const Precision precision(b, x);
  x = precision.x();
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
    return precision.Restore(lrt::Add(b, scaled, lrt::Cast(b, b.Constant(addend), x.dtype())));
  }
  auto shaped = [&](Value v) { return lrt::Reshape(b, lrt::Cast(b, v, x.dtype()), shape); };
  Value inverse = Rsqrt(b, Add(b, shaped(variance), epsilon));
  if (scale.ok()) inverse = lrt::Mul(b, inverse, shaped(scale));
  const Value y = lrt::Mul(b, lrt::Sub(b, x, shaped(mean)), inverse);
  return precision.Restore(offset.ok() ? lrt::Add(b, y, shaped(offset)) : y);
}

Value LayerNormalization(Builder& b, Value x, Value gamma, Value beta, std::vector<int> axes,
                         double epsilon, bool rms_scaling) {
  if (!x.ok()) return x;
  std::sort(axes.begin(), axes.end());
  if (!CheckAxes(b, x, axes, "layer-normalization-1")) return Value();
  // Where the axes are not the last one, gamma and beta are laid out over all of x's axes. Keras
  // sorts before it resolves negative axes, and reshapes.
  Shape shape(std::vector<Dim>(static_cast<size_t>(x.rank()), Dim(1)));
  Dim size = 1;
  for (int axis : axes) {
    shape.Set(axis, x.dim(axis));
    size = b.symbols().Product(size, x.dim(axis));
  }
  const Precision precision(b, x);
  x = precision.x();
  auto shaped = [&](Value v) {
    v = lrt::Cast(b, v, x.dtype());
    if (v.rank() == 1 && axes.size() == 1 && (axes[0] == -1 || axes[0] == x.rank() - 1)) return v;
    if (v.rank() == x.rank()) return v;
    Dim elements = 1;
    for (Dim dim : v.shape()) elements = b.symbols().Product(elements, dim);
    if (elements != size) {
      return b.Fail("layer-normalization-2",
                    fmt::format("gamma and beta of shape {} do not fit the axes of {}",
                                v.shape().ToString(), x.shape().ToString()));
    }
    return lrt::Reshape(b, v, shape);
  };
  const Value centred = lrt::Sub(b, x, Mean(b, x, axes, true));
  const Value variance = Mean(b, lrt::Mul(b, centred, centred), axes, true);
  Value y = lrt::Mul(b, rms_scaling ? x : centred, Rsqrt(b, Add(b, variance, epsilon)));
  if (gamma.ok()) y = lrt::Mul(b, y, shaped(gamma));
  if (beta.ok() && !rms_scaling) y = lrt::Add(b, y, shaped(beta));
  return precision.Restore(y);
}

Value RmsNormalization(Builder& b, Value x, Value scale, const std::vector<int>& axes,
                       double epsilon) {
  if (!x.ok() || !CheckAxes(b, x, axes, "rms-normalization-1")) return Value();
  const Precision precision(b, x);
  x = precision.x();
  const Value mean = Mean(b, lrt::Mul(b, x, x), axes, true);
  Value y = lrt::Mul(b, x, Rsqrt(b, Add(b, mean, epsilon)));
  if (scale.ok()) y = lrt::Mul(b, y, lrt::Cast(b, scale, x.dtype()));
  return precision.Restore(y);
}

// With channels C = groups * c on `axis`, sizes P before it (the first axis excepted) and S behind
// it:
//   g = RESHAPE(x, [batch, P, groups, c * S]);  y = (g - mean) / sqrt(variance + epsilon),
//   statistics over axes 1 and 3 RESHAPE(y, x's shape) * gamma + beta
// Where that leaves two sizes of the reshape open, P's axes are kept apart: their sizes then come
// from x in one piece.
Value GroupNormalization(Builder& b, Value x, Value gamma, Value beta, int axis, int64_t groups,
                         double epsilon) {
  if (!x.ok()) return x;
  const int rank = x.rank();
  if (axis < 0) axis += rank;
  const Dim channels = x.dim(axis);
  if (axis < 1 || axis >= rank || !channels.is_static() || groups < 1 ||
      channels.value() % groups != 0) {
    return b.Fail("group-normalization-1", fmt::format("{} groups do not divide axis {} of {}",
                                                       groups, axis, x.shape().ToString()));
  }
  const Precision precision(b, x);
  x = precision.x();
  Dim before = 1;
  for (int i = 1; i < axis; ++i) before = b.symbols().Product(before, x.dim(i));
  Dim rest = channels.value() / groups;
  for (int i = axis + 1; i < rank; ++i) rest = b.symbols().Product(rest, x.dim(i));
  Shape grouped{x.dim(0), before, groups, rest};
  std::vector<int> axes{1, 3};
  if (groups == channels.value()) {
    // Each channel by itself.
    grouped = x.shape();
    axes.clear();
    for (int i = 1; i < rank; ++i) {
      if (i != axis) axes.push_back(i);
    }
  } else if (groups == 1) {
    grouped = x.shape();
    axes.clear();
    for (int i = 1; i < rank; ++i) axes.push_back(i);
  } else if (grouped.NumDynamic() > 1 && axis == rank - 1 && rank <= 4) {
    grouped = Shape(std::vector<Dim>(x.shape().begin(), x.shape().end() - 1));
    axes.clear();
    for (int i = 1; i < axis; ++i) axes.push_back(i);
    axes.push_back(rank);
    grouped.Append(groups);
    grouped.Append(rest);
  }
  const Value g = lrt::Reshape(b, x, grouped);
  const Value centred = axes.empty() ? lrt::Sub(b, g, g) : lrt::Sub(b, g, Mean(b, g, axes, true));
  const Value square = lrt::Mul(b, centred, centred);
  const Value variance = axes.empty() ? square : Mean(b, square, axes, true);
  Value y = lrt::Mul(b, centred, Rsqrt(b, Add(b, variance, epsilon)));
  y = lrt::Reshape(b, y, x.shape());
  Shape shape(std::vector<Dim>(static_cast<size_t>(rank - axis), Dim(1)));
  shape.Set(0, channels);
  auto shaped = [&](Value v) { return lrt::Reshape(b, lrt::Cast(b, v, x.dtype()), shape); };
  if (gamma.ok()) y = lrt::Mul(b, y, shaped(gamma));
  if (beta.ok()) y = lrt::Add(b, y, shaped(beta));
  return precision.Restore(y);
}

Value Normalize(Builder& b, Value x, const std::vector<int>& axes, int64_t order, double epsilon) {
  if (!x.ok() || !CheckAxes(b, x, axes, "normalize-1")) return Value();
  if (order < 1 || (order != 2 && axes.size() != 1)) {
    return b.Fail("normalize-2",
                  fmt::format("order {} over {} axes is no vector norm", order, axes.size()));
  }
  x = lrt::Cast(b, x, FloatResultType(x.dtype()));
  if (order == 2) {
    const Value sum = Sum(b, lrt::Mul(b, x, x), axes, true);
    // x * min(1 / sqrt(sum), 1 / epsilon); the bound goes under the root where its square is a
    // normal float.
    if (epsilon > 1e-18) return lrt::Mul(b, x, Rsqrt(b, Maximum(b, sum, epsilon * epsilon)));
    return lrt::Mul(b, x, Minimum(b, Rsqrt(b, sum), 1 / epsilon));
  }
  const Value size = lrt::Unary(b, BuiltinOperator::ABS, x);
  Value norm;
  if (order == 1) {
    norm = Sum(b, size, axes, true);
  } else {
    auto power = [&](Value v, double p) {
      return lrt::Binary(b, BuiltinOperator::POW, v, b.Scalar(p, v.dtype()));
    };
    const auto p = static_cast<double>(order);
    norm = power(Sum(b, power(size, p), axes, true), 1 / p);
  }
  return lrt::Div(b, x, Maximum(b, norm, epsilon));
}

Moments MomentsOf(Builder& b, Value x, const std::vector<int>& axes, bool keepdims) {
  if (!x.ok() || !CheckAxes(b, x, axes, "moments-1")) return {};
  const Precision precision(b, x);
  x = precision.x();
  const Value mean = Mean(b, x, axes, true);
  const Value centred = lrt::Sub(b, x, mean);
  const Value variance = Mean(b, lrt::Mul(b, centred, centred), axes, keepdims);
  Value shown = mean;
  if (!keepdims) {
    shown = lrt::Reshape(b, mean, variance.shape());
  }
  return {precision.Restore(shown), precision.Restore(variance)};
}

namespace {

std::vector<int> Axes(Arguments& a, int position, std::string_view name) {
  return a.Ints(position, name).value_or(std::vector<int>{-1});
}

// Arguments as BatchNorm, the Operation, has them: axis and epsilon are keywords.
Argument BatchNormOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Value mean = a.Tensor(1, "mean");
  const Value variance = a.Tensor(2, "variance");
  const Value offset = a.OptionalTensor(3, "offset");
  const Value scale = a.OptionalTensor(4, "scale");
  const int axis = static_cast<int>(a.Int(-1, "axis"));
  return BatchNormalization(b, x, mean, variance, axis, offset, scale,
                            a.Float(-1, "epsilon", 1e-3));
}

Argument BatchNormalizationOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Value mean = a.Tensor(1, "mean");
  const Value variance = a.Tensor(2, "variance");
  const int axis = static_cast<int>(a.Int(3, "axis"));
  const Value offset = a.OptionalTensor(4, "offset");
  const Value scale = a.OptionalTensor(5, "scale");
  return BatchNormalization(b, x, mean, variance, axis, offset, scale, a.Float(6, "epsilon", 1e-3));
}

Argument LayerNormalizationOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Value gamma = a.OptionalTensor(1, "gamma");
  const Value beta = a.OptionalTensor(2, "beta");
  const std::vector<int> axes = Axes(a, 3, "axis");
  const double epsilon = a.Float(4, "epsilon", kEpsilon);
  return LayerNormalization(b, x, gamma, beta, axes, epsilon, a.Bool(-1, "rms_scaling", false));
}

Argument RmsNormalizationOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Value scale = a.OptionalTensor(1, "scale");
  const std::vector<int> axes = Axes(a, 2, "axis");
  return RmsNormalization(b, x, scale, axes, a.Float(3, "epsilon", kEpsilon));
}

Argument NormalizeOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const std::vector<int> axes = Axes(a, 1, "axis");
  const int64_t order = a.Int(2, "order", 2);
  return Normalize(b, x, axes, order, a.Float(3, "epsilon", kEpsilon));
}

Argument MomentsOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const std::vector<int> axes = Axes(a, 1, "axes");
  const bool keepdims = a.Bool(2, "keepdims", false);
  if (a.Bool(3, "synchronized", false)) {
    return b.Fail("moments-2", "synchronized moments join several devices, a file runs on one");
  }
  const Moments moments = MomentsOf(b, x, axes, keepdims);
  return Argument::List({moments.mean, moments.variance});
}

}  // namespace

std::span<const OpEntry> NormalizationOps() {
  static constexpr OpEntry kOps[] = {
      {"nn.batch_norm", BatchNormOp},
      {"nn.batch_normalization", BatchNormalizationOp},
      {"nn.layer_norm", LayerNormalizationOp},
      {"nn.layer_normalization", LayerNormalizationOp},
      {"nn.moments", MomentsOp},
      {"nn.normalize", NormalizeOp},
      {"nn.rms_norm", RmsNormalizationOp},
      {"nn.rms_normalization", RmsNormalizationOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
