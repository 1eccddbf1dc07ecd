// A reduction whose reduced axes are put back as 1 keeps them instead.
//
//   RESHAPE(MEAN(x, {1, 2}), [n, 1, 1, c])   ⇒   MEAN(x, {1, 2}) {keep_dims}
#include <algorithm>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;

bool IsReduction(BuiltinOperator code) {
  return code == BuiltinOperator::MEAN || code == BuiltinOperator::SUM ||
         code == BuiltinOperator::REDUCE_MAX || code == BuiltinOperator::REDUCE_MIN ||
         code == BuiltinOperator::REDUCE_PROD || code == BuiltinOperator::REDUCE_ANY ||
         code == BuiltinOperator::REDUCE_ALL;
}

}  // namespace

void KeepReducedDims(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (ir::Operator* op : graph->Operators()) {
      if (op->erased) continue;
      if (op->code != BuiltinOperator::RESHAPE) continue;
      ir::Operator* reduce = op->inputs[0]->producer;
      if (reduce == nullptr || !IsReduction(reduce->code) || graph->OnlyUser(op->inputs[0]) != op) {
        continue;
      }
      tflite::ReducerOptionsT* options = reduce->options.AsReducerOptions();
      const auto axes = IntsOf(reduce->inputs[1]);
      if (options->keep_dims || !axes) continue;
      ir::Shape kept = reduce->inputs[0]->type.shape;
      for (int axis : *axes) kept.Set(axis, 1);
      if (kept != op->output()->type.shape) continue;
      options->keep_dims = true;
      reduce->output()->type.shape = kept;
      Replace(*graph, op, reduce->output());
    }
  }
}

}  // namespace keras_litert::passes
