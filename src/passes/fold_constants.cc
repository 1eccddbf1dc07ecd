// Operators whose operands are all constants are computed now.
//
//   ADD(x, MUL(2, 3))   ⇒   ADD(x, 6)
//
// The result stays lazy. What would make the file much larger (a small constant broadcast to a
// large one) is left to the runtime.
#include <algorithm>

#include "ir/evaluate.h"
#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

constexpr size_t kSmall = 64 * 1024;  // bytes that a fold may always add

}  // namespace

void FoldConstants(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (ir::Operator* op : graph->Operators()) {
      if (op->erased) continue;
      if (IsImpure(op->code) || op->outputs.size() != 1 || op->inputs.empty()) continue;
      const bool constant = std::all_of(op->inputs.begin(), op->inputs.end(), [](auto* input) {
        return input != nullptr && input->is_constant();
      });
      if (!constant || !op->output()->type.shape.is_static()) continue;
      const ir::ConstantPtr result = ir::EvaluateOperator(*op);
      if (!result) continue;
      size_t largest = 0;
      for (const ir::Tensor* input : op->inputs) {
        largest = std::max(largest, input->constant->byte_size());
      }
      if (result->byte_size() > std::max(kSmall, 2 * largest)) continue;
      Replace(*graph, op, graph->AddConstant(result));
    }
  }
}

}  // namespace keras_litert::passes
