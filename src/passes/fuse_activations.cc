// RELU, RELU6 and RELU_N1_TO_1 become the activation of the operator in front of them.
//
//   RELU6(CONV_2D(x, W, b))   ⇒   CONV_2D(x, W, b) {activation = RELU6}
#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::Operator;

lrt::Activation ActivationOf(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::RELU:
      return lrt::Activation::RELU;
    case BuiltinOperator::RELU6:
      return lrt::Activation::RELU6;
    case BuiltinOperator::RELU_N1_TO_1:
      return lrt::Activation::RELU_N1_TO_1;
    default:
      return lrt::Activation::NONE;
  }
}

}  // namespace

void FuseActivations(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (Operator* op : graph->Operators()) {
      if (op->erased) continue;
      const lrt::Activation activation = ActivationOf(op->code);
      if (activation == lrt::Activation::NONE) continue;
      ir::Tensor* x = op->inputs[0];
      if (x->producer == nullptr || graph->OnlyUser(x) != op) continue;
      if (x->type.dtype != ir::DType::kFloat32) continue;
      lrt::Activation* fused = FusedActivation(*x->producer);
      if (fused == nullptr || *fused != lrt::Activation::NONE) continue;
      *fused = activation;
      graph->ReplaceAllUses(op->output(), x);
      graph->Erase(op);
    }
  }
}

}  // namespace keras_litert::passes
