#include "ops/image_color.h"

#include <fmt/core.h>

#include <limits>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/convolution.h"
#include "ops/elementwise.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// Channel i of [n, h, w, c], as [n, h, w, 1].
Value Channel(Builder& b, Value x, int i) {
  return Range(b, x, x.rank() - 1, i, i + 1);
}

bool CheckColors(Builder& b, std::string_view function, Value x) {
  if (!x.ok()) return false;
  if (x.dim(-1) != Dim(3) || !ir::IsFloat(x.dtype())) {
    b.Fail("color-2", fmt::format("{}: the images must be floats of 3 channels, got {} {}",
                                  function, ir::Name(x.dtype()), x.shape().ToString()));
    return false;
  }
  return true;
}

// 0.2989 r + 0.587 g + 0.114 b (ITU-R BT.601), in floats; the images' dtype again in the end.
Argument GrayscaleOp(Builder& b, Arguments& a) {
  const Value images = a.Tensor(0, "images");
  const ImageBatch batch(b, "rgb_to_grayscale", images, ReadImageFormat(b, a, 1));
  Value x = batch.value();
  if (!x.ok()) return Value();
  if (x.dim(-1) == Dim(1)) return images;
  if (x.dim(-1) != Dim(3)) {
    return b.Fail("color-1", fmt::format("rgb_to_grayscale: the images must have 1 or 3 channels, "
                                         "got {}",
                                         images.shape().ToString()));
  }
  const DType dtype = FloatResultType(x.dtype());
  const Value weights =
      b.Constant(DType::kFloat32, Shape{1, 3}, std::vector<float>{0.2989F, 0.5870F, 0.1140F});
  const Value gray = lrt::FullyConnected(b, lrt::Cast(b, x, dtype), lrt::Cast(b, weights, dtype),
                                         Builder::Absent());
  return batch.Restore(lrt::Cast(b, gray, images.dtype()));
}

// The hexagon model (A. R. Smith, "Color gamut transform pairs", 1978). With v = max(r, g, b) and
// d = v - min(r, g, b):
//   h = (g - b) / 6d              where v = r
//       (b - r) / 6d + 1/3        where v = g
//       (r - g) / 6d + 2/3        else;     plus 1 where negative; 0 where d = 0
//   s = d / v                     0 where v <= 0
// Numbers below the dtype's epsilon are taken for 0.
Argument RgbToHsvOp(Builder& b, Arguments& a) {
  const Value images = a.Tensor(0, "images");
  const ImageBatch batch(b, "rgb_to_hsv", images, ReadImageFormat(b, a, 1));
  Value x = batch.value();
  if (!CheckColors(b, "rgb_to_hsv", x)) return Value();
  const DType dtype = x.dtype();
  auto number = [&](double v) { return b.Scalar(v, dtype); };
  auto positive = [&](Value v) { return Elementwise(b, BuiltinOperator::GREATER, v, number(0)); };
  const double epsilon = dtype == DType::kFloat16    ? 0x1p-10
                         : dtype == DType::kBFloat16 ? 0x1p-7
                                                     : std::numeric_limits<float>::epsilon();
  const Value size = lrt::Unary(b, BuiltinOperator::ABS, x);
  x = Select(b, Elementwise(b, BuiltinOperator::LESS, size, number(epsilon)), number(0), x);
  const Value red = Channel(b, x, 0);
  const Value green = Channel(b, x, 1);
  const Value blue = Channel(b, x, 2);
  const Value v = lrt::Reduce(b, BuiltinOperator::REDUCE_MAX, x, {3}, true);
  const Value d = lrt::Sub(b, v, lrt::Reduce(b, BuiltinOperator::REDUCE_MIN, x, {3}, true));
  const Value has_value = positive(v);
  const Value has_range = positive(d);
  const Value saturation =
      Select(b, has_value, lrt::Div(b, d, Select(b, has_value, v, number(1))), number(0));
  const Value norm = lrt::Div(b, number(1), Multiply(b, Select(b, has_range, d, number(1)), 6.0));
  auto sector = [&](Value p, Value q, double offset) {
    return Add(b, lrt::Mul(b, norm, lrt::Sub(b, p, q)), offset);
  };
  Value hue = Select(b, Elementwise(b, BuiltinOperator::EQUAL, v, green),
                     sector(blue, red, 2.0 / 6), sector(red, green, 4.0 / 6));
  hue = Select(b, Elementwise(b, BuiltinOperator::EQUAL, v, red), sector(green, blue, 0), hue);
  const Value turn = lrt::Cast(b, Elementwise(b, BuiltinOperator::LESS, hue, number(0)), dtype);
  hue = lrt::Add(b, Select(b, has_range, hue, number(0)), turn);
  return batch.Restore(lrt::Concatenation(b, {hue, saturation, v}, 3));
}

