// A batch product with one constant matrix is a fully connected layer, whose kernels are the
// fastest.
//
//   BATCH_MATMUL(x, W)   ⇒   FULLY_CONNECTED(x, Wᵀ)        W constant of rank 2
#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {

void MatmulToFullyConnected(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (ir::Operator* op : graph->Operators()) {
      if (op->erased) continue;
      if (op->code != ir::BuiltinOperator::BATCH_MATMUL) continue;
      const tflite::BatchMatMulOptionsT* options = op->options.AsBatchMatMulOptions();
      ir::Tensor* weights = op->inputs[1];
      if (!weights->is_constant() || weights->type.shape.rank() != 2 || options->adj_x ||
          weights->type.dtype != ir::DType::kFloat32 || op->inputs[0]->is_constant()) {
        continue;
      }
      RewriteBuilder b(module, *graph, op);
      ir::Value rows(weights);
      if (!options->adj_y) rows = lrt::Transpose(*b, rows, {1, 0});
      const ir::Value y = lrt::FullyConnected(*b, ir::Value(op->inputs[0]), rows, ir::Value());
      if (y.ok()) Replace(*graph, op, y.tensor());
    }
  }
}

}  // namespace keras_litert::passes
