// Reshapes of reshapes, and those that change nothing, go.
//
//   RESHAPE(RESHAPE(x, s), t)       ⇒   RESHAPE(x, t)
//   RESHAPE(x, shape of x)          ⇒   x
//   EXPAND_DIMS and SQUEEZE count as reshapes where one unknown size is left
#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;

bool IsReshape(const ir::Operator* op) {
  return op != nullptr &&
         (op->code == BuiltinOperator::RESHAPE || op->code == BuiltinOperator::EXPAND_DIMS ||
          op->code == BuiltinOperator::SQUEEZE);
}

}  // namespace

void SimplifyReshapes(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (ir::Operator* op : graph->Operators()) {
      if (op->erased) continue;
      if (!IsReshape(op)) continue;
      ir::Tensor* source = op->inputs[0];
      while (IsReshape(source->producer)) source = source->producer->inputs[0];
      const ir::Shape& shape = op->output()->type.shape;
      if (source->type.shape == shape && !graph->IsOutput(op->output())) {
        Replace(*graph, op, source);
        continue;
      }
      if (source == op->inputs[0]) continue;
      // What a computed target shape reads must not be touched; -1 says it for one unknown.
      if (shape.NumDynamic() > 1) {
        if (op->code == BuiltinOperator::RESHAPE) Redirect(*graph, op, 0, source);
        continue;
      }
      RewriteBuilder b(module, *graph, op);
      const ir::Value direct = lrt::Reshape(*b, ir::Value(source), shape);
      if (direct.ok() && direct.tensor() != source) Replace(*graph, op, direct.tensor());
    }
  }
}

}  // namespace keras_litert::passes
