// keras.ops.nn normalizations. All compute in float32 at least and return x's dtype.
#pragma once

#include <vector>

#include "ops/dtype.h"

namespace keras_litert::ops {

// keras.config.epsilon() of saved models.
inline constexpr double kEpsilon = 1e-7;

// keras.ops.batch_normalization: (x - mean) / sqrt(variance + epsilon) * scale + offset along
// `axis`. scale and offset may be failed Values for none. With constant statistics this is one
// multiplication and one addition:
//   x * s + (offset - mean * s),  s = scale / sqrt(variance + epsilon)
Value BatchNormalization(Builder& b, Value x, Value mean, Value variance, int axis, Value offset,
                         Value scale, double epsilon);

// keras.ops.layer_normalization: (x - mean) / sqrt(variance + epsilon) * gamma + beta, statistics
// over `axes`. gamma and beta (failed Values for none) have the sizes of the sorted axes.
// `rms_scaling` (deprecated) divides without centring.
Value LayerNormalization(Builder& b, Value x, Value gamma, Value beta, std::vector<int> axes,
                         double epsilon, bool rms_scaling = false);

// keras.ops.rms_normalization: x / sqrt(mean(x²) + epsilon) * scale; scale (failed Value for none)
// broadcasts.
Value RmsNormalization(Builder& b, Value x, Value scale, const std::vector<int>& axes,
                       double epsilon);

// Statistics over groups of the channels and all other axes but the first; gamma and beta
// [channels] or failed. REQUIRES: groups divides x's size on `axis`, which is not 0.
Value GroupNormalization(Builder& b, Value x, Value gamma, Value beta, int axis, int64_t groups,
                         double epsilon);

// keras.ops.normalize: x / max(norm, epsilon), the norm of order 1, 2, 3, … over `axes` (several:
// order 2 only).
Value Normalize(Builder& b, Value x, const std::vector<int>& axes, int64_t order, double epsilon);

struct Moments {
  Value mean;
  Value variance;
};
// keras.ops.moments.
Moments MomentsOf(Builder& b, Value x, const std::vector<int>& axes, bool keepdims);

}  // namespace keras_litert::ops
