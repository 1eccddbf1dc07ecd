// The rewrites, one a file. Each header comment in the .cc draws before ⇒ after.
#pragma once

#include "ir/graph.h"

namespace keras_litert::passes {

void RemoveDeadCode(ir::Module& module);
void FoldBatchNorm(ir::Module& module);
void FuseActivations(ir::Module& module);
void FoldPadding(ir::Module& module);

}  // namespace keras_litert::passes
