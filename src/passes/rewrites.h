// The rewrites, one a file. The head of each file draws before ⇒ after.
#pragma once

#include "ir/graph.h"

namespace keras_litert::passes {

void RemoveDeadCode(ir::Module& module);
void FoldConstants(ir::Module& module);
void EliminateCommonSubexpressions(ir::Module& module);
void SinkReshapes(ir::Module& module);
void SimplifyReshapes(ir::Module& module);
void CancelTransposes(ir::Module& module);
void MatmulToFullyConnected(ir::Module& module);
void KeepReducedDims(ir::Module& module);
void FuseHardSwish(ir::Module& module);
void FuseRsqrt(ir::Module& module);
void PackToConcatenation(ir::Module& module);
void SimplifyArithmetic(ir::Module& module);
void FoldBatchNorm(ir::Module& module);
void FoldInputScale(ir::Module& module);
void FuseActivations(ir::Module& module);
void FoldPadding(ir::Module& module);
void FoldStrides(ir::Module& module);
void WidenChannelConstants(ir::Module& module);
void LegalizeFloats(ir::Module& module);
void LegalizeTypes(ir::Module& module);

}  // namespace keras_litert::passes
