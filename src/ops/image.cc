#include "ops/image.h"

#include <fmt/core.h>

#include <algorithm>

#include "ir/operators.h"
#include "ops/convolution.h"
#include "ops/image_runtime.h"
#include "ops/resize_kernel.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// Axes of height and width in images of rank 4.
struct SpatialAxes {
  int height;
  int width;
};
SpatialAxes AxesOf(bool channels_first) {
  return channels_first ? SpatialAxes{2, 3} : SpatialAxes{1, 2};
}

// Resizing matrices larger than this would make a file of an absurd size.
constexpr int64_t kMaxMatrix = int64_t{1} << 26;

// RESIZE_NEAREST_NEIGHBOR, behind a GATHER on each axis where it would round another way than
// Keras.
Value Nearest(Builder& b, Value x, const ResizeAttributes& a) {
  const SpatialAxes axes = AxesOf(a.channels_first);
  auto gather = [&](int axis, int size) {
    if (!x.dim(axis).is_static()) return;
    const std::vector<int32_t> wanted = NearestIndices(x.dim(axis).value(), size);
    if (wanted == LitertNearestIndices(x.dim(axis).value(), size)) return;
    x = lrt::Gather(b, x, b.Vector(wanted), axis);
  };
  gather(axes.height, a.height);
  gather(axes.width, a.width);
  if (x.dim(axes.height) == Dim(a.height) && x.dim(axes.width) == Dim(a.width)) return x;
  if (a.channels_first) x = ToChannelsLast(b, x);
  x = lrt::ResizeNearestNeighbor(b, x, a.height, a.width, /*align_corners=*/false,
                                 /*half_pixel_centers=*/true);
  return a.channels_first ? ToChannelsFirst(b, x) : x;
}

// The matrix that resizes an axis of `in` to `size`: a constant, or computed when the file runs.
Value Matrix(Builder& b, Dim in, int size, const ResizeAttributes& a) {
  if (!in.is_static()) return RuntimeResizeMatrix(b, in, size, a.interpolation, a.antialias);
  if (in.value() < 1 || in.value() > kMaxMatrix / size) {
    return b.Fail("resize-4", fmt::format("cannot resize an axis of {} to {}", in.value(), size));
  }
  const std::optional<std::vector<float>> weights =
      ResizeMatrix(a.interpolation, in.value(), size, a.antialias);
  if (!weights) {
    return b.Fail("resize-1", fmt::format("interpolation '{}' is not known", a.interpolation));
  }
  return b.Constant(DType::kFloat32, {size, in}, *weights);
}

// y = W x along one axis of a tensor of rank 4.
Value AlongAxis(Builder& b, Value x, int axis, int size, const ResizeAttributes& a) {
  if (!x.ok() || x.dim(axis) == Dim(size)) return x;
  const Value matrix = lrt::Cast(b, Matrix(b, x.dim(axis), size, a), x.dtype());
  if (!matrix.ok()) return matrix;
  if (axis == x.rank() - 1 && !matrix.is_constant()) {
    return lrt::BatchMatMul(b, x, matrix, /*adj_x=*/false, /*adj_y=*/true);
  }
  if (axis == x.rank() - 1) return lrt::FullyConnected(b, x, matrix, Builder::Absent());
  if (axis == x.rank() - 2) return lrt::BatchMatMul(b, matrix, x);
  // [n, h, w, c]: w and c as one axis.
  const Shape before = x.shape();
  const Dim inner = b.symbols().Product(before[2], before[3]);
  x = lrt::BatchMatMul(b, matrix, lrt::Reshape(b, x, {before[0], before[1], inner}));
  return lrt::Reshape(b, x, {before[0], size, before[2], before[3]});
}

Value Interpolated(Builder& b, Value x, const ResizeAttributes& a) {
  const SpatialAxes axes = AxesOf(a.channels_first);
  auto shrinks = [](Dim size, int wanted) { return !size.is_static() || size.value() > wanted; };
  const bool widened =
      a.antialias && (shrinks(x.dim(axes.height), a.height) || shrinks(x.dim(axes.width), a.width));
  if (a.interpolation == "bilinear" && !widened) {
    if (a.channels_first) x = ToChannelsLast(b, x);
    x = lrt::ResizeBilinear(b, x, a.height, a.width, /*align_corners=*/false,
                            /*half_pixel_centers=*/true);
    return a.channels_first ? ToChannelsFirst(b, x) : x;
  }
  x = AlongAxis(b, x, axes.height, a.height, a);
  return AlongAxis(b, x, axes.width, a.width, a);
}

// Both sides of the axis that is too short for the target's aspect ratio get the same padding: one
// row less than would be needed where that is odd.
Value PadToAspectRatio(Builder& b, Value x, const ResizeAttributes& a) {
  const SpatialAxes axes = AxesOf(a.channels_first);
  const int64_t height = x.dim(axes.height).value();
  const int64_t width = x.dim(axes.width).value();
  auto scaled = [](int64_t size, int to, int from) {
    return static_cast<int64_t>(static_cast<double>(size * to) / from);
  };
  const int64_t rows = (std::max(height, scaled(width, a.height, a.width)) - height) / 2;
  const int64_t columns = (std::max(width, scaled(height, a.width, a.height)) - width) / 2;
  std::vector<lrt::AxisPadding> padding(4);
  if (rows > 0) {
    padding[static_cast<size_t>(axes.height)] = {rows, rows};
  } else if (columns > 0) {
    padding[static_cast<size_t>(axes.width)] = {columns, columns};
  } else {
    return x;
  }
  if (a.fill_value == 0) return lrt::Pad(b, x, padding);
  return lrt::PadV2(b, x, padding, b.Scalar(a.fill_value, x.dtype()));
}

