// keras.ops: what slides a window over images: patches, filters, similarity; borders added and cut.
#include "ops/image_window.h"

#include <fmt/core.h>

#include <cmath>

#include "ir/operators.h"
#include "ops/broadcast.h"
#include "ops/convolution.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/image_color.h"
#include "ops/padding.h"
#include "ops/reduction.h"
#include "ops/shape.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

constexpr int64_t kMaxPatch = 4096;  // elements of one patch: its kernel has their square
constexpr int kMaxWindow = 1 << 12;

// ---- Patches ----

// A convolution whose kernel is the identity: [*size, c, Π size · c].
Value IdentityKernel(Builder& b, const std::vector<int>& size, int64_t channels, DType dtype) {
  int64_t elements = channels;
  Shape shape;
  for (int s : size) {
    elements *= s;
    shape.Append(s);
  }
  shape.Append(channels);
  shape.Append(elements);
  std::vector<float> values(static_cast<size_t>(elements * elements), 0.0F);
  for (int64_t i = 0; i < elements; ++i) values[static_cast<size_t>(i * (elements + 1))] = 1.0F;
  return lrt::Cast(b, b.Constant(DType::kFloat32, shape, values), dtype);
}

// extract_patches: patches of Π size · c elements, rows first, channels last.
//   size = strides, valid     ⇒   SPACE_TO_DEPTH(x)       of images whose sizes are multiples
//   else                      ⇒   CONV(x, identity)       as Keras computes it
Argument ExtractPatchesOp(Builder& b, Arguments& a) {
  Value images = a.Tensor(0, "images");
  std::optional<std::vector<int>> size = a.Ints(1, "size");
  std::optional<std::vector<int>> strides = a.Ints(2, "strides");
  const std::vector<int> dilation = a.Ints(3, "dilation_rate").value_or(std::vector<int>{1});
  const std::string padding = a.String(4, "padding", "valid");
  const bool first = ReadImageFormat(b, a, 5);
  if (!images.ok() || !size) return Value();
  if (size->size() == 1) size = {(*size)[0], (*size)[0]};
  const int spatial = static_cast<int>(size->size());
  if (spatial > 3 || (images.rank() != spatial + 1 && images.rank() != spatial + 2)) {
    return b.Fail("patches-1", fmt::format("extract_patches: patches of {} axes of a tensor {}",
                                           spatial, images.shape().ToString()));
  }
  const bool single = images.rank() == spatial + 1;
  Value x = single ? lrt::ExpandDims(b, images, 0) : images;
  ConvAttributes attributes;
  attributes.strides = PerSpatialAxis(b, "strides", strides.value_or(*size), spatial);
  attributes.dilation_rate = PerSpatialAxis(b, "dilation_rate", dilation, spatial);
  attributes.padding = ReadPadding(b, padding);
  attributes.channels_first = first;
  const std::vector<int> window = PerSpatialAxis(b, "size", *size, spatial);
  const Dim channels = x.dim(first ? 1 : -1);
  int64_t elements = channels.is_static() ? channels.value() : 0;
  for (int s : window) elements = std::min<int64_t>(elements * s, INT32_MAX);
  if (elements < 1 || attributes.padding == ConvPadding::kCausal) {
    return b.Fail("patches-2", fmt::format("extract_patches: patches of {} elements of {}, "
                                           "padding '{}'",
                                           elements, x.shape().ToString(), padding));
  }
  bool tiles = attributes.padding == ConvPadding::kValid && spatial == 2 && window[0] == window[1];
  for (int i = 0; i < spatial; ++i) {
    const Dim extent = x.dim(i + (first ? 2 : 1));
    const auto at = static_cast<size_t>(i);
    tiles &= attributes.strides[at] == window[at] && attributes.dilation_rate[at] == 1 &&
             extent.is_static() && extent.value() % window[at] == 0;
  }
  auto restore = [&](Value y) { return single && y.ok() ? lrt::Squeeze(b, y, {0}) : y; };
  const bool has_kernel = x.dtype() == DType::kFloat32 || x.dtype() == DType::kInt32 ||
                          x.dtype() == DType::kUInt8 || x.dtype() == DType::kInt8;
  if (tiles && has_kernel) {
    const Value y = lrt::SpaceToDepth(b, first ? ToChannelsLast(b, x) : x, window[0]);
    return restore(first ? ToChannelsFirst(b, y) : y);
  }
  if (elements > kMaxPatch) {
    return b.Fail("patches-3",
                  fmt::format("extract_patches: a patch of {} elements is too large", elements),
                  "Use patches that do not overlap and fill the image, or smaller ones.");
  }
  const DType dtype = x.dtype();
  if (ir::SizeOf(dtype) > 2 && !ir::IsFloat(dtype)) {
    return b.Fail("patches-4",
                  fmt::format("extract_patches: {} images have no LiteRT kernel", ir::Name(dtype)),
                  "Cast them to float32.");
  }
  const DType computed = ir::IsFloat(dtype) ? dtype : DType::kFloat32;
  const Value kernel = IdentityKernel(b, window, channels.value(), computed);
  const Value y = Conv(b, lrt::Cast(b, x, computed), kernel, Value(), attributes);
  return restore(lrt::Cast(b, y, dtype));
}

