// keras.ops.pad, repeat and flip: operations that lengthen or mirror axes.
#pragma once

#include <vector>

#include "ir/operators.h"
#include "ops/dtype.h"

namespace keras_litert::ops {

enum class PadMode { kConstant, kReflect, kSymmetric };

// keras.ops.pad: one (before, after) an axis, neither negative. `value` is for kConstant.
Value Pad(Builder& b, Value x, const std::vector<lrt::AxisPadding>& padding,
          PadMode mode = PadMode::kConstant, double value = 0);
// keras.ops.repeat with one number for all elements, >= 1, along `axis`, which may be negative.
Value Repeat(Builder& b, Value x, int64_t repeats, int axis);
// keras.ops.flip; axes may be negative.
Value Flip(Builder& b, Value x, const std::vector<int>& axes);

}  // namespace keras_litert::ops