// With t = 6·(h mod 1):  v·(1 - s + s·k),
//   k = clip(|t - 3| - 1), clip(2 - |t - 2|), clip(2 - |t - 4|) for r, g, b, clipped to [0, 1]
Argument HsvToRgbOp(Builder& b, Arguments& a) {
  const Value images = a.Tensor(0, "images");
  const ImageBatch batch(b, "hsv_to_rgb", images, ReadImageFormat(b, a, 1));
  const Value x = batch.value();
  if (!CheckColors(b, "hsv_to_rgb", x)) return Value();
  const DType dtype = x.dtype();
  const Value t = Multiply(
      b, Elementwise(b, BuiltinOperator::FLOOR_MOD, Channel(b, x, 0), b.Scalar(1, dtype)), 6.0);
  const Value s = Channel(b, x, 1);
  auto constants = [&](float r, float g, float bl) {
    return lrt::Cast(b, b.Constant(DType::kFloat32, Shape{3}, std::vector<float>{r, g, bl}), dtype);
  };
  // |t - c|·sign + offset, the three colors at once.
  const Value away = lrt::Unary(b, BuiltinOperator::ABS, lrt::Sub(b, t, constants(3, 2, 4)));
  const Value k = Minimum(
      b, Maximum(b, lrt::Add(b, lrt::Mul(b, away, constants(1, -1, -1)), constants(-1, 2, 2)), 0.0),
      1.0);
  const Value mixed = lrt::Add(b, Subtract(b, 1.0, s), lrt::Mul(b, s, k));
  return batch.Restore(lrt::Mul(b, Channel(b, x, 2), mixed));
}

}  // namespace

ImageBatch::ImageBatch(Builder& b, std::string_view function, Value images, bool channels_first)
    : b_(b), channels_first_(channels_first) {
  if (!images.ok()) return;
  if (images.rank() != 3 && images.rank() != 4) {
    b.Fail("image-1", fmt::format("{}: images must have rank 3 or 4, got {}", function,
                                  images.shape().ToString()));
    return;
  }
  single_ = images.rank() == 3;
  value_ = single_ ? lrt::ExpandDims(b, images, 0) : images;
  if (channels_first) value_ = ToChannelsLast(b, value_);
}

Value ImageBatch::Restore(Value y) const {
  if (!y.ok()) return y;
  if (channels_first_) y = ToChannelsFirst(b_, y);
  return single_ ? lrt::Squeeze(b_, y, {0}) : y;
}

bool ReadImageFormat(Builder& b, Arguments& a, int position) {
  const std::string format = a.String(position, "data_format", "channels_last");
  if (format != "channels_last" && format != "channels_first") {
    b.Fail("image-2", fmt::format("data_format '{}' is not known", format));
  }
  return format == "channels_first";
}

std::span<const OpEntry> ImageColorOps() {
  static constexpr OpEntry kOps[] = {
      {"image.hsv_to_rgb", HsvToRgbOp},
      {"image.rgb_to_grayscale", GrayscaleOp},
      {"image.rgb_to_hsv", RgbToHsvOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
