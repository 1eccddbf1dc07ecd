// The spelled-out hard swish becomes its operator.
//
//   MUL(x, MUL(RELU6(ADD(x, 3)), 1/6))   ⇒   HARD_SWISH(x)
//   MUL(MUL(x, RELU6(ADD(x, 3))), 1/6)   ⇒   HARD_SWISH(x)
#include <cmath>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::Operator;
using ir::Tensor;

bool IsAbout(std::optional<double> value, double wanted) {
  return value && std::abs(*value - wanted) <= 1e-6 * wanted;
}

// The x of RELU6(ADD(x, 3)), whether the activation is fused or not; null otherwise.
Tensor* MatchShiftedRelu6(Tensor* tensor) {
  Operator* relu = ProducedBy(tensor, BuiltinOperator::RELU6);
  Operator* add = ProducedBy(relu != nullptr ? relu->inputs[0] : tensor, BuiltinOperator::ADD);
  if (add == nullptr) return nullptr;
  const lrt::Activation fused = *FusedActivation(*add);
  if (fused != (relu != nullptr ? lrt::Activation::NONE : lrt::Activation::RELU6)) return nullptr;
  const WithConstant shifted = MatchConstantOperand(*add);
  return shifted && IsAbout(ScalarOf(shifted.constant), 3) ? shifted.x : nullptr;
}

Operator* PlainMul(const Tensor* tensor) {
  Operator* mul = ProducedBy(tensor, BuiltinOperator::MUL);
  return mul != nullptr && !HasFusedActivation(*mul) ? mul : nullptr;
}

// The x of x * relu6(x + 3) / 6, or null.
Tensor* Match(const Operator& mul) {
  // MUL(x, MUL(relu6, 1/6)), either order.
  for (size_t i = 0; i < 2; ++i) {
    const Operator* sixth = PlainMul(mul.inputs[1 - i]);
    if (sixth == nullptr) continue;
    const WithConstant scaled = MatchConstantOperand(*sixth);
    if (scaled && IsAbout(ScalarOf(scaled.constant), 1.0 / 6) &&
        MatchShiftedRelu6(scaled.x) == mul.inputs[i]) {
      return mul.inputs[i];
    }
  }
  // MUL(MUL(x, relu6), 1/6).
  const WithConstant scaled = MatchConstantOperand(mul);
  if (!scaled || !IsAbout(ScalarOf(scaled.constant), 1.0 / 6)) return nullptr;
  const Operator* product = PlainMul(scaled.x);
  if (product == nullptr) return nullptr;
  for (size_t i = 0; i < 2; ++i) {
    if (MatchShiftedRelu6(product->inputs[1 - i]) == product->inputs[i]) return product->inputs[i];
  }
  return nullptr;
}

}  // namespace

void FuseHardSwish(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (Operator* op : graph->Operators()) {
      if (op->erased) continue;
      if (op->code != BuiltinOperator::MUL || HasFusedActivation(*op)) continue;
      Tensor* x = Match(*op);
      if (x == nullptr || x->type.dtype != ir::DType::kFloat32 || x->type != op->output()->type) {
        continue;
      }
      RewriteBuilder b(module, *graph, op);
      Replace(*graph, op, lrt::Unary(*b, BuiltinOperator::HARD_SWISH, ir::Value(x)).tensor());
    }
  }
}

}  // namespace keras_litert::passes
