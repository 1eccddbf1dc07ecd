// Windows that slide over images.
#pragma once

#include <array>

#include "ops/dtype.h"

namespace keras_litert::ops {

// x [n, h, w, c] filtered with a Gaussian for each channel; sizes and sigmas along the width, then
// the height, all positive. Zeros surround the images.
Value GaussianBlur(Builder& b, Value x, const std::array<int, 2>& size,
                   const std::array<double, 2>& sigma);

}  // namespace keras_litert::ops
