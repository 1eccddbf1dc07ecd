// A reciprocal of a square root becomes one operator.
//
//   DIV(1, SQRT(x))   ⇒   RSQRT(x)
//
// float32 only. This is how root mean square normalizations are often spelled.
#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {

using ir::BuiltinOperator;
using ir::Operator;

void FuseRsqrt(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (Operator* op : graph->Operators()) {
      if (op->erased) continue;
      if (op->code != BuiltinOperator::DIV || HasFusedActivation(*op)) continue;
      if (op->output()->type.dtype != ir::DType::kFloat32) continue;
      if (!op->inputs[0]->is_constant() || ScalarOf(op->inputs[0]) != 1.0) continue;
      const Operator* sqrt = ProducedBy(op->inputs[1], BuiltinOperator::SQRT);
      if (sqrt == nullptr || sqrt->output()->type != op->output()->type) continue;
      RewriteBuilder b(module, *graph, op);
      const ir::Value y = lrt::Unary(*b, BuiltinOperator::RSQRT, ir::Value(sqrt->inputs[0]));
      Replace(*graph, op, y.tensor());
    }
  }
}

}  // namespace keras_litert::passes
