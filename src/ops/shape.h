// keras.ops: reshaping, joining and cutting tensors.
#pragma once

#include <vector>

#include "ir/operators.h"
#include "ops/argument.h"
#include "ops/dtype.h"

namespace keras_litert::ops {

// keras.ops.reshape; at most one size is -1.
Value Reshape(Builder& b, Value x, const std::vector<Dim>& newshape);
// Merges all axes from `axis` on.
Value FlattenFrom(Builder& b, Value x, int axis);
// keras.ops.transpose; no axes: reversed.
Value Transpose(Builder& b, Value x, const std::optional<std::vector<int>>& axes);
// Whether the shapes are alike on every axis but one (-1: on all); reports it where they are not.
bool CheckAlike(Builder& b, const std::vector<Value>& xs, int except_axis);
// keras.ops.concatenate, operands promoted. REQUIRES: CheckAlike().
Value Concatenate(Builder& b, const std::vector<Value>& xs, int axis);

// x without the first `before` and the last `after` elements of each of its axes. STRIDED_SLICE,
// whose ends may be counted from the end: dynamic sizes need no computing.
Value Crop(Builder& b, Value x, const std::vector<lrt::AxisPadding>& crops);

}  // namespace keras_litert::ops
