// keras.ops.nn activations and keras.activations.
#pragma once

#include <string_view>

#include "ops/dtype.h"

namespace keras_litert::ops {

// keras.activations.relu: f(x) = min(max_value, x) for x >= threshold, negative_slope * (x - threshold) below.
Value Relu(Builder& b, Value x, double negative_slope = 0, std::optional<double> max_value = {},
           double threshold = 0);
// Over one axis.
Value Softmax(Builder& b, Value x, int axis = -1);

// Applies the activation with Keras's serialized name ("relu", "linear", "gelu" …). Unknown names fail.
Value Activate(Builder& b, Value x, std::string_view name);

}  // namespace keras_litert::ops
