// Evaluates operators on constants: what constant folding computes with.
#pragma once

#include "ir/graph.h"

namespace keras_litert::ir {

// The result of `op`, lazily computed from its constant inputs, or null where the operator is none
// of those that are evaluated here: element-wise arithmetic and functions on float32 and int32,
// comparisons, CAST, RESHAPE, TRANSPOSE, EXPAND_DIMS, SQUEEZE, CONCATENATION, PACK, STRIDED_SLICE,
// GATHER and BROADCAST_TO. REQUIRES: every input of `op` is a constant, its output's shape is
// static.
ConstantPtr EvaluateOperator(const Operator& op);

}  // namespace keras_litert::ir