Argument ResizeOp(Builder& b, Arguments& arguments) {
  const Value images = arguments.Tensor(0, "images");
  const std::optional<std::vector<int>> size = arguments.Ints(1, "size");
  ResizeAttributes a;
  a.interpolation = arguments.String(2, "interpolation", "bilinear");
  a.antialias = arguments.Bool(3, "antialias", false);
  a.crop_to_aspect_ratio = arguments.Bool(4, "crop_to_aspect_ratio", false);
  a.pad_to_aspect_ratio = arguments.Bool(5, "pad_to_aspect_ratio", false);
  const std::string fill_mode = arguments.String(6, "fill_mode", "constant");
  a.fill_value = arguments.Float(7, "fill_value", 0);
  a.channels_first = arguments.String(8, "data_format", "channels_last") == "channels_first";
  if (!size || size->size() != 2) return b.Fail("resize-5", "size must be (height, width)");
  if (fill_mode != "constant") {
    return b.Fail("resize-6", fmt::format("fill_mode '{}' is not known", fill_mode));
  }
  a.height = (*size)[0];
  a.width = (*size)[1];
  return Resize(b, images, a);
}

}  // namespace

CropBox AspectRatioCrop(int64_t height, int64_t width, int target_height, int target_width) {
  auto scaled = [](int64_t size, int to, int from) {
    return static_cast<int64_t>(static_cast<double>(size * to) / from);
  };
  CropBox box;
  box.height = std::max<int64_t>(1, std::min(height, scaled(width, target_height, target_width)));
  box.width = std::max<int64_t>(1, std::min(width, scaled(height, target_width, target_height)));
  box.h_start = (height - box.height) / 2;
  box.w_start = (width - box.width) / 2;
  return box;
}

Value Crop(Builder& b, Value images, const CropBox& box, bool channels_first) {
  if (!images.ok()) return images;
  const int height_axis = images.rank() - (channels_first ? 2 : 3);
  Shape shape = images.shape();
  std::vector<int32_t> begin(static_cast<size_t>(images.rank()), 0);
  std::vector<int32_t> size(begin.size(), -1);
  auto cut = [&](int axis, int64_t start, int64_t count) {
    if (shape[axis] == Dim(count)) return;
    begin[static_cast<size_t>(axis)] = static_cast<int32_t>(start);
    size[static_cast<size_t>(axis)] = static_cast<int32_t>(count);
    shape.Set(axis, count);
  };
  cut(height_axis, box.h_start, box.height);
  cut(height_axis + 1, box.w_start, box.width);
  if (shape == images.shape()) return images;
  return lrt::Slice(b, images, begin, size, shape);
}

Value Resize(Builder& b, Value images, const ResizeAttributes& a) {
  if (!images.ok()) return images;
  if (images.rank() != 3 && images.rank() != 4) {
    return b.Fail("resize-7",
                  fmt::format("images must have rank 3 or 4, got {}", images.shape().ToString()));
  }
  if (a.height < 1 || a.width < 1) {
    return b.Fail("resize-5", fmt::format("cannot resize to {} x {}", a.height, a.width));
  }
  if (a.crop_to_aspect_ratio && a.pad_to_aspect_ratio) {
    return b.Fail("resize-8", "an image is either cropped or padded to the aspect ratio, not both");
  }
  const bool single = images.rank() == 3;
  Value x = single ? lrt::ExpandDims(b, images, 0) : images;
  const SpatialAxes axes = AxesOf(a.channels_first);
  if (a.crop_to_aspect_ratio || a.pad_to_aspect_ratio) {
    const Dim height = x.dim(axes.height);
    const Dim width = x.dim(axes.width);
    if (a.pad_to_aspect_ratio) {
      // Keras's filling is a float: integer images become float32.
      if (!ir::IsFloat(x.dtype())) x = lrt::Cast(b, x, DType::kFloat32);
      x = height.is_static() && width.is_static() ? PadToAspectRatio(b, x, a)
                                                  : RuntimePadToAspectRatio(b, x, a);
    } else if (height.is_static() && width.is_static()) {
      x = Crop(b, x, AspectRatioCrop(height.value(), width.value(), a.height, a.width),
               a.channels_first);
    } else {
      x = RuntimeCrop(b, x, RuntimeAspectRatioCrop(b, height, width, a.height, a.width),
                      a.channels_first);
    }
  }
  const bool nearest = a.interpolation == "nearest";
  if (!nearest && !ir::IsFloat(x.dtype())) x = lrt::Cast(b, x, DType::kFloat32);
  if (x.dim(axes.height) != Dim(a.height) || x.dim(axes.width) != Dim(a.width)) {
    x = nearest ? Nearest(b, x, a) : Interpolated(b, x, a);
  }
  return single ? lrt::Squeeze(b, x, {0}) : x;
}

std::span<const OpEntry> ImageOps() {
  static constexpr OpEntry kOps[] = {{"image.resize", ResizeOp}};
  return kOps;
}

}  // namespace keras_litert::ops
