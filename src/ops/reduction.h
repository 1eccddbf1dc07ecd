// keras.ops: reductions.
#pragma once

#include <vector>

#include "ops/dtype.h"

namespace keras_litert::ops {

// Axes may be negative; no axes means all of them.
Value Mean(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims = false);
Value Sum(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims = false);
Value Max(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims = false);

}  // namespace keras_litert::ops
