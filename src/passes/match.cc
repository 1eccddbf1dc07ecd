#include "passes/match.h"

#include <algorithm>

#include "ir/kernel_types.h"

namespace keras_litert::passes {

using ir::BuiltinOperator;

lrt::Activation* FusedActivation(ir::Operator& op) {
  switch (op.code) {
    case BuiltinOperator::CONV_2D:
      return &op.options.AsConv2DOptions()->fused_activation_function;
    case BuiltinOperator::DEPTHWISE_CONV_2D:
      return &op.options.AsDepthwiseConv2DOptions()->fused_activation_function;
    case BuiltinOperator::FULLY_CONNECTED:
      return &op.options.AsFullyConnectedOptions()->fused_activation_function;
    case BuiltinOperator::CONV_3D:
    case BuiltinOperator::CONV_3D_TRANSPOSE:
      return &op.options.AsConv3DOptions()->fused_activation_function;
    case BuiltinOperator::TRANSPOSE_CONV:
      return &op.options.AsTransposeConvOptions()->fused_activation_function;
    case BuiltinOperator::ADD:
      return &op.options.AsAddOptions()->fused_activation_function;
    case BuiltinOperator::SUB:
      return &op.options.AsSubOptions()->fused_activation_function;
    case BuiltinOperator::MUL:
      return &op.options.AsMulOptions()->fused_activation_function;
    case BuiltinOperator::DIV:
      return &op.options.AsDivOptions()->fused_activation_function;
    case BuiltinOperator::AVERAGE_POOL_2D:
    case BuiltinOperator::MAX_POOL_2D:
      return &op.options.AsPool2DOptions()->fused_activation_function;
    default:
      return nullptr;
  }
}

ir::Operator* ProducedBy(const ir::Tensor* tensor, BuiltinOperator code) {
  if (tensor == nullptr || tensor->producer == nullptr) return nullptr;
  return tensor->producer->code == code ? tensor->producer : nullptr;
}

WithConstant MatchConstantOperand(const ir::Operator& op) {
  for (size_t i = 0; i < 2; ++i) {
    ir::Tensor* x = op.inputs[i];
    ir::Tensor* c = op.inputs[1 - i];
    if (x != nullptr && c != nullptr && c->is_constant() && !x->is_constant()) return {x, c, i};
  }
  return {};
}

bool IsPerChannel(const ir::Tensor* tensor, int64_t channels, int rank) {
  if (tensor == nullptr || !tensor->is_constant() || tensor->type.dtype != ir::DType::kFloat32 ||
      tensor->type.shape.rank() > rank) {
    return false;
  }
  const int64_t n = tensor->constant->num_elements();
  return n == 1 || (n == channels && tensor->type.shape[-1] == ir::Dim(channels));
}

std::optional<double> ScalarOf(const ir::Tensor* tensor) {
  if (tensor == nullptr || !tensor->is_constant() || tensor->constant->num_elements() != 1) {
    return std::nullopt;
  }
  auto values = ir::EvaluateAs<double>(tensor->constant);
  if (!values) return std::nullopt;
  return values->front();
}

std::optional<std::vector<int32_t>> IntsOf(const ir::Tensor* tensor, int64_t limit) {
  if (tensor == nullptr || !tensor->is_constant() || tensor->constant->num_elements() > limit) {
    return std::nullopt;
  }
  auto values = ir::EvaluateAs<int32_t>(tensor->constant);
  if (!values) return std::nullopt;
  return *std::move(values);
}

namespace {

// Erases the operator that makes `tensor`, and what only that needed, if nothing uses its results.
void EraseIfUnused(ir::Graph& graph, const ir::Tensor* tensor) {
  ir::Operator* op = tensor == nullptr ? nullptr : tensor->producer;
  if (op == nullptr || IsImpure(op->code)) return;
  const bool used = std::any_of(
      op->outputs.begin(), op->outputs.end(),
      [&](const ir::Tensor* output) { return !output->users.empty() || graph.IsOutput(output); });
  if (used) return;
  const std::vector<ir::Tensor*> inputs = op->inputs;
  graph.Erase(op);
  for (const ir::Tensor* input : inputs) EraseIfUnused(graph, input);
}

}  // namespace

void Redirect(ir::Graph& graph, ir::Operator* op, size_t index, ir::Tensor* by) {
  const ir::Tensor* old = op->inputs[index];
  graph.SetInput(op, index, by);
  if (old != by) EraseIfUnused(graph, old);
}

void Replace(ir::Graph& graph, ir::Operator* op, ir::Tensor* by) {
  graph.ReplaceAllUses(op->output(), by);
  const std::vector<ir::Tensor*> inputs = op->inputs;
  graph.Erase(op);
  for (const ir::Tensor* input : inputs) EraseIfUnused(graph, input);
}

bool IsElementwiseUnary(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::ABS:
    case BuiltinOperator::CAST:
    case BuiltinOperator::CEIL:
    case BuiltinOperator::COS:
    case BuiltinOperator::ELU:
    case BuiltinOperator::EXP:
    case BuiltinOperator::FLOOR:
    case BuiltinOperator::GELU:
    case BuiltinOperator::HARD_SWISH:
    case BuiltinOperator::LEAKY_RELU:
    case BuiltinOperator::LOG:
    case BuiltinOperator::LOGICAL_NOT:
    case BuiltinOperator::LOGISTIC:
    case BuiltinOperator::NEG:
    case BuiltinOperator::RELU:
    case BuiltinOperator::RELU6:
    case BuiltinOperator::RELU_0_TO_1:
    case BuiltinOperator::RELU_N1_TO_1:
    case BuiltinOperator::ROUND:
    case BuiltinOperator::RSQRT:
    case BuiltinOperator::SIGN:
    case BuiltinOperator::SIN:
    case BuiltinOperator::SQRT:
    case BuiltinOperator::SQUARE:
    case BuiltinOperator::TANH:
      return true;
    default:
      return false;
  }
}

bool IsElementwiseBinary(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::ADD:
    case BuiltinOperator::SUB:
    case BuiltinOperator::MUL:
    case BuiltinOperator::DIV:
    case BuiltinOperator::FLOOR_DIV:
    case BuiltinOperator::FLOOR_MOD:
    case BuiltinOperator::MAXIMUM:
    case BuiltinOperator::MINIMUM:
    case BuiltinOperator::POW:
    case BuiltinOperator::SQUARED_DIFFERENCE:
      return true;
    default:
      return ir::IsPredicate(code);
  }
}

bool IsImpure(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::RANDOM_UNIFORM:
    case BuiltinOperator::RANDOM_STANDARD_NORMAL:
    case BuiltinOperator::MULTINOMIAL:
    case BuiltinOperator::STABLEHLO_RNG_BIT_GENERATOR:
    case BuiltinOperator::VAR_HANDLE:
    case BuiltinOperator::READ_VARIABLE:
    case BuiltinOperator::ASSIGN_VARIABLE:
    case BuiltinOperator::CALL_ONCE:
    case BuiltinOperator::WHILE:
    case BuiltinOperator::IF:
      return true;
    default:
      return false;
  }
}

RewriteBuilder::RewriteBuilder(ir::Module& module, ir::Graph& graph, ir::Operator* op)
    : context_{module, {}, {}, op == nullptr ? 0 : op->origin}, builder_(context_, graph) {
  builder_.SetInsertionPoint(op);
}

}  // namespace keras_litert::passes
