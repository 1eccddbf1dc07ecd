#include "passes/pipeline.h"

#include "passes/rewrites.h"

namespace keras_litert::passes {

std::span<const Pass> Pipeline() {
  static constexpr Pass kPasses[] = {
      {"remove_dead_code", RemoveDeadCode},
      // Before everything that computes with constants or looks for float32.
      {"legalize_floats", LegalizeFloats},
      {"fold_constants", FoldConstants},
      // Layout first: the other rewrites look for operators that stand side by side.
      {"sink_reshapes", SinkReshapes},
      {"simplify_reshapes", SimplifyReshapes},
      {"pack_to_concatenation", PackToConcatenation},
      {"cancel_transposes", CancelTransposes},
      {"matmul_to_fully_connected", MatmulToFullyConnected},
      {"keep_reduced_dims", KeepReducedDims},
      // Before arithmetic is simplified: it would take the factor 1/6 apart.
      {"fuse_hard_swish", FuseHardSwish},
      {"fuse_rsqrt", FuseRsqrt},
      {"simplify_arithmetic", SimplifyArithmetic},
      // Before the others ask who else reads a tensor: users that compute the same are one.
      {"eliminate_common_subexpressions", EliminateCommonSubexpressions},
      // Scales and offsets go into the convolution first, so that the activation behind them is the
      // convolution's.
      {"fold_batch_norm", FoldBatchNorm},
      // First, so that factors in front of padding stand in front of the convolution.
      {"fold_padding", FoldPadding},
      // Behind fold_batch_norm: what stands between two convolutions belongs to the first.
      {"fold_input_scale", FoldInputScale},
      {"fuse_activations", FuseActivations},
      {"fold_strides", FoldStrides},
      // Behind all that fold or compare constants.
      {"widen_channel_constants", WidenChannelConstants},
      // Behind all that choose operators: none of them needs to know which kernels exist.
      {"legalize_types", LegalizeTypes},
      // What the others left twice or unused.
      {"eliminate_common_subexpressions_again", EliminateCommonSubexpressions},
      {"remove_dead_code_again", RemoveDeadCode},
  };
  return kPasses;
}

void RunPipeline(ir::Module& module, const std::function<void(const Pass&)>& after) {
  for (const Pass& pass : Pipeline()) {
    pass.run(module);
    if (after) after(pass);
  }
}

}  // namespace keras_litert::passes
