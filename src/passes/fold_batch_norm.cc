// Multiplications and additions of channel constants go into the convolution or product in front of
// them.
//
//   MUL(CONV_2D(x, W, b), s)   ⇒   CONV_2D(x, W · s, b · s)       s [channels]
//   ADD(CONV_2D(x, W, b), c)   ⇒   CONV_2D(x, W, b + c)           c [channels]
//   likewise DEPTHWISE_CONV_2D and FULLY_CONNECTED
//   MUL(CONCATENATION(CONV_2D(x, V), CONV_2D(y, W)), s)
//                                 ⇒   CONCATENATION(CONV_2D(x, V · s₁), CONV_2D(y, W · s₂))
//
// The weights stay lazy: they are scaled when they are written.
#include <algorithm>
#include <functional>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::ConstantPtr;
using ir::DType;
using ir::Operator;
using ir::Shape;
using ir::Tensor;

// The axis of a filter that holds the output channels, or -1 where the operator is no candidate.
int ChannelAxis(const Operator& op) {
  switch (op.code) {
    case BuiltinOperator::CONV_2D:
      return 0;
    case BuiltinOperator::FULLY_CONNECTED:
      return 0;
    case BuiltinOperator::DEPTHWISE_CONV_2D:
      return 3;
    case BuiltinOperator::CONV_3D:
      return 4;
    default:
      return -1;
  }
}

// Element-wise f(a, b) over `channels` floats; a single element serves all channels; a null
// constant is zero.
ConstantPtr PerChannel(std::string name, int64_t channels, const ConstantPtr& x,
                       const ConstantPtr& y, float (*f)(float, float)) {
  std::vector<ConstantPtr> inputs{y};
  if (x) inputs.push_back(x);
  return ir::ComputedConstant(
      std::move(name), {DType::kFloat32, Shape{channels}}, std::move(inputs),
      [channels, f](std::span<const std::span<const std::byte>> in,
                    std::span<std::byte> out) -> Status {
        auto at = [&](size_t input, size_t i) {
          if (input >= in.size()) return 0.0F;
          float value;
          const size_t index = in[input].size() == sizeof(float) ? 0 : i;
          std::memcpy(&value, in[input].data() + index * sizeof(float), sizeof(float));
          return value;
        };
        for (size_t i = 0; i < static_cast<size_t>(channels); ++i) {
          const float value = f(at(1, i), at(0, i));
          std::memcpy(out.data() + i * sizeof(float), &value, sizeof(float));
        }
        return {};
      });
}

// A convolution or product whose result only `user` reads, without activation, and its constants.
struct Target {
  Operator* op = nullptr;
  int axis = -1;  // of the filter: its output channels
  int64_t channels = 0;
  bool has_bias = false;
  explicit operator bool() const { return op != nullptr; }
};

Target MatchTarget(ir::Graph& graph, Tensor* x, const Operator* user) {
  Operator* op = x == nullptr ? nullptr : x->producer;
  if (op == nullptr || graph.OnlyUser(x) != user) return {};
  const int axis = ChannelAxis(*op);
  if (axis < 0 || HasFusedActivation(*op)) return {};
  const Tensor* filter = op->inputs[1];
  if (!filter->is_constant() || filter->type.dtype != DType::kFloat32) return {};
  const bool has_bias = op->inputs.size() > 2 && op->inputs[2] != nullptr;
  if (has_bias && !op->inputs[2]->is_constant()) return {};
  return {op, axis, filter->type.shape[axis].value(), has_bias};
}

