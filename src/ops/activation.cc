#include "ops/activation.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/operators.h"
#include "ops/elementwise.h"
#include "ops/reduction.h"
#include "ops/table.h"
#include "util/near_match.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;

// The alpha and scale of SELU (Klambauer et al., 2017).
constexpr double kSeluAlpha = 1.6732632423543772;
constexpr double kSeluScale = 1.0507009873554805;

Value AsFloat(Builder& b, Value x) {
  return lrt::Cast(b, x, FloatResultType(x.dtype()));
}

Value Square(Builder& b, Value x) {
  return lrt::Mul(b, x, x);
}

Value Select(Builder& b, Value condition, Value x, double otherwise) {
  return lrt::Select(b, condition, x, b.Scalar(otherwise, x.dtype()));
}

Value Clip(Builder& b, Value x, double low, double high) {
  return Minimum(b, Maximum(b, x, low), high);
}

Value Silu(Builder& b, Value x) {
  return lrt::Mul(b, x, Sigmoid(b, x));
}

// relu6(x + 3) / 6
Value HardSigmoid(Builder& b, Value x) {
  return Multiply(b, lrt::Unary(b, BuiltinOperator::RELU6, Add(b, x, 3.0)), 1.0 / 6.0);
}

// alpha > 0:  alpha * elu(x / alpha)
// else:       max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1)
Value Celu(Builder& b, Value x, double alpha) {
  if (alpha == 1) return Elu(b, x);
  if (alpha > 0) return Multiply(b, Elu(b, Multiply(b, x, 1 / alpha)), alpha);
  if (alpha == 0) return b.Fail("celu-1", "alpha is 0");
  const Value below = Exp(b, Multiply(b, Minimum(b, x, 0.0), 1 / alpha));
  return Add(b, lrt::Unary(b, BuiltinOperator::RELU, x),
             Multiply(b, Subtract(b, below, 1.0), alpha));
}

// a * sigmoid(g) of the halves a, g of `axis`.
Value Glu(Builder& b, Value x, int64_t axis) {
  if (!x.ok()) return x;
  if (axis < -x.rank() || axis >= x.rank()) {
    return b.Fail("glu-1", fmt::format("axis {} is outside a tensor of rank {}", axis, x.rank()));
  }
  const Dim size = x.dim(static_cast<int>(axis));
  if (size.is_static() && size.value() % 2 != 0) {
    return b.Fail("glu-2",
                  fmt::format("axis {} has {} elements, which do not halve", axis, size.value()));
  }
  const std::vector<Value> halves = lrt::Split(b, x, static_cast<int>(axis), 2);
  return lrt::Mul(b, halves[0], Sigmoid(b, halves[1]));
}

// log(1 / (1 + exp(-x))) = min(x, 0) + log(sigmoid(|x|))
Value LogSigmoid(Builder& b, Value x) {
  const Value rest = Log(b, Sigmoid(b, lrt::Unary(b, BuiltinOperator::ABS, x)));
  return lrt::Add(b, Minimum(b, x, 0.0), rest);
}

// x * tanh(log(1 + e)) = x * n / (n + 2),  n = e * (e + 2),  e = exp(x). From x = 20 on the
// quotient is 1.
Value Mish(Builder& b, Value x) {
  const Value e = Exp(b, Minimum(b, x, 20.0));
  const Value n = lrt::Mul(b, e, Add(b, e, 2.0));
  return lrt::Mul(b, x, lrt::Div(b, n, Add(b, n, 2.0)));
}

// x outside [-threshold, threshold], moved towards 0 by threshold; 0 inside.
Value SoftShrink(Builder& b, Value x, double threshold) {
  if (threshold >= 0) return lrt::Sub(b, x, Clip(b, x, -threshold, threshold));
  return lrt::Select(b, CompareNumber(b, BuiltinOperator::GREATER, x, threshold),
                     Subtract(b, x, threshold), Add(b, x, threshold));
}

Value HardShrink(Builder& b, Value x, double threshold) {
  const Value size = lrt::Unary(b, BuiltinOperator::ABS, x);
  return Select(b, CompareNumber(b, BuiltinOperator::GREATER, size, threshold), x, 0);
}

