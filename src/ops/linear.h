// keras.ops: products of matrices.
#pragma once

#include "ops/dtype.h"

namespace keras_litert::ops {

// keras.ops.matmul, operands promoted. A constant [in, out] right side becomes FULLY_CONNECTED.
Value Matmul(Builder& b, Value x1, Value x2);
// matmul(x, kernel) + bias; bias may be a failed Value for none.
Value Dense(Builder& b, Value x, Value kernel, Value bias);

}  // namespace keras_litert::ops
