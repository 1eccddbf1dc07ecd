#include "ops/activation.h"

#include <fmt/core.h>

#include "ir/operators.h"
#include "ops/elementwise.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;

struct NamedActivation {
  std::string_view name;
  Value (*apply)(Builder& b, Value x);
};

constexpr NamedActivation kActivations[] = {
    {"linear", [](Builder&, Value x) { return x; }},
    {"relu", [](Builder& b, Value x) { return Relu(b, x); }},
    {"relu6", [](Builder& b, Value x) { return Relu(b, x, 0, 6); }},
    {"sigmoid", [](Builder& b, Value x) { return Sigmoid(b, x); }},
    {"tanh", [](Builder& b, Value x) { return Tanh(b, x); }},
    {"softmax", [](Builder& b, Value x) { return Softmax(b, x); }},
    {"gelu", [](Builder& b, Value x) { return lrt::Gelu(b, x, false); }},
    // x * sigmoid(x)
    {"silu", [](Builder& b, Value x) { return lrt::Mul(b, x, Sigmoid(b, x)); }},
    {"swish", [](Builder& b, Value x) { return lrt::Mul(b, x, Sigmoid(b, x)); }},
    // relu6(x + 3) / 6
    {"hard_sigmoid",
     [](Builder& b, Value x) {
       return Multiply(b, Relu(b, Add(b, x, 3.0), 0, 6), 1.0 / 6.0);
     }},
    // x * relu6(x + 3) / 6
    {"hard_silu", [](Builder& b, Value x) { return lrt::Unary(b, BuiltinOperator::HARD_SWISH, x); }},
    {"hard_swish", [](Builder& b, Value x) { return lrt::Unary(b, BuiltinOperator::HARD_SWISH, x); }},
};

Argument ReluOp(Builder& b, Arguments& a) { return Relu(b, a.Tensor(0, "x")); }
Argument SoftmaxOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return Softmax(b, x, static_cast<int>(a.Int(1, "axis", -1)));
}

}  // namespace

Value Relu(Builder& b, Value x, double negative_slope, std::optional<double> max_value,
           double threshold) {
  if (!x.ok()) return x;
  if (negative_slope == 0 && threshold == 0) {
    if (!max_value) return lrt::Unary(b, BuiltinOperator::RELU, x);
    if (*max_value == 6) return lrt::Unary(b, BuiltinOperator::RELU6, x);
    if (*max_value == 1) return lrt::Unary(b, BuiltinOperator::RELU_0_TO_1, x);
    return Minimum(b, lrt::Unary(b, BuiltinOperator::RELU, x), *max_value);
  }
  // x >= threshold ? min(x, max_value) : negative_slope * (x - threshold)
  const Value upper = max_value ? Minimum(b, x, *max_value) : x;
  if (threshold == 0 && !max_value) {
    return lrt::LeakyRelu(b, x, static_cast<float>(negative_slope));
  }
  const Value below = Multiply(b, Subtract(b, x, threshold), negative_slope);
  const Value inside =
      lrt::Compare(b, BuiltinOperator::GREATER_EQUAL, x, b.Scalar(threshold, x.dtype()));
  return lrt::Select(b, inside, upper, below);
}

Value Softmax(Builder& b, Value x, int axis) {
  if (!x.ok()) return x;
  const int rank = x.rank();
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) {
    return b.Fail("softmax-1", fmt::format("axis {} is outside a tensor of rank {}", axis, rank));
  }
  if (axis == rank - 1) return lrt::Softmax(b, x);
  // softmax over axis a ⇒ TRANSPOSE(SOFTMAX(TRANSPOSE(x))): LiteRT's runs over the last axis.
  std::vector<int> swap(static_cast<size_t>(rank));
  for (int i = 0; i < rank; ++i) swap[static_cast<size_t>(i)] = i;
  std::swap(swap[static_cast<size_t>(axis)], swap.back());
  return lrt::Transpose(b, lrt::Softmax(b, lrt::Transpose(b, x, swap)), swap);
}

Value Activate(Builder& b, Value x, std::string_view name) {
  for (const NamedActivation& activation : kActivations) {
    if (activation.name == name) return activation.apply(b, x);
  }
  return b.Fail("activation-1", fmt::format("the activation '{}' is not supported", name),
                "Use one of keras.activations.");
}

std::span<const OpEntry> ActivationOps() {
  static constexpr OpEntry kOps[] = {
      {"nn.relu", ReluOp},
      {"nn.softmax", SoftmaxOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
