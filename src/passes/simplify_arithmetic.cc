// Chains of additions and multiplications with constants become one multiplication and one
// addition.
//
//   SUB(x, c)              ⇒   ADD(x, -c)
//   DIV(x, c)              ⇒   MUL(x, 1/c)
//   MUL(ADD(x, c), s)      ⇒   ADD(MUL(x, s), c·s)
//   MUL(MUL(x, s), t)      ⇒   MUL(x, s·t)
//   ADD(ADD(x, c), d)      ⇒   ADD(x, c + d)
//   ADD(x, 0), MUL(x, 1)   ⇒   x
//
// float32 only, and only for constants of one element or one a channel: no constant may grow.
// Together with fold_batch_norm this moves whole preprocessing chains into one operator or into a
// convolution.
#include <algorithm>

#include "ir/evaluate.h"
#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::Operator;
using ir::Tensor;
using ir::Value;

constexpr int64_t kLargestChannel = 1 << 16;

bool IsSmallFloat(const Tensor* constant) {
  return constant->type.dtype == DType::kFloat32 &&
         constant->constant->num_elements() <= kLargestChannel;
}

// An ADD or MUL of x with a small constant, without activation, that does not widen x.
WithConstant MatchAffine(Operator* op) {
  if (op == nullptr || HasFusedActivation(*op)) return {};
  const WithConstant match = MatchConstantOperand(*op);
  if (!match || !IsSmallFloat(match.constant) || match.x->type.dtype != DType::kFloat32 ||
      match.x->type.shape != op->output()->type.shape) {
    return {};
  }
  return match;
}

bool AllEqual(const Tensor* constant, float value) {
  auto elements = ir::EvaluateAs<float>(constant->constant);
  return elements && std::all_of(elements->begin(), elements->end(),
                                 [&](float element) { return element == value; });
}

// The constant f(x, y), broadcast, evaluated at once (both are small).
Value Combine(ir::Builder& b, Value (*f)(ir::Builder&, Value, Value, lrt::Activation), Tensor* x,
              Tensor* y) {
  const Value combined = f(b, Value(x), Value(y), lrt::Activation::NONE);
  if (!combined.ok()) return combined;
  Operator* op = combined.tensor()->producer;
  const ir::ConstantPtr constant = ir::EvaluateOperator(*op);
  b.graph().Erase(op);
  return constant ? b.Constant(constant) : Value();
}

Value ScalarValue(ir::Builder& b, double value) {
  return b.Scalar(value, DType::kFloat32);
}

// SUB and DIV by constants as ADD and MUL.
bool Canonicalize(ir::Module& module, ir::Graph& graph, Operator* op) {
  if ((op->code != BuiltinOperator::SUB && op->code != BuiltinOperator::DIV) ||
      HasFusedActivation(*op) || !op->inputs[1]->is_constant() || op->inputs[0]->is_constant() ||
      !IsSmallFloat(op->inputs[1])) {
    return false;
  }
  RewriteBuilder b(module, graph, op);
  const bool subtract = op->code == BuiltinOperator::SUB;
  const Value zero_or_one = ScalarValue(*b, subtract ? 0 : 1);
  const Value constant =
      Combine(*b, subtract ? lrt::Sub : lrt::Div, zero_or_one.tensor(), op->inputs[1]);
  const Value y =
      (subtract ? lrt::Add : lrt::Mul)(*b, Value(op->inputs[0]), constant, lrt::Activation::NONE);
  if (!y.ok()) return false;
  Replace(graph, op, y.tensor());
  return true;
}

bool Simplify(ir::Module& module, ir::Graph& graph, Operator* op) {
  const bool multiply = op->code == BuiltinOperator::MUL;
  const WithConstant outer = MatchAffine(op);
  if (!outer) return false;
  if (AllEqual(outer.constant, multiply ? 1.0F : 0.0F)) {
    if (graph.IsOutput(op->output()) && graph.IsInput(outer.x)) return false;
    Replace(graph, op, outer.x);
    return true;
  }
  Operator* producer = outer.x->producer;
  if (producer == nullptr || graph.OnlyUser(outer.x) != op ||
      (producer->code != BuiltinOperator::ADD && producer->code != BuiltinOperator::MUL)) {
    return false;
  }
  const WithConstant inner = MatchAffine(producer);
  if (!inner) return false;
  const bool inner_multiply = producer->code == BuiltinOperator::MUL;
  RewriteBuilder b(module, graph, op);
  if (multiply == inner_multiply) {
    auto* f = multiply ? lrt::Mul : lrt::Add;
    const Value constant = Combine(*b, f, inner.constant, outer.constant);
    const Value y = f(*b, Value(inner.x), constant, lrt::Activation::NONE);
    if (!y.ok()) return false;
    Replace(graph, op, y.tensor());
    return true;
  }
  if (!multiply) return false;  // ADD(MUL(x)) is the form that we want
  const Value shifted = Combine(*b, lrt::Mul, inner.constant, outer.constant);
  const Value scaled = lrt::Mul(*b, Value(inner.x), Value(outer.constant), lrt::Activation::NONE);
  const Value y = lrt::Add(*b, scaled, shifted, lrt::Activation::NONE);
  if (!y.ok()) return false;
  Replace(graph, op, y.tensor());
  return true;
}

}  // namespace

void SimplifyArithmetic(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (bool changed = true; changed;) {
      changed = false;
      for (Operator* op : graph->Operators()) {
        if (op->erased) continue;
        if (Canonicalize(module, *graph, op)) {
          changed = true;
        } else if (op->code == BuiltinOperator::ADD || op->code == BuiltinOperator::MUL) {
          changed |= Simplify(module, *graph, op);
        }
      }
    }
  }
}

}  // namespace keras_litert::passes
