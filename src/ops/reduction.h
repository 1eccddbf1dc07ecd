// keras.ops: reductions.
#pragma once

#include <vector>

#include "ops/dtype.h"

namespace keras_litert::ops {

// Axes may be negative; no axes means all of them.
Value Mean(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims = false);
Value Sum(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims = false);
Value Max(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims = false);
Value Min(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims = false);
Value Prod(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims = false);
// Of the whole population (divided by the count).
Value Var(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims = false);
// log(sum(exp(x))), without overflow.
Value LogSumExp(Builder& b, Value x, const std::optional<std::vector<int>>& axis,
                bool keepdims = false);

// One of LiteRT's reductions: REDUCE_MAX, REDUCE_ALL …; x itself where there is no axis to reduce.
Value Reduce(Builder& b, ir::BuiltinOperator code, Value x,
             const std::optional<std::vector<int>>& axis, bool keepdims);

}  // namespace keras_litert::ops
