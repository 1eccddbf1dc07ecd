// Operators that only move elements go behind element-wise ones, so that the latter stand beside
// the convolution or product in front, and the former meet their like.
//
//   RELU(RESHAPE(x, s))                    ⇒   RESHAPE(RELU(x), s)
//   MUL(RESHAPE(x, s), c)                  ⇒   RESHAPE(MUL(x, c), s)             c one number, or
//   one a channel and s
//                                                                                keeps the channels
//   MUL(DEPTH_TO_SPACE(x), c)              ⇒   DEPTH_TO_SPACE(MUL(x, c … c))     c [channels],
//   block² times ADD(RESHAPE(x, s), RESHAPE(y, s))      ⇒   RESHAPE(ADD(x, y), s)             x and
//   y of one shape
//
// 1-D convolutions are 2-D ones between reshapes, transposed ones end in DEPTH_TO_SPACE: this is
// how normalization and activation reach them.
#include <algorithm>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::Dim;
using ir::Operator;
using ir::Tensor;
using ir::Value;

bool IsReshape(const Operator& op) {
  return op.code == BuiltinOperator::RESHAPE || op.code == BuiltinOperator::EXPAND_DIMS ||
         op.code == BuiltinOperator::SQUEEZE;
}

// The mover that makes `tensor`, if nothing but `reader` sees it.
Operator* MoverOf(const ir::Graph& graph, const Tensor* tensor, const Operator* reader) {
  Operator* mover = tensor == nullptr ? nullptr : tensor->producer;
  if (mover == nullptr || (!IsReshape(*mover) && mover->code != BuiltinOperator::DEPTH_TO_SPACE)) {
    return nullptr;
  }
  return graph.OnlyUser(tensor) == reader && !mover->inputs[0]->is_constant() ? mover : nullptr;
}

// `constant` as an operand beside the mover's source, or null where it is none.
Tensor* Moved(RewriteBuilder& b, const Operator& mover, Tensor* constant, int rank) {
  if (constant->type.shape.rank() > rank) return nullptr;
  const int64_t elements = constant->constant->num_elements();
  if (elements == 1) return lrt::Reshape(*b, Value(constant), ir::Shape{}).tensor();
  const Dim channels = mover.output()->type.shape.dim(-1);
  if (channels != Dim(elements) || constant->type.shape.dim(-1) != channels) return nullptr;
  const Tensor& source = *mover.inputs[0];
  const Value flat = lrt::Reshape(*b, Value(constant), ir::Shape{elements});
  if (mover.code == BuiltinOperator::DEPTH_TO_SPACE) {
    const int64_t block = mover.options.AsDepthToSpaceOptions()->block_size;
    const size_t bytes = constant->constant->byte_size();
    return b
        ->Constant(ir::ComputedConstant(
            "repeat", {constant->type.dtype, ir::Shape{elements * block * block}},
            {flat.constant()},
            [bytes](std::span<const std::span<const std::byte>> in,
                    std::span<std::byte> out) -> Status {
              for (size_t i = 0; i < out.size(); i += bytes) {
                std::copy(in[0].begin(), in[0].end(), out.begin() + static_cast<ptrdiff_t>(i));
              }
              return {};
            }))
        .tensor();
  }
  return source.type.shape.dim(-1) == channels && source.type.shape.rank() <= 4 ? flat.tensor()
                                                                                : nullptr;
}

// Puts `mover`, which read into `op`, behind it.
void Sink(ir::Graph& graph, Operator* op, Operator* mover) {
  Tensor* source = mover->inputs[0];
  Tensor* last = op->output();
  Tensor* between = graph.AddTensor({last->type.dtype, source->type.shape});
  mover->output()->producer = nullptr;
  op->outputs[0] = between;
  between->producer = op;
  mover->outputs[0] = last;
  last->producer = mover;
  graph.SetInput(mover, 0, between);
  graph.MoveBefore(mover, op->next);
}

bool TrySink(ir::Module& module, ir::Graph& graph, Operator* op) {
  if (IsElementwiseUnary(op->code)) {
    Operator* mover = MoverOf(graph, op->inputs[0], op);
    if (mover == nullptr) return false;
    graph.SetInput(op, 0, mover->inputs[0]);
    Sink(graph, op, mover);
    return true;
  }
  if (!IsElementwiseBinary(op->code) || op->inputs.size() != 2) return false;
  Operator* left = MoverOf(graph, op->inputs[0], op);
  Operator* right = MoverOf(graph, op->inputs[1], op);
  if (left != nullptr && right != nullptr) {
    const bool alike = left->code == right->code &&
                       left->inputs[0]->type.shape == right->inputs[0]->type.shape &&
                       left->output()->type.shape == right->output()->type.shape;
    // BROADCAST operators end at rank 4 or 5, equal shapes do not.
    if (!alike || !IsReshape(*left)) return false;
    graph.SetInput(op, 0, left->inputs[0]);
    graph.SetInput(op, 1, right->inputs[0]);
    Sink(graph, op, left);
    graph.Erase(right);
    return true;
  }
  Operator* mover = left != nullptr ? left : right;
  const size_t side = left != nullptr ? 0 : 1;
  if (mover == nullptr || !op->inputs[1 - side]->is_constant()) return false;
  RewriteBuilder b(module, graph, op);
  Tensor* constant = Moved(b, *mover, op->inputs[1 - side], op->output()->type.shape.rank());
  // The constant must not have widened the result.
  if (constant == nullptr || op->output()->type.shape != mover->output()->type.shape) return false;
  graph.SetInput(op, side, mover->inputs[0]);
  graph.SetInput(op, 1 - side, constant);
  Sink(graph, op, mover);
  return true;
}

}  // namespace

void SinkReshapes(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    // Each step moves a mover behind an operator, and none moves up: this ends.
    for (bool changed = true; changed;) {
      changed = false;
      for (Operator* op : graph->Operators()) {
        if (!op->erased) changed |= TrySink(module, *graph, op);
      }
    }
  }
}

}  // namespace keras_litert::passes
