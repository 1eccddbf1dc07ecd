// A folder of images as samples.
#pragma once

#include <filesystem>

#include "archive/npz.h"
#include "keras_litert/quantize.h"
#include "util/result.h"

namespace keras_litert {

// What the model's input takes.
struct ImageShape {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;  // 1 (gray) or 3 (red, green, blue)
};

// All .png, .jpg and .jpeg files of the folder, by name: float32[images, height, width, channels],
// resized (bilinear; the mean of pixels where it shrinks) and brought from 0 … 255 to
// [format.low, format.high]. Errors, all at once: samples-6 (no such folder, or no images in it),
// samples-7 (an image that cannot be read, or this build reads none of its kind).
Result<archive::NpzArray> ReadImages(const std::filesystem::path& folder, const ImageShape& shape,
                                     const ImageFormat& format);

}  // namespace keras_litert
