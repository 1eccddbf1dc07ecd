// Axes of tensors: as Keras's arguments give them, and brought where LiteRT's operators want them.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ops/dtype.h"

namespace keras_litert::ops {

// `axis` counted from the front; nullopt, with an error, where it is outside the rank.
std::optional<int> NormalizeAxis(Builder& b, int64_t axis, int rank);
// All of `axes` (none: every axis), ascending; nullopt, with an error, where one is outside the
// rank or there twice.
std::optional<std::vector<int>> NormalizeAxes(Builder& b,
                                              const std::optional<std::vector<int>>& axes,
                                              int rank);

// A tensor some of whose axes were merged into one, the last; and the way back.
//
//   x [b, h, w, c], axes {1, 3}   ⇒   value [b, w, h·c]
class LastAxis {
 public:
  // REQUIRES: axes as NormalizeAxes gives them.
  LastAxis(Builder& b, Value x, const std::vector<int>& axes);

  Value value() const { return value_; }
  // `y` has value()'s shape: back to x's.
  Value Restore(Value y) const;
  // `y` is value() without its last axis: as x reduced over the axes.
  Value Reduced(Value y, bool keepdims) const;
  // `y` has value()'s shape but for the last axis. REQUIRES: one axis was given.
  Value RestoreResized(Value y) const;

 private:
  Builder& b_;
  Shape original_;
  Shape transposed_;
  std::vector<int> axes_;
  std::vector<int> inverse_;
  Value value_;
};

// The elements of x in one axis.
Value Ravel(Builder& b, Value x);
// x[..., begin : end, ...] along one axis, of a static size; 0 <= begin <= end <= size.
Value Range(Builder& b, Value x, int axis, int64_t begin, int64_t end);
// x[..., indices, ...] along one axis, with indices known now.
Value GatherConstant(Builder& b, Value x, int axis, const std::vector<int32_t>& indices);

}  // namespace keras_litert::ops
