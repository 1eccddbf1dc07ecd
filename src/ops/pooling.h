// keras.ops.max_pool, average_pool and their adaptive kin.
//
// x has a batch axis, 1 to 3 spatial axes and channels, and is floating point.
#pragma once

#include <vector>

#include "ops/convolution.h"

namespace keras_litert::ops {

struct PoolAttributes {
  std::vector<int> pool_size;                 // one a spatial axis
  std::vector<int> strides;                   // one a spatial axis
  ConvPadding padding = ConvPadding::kValid;  // not kCausal
  bool channels_first = false;
};

Value MaxPool(Builder& b, Value x, const PoolAttributes& attributes);
// Averages do not count padding.
Value AveragePool(Builder& b, Value x, const PoolAttributes& attributes);

// keras.ops.adaptive_max_pool and adaptive_average_pool: element i of `output_size` o pools x's
// elements from floor(i * n / o) to ceil((i + 1) * n / o) of n. Sizes of the spatial axes are
// static.
Value AdaptiveMaxPool(Builder& b, Value x, const std::vector<int>& output_size,
                      bool channels_first);
Value AdaptiveAveragePool(Builder& b, Value x, const std::vector<int>& output_size,
                          bool channels_first);

}  // namespace keras_litert::ops
