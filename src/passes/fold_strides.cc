// Picking every s-th element in front of a 1 × 1 convolution becomes the convolution's stride.
//
//   CONV_2D(AVERAGE_POOL_2D(x) {1 × 1, stride s}, W [o, 1, 1, i])   ⇒   CONV_2D(x, W) {stride s}
//   likewise MAX_POOL_2D
//
// Both take ceil(n / s) elements, with VALID padding as with SAME. Beside the operator it saves a
// break: XNNPACK does not take pooling with 1 × 1 windows.
#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

using ir::BuiltinOperator;
using ir::Operator;

bool IsSubsampling(Operator* op) {
  if (op == nullptr || HasFusedActivation(*op) ||
      (op->code != BuiltinOperator::AVERAGE_POOL_2D && op->code != BuiltinOperator::MAX_POOL_2D)) {
    return false;
  }
  const tflite::Pool2DOptionsT* pool = op->options.AsPool2DOptions();
  return pool->filter_height == 1 && pool->filter_width == 1;
}

}  // namespace

void FoldStrides(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    for (Operator* op : graph->Operators()) {
      if (op->erased || op->code != BuiltinOperator::CONV_2D) continue;
      Operator* pool = op->inputs[0]->producer;
      tflite::Conv2DOptionsT* options = op->options.AsConv2DOptions();
      const ir::Shape& filter = op->inputs[1]->type.shape;
      if (!IsSubsampling(pool) || options->stride_h != 1 || options->stride_w != 1 ||
          filter[1] != ir::Dim(1) || filter[2] != ir::Dim(1)) {
        continue;
      }
      options->stride_h = pool->options.AsPool2DOptions()->stride_h;
      options->stride_w = pool->options.AsPool2DOptions()->stride_w;
      Redirect(*graph, op, 0, pool->inputs[0]);
    }
  }
}

}  // namespace keras_litert::passes
