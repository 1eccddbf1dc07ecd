// keras.ops: order. All by TOPK_V2, which puts the first of equal elements first.
#pragma once

#include "ops/dtype.h"

namespace keras_litert::ops {

struct Sorted {
  Value values;
  Value indices;  // int32, into the unsorted axis
};
// The last axis of x, sorted.
Sorted SortLast(Builder& b, Value x, bool descending);

}  // namespace keras_litert::ops
