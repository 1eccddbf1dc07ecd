// Resizing, CenterCrop, and the layers that change contrast at inference too.
#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "ir/operators.h"
#include "layers/image_data.h"
#include "layers/table.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/reduction.h"

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
    if (!height.is_static() || !width.is_static()) {
      return layer.Fail("center-crop-1",
                        "whether the images are cropped or enlarged depends on their size, which "
                        "the model leaves open",
                        "Give the model's Input a fixed size, or fix it with --shape.");
    }
    const int64_t rows = height.value() - size->height;
    const int64_t columns = width.value() - size->width;
    if (rows >= 0 && columns >= 0) {
      return ops::Crop(b, x, {rows / 2, columns / 2, size->height, size->width}, channels_first);
    }
    ops::ResizeAttributes a;
    a.height = size->height;
    a.width = size->width;
    a.crop_to_aspect_ratio = true;
    a.channels_first = channels_first;
    return ops::Resize(b, x, a);
  };
  return TransformImages(layer, call, crop, crop);
}

// Values of one range moved to another: (x - from.low) / (from.high - from.low) * (to.high -
// to.low) + to.low.
struct Range {
  double low;
  double high;
};
Value MoveRange(Builder& b, Value x, Range from, Range to) {
  if (from.low == to.low && from.high == to.high) return x;
  const double scale = (to.high - to.low) / (from.high - from.low);
  return ops::Add(b, ops::Multiply(b, x, scale), to.low - from.low * scale);
}

std::optional<Range> ValueRange(Layer& layer) {
  const std::vector<double> range = layer.config().Floats("value_range");
  if (range.size() != 2 || !(range[0] < range[1])) {
    layer.Fail("image-6", "value_range must be (low, high)");
    return std::nullopt;
  }
  return Range{range[0], range[1]};
}

constexpr Range kBytes = {0, 255};

// Each channel of each image stretched to the whole range: (x - min) * 255 / (max - min). A channel
// of one value stays as it is.
Argument AutoContrast(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  layer.config().Ignore({"bounding_box_format", "data_format"});
  const std::optional<Range> range = ValueRange(layer);
  if (!range) return Value();
  return TransformImages(layer, call, [&](Value images) -> Value {
    if (images.rank() != 3 && images.rank() != 4) {
      return layer.Fail("image-5", fmt::format("images must have rank 3 or 4, got {}",
                                               images.shape().ToString()));
    }
    const bool single = images.rank() == 3;
    const Value original =
        lrt::Cast(b, single ? lrt::ExpandDims(b, images, 0) : images, layer.compute_dtype());
    const Value x = MoveRange(b, original, *range, kBytes);
    // Keras reduces these axes in either data format.
    const Value low = lrt::Reduce(b, BuiltinOperator::REDUCE_MIN, x, {1, 2}, /*keep_dims=*/true);
    const Value high = lrt::Reduce(b, BuiltinOperator::REDUCE_MAX, x, {1, 2}, /*keep_dims=*/true);
    const Value scale = lrt::Div(b, b.Scalar(255, x.dtype()), lrt::Sub(b, high, low));
    Value y = lrt::Add(b, lrt::Mul(b, x, scale),
                       lrt::Mul(b, lrt::Unary(b, BuiltinOperator::NEG, low), scale));
    y = lrt::Minimum(b, lrt::Maximum(b, y, b.Scalar(0, x.dtype())), b.Scalar(255, x.dtype()));
    y = MoveRange(b, y, kBytes, *range);
    y = lrt::Select(b, lrt::Compare(b, BuiltinOperator::EQUAL, low, high), original, y);
    return single ? lrt::Squeeze(b, y, {0}) : y;
  });
}

}  // namespace

std::span<const LayerEntry> ImagePreprocessingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"AutoContrast", AutoContrast},
      {"CenterCrop", CenterCrop},
      {"Resizing", Resizing},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
