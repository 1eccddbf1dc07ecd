// Questions that rewrites ask of operators.
#pragma once

#include <optional>
#include <vector>

#include "ir/operators.h"

namespace keras_litert::passes {

// Where an operator keeps its fused activation; null for operators without one.
lrt::Activation* FusedActivation(ir::Operator& op);
inline bool HasFusedActivation(ir::Operator& op) {
  const lrt::Activation* activation = FusedActivation(op);
  return activation != nullptr && *activation != lrt::Activation::NONE;
}

// The producer of `tensor` if it is an operator of this kind, else null.
ir::Operator* ProducedBy(const ir::Tensor* tensor, ir::BuiltinOperator code);

// For a commutative operator with one constant operand: the other operand, and the constant.
struct WithConstant {
  ir::Tensor* x = nullptr;
  ir::Tensor* constant = nullptr;
  size_t position = 0;  // of x
  explicit operator bool() const { return x != nullptr; }
};
WithConstant MatchConstantOperand(const ir::Operator& op);

// True for a float32 constant that is one number for all of `channels`, or one for each, with
// leading axes of 1, of at most `rank` axes: broadcast, it scales a tensor's last axis.
bool IsPerChannel(const ir::Tensor* tensor, int64_t channels, int rank);

// The one element of a constant of one element, as double.
std::optional<double> ScalarOf(const ir::Tensor* tensor);
// The elements of a constant of at most `limit` elements.
std::optional<std::vector<int32_t>> IntsOf(const ir::Tensor* tensor, int64_t limit = 64);

// Makes the users of op's output use `by`, and erases op and whatever only op needed. Walks over
// Operators() must skip what is `erased`.
void Replace(ir::Graph& graph, ir::Operator* op, ir::Tensor* by);

// Makes input `index` of `op` read `by`, and erases what only the old input needed.
void Redirect(ir::Graph& graph, ir::Operator* op, size_t index, ir::Tensor* by);

// Element-wise operators of one operand (result of the operand's type, position by position).
bool IsElementwiseUnary(ir::BuiltinOperator code);
// Element-wise operators of two broadcast operands.
bool IsElementwiseBinary(ir::BuiltinOperator code);
// Runs on every call anew and differently (random numbers), or touches state.
bool IsImpure(ir::BuiltinOperator code);

// A builder that appends in front of `op`, under its origin.
class RewriteBuilder {
 public:
  RewriteBuilder(ir::Module& module, ir::Graph& graph, ir::Operator* op);
  ir::Builder& operator*() { return builder_; }
  ir::Builder* operator->() { return &builder_; }

 private:
  ir::BuildContext context_;
  ir::Builder builder_;
};

}  // namespace keras_litert::passes
