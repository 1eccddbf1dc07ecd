// keras.ops.nn activations and keras.activations.
#pragma once

#include <string_view>
#include <vector>

#include "ops/dtype.h"

namespace keras_litert::ops {

// keras.activations.relu. Positive part: x above the threshold, at most max_value; below it
// negative_slope times (x - threshold). Integers stay integers where there is no slope.
Value Relu(Builder& b, Value x, double negative_slope = 0, std::optional<double> max_value = {},
           double threshold = 0);
Value LeakyRelu(Builder& b, Value x, double negative_slope);
// x for x > 0, alpha * (exp(x) - 1) else.
Value Elu(Builder& b, Value x, double alpha = 1);
// log(1 + exp(x)), without overflow.
Value Softplus(Builder& b, Value x);

// Over one axis, or over several as if they were one.
Value Softmax(Builder& b, Value x, int axis = -1);
Value Softmax(Builder& b, Value x, const std::vector<int>& axes);
Value LogSoftmax(Builder& b, Value x, const std::vector<int>& axes);
// As Keras computes it: its threshold comes of the sum of the cumulated sums.
Value Sparsemax(Builder& b, Value x, int axis = -1);

// condition(x, number), element by element; of any rank (LiteRT's comparisons broadcast up to rank
// 4 only).
Value CompareNumber(Builder& b, ir::BuiltinOperator condition, Value x, double number);

// Applies the activation with Keras's serialized name ("relu", "linear", "gelu" …) and its
// defaults. Unknown names fail.
Value Activate(Builder& b, Value x, std::string_view name);

}  // namespace keras_litert::ops