// Multiplies the target's result by `factor`, or adds it. False where it cannot be computed.
bool Apply(ir::Graph& graph, const Target& target, BuiltinOperator code,
           const ConstantPtr& factor) {
  Operator* op = target.op;
  const int64_t channels = target.channels;
  const ConstantPtr bias = target.has_bias ? op->inputs[2]->constant : nullptr;
  auto set_bias = [&](const ConstantPtr& value) {
    if (op->inputs.size() < 3) op->inputs.push_back(nullptr);
    graph.SetInput(op, 2, graph.AddConstant(value));
  };
  if (code == BuiltinOperator::MUL) {
    const ConstantPtr scale =
        PerChannel("scale_of", channels, nullptr, factor, [](float, float s) { return s; });
    auto values = ir::EvaluateAs<float>(scale);
    if (!values) return false;
    const ConstantPtr filter = op->inputs[1]->constant;
    graph.SetInput(op, 1, graph.AddConstant(ir::ScaledAlong(filter, target.axis, *values)));
    if (target.has_bias) {
      set_bias(PerChannel("mul", channels, bias, factor, [](float x, float s) { return x * s; }));
    }
  } else {
    set_bias(PerChannel("add", channels, bias, factor, [](float x, float c) { return x + c; }));
  }
  return true;
}

// Elements [first, first + channels) of a constant of channels, or its only one.
ConstantPtr Part(const ConstantPtr& factor, int64_t first, int64_t channels) {
  if (factor->num_elements() == 1) return factor;
  return ir::ComputedConstant(
      "slice", {DType::kFloat32, Shape{channels}}, {factor},
      [first](std::span<const std::span<const std::byte>> in, std::span<std::byte> out) -> Status {
        std::memcpy(out.data(), in[0].data() + static_cast<size_t>(first) * sizeof(float),
                    out.size());
        return {};
      });
}

// The convolutions that CONCATENATION joins along the channels, or none where one is no target.
std::vector<Target> MatchJoined(ir::Graph& graph, Tensor* x, const Operator* user) {
  Operator* join = ProducedBy(x, BuiltinOperator::CONCATENATION);
  if (join == nullptr || graph.OnlyUser(x) != user) return {};
  const int rank = x->type.shape.rank();
  const tflite::ConcatenationOptionsT* options = join->options.AsConcatenationOptions();
  if ((options->axis != rank - 1 && options->axis != -1) ||
      options->fused_activation_function != lrt::Activation::NONE) {
    return {};
  }
  std::vector<Target> targets;
  for (Tensor* input : join->inputs) {
    targets.push_back(MatchTarget(graph, input, join));
    // OnlyUser() counts operators, and a join may name one tensor twice.
    const bool twice = std::count(join->inputs.begin(), join->inputs.end(), input) != 1;
    if (!targets.back() || twice) return {};
  }
  return targets;
}

void Fold(ir::Graph& graph, Operator* op) {
  if (HasFusedActivation(*op)) return;
  for (size_t side = 0; side < 2; ++side) {
    Tensor* x = op->inputs[side];
    const Tensor* factor = op->inputs[1 - side];
    std::vector<Target> targets;
    if (const Target one = MatchTarget(graph, x, op)) {
      targets.push_back(one);
    } else {
      targets = MatchJoined(graph, x, op);
    }
    if (targets.empty()) continue;
    int64_t channels = 0;
    for (const Target& target : targets) channels += target.channels;
    if (!IsPerChannel(factor, channels, x->type.shape.rank())) continue;
    // Evaluated once here, so that nothing fails halfway.
    if (targets.size() > 1 && !ir::EvaluateAs<float>(factor->constant)) continue;
    int64_t first = 0;
    bool done = true;
    for (const Target& target : targets) {
      const ConstantPtr part =
          targets.size() == 1 ? factor->constant : Part(factor->constant, first, target.channels);
      done &= Apply(graph, target, op->code, part);
      first += target.channels;
    }
    if (!done) continue;
    graph.ReplaceAllUses(op->output(), x);
    graph.Erase(op);
    return;
  }
}

}  // namespace

void FoldBatchNorm(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (Operator* op : graph->Operators()) {
      if (!op->erased && (op->code == BuiltinOperator::MUL || op->code == BuiltinOperator::ADD)) {
        Fold(*graph, op);
      }
    }
  }
}

}  // namespace keras_litert::passes
