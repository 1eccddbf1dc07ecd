// keras.ops.nn normalizations.
#pragma once

#include "ops/dtype.h"

namespace keras_litert::ops {

// keras.ops.batch_normalization: (x - mean) / sqrt(variance + epsilon) * scale + offset along `axis`. scale and offset may be
// failed Values for none. With constant statistics this is one multiplication and one addition:
//   x * s + (offset - mean * s),  s = scale / sqrt(variance + epsilon)
Value BatchNormalization(Builder& b, Value x, Value mean, Value variance, int axis, Value offset,
                         Value scale, double epsilon);

}  // namespace keras_litert::ops