// ---- Filters ----

// exp(-½·((i - (n - 1) / 2) / σ)²), of sum 1.
std::vector<double> Gaussian(int n, double sigma) {
  std::vector<double> values;
  double sum = 0;
  for (int i = 0; i < n; ++i) {
    const double x = (i - (n - 1) / 2.0) / sigma;
    values.push_back(std::exp(-0.5 * x * x));
    sum += values.back();
  }
  for (double& v : values) v /= sum;
  return values;
}

// The product of a column and a row, for each channel: [h, w, c, 1].
Value OuterKernel(Builder& b, const std::vector<double>& column, const std::vector<double>& row,
                  int64_t channels, DType dtype) {
  std::vector<float> values;
  for (double y : column) {
    for (double x : row)
      values.insert(values.end(), static_cast<size_t>(channels), static_cast<float>(y * x));
  }
  const Shape shape{static_cast<int64_t>(column.size()), static_cast<int64_t>(row.size()), channels,
                    1};
  return lrt::Cast(b, b.Constant(DType::kFloat32, shape, values), dtype);
}

// [n, h, w, c] * [k], a filter for every channel.
Value Filter(Builder& b, Value x, const std::vector<double>& column, const std::vector<double>& row,
             ConvPadding padding) {
  if (!x.ok()) return x;
  const Dim channels = x.dim(3);
  if (!channels.is_static() || channels.value() < 1 || channels.value() > (1 << 16)) {
    return b.Fail("filter-1", fmt::format("images of {} have no static number of channels",
                                          x.shape().ToString()));
  }
  const Value kernel = OuterKernel(b, column, row, channels.value(), x.dtype());
  return DepthwiseConv(b, x, kernel, Value(),
                       {.strides = {1, 1}, .dilation_rate = {1, 1}, .padding = padding});
}

// kernel_size and sigma: (along the width, along the height), as every backend has them.
Argument GaussianBlurOp(Builder& b, Arguments& a) {
  const Value images = a.Tensor(0, "images");
  const std::vector<int> size = a.Ints(1, "kernel_size").value_or(std::vector<int>{3, 3});
  const Argument& sigma = a.Get(2, "sigma");
  const ImageBatch batch(b, "gaussian_blur", images, ReadImageFormat(b, a, 3));
  const Value x = batch.value();
  if (!x.ok()) return Value();
  std::vector<double> sigmas{1, 1};
  if (sigma.is_number()) sigmas = {sigma.number(), sigma.number()};
  if (sigma.is_list()) {
    sigmas.clear();
    for (const Argument& s : sigma.items()) sigmas.push_back(s.is_number() ? s.number() : 0);
  }
  if (size.size() != 2 || sigmas.size() != 2 || size[0] < 1 || size[1] < 1 ||
      size[0] > kMaxWindow || size[1] > kMaxWindow || !(sigmas[0] > 0) || !(sigmas[1] > 0)) {
    return b.Fail("blur-1", "gaussian_blur: kernel_size and sigma must be two positive numbers",
                  "Give them as Python numbers.");
  }
  if (!ir::IsFloat(x.dtype())) {
    return b.Fail("blur-2", "gaussian_blur: Keras rounds the filter of integer images to zeros",
                  "Cast the images to float first.");
  }
  return batch.Restore(GaussianBlur(b, x, {size[0], size[1]}, {sigmas[0], sigmas[1]}));
}

// [n, h, w, c] ⇒ [n, h, w, c, 2], the derivatives along the height and the width; the image ends in
// zeros, as on JAX and PyTorch (NumPy mirrors it with its edge, TensorFlow without).
Argument SobelEdgesOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "images");
  const bool first = ReadImageFormat(b, a, 1);
  if (!x.ok()) return x;
  if (x.rank() != 4 || !ir::IsFloat(x.dtype())) {
    return b.Fail("sobel-1", fmt::format("sobel_edges: images must be floats of rank 4, got {} {}",
                                         ir::Name(x.dtype()), x.shape().ToString()));
  }
  if (first) x = ToChannelsLast(b, x);
  const std::vector<double> smooth{1, 2, 1};
  const std::vector<double> derive{-1, 0, 1};
  const Value dy = Filter(b, x, derive, smooth, ConvPadding::kSame);
  const Value dx = Filter(b, x, smooth, derive, ConvPadding::kSame);
  if (!dy.ok() || !dx.ok()) return Value();
  const Value edges = lrt::Pack(b, {dy, dx}, 4);
  return first ? lrt::Transpose(b, edges, {0, 3, 1, 2, 4}) : edges;
}