Value Threshold(Builder& b, Value x, double threshold, double otherwise) {
  return Select(b, CompareNumber(b, BuiltinOperator::GREATER, x, threshold), x, otherwise);
}

Value Softsign(Builder& b, Value x) {
  return lrt::Div(b, x, Add(b, lrt::Unary(b, BuiltinOperator::ABS, x), 1.0));
}

// clip(x + 1, 0, 2) / 2
Value SparseSigmoid(Builder& b, Value x) {
  const Value inside = lrt::Unary(b, BuiltinOperator::RELU_N1_TO_1, x);
  return Add(b, Multiply(b, inside, 0.5), 0.5);
}

// 0 up to -1, (x + 1)² / 4 up to 1, x beyond:  sparse_sigmoid(x)² + relu(x - 1)
Value SparsePlus(Builder& b, Value x) {
  return lrt::Add(b, Square(b, SparseSigmoid(b, x)),
                  lrt::Unary(b, BuiltinOperator::RELU, Subtract(b, x, 1.0)));
}

// (x + sqrt(x² + smoothness)) / 2
Value Squareplus(Builder& b, Value x, double smoothness) {
  const Value root = Sqrt(b, Add(b, Square(b, x), smoothness));
  return Multiply(b, lrt::Add(b, x, root), 0.5);
}

struct NamedActivation {
  std::string_view name;
  Value (*apply)(Builder& b, Value x);
};

// Keras's defaults. All but those of `KeepsIntegers` get floats.
constexpr NamedActivation kActivations[] = {
    {"linear", [](Builder&, Value x) { return x; }},
    {"relu", [](Builder& b, Value x) { return Relu(b, x); }},
    {"relu6", [](Builder& b, Value x) { return Relu(b, x, 0, 6); }},
    {"leaky_relu", [](Builder& b, Value x) { return LeakyRelu(b, x, 0.2); }},
    {"elu", [](Builder& b, Value x) { return Elu(b, x); }},
    {"selu", [](Builder& b, Value x) { return Multiply(b, Elu(b, x, kSeluAlpha), kSeluScale); }},
    {"celu", [](Builder& b, Value x) { return Celu(b, x, 1); }},
    {"gelu", [](Builder& b, Value x) { return lrt::Gelu(b, x, false); }},
    {"glu", [](Builder& b, Value x) { return Glu(b, x, -1); }},
    {"sigmoid", [](Builder& b, Value x) { return Sigmoid(b, x); }},
    {"tanh", [](Builder& b, Value x) { return Tanh(b, x); }},
    {"softmax", [](Builder& b, Value x) { return Softmax(b, x); }},
    {"log_softmax", [](Builder& b, Value x) { return LogSoftmax(b, x, {-1}); }},
    {"sparsemax", [](Builder& b, Value x) { return Sparsemax(b, x); }},
    {"silu", Silu},
    {"swish", Silu},
    {"hard_sigmoid", HardSigmoid},
    {"hard_silu",
     [](Builder& b, Value x) { return lrt::Unary(b, BuiltinOperator::HARD_SWISH, x); }},
    {"hard_swish",
     [](Builder& b, Value x) { return lrt::Unary(b, BuiltinOperator::HARD_SWISH, x); }},
    {"hard_tanh",
     [](Builder& b, Value x) { return lrt::Unary(b, BuiltinOperator::RELU_N1_TO_1, x); }},
    {"hard_shrink", [](Builder& b, Value x) { return HardShrink(b, x, 0.5); }},
    {"soft_shrink", [](Builder& b, Value x) { return SoftShrink(b, x, 0.5); }},
    {"tanh_shrink", [](Builder& b, Value x) { return lrt::Sub(b, x, Tanh(b, x)); }},
    {"log_sigmoid", LogSigmoid},
    {"mish", Mish},
    {"softplus", Softplus},
    {"softsign", Softsign},
    {"sparse_plus", SparsePlus},
    {"sparse_sigmoid", SparseSigmoid},
    {"squareplus", [](Builder& b, Value x) { return Squareplus(b, x, 4); }},
    {"exponential", [](Builder& b, Value x) { return Exp(b, x); }},
};

bool KeepsIntegers(std::string_view name) {
  return name == "linear" || name.starts_with("relu");
}

