// Tensors that are stacked, only to be merged along the next axis, are joined along it.
//
//   RESHAPE(PACK(a, b) {axis = k}, [… 2·n …])   ⇒   CONCATENATION(a, b) {axis = k}
//
// where a and b have n elements along axis k, the first of those that the reshape merges. Rotary
// embeddings that turn halves of a head are spelled so. Does not apply where others read the stack.
#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {

using ir::BuiltinOperator;
using ir::Operator;

void PackToConcatenation(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (Operator* op : graph->Operators()) {
      if (op->erased) continue;
      if (op->code != BuiltinOperator::RESHAPE) continue;
      const Operator* pack = ProducedBy(op->inputs[0], BuiltinOperator::PACK);
      if (pack == nullptr || graph->OnlyUser(op->inputs[0]) != op) continue;
      const ir::Shape& part = pack->inputs[0]->type.shape;
      int axis = pack->options.AsPackOptions()->axis;
      if (axis < 0) axis += part.rank() + 1;
      if (axis >= part.rank()) continue;  // A new last axis: the elements alternate.
      ir::Shape joined = part;
      joined.Set(axis, part[axis] * static_cast<int64_t>(pack->inputs.size()));
      if (joined != op->output()->type.shape) continue;
      const std::vector<ir::Value> parts(pack->inputs.begin(), pack->inputs.end());
      RewriteBuilder b(module, *graph, op);
      Replace(*graph, op, lrt::Concatenation(*b, parts, axis).tensor());
    }
  }
}

}  // namespace keras_litert::passes
