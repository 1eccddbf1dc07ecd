// keras.ops.conv and its kin.
#pragma once

#include <vector>

#include "ir/operators.h"
#include "ops/dtype.h"

namespace keras_litert::ops {

enum class ConvPadding { kValid, kSame, kCausal };

struct ConvAttributes {
  std::vector<int> strides;        // one a spatial axis
  std::vector<int> dilation_rate;  // one a spatial axis
  ConvPadding padding = ConvPadding::kValid;
  bool channels_first = false;
};

// keras.ops.conv: x of rank 3, 4 or 5; kernel [*spatial, in / groups, out]; groups follow from the channels. bias [out] or failed
// Value for none.
Value Conv(Builder& b, Value x, Value kernel, Value bias, const ConvAttributes& attributes);
// keras.ops.depthwise_conv: kernel [*spatial, in, multiplier]; bias [in * multiplier].
Value DepthwiseConv(Builder& b, Value x, Value kernel, Value bias,
                    const ConvAttributes& attributes);

// x with its channels last, where it has them first, and back.
Value ToChannelsLast(Builder& b, Value x);
Value ToChannelsFirst(Builder& b, Value x);

}  // namespace keras_litert::ops