// ---- By name. Arguments as the functions of keras.ops and keras.activations have them. ----

Value FloatInput(Builder& b, Arguments& a) {
  return AsFloat(b, a.Tensor(0, "x"));
}

// The operations without arguments: "nn.<name>" is the activation of that name.
template <size_t kLength>
struct Name {
  constexpr Name(const char (&text)[kLength]) { std::copy_n(text, kLength, value); }  // NOLINT
  char value[kLength];
};
template <Name kName>
Argument PlainOp(Builder& b, Arguments& a) {
  return Activate(b, a.Tensor(0, "x"), kName.value);
}

// keras.activations.relu, whose Operation is called ReLU.
Argument ReluWithArgumentsOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const double slope = a.Float(1, "negative_slope", 0);
  const std::optional<double> max_value =
      a.Has(2, "max_value") ? std::optional(a.Float(2, "max_value", 0)) : std::nullopt;
  a.Get(2, "max_value");
  return Relu(b, x, slope, max_value, a.Float(3, "threshold", 0));
}

Argument LeakyReluOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return LeakyRelu(b, x, a.Float(1, "negative_slope", 0.2));
}
Argument EluOp(Builder& b, Arguments& a) {
  const Value x = FloatInput(b, a);
  return Elu(b, x, a.Float(1, "alpha", 1));
}
Argument CeluOp(Builder& b, Arguments& a) {
  const Value x = FloatInput(b, a);
  return Celu(b, x, a.Float(1, "alpha", 1));
}
Argument GeluOp(Builder& b, Arguments& a) {
  const Value x = FloatInput(b, a);
  return lrt::Gelu(b, x, a.Bool(1, "approximate", true));  // keras.ops.gelu's default
}
Argument GluOp(Builder& b, Arguments& a) {
  const Value x = FloatInput(b, a);
  return Glu(b, x, a.Int(1, "axis", -1));
}
Argument HardShrinkOp(Builder& b, Arguments& a) {
  const Value x = FloatInput(b, a);
  return HardShrink(b, x, a.Float(1, "threshold", 0.5));
}
Argument SoftShrinkOp(Builder& b, Arguments& a) {
  const Value x = FloatInput(b, a);
  return SoftShrink(b, x, a.Float(1, "threshold", 0.5));
}
Argument ThresholdOp(Builder& b, Arguments& a) {
  const Value x = FloatInput(b, a);
  const double threshold = a.Float(1, "threshold", 0);
  return Threshold(b, x, threshold, a.Float(2, "default_value", 0));
}
Argument SquareplusOp(Builder& b, Arguments& a) {
  const Value x = FloatInput(b, a);
  return Squareplus(b, x, a.Float(1, "b", 4));
}
Argument SoftmaxOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return Softmax(b, x, a.Ints(1, "axis").value_or(std::vector<int>{-1}));
}
Argument LogSoftmaxOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return LogSoftmax(b, x, a.Ints(1, "axis").value_or(std::vector<int>{-1}));
}
Argument SparsemaxOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return Sparsemax(b, x, static_cast<int>(a.Int(1, "axis", -1)));
}

}  // namespace

Value CompareNumber(Builder& b, BuiltinOperator condition, Value x, double number) {
  const Value scalar = b.Scalar(number, x.dtype());
  if (x.rank() <= 4) return lrt::Compare(b, condition, x, scalar);
  Dim elements = 1;
  for (Dim dim : x.shape()) elements = b.symbols().Product(elements, dim);
  const Value flat = lrt::Reshape(b, x, Shape{elements});
  return lrt::Reshape(b, lrt::Compare(b, condition, flat, scalar), x.shape());
}

