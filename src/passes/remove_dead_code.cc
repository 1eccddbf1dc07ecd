// Erases operators whose results nobody reads.
//
//   y = MUL(x, 2)          ⇒
//   return RELU(x)         ⇒   return RELU(x)
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;

// Operators that act on something besides their outputs.
bool HasSideEffect(const ir::Operator& op) {
  return op.code == BuiltinOperator::ASSIGN_VARIABLE || op.code == BuiltinOperator::CALL_ONCE ||
         op.code == BuiltinOperator::WHILE || op.code == BuiltinOperator::IF;
}

}  // namespace

void RemoveDeadCode(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    // Users come behind producers, so one walk from the end finds chains too.
    for (ir::Operator* op = graph->last(); op != nullptr;) {
      ir::Operator* prev = op->prev;
      bool used = HasSideEffect(*op);
      for (const ir::Tensor* output : op->outputs) {
        used |= !output->users.empty() || graph->IsOutput(output);
      }
      if (!used) graph->Erase(op);
      op = prev;
    }
  }
}

}  // namespace keras_litert::passes
