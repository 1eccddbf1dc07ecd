// keras.ops.linalg: systems of equations and decompositions of matrices of static sizes.
#pragma once

#include "ops/dtype.h"

namespace keras_litert::ops {

// x with a x = y: a [batch, n, n], y [batch, n, c], of one float dtype; Gauss's and Jordan's
// elimination with the largest pivot of each column.
Value SolveLinear(Builder& b, Value a, Value y);

}  // namespace keras_litert::ops
