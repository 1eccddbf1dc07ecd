// Image resizing whose sizes are known only when the file runs: what ops/image.cc computes while
// converting, as operators.
#pragma once

#include <string_view>

#include "ops/image.h"

namespace keras_litert::ops {

// ResizeMatrix (ops/resize_kernel.h) for an axis of unknown size: float32 [out, in]. Fails for an
// unknown interpolation.
Value RuntimeResizeMatrix(Builder& b, Dim in, int out, std::string_view interpolation,
                          bool antialias);

// The weights of samples at `distance` >= 0 (float32), not normalized. Fails for an unknown
// interpolation.
Value ResizeKernelWeights(Builder& b, Value distance, std::string_view interpolation);

// A box in an image; int32 scalars.
struct RuntimeBox {
  Value h_start;
  Value w_start;
  Value height;
  Value width;
};

// AspectRatioCrop for an image of unknown size.
RuntimeBox RuntimeAspectRatioCrop(Builder& b, Dim height, Dim width, int target_height,
                                  int target_width);
// The target's size from the middle of the image where the image is at least as large, else its
// RuntimeAspectRatioCrop.
RuntimeBox RuntimeCenterCrop(Builder& b, Dim height, Dim width, int target_height,
                             int target_width);
// images[h_start : h_start + height, w_start : w_start + width]; the result's sizes are new
// symbols. REQUIRES: rank 3 or 4.
Value RuntimeCrop(Builder& b, Value images, const RuntimeBox& box, bool channels_first);

// Pads as resize(pad_to_aspect_ratio=True): see PadToAspectRatio in ops/image.cc. REQUIRES: rank 4.
Value RuntimePadToAspectRatio(Builder& b, Value x, const ResizeAttributes& attributes);

}  // namespace keras_litert::ops
