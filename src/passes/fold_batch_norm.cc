// Multiplications and additions of channel constants go into the convolution or product in front of
// them.
//
//   MUL(CONV_2D(x, W, b), s)   ⇒   CONV_2D(x, W · s, b · s)       s [channels]
//   ADD(CONV_2D(x, W, b), c)   ⇒   CONV_2D(x, W, b + c)           c [channels]
//   likewise DEPTHWISE_CONV_2D and FULLY_CONNECTED
//
// The weights stay lazy: they are scaled when they are written.
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

// A constant that is one number per channel (all leading axes 1) or one number for all.
bool IsPerChannel(const Tensor* tensor, int64_t channels, int rank) {
  if (tensor == nullptr || !tensor->is_constant() || tensor->type.dtype != DType::kFloat32 ||
      tensor->type.shape.rank() > rank) {
    return false;
  }
  const int64_t n = tensor->constant->num_elements();
  return n == 1 || (n == channels && tensor->type.shape[-1] == ir::Dim(channels));
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

void Fold(ir::Graph& graph, Operator* op) {
  for (size_t side = 0; side < 2; ++side) {
    Tensor* x = op->inputs[side];
    const Tensor* factor = op->inputs[1 - side];
    Operator* producer = x == nullptr ? nullptr : x->producer;
    if (producer == nullptr || graph.OnlyUser(x) != op) continue;
    const int axis = ChannelAxis(*producer);
    if (axis < 0 || HasFusedActivation(*producer) || HasFusedActivation(*op)) continue;
    Tensor* filter = producer->inputs[1];
    if (!filter->is_constant() || filter->type.dtype != DType::kFloat32) continue;
    const int64_t channels = filter->type.shape[axis].value();
    const bool has_bias = producer->inputs.size() > 2 && producer->inputs[2] != nullptr;
    if (has_bias && !producer->inputs[2]->is_constant()) continue;
    if (!IsPerChannel(factor, channels, x->type.shape.rank())) continue;
    const ConstantPtr bias = has_bias ? producer->inputs[2]->constant : nullptr;
    auto set_bias = [&](const ConstantPtr& value) {
      if (producer->inputs.size() < 3) producer->inputs.push_back(nullptr);
      graph.SetInput(producer, 2, graph.AddConstant(value));
    };
    if (op->code == BuiltinOperator::MUL) {
      const ConstantPtr scale = PerChannel("scale_of", channels, nullptr, factor->constant,
                                           [](float, float s) { return s; });
      auto values = ir::EvaluateAs<float>(scale);
      if (!values) continue;
      graph.SetInput(producer, 1,
                     graph.AddConstant(ir::ScaledAlong(filter->constant, axis, *values)));
      if (has_bias) {
        set_bias(PerChannel("mul", channels, bias, factor->constant,
                            [](float x0, float s) { return x0 * s; }));
      }
    } else {
      set_bias(PerChannel("add", channels, bias, factor->constant,
                          [](float x0, float c) { return x0 + c; }));
    }
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