Value Relu(Builder& b, Value x, double negative_slope, std::optional<double> max_value,
           double threshold) {
  if (!x.ok()) return x;
  const bool integer = !ir::IsFloat(x.dtype());
  if (integer && negative_slope == 0 && threshold == 0) {
    const Value positive = Maximum(b, x, 0);
    return max_value ? Minimum(b, positive, static_cast<int64_t>(*max_value)) : positive;
  }
  x = AsFloat(b, x);
  if (negative_slope != 0 && threshold == 0 && !max_value) return LeakyRelu(b, x, negative_slope);
  // The part above the threshold, which alone max_value bounds …
  Value y;
  if (threshold != 0) {
    y = Select(b, CompareNumber(b, BuiltinOperator::GREATER, x, threshold), x, 0);
    if (max_value) y = Clip(b, y, 0, *max_value);
  } else if (!max_value) {
    y = lrt::Unary(b, BuiltinOperator::RELU, x);
  } else if (*max_value == 6) {
    y = lrt::Unary(b, BuiltinOperator::RELU6, x);
  } else if (*max_value == 1) {
    y = lrt::Unary(b, BuiltinOperator::RELU_0_TO_1, x);
  } else {
    y = Minimum(b, lrt::Unary(b, BuiltinOperator::RELU, x), *max_value);
  }
  if (negative_slope == 0) return y;
  // … and the part below it: min(x - threshold, 0) * negative_slope.
  const Value below = Minimum(b, threshold == 0 ? x : Subtract(b, x, threshold), 0.0);
  return lrt::Add(b, y, Multiply(b, below, negative_slope));
}

Value LeakyRelu(Builder& b, Value x, double negative_slope) {
  if (!x.ok()) return x;
  return lrt::LeakyRelu(b, AsFloat(b, x), static_cast<float>(negative_slope));
}

// elu(x, alpha) ⇒ LEAKY_RELU {alpha}(ELU(x)): ELU keeps the sign.
Value Elu(Builder& b, Value x, double alpha) {
  const Value y = lrt::Unary(b, BuiltinOperator::ELU, x);
  return alpha == 1 ? y : lrt::LeakyRelu(b, y, static_cast<float>(alpha));
}

// max(x, 0) + log(1 + exp(-|x|)) = relu(x) - log(sigmoid(|x|))
Value Softplus(Builder& b, Value x) {
  const Value rest = Log(b, Sigmoid(b, lrt::Unary(b, BuiltinOperator::ABS, x)));
  return lrt::Sub(b, lrt::Unary(b, BuiltinOperator::RELU, x), rest);
}

namespace {

// f over the last axis of x, whose `axes` are brought there as one:
//   TRANSPOSE, RESHAPE, f, RESHAPE, TRANSPOSE; each where it is needed.
template <typename F>
Value OverAxes(Builder& b, Value x, std::vector<int> axes, F f) {
  if (!x.ok()) return x;
  x = AsFloat(b, x);
  const int rank = x.rank();
  std::vector<bool> chosen(static_cast<size_t>(rank));
  for (int& axis : axes) {
    const int given = axis;
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) {
      return b.Fail("softmax-1",
                    fmt::format("axis {} is outside a tensor of rank {}", given, rank));
    }
    if (chosen[static_cast<size_t>(axis)]) {
      return b.Fail("softmax-2", fmt::format("axis {} is given twice", given));
    }
    chosen[static_cast<size_t>(axis)] = true;
  }
  if (axes.empty()) return b.Fail("softmax-3", "no axis is given");
  std::vector<int> order;
  for (int i = 0; i < rank; ++i) {
    if (!chosen[static_cast<size_t>(i)]) order.push_back(i);
  }
  Shape merged;
  for (int axis : order) merged.Append(x.dim(axis));
  Dim size = 1;
  for (int i = 0; i < rank; ++i) {
    if (!chosen[static_cast<size_t>(i)]) continue;
    order.push_back(i);
    size = b.symbols().Product(size, x.dim(i));
  }
  merged.Append(size);
  std::vector<int> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i)
    inverse[static_cast<size_t>(order[i])] = static_cast<int>(i);
  const Value last = lrt::Transpose(b, x, order);
  const Value y = f(lrt::Reshape(b, last, merged));
  return lrt::Transpose(b, lrt::Reshape(b, y, last.shape()), inverse);
}

}  // namespace

Value Softmax(Builder& b, Value x, int axis) {
  return Softmax(b, x, std::vector<int>{axis});
}

Value Softmax(Builder& b, Value x, const std::vector<int>& axes) {
  return OverAxes(b, x, axes, [&](Value v) { return lrt::Softmax(b, v); });
}

Value LogSoftmax(Builder& b, Value x, const std::vector<int>& axes) {
  return OverAxes(b, x, axes,
                  [&](Value v) { return lrt::Unary(b, BuiltinOperator::LOG_SOFTMAX, v); });
}

