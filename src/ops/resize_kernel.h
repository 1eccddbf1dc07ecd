// The weights of Keras's image resizing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace keras_litert::ops {

// One axis resized from `in` to `out` samples is y = W x. Gives W [out, in], row-major, or nullopt
// for an unknown interpolation. Rows sum to 1; "antialias" widens the kernel where out < in.
//   W[i, j] = k(|s_i - j| / w) / Σ_j,   s_i = (i + 0.5) · in / out - 0.5,   w = max(1, in / out) or
//   1
// The kernels k are the triangle, Keys's cubic with a = -0.5 (R. Keys, "Cubic convolution
// interpolation for digital image processing", 1981), and Lanczos's window of radius 3 and 5.
std::optional<std::vector<float>> ResizeMatrix(std::string_view interpolation, int64_t in,
                                               int64_t out, bool antialias);

// The input sample that each output sample of interpolation "nearest" takes, as Keras rounds.
std::vector<int32_t> NearestIndices(int64_t in, int64_t out);
// The same, as RESIZE_NEAREST_NEIGHBOR with half_pixel_centers rounds (kernels/internal/reference/
// resize_nearest_neighbor.h).
std::vector<int32_t> LitertNearestIndices(int64_t in, int64_t out);

}  // namespace keras_litert::ops
