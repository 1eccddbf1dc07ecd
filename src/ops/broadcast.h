// Element-wise operators of LiteRT at any rank.
//
// LiteRT's kernels broadcast up to rank 4, 5 or 6, each its own. Axes that broadcast alike are
// merged for them:
//
//   LESS([b, 2, 3, 4, 5], [5])   ⇒   RESHAPE(LESS([24·b, 5], [5]))
//
// and where that is not enough, the operands are broadcast first.
#pragma once

#include "ops/dtype.h"

namespace keras_litert::ops {

using ir::BuiltinOperator;

// A binary operator without attributes of interest: arithmetic (ADD, SUB, MUL, DIV, MAXIMUM,
// FLOOR_MOD, POW, ATAN2 …) gives its operands' dtype, comparisons and LOGICAL_AND / LOGICAL_OR give
// bool. REQUIRES: operands of one dtype.
Value Elementwise(Builder& b, BuiltinOperator code, Value x, Value y);
// condition ? x : y. REQUIRES: a bool condition; x and y of one dtype.
Value Select(Builder& b, Value condition, Value x, Value y);
// x broadcast to `shape`, as keras.ops.broadcast_to.
Value BroadcastTo(Builder& b, Value x, const Shape& shape);
// A tensor like x, or of another dtype, with one number in all places.
Value FullLike(Builder& b, Value x, double number, DType dtype);

}  // namespace keras_litert::ops
