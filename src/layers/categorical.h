// Encoding of category numbers, shared by the layers that give them.
#pragma once

#include <string_view>

#include "layers/layer.h"

namespace keras_litert::layers {

// Keras's encode_categorical_inputs for output modes "int", "one_hot", "multi_hot" and "count":
// `depth` is the number of categories. Categories outside 0 … depth - 1 are counted nowhere. The
// result has `dtype`, or that of `count_weights` (optional, shaped as `indices`, for "count").
//   one_hot    [..., n] -> [..., n, depth], but [..., 1] -> [..., depth]
//   multi_hot  max of one_hot over axis 1 (over axis 0 of a vector)
//   count      sum of one_hot over that axis
Value EncodeCategories(Layer& layer, Value indices, std::string_view mode, int64_t depth,
                       DType dtype, Value count_weights = Value());

}  // namespace keras_litert::layers
