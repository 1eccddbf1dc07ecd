// keras.ops.max_pool and average_pool.
#pragma once

#include <vector>

#include "ops/convolution.h"

namespace keras_litert::ops {

struct PoolAttributes {
  std::vector<int> pool_size;
  std::vector<int> strides;
  ConvPadding padding = ConvPadding::kValid;
  bool channels_first = false;
};

// x of rank 3, 4 or 5. Averages do not count padding.
Value MaxPool(Builder& b, Value x, const PoolAttributes& attributes);
Value AveragePool(Builder& b, Value x, const PoolAttributes& attributes);

}  // namespace keras_litert::ops
