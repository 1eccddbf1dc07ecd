#include "passes/pipeline.h"

#include "passes/rewrites.h"

namespace keras_litert::passes {

std::span<const Pass> Pipeline() {
  static constexpr Pass kPasses[] = {
      {"remove_dead_code", RemoveDeadCode},
      // Scales and offsets go into the convolution first, so that the activation behind them is the convolution's.
      {"fold_batch_norm", FoldBatchNorm},
      {"fuse_activations", FuseActivations},
      {"fold_padding", FoldPadding},
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