// ---- Similarity ----

// 20·log₁₀(max) - 10·log₁₀(mean((x1 - x2)²))
Argument PsnrOp(Builder& b, Arguments& a) {
  const Operand x1 = a.Number(0, "x1");
  const Operand x2 = a.Number(1, "x2");
  const double max = a.Float(2, "max_val", 1);
  if (!x1.ok() || !x2.ok()) return Value();
  if (!(max > 0)) return b.Fail("psnr-1", "psnr: max_val must be positive");
  const DType dtype = FloatResultType(ResultType({x1, x2}));
  const Value apart =
      Elementwise(b, BuiltinOperator::SQUARED_DIFFERENCE, x1.As(b, dtype), x2.As(b, dtype));
  return Subtract(b, 20 * std::log10(max),
                  Multiply(b, Log(b, Mean(b, apart, std::nullopt)), 10 / std::log(10.0)));
}

// Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004:
//   (2·μ₁μ₂ + c₁)(2·σ₁₂ + c₂) / ((μ₁² + μ₂² + c₁)(σ₁² + σ₂² + c₂)),   cᵢ = (kᵢ·max)²
// with Gaussian means and (co)variances E[xy] - E[x]E[y]; averaged over each image.
Argument SsimOp(Builder& b, Arguments& a) {
  const Value image1 = a.Tensor(0, "image1");
  const Value image2 = a.Tensor(1, "image2");
  const double max = a.Float(2, "max_val", 1);
  const int64_t size = a.Int(3, "filter_size", 11);
  const double sigma = a.Float(4, "filter_sigma", 1.5);
  const double k1 = a.Float(5, "k1", 0.01);
  const double k2 = a.Float(6, "k2", 0.03);
  const bool first = ReadImageFormat(b, a, 7);
  if (!image1.ok() || !image2.ok()) return Value();
  if (size < 1 || size > kMaxWindow || !(sigma > 0)) {
    return b.Fail("ssim-1", fmt::format("ssim: filter_size = {}, filter_sigma = {}", size, sigma));
  }
  const DType dtype = FloatResultType(image1.dtype());
  const Value x = ImageBatch(b, "ssim", lrt::Cast(b, image1, dtype), first).value();
  const Value y = ImageBatch(b, "ssim", lrt::Cast(b, image2, dtype), first).value();
  const std::vector<double> window = Gaussian(static_cast<int>(size), sigma);
  auto mean = [&](Value v) { return Filter(b, v, window, window, ConvPadding::kValid); };
  const Value mu1 = mean(x);
  const Value mu2 = mean(y);
  const Value square1 = lrt::Mul(b, mu1, mu1);
  const Value square2 = lrt::Mul(b, mu2, mu2);
  const Value product = Elementwise(b, BuiltinOperator::MUL, mu1, mu2);
  const Value sigma1 = lrt::Sub(b, mean(lrt::Mul(b, x, x)), square1);
  const Value sigma2 = lrt::Sub(b, mean(lrt::Mul(b, y, y)), square2);
  const Value sigma12 = lrt::Sub(b, mean(Elementwise(b, BuiltinOperator::MUL, x, y)), product);
  const double c1 = k1 * max * k1 * max;
  const double c2 = k2 * max * k2 * max;
  const Value numerator =
      Multiply(b, Add(b, Multiply(b, product, 2.0), c1), Add(b, Multiply(b, sigma12, 2.0), c2));
  const Value denominator =
      Multiply(b, Add(b, Add(b, square1, square2), c1), Add(b, Add(b, sigma1, sigma2), c2));
  const Value map = Divide(b, numerator, denominator);
  const Value result = Mean(b, map, std::vector<int>{1, 2, 3});
  if (!result.ok()) return result;
  return lrt::Cast(b, image1.rank() == 3 ? lrt::Reshape(b, result, Shape()) : result,
                   image1.dtype());
}

// ---- Borders ----

// Sizes before and after, and the target's, along one spatial axis; two of them are given.
struct Border {
  std::optional<int64_t> before;
  std::optional<int64_t> after;
  std::optional<int64_t> target;
  int given() const { return before.has_value() + after.has_value() + target.has_value(); }
};
struct Borders {
  Border height;
  Border width;
};
Borders ReadBorders(Arguments& a, const char* kind) {
  auto read = [&](int position, const char* name) {
    return a.OptionalInt(position, fmt::format("{}_{}", name, kind));
  };
  Borders borders;
  borders.height.before = read(1, "top");
  borders.width.before = read(2, "left");
  borders.height.after = read(3, "bottom");
  borders.width.after = read(4, "right");
  borders.height.target = a.OptionalInt(5, "target_height");
  borders.width.target = a.OptionalInt(6, "target_width");
  return borders;
}

