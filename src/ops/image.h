// keras.ops.image.
#pragma once

#include <string>

#include "ops/dtype.h"

namespace keras_litert::ops {

struct ResizeAttributes {
  int height = 1;
  int width = 1;
  std::string interpolation = "bilinear";  // nearest, bilinear, bicubic, lanczos3, lanczos5
  bool antialias = false;
  bool crop_to_aspect_ratio = false;
  bool pad_to_aspect_ratio = false;
  double fill_value = 0;
  bool channels_first = false;
};

// keras.ops.image.resize: images of rank 3 (one image) or 4 (a batch). Integer images give float32,
// but for "nearest", which keeps every dtype.
//
// Keras samples at half-pixel centers: output i reads the input around (i + 0.5) · in / out - 0.5.
// Nearest and bilinear are LiteRT's operators for that; the other kernels, and bilinear with
// antialiasing, are a product with an [out, in] matrix along each axis: a constant where the
// input's size is known, else computed when the file runs.
Value Resize(Builder& b, Value images, const ResizeAttributes& attributes);

// images[h_start : h_start + height, w_start : w_start + width]. REQUIRES: rank 3 or 4, and the box
// lies inside.
struct CropBox {
  int64_t h_start = 0;
  int64_t w_start = 0;
  int64_t height = 0;
  int64_t width = 0;
};
Value Crop(Builder& b, Value images, const CropBox& box, bool channels_first);

// The largest box of the target's aspect ratio in the middle of a height × width image, with the
// roundings of Keras's resize(crop_to_aspect_ratio=True) and smart_resize.
CropBox AspectRatioCrop(int64_t height, int64_t width, int target_height, int target_width);

}  // namespace keras_litert::ops