// z = x sorted descending, c = cumsum(z), r = 1, 2, …; the support is where z - (c - 1) / r > 0.
//   max(x - (sum(c over the support) - 1) / size of the support, 0)
Value Sparsemax(Builder& b, Value x, int axis) {
  return OverAxes(b, x, {axis}, [&](Value v) {
    const Dim size = v.dim(-1);
    const Value count = b.SizeOf(size);
    const Value z = b.EmitMany(BuiltinOperator::TOPK_V2, {v, count},
                               {v.type(), {DType::kInt32, v.shape()}}, 2)[0];
    const Value c = lrt::Cumsum(b, z, v.rank() - 1);
    const Value one = b.Scalar(1, DType::kInt32);
    const Value limit = size.is_static()
                            ? b.Scalar(static_cast<double>(size.value() + 1), DType::kInt32)
                            : lrt::Add(b, count, one);
    const Value r = lrt::Cast(b, lrt::Range(b, one, limit, one, size), v.dtype());
    const Value excess = lrt::Sub(b, z, lrt::Div(b, Subtract(b, c, 1.0), r));
    const Value support = CompareNumber(b, BuiltinOperator::GREATER, excess, 0);
    const Value k = Sum(b, lrt::Cast(b, support, v.dtype()), std::vector<int>{-1}, true);
    const Value sum = Sum(b, Select(b, support, c, 0), std::vector<int>{-1}, true);
    const Value tau = lrt::Div(b, Subtract(b, sum, 1.0), k);
    return lrt::Unary(b, BuiltinOperator::RELU, lrt::Sub(b, v, tau));
  });
}

Value Activate(Builder& b, Value x, std::string_view name) {
  std::vector<std::string_view> names;
  for (const NamedActivation& activation : kActivations) {
    if (activation.name == name) {
      return activation.apply(b, x.ok() && !KeepsIntegers(name) ? AsFloat(b, x) : x);
    }
    names.push_back(activation.name);
  }
  const std::optional<std::string> near = NearMatch(name, names);
  return b.Fail("activation-1", fmt::format("the activation '{}' is not known", name),
                (near ? fmt::format("Did you mean '{}'? Otherwise: ", *near) : std::string()) +
                    "The code of a function of your own is not in the file: use a function of "
                    "keras.activations, or call keras.ops in the model.");
}

std::span<const OpEntry> ActivationOps() {
  static constexpr OpEntry kOps[] = {
      {"activations.mish", PlainOp<"mish">},
      {"activations.re_lu", ReluWithArgumentsOp},
      {"nn.celu", CeluOp},
      {"nn.elu", EluOp},
      {"nn.gelu", GeluOp},
      {"nn.glu", GluOp},
      {"nn.hard_shrink", HardShrinkOp},
      {"nn.hard_sigmoid", PlainOp<"hard_sigmoid">},
      {"nn.hard_silu", PlainOp<"hard_silu">},
      {"nn.hard_tanh", PlainOp<"hard_tanh">},
      {"nn.leaky_relu", LeakyReluOp},
      {"nn.log_sigmoid", PlainOp<"log_sigmoid">},
      {"nn.log_softmax", LogSoftmaxOp},
      {"nn.relu", PlainOp<"relu">},
      {"nn.relu6", PlainOp<"relu6">},
      {"nn.selu", PlainOp<"selu">},
      {"nn.sigmoid", PlainOp<"sigmoid">},
      {"nn.silu", PlainOp<"silu">},
      {"nn.soft_shrink", SoftShrinkOp},
      {"nn.softmax", SoftmaxOp},
      {"nn.softplus", PlainOp<"softplus">},
      {"nn.softsign", PlainOp<"softsign">},
      {"nn.sparse_plus", PlainOp<"sparse_plus">},
      {"nn.sparse_sigmoid", PlainOp<"sparse_sigmoid">},
      {"nn.sparsemax", SparsemaxOp},
      {"nn.squareplus", SquareplusOp},
      {"nn.tanh", PlainOp<"tanh">},
      {"nn.tanh_shrink", PlainOp<"tanh_shrink">},
      {"nn.threshold", ThresholdOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