// What comes before and after an axis of `size`; `sign` is 1 for padding, -1 for cropping.
std::optional<lrt::AxisPadding> Resolve(Builder& b, std::string_view function, const Border& border,
                                        Dim size, int sign) {
  const bool needs_size = !border.before || !border.after;
  if (border.given() != 2 || (needs_size && !size.is_static())) {
    b.Fail("border-1",
           fmt::format("{}: along each axis two of the sizes before, behind and of the target must "
                       "be given, and both borders where the image's size is dynamic",
                       function));
    return std::nullopt;
  }
  const int64_t apart = needs_size ? sign * (border.target.value_or(0) - size.value()) : 0;
  const lrt::AxisPadding padding{border.before ? *border.before : apart - *border.after,
                                 border.after ? *border.after : apart - *border.before};
  const bool too_much = sign < 0 && size.is_static() &&
                        (padding.before > size.value() || padding.after > size.value() ||
                         padding.before + padding.after >= size.value());
  if (padding.before < 0 || padding.after < 0 || padding.before > INT32_MAX ||
      padding.after > INT32_MAX || too_much) {
    b.Fail("border-2", fmt::format("{}: {} and {} at the borders of an axis", function,
                                   padding.before, padding.after));
    return std::nullopt;
  }
  return padding;
}

std::optional<std::vector<lrt::AxisPadding>> ResolveAll(Builder& b, std::string_view function,
                                                        Value images, const Borders& borders,
                                                        bool first, int sign) {
  if (!images.ok()) return std::nullopt;
  if (images.rank() != 3 && images.rank() != 4) {
    b.Fail("image-1", fmt::format("{}: images must have rank 3 or 4, got {}", function,
                                  images.shape().ToString()));
    return std::nullopt;
  }
  const int axis = images.rank() - (first ? 2 : 3);
  const auto height = Resolve(b, function, borders.height, images.dim(axis), sign);
  const auto width = Resolve(b, function, borders.width, images.dim(axis + 1), sign);
  if (!height || !width) return std::nullopt;
  std::vector<lrt::AxisPadding> all(static_cast<size_t>(images.rank()));
  all[static_cast<size_t>(axis)] = *height;
  all[static_cast<size_t>(axis) + 1] = *width;
  return all;
}

Argument PadImagesOp(Builder& b, Arguments& a) {
  const Value images = a.Tensor(0, "images");
  const Borders borders = ReadBorders(a, "padding");
  const bool first = ReadImageFormat(b, a, 7);
  const auto padding = ResolveAll(b, "pad_images", images, borders, first, 1);
  return padding ? ops::Pad(b, images, *padding) : Value();
}

Argument CropImagesOp(Builder& b, Arguments& a) {
  const Value images = a.Tensor(0, "images");
  const Borders borders = ReadBorders(a, "cropping");
  const bool first = ReadImageFormat(b, a, 7);
  const Border& h = borders.height;
  const Border& w = borders.width;
  if (images.ok() && h.before && h.target && w.before && w.target && h.given() == 2 &&
      w.given() == 2 && (images.rank() == 3 || images.rank() == 4) && *h.target > 0 &&
      *w.target > 0 && *h.before >= 0 && *w.before >= 0) {
    const int axis = images.rank() - (first ? 2 : 3);
    if (!images.dim(axis).is_static() || !images.dim(axis + 1).is_static()) {
      return Crop(b, images, CropBox{*h.before, *w.before, *h.target, *w.target}, first);
    }
  }
  const auto cropping = ResolveAll(b, "crop_images", images, borders, first, -1);
  return cropping ? Crop(b, images, *cropping) : Value();
}

}  // namespace

Value GaussianBlur(Builder& b, Value x, const std::array<int, 2>& size,
                   const std::array<double, 2>& sigma) {
  return Filter(b, x, Gaussian(size[1], sigma[1]), Gaussian(size[0], sigma[0]), ConvPadding::kSame);
}

std::span<const OpEntry> ImageWindowOps() {
  static constexpr OpEntry kOps[] = {
      {"image.crop_images", CropImagesOp},
      {"image.extract_patches", ExtractPatchesOp},
      {"image.gaussian_blur", GaussianBlurOp},
      {"image.pad_images", PadImagesOp},
      {"image.sobel_edges", SobelEdgesOp},
      {"image.ssim", SsimOp},
      {"nn.psnr", PsnrOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
