// Resizing and CenterCrop.
#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "ir/operators.h"
#include "layers/image_data.h"
#include "layers/table.h"
#include "ops/image.h"
#include "ops/image_runtime.h"

namespace keras_litert::layers {
namespace {

using ir::BuiltinOperator;

bool ChannelsFirst(Layer& layer) {
  const std::string format = layer.config().String("data_format", "channels_last");
  if (format != "channels_first" && format != "channels_last") {
    layer.Fail("image-3", fmt::format("data_format '{}' is not known", format));
  }
  return format == "channels_first";
}

// Positive sizes of a target image; nullopt with an error otherwise.
struct Size {
  int height;
  int width;
};
std::optional<Size> TargetSize(Layer& layer) {
  const int64_t height = layer.config().Int("height");
  const int64_t width = layer.config().Int("width");
  constexpr int64_t kMax = 1 << 20;
  if (height < 1 || width < 1 || height > kMax || width > kMax) {
    layer.Fail("image-4", fmt::format("cannot make images of {} x {}", height, width));
    return std::nullopt;
  }
  return Size{static_cast<int>(height), static_cast<int>(width)};
}

// x rounded to even and clipped to what the integer `dtype` holds.
Value RoundTo(Builder& b, Value x, DType dtype, bool clip) {
  if (!x.ok() || x.dtype() == dtype || !ir::IsInteger(dtype)) return lrt::Cast(b, x, dtype);
  x = lrt::Unary(b, BuiltinOperator::ROUND, x);
  if (clip) {
    const int bits = static_cast<int>(ir::SizeOf(dtype)) * 8;
    const double top = std::ldexp(1.0, ir::IsUnsigned(dtype) ? bits : bits - 1);
    x = lrt::Maximum(b, x, b.Scalar(ir::IsUnsigned(dtype) ? 0 : -top, x.dtype()));
    // The largest float32 that does not exceed the integer's maximum.
    const double max = bits < 32 ? top - 1 : std::nextafter(static_cast<float>(top), 0.0F);
    x = lrt::Minimum(b, x, b.Scalar(max, x.dtype()));
  }
  return lrt::Cast(b, x, dtype);
}

Argument Resizing(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  Config& config = layer.config();
  config.Ignore({"bounding_box_format"});
  ops::ResizeAttributes a;
  a.interpolation = config.String("interpolation", "bilinear");
  a.antialias = config.Bool("antialias", false);
  a.crop_to_aspect_ratio = config.Bool("crop_to_aspect_ratio", false);
  a.pad_to_aspect_ratio = config.Bool("pad_to_aspect_ratio", false);
  a.fill_value = config.Float("fill_value", 0);
  a.channels_first = ChannelsFirst(layer);
  const std::string fill_mode = config.String("fill_mode", "constant");
  if (fill_mode != "constant") {
    return layer.Fail("resize-6", fmt::format("fill_mode '{}' is not known", fill_mode));
  }
  const std::optional<Size> size = TargetSize(layer);
  if (!size) return Value();
  a.height = size->height;
  a.width = size->width;
  auto resize = [&](Value x, const ops::ResizeAttributes& attributes) {
    // These two do not leave the range of their input's values.
    const bool clip =
        attributes.interpolation != "nearest" && attributes.interpolation != "bilinear";
    return RoundTo(b, ops::Resize(b, x, attributes), x.dtype(),
                   clip || attributes.pad_to_aspect_ratio);
  };
  ops::ResizeAttributes nearest = a;
  nearest.interpolation = "nearest";
  return TransformImages(
      layer, call, [&](Value x) { return resize(x, a); },
      [&](Value x) { return resize(x, nearest); });
}

// x[h : h + height, w : w + width] from the middle; images smaller than that are cropped to the
// target's aspect ratio and resized.
Argument CenterCrop(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  layer.config().Ignore({"bounding_box_format"});
  const bool channels_first = ChannelsFirst(layer);
  const std::optional<Size> size = TargetSize(layer);
  if (!size) return Value();
  auto crop = [&](Value images) -> Value {
    const Value x = lrt::Cast(b, images, layer.compute_dtype());
    if (x.rank() != 3 && x.rank() != 4) {
      return layer.Fail("image-5",
                        fmt::format("images must have rank 3 or 4, got {}", x.shape().ToString()));
    }
    const int axis = x.rank() - (channels_first ? 2 : 3);
    const Dim height = x.dim(axis);
    const Dim width = x.dim(axis + 1);
    ops::ResizeAttributes a;
    a.height = size->height;
    a.width = size->width;
    a.channels_first = channels_first;
    if (!height.is_static() || !width.is_static()) {
      // Resizing changes nothing where the box has the size already.
      const ops::RuntimeBox box =
          ops::RuntimeCenterCrop(b, height, width, size->height, size->width);
      return ops::Resize(b, ops::RuntimeCrop(b, x, box, channels_first), a);
    }
    const int64_t rows = height.value() - size->height;
    const int64_t columns = width.value() - size->width;
    if (rows >= 0 && columns >= 0) {
      return ops::Crop(b, x, {rows / 2, columns / 2, size->height, size->width}, channels_first);
    }
    a.crop_to_aspect_ratio = true;
    return ops::Resize(b, x, a);
  };
  return TransformImages(layer, call, crop, crop);
}

}  // namespace

std::span<const LayerEntry> ImagePreprocessingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"CenterCrop", CenterCrop},
      {"Resizing", Resizing},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
