// keras.ops: parts of tensors by position.
#pragma once

#include "ops/argument.h"

namespace keras_litert::ops {

// x[key]: ints, slices, `...` and None, alone or in a list.
Value GetItem(Builder& b, Value x, const Argument& key);
// x[..., indices, ...] along an axis, or of the raveled tensor; negative indices count from the
// end.
Value Take(Builder& b, Value x, Value indices, std::optional<int64_t> axis);
// y[..., j, ...] = x[..., indices[..., j, ...], ...] along the axis; the other axes broadcast.
Value TakeAlongAxis(Builder& b, Value x, Value indices, std::optional<int64_t> axis);

}  // namespace keras_litert::ops
