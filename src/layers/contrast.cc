// The layers that change an image's contrast, at inference too: AutoContrast and
// ContrastLimitedAdaptiveHistogramEqualization.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "ir/operators.h"
#include "layers/image_data.h"
#include "layers/table.h"
#include "ops/convolution.h"
#include "ops/elementwise.h"

namespace keras_litert::layers {
namespace {

using ir::BuiltinOperator;

struct Range {
  double low;
  double high;
};
constexpr Range kBytes = {0, 255};

// (x - from.low) / (from.high - from.low) * (to.high - to.low) + to.low, rounded step by step as
// Keras does: what follows may look at whole levels.
Value MoveRange(Builder& b, Value x, Range from, Range to) {
  if (from.low == to.low && from.high == to.high) return x;
  if (from.low != 0) x = ops::Subtract(b, x, from.low);
  if (from.high - from.low != 1) x = ops::Divide(b, x, from.high - from.low);
  if (to.high - to.low != 1) x = ops::Multiply(b, x, to.high - to.low);
  return to.low == 0 ? x : ops::Add(b, x, to.low);
}

std::optional<Range> ValueRange(Layer& layer) {
  const std::vector<double> range = layer.config().Floats("value_range");
  if (range.size() != 2 || !(range[0] < range[1])) {
    layer.Fail("image-6", "value_range must be (low, high)");
    return std::nullopt;
  }
  return Range{range[0], range[1]};
}

// Runs `transform` on a batch of images; a single image becomes a batch of one.
Value OnBatch(Layer& layer, Value images, const ImageTransform& transform) {
  if (images.rank() == 4) return transform(images);
  if (images.rank() != 3) {
    return layer.Fail(
        "image-5", fmt::format("images must have rank 3 or 4, got {}", images.shape().ToString()));
  }
  Builder& b = layer.b();
  const Value y = transform(lrt::ExpandDims(b, images, 0));
  return y.ok() ? lrt::Squeeze(b, y, {0}) : y;
}

Value Clip(Builder& b, Value x, double low, double high) {
  return lrt::Minimum(b, lrt::Maximum(b, x, b.Scalar(low, x.dtype())), b.Scalar(high, x.dtype()));
}

// Each channel of each image stretched to the whole range: (x - min) * 255 / (max - min). A channel
// of one value stays as it is.
Argument AutoContrast(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  layer.config().Ignore({"bounding_box_format", "data_format"});
  const std::optional<Range> range = ValueRange(layer);
  if (!range) return Value();
  return TransformImages(layer, call, [&](Value images) {
    return OnBatch(layer, images, [&](Value image) {
      const Value original = lrt::Cast(b, image, layer.compute_dtype());
      const Value x = MoveRange(b, original, *range, kBytes);
      // Keras reduces these axes in either data format.
      const Value low = lrt::Reduce(b, BuiltinOperator::REDUCE_MIN, x, {1, 2}, true);
      const Value high = lrt::Reduce(b, BuiltinOperator::REDUCE_MAX, x, {1, 2}, true);
      const Value scale = lrt::Div(b, b.Scalar(255, x.dtype()), lrt::Sub(b, high, low));
      const Value offset = lrt::Mul(b, lrt::Unary(b, BuiltinOperator::NEG, low), scale);
      Value y = Clip(b, lrt::Add(b, lrt::Mul(b, x, scale), offset), 0, 255);
      y = MoveRange(b, y, kBytes, *range);
      return lrt::Select(b, lrt::Compare(b, BuiltinOperator::EQUAL, low, high), original, y);
    });
  });
}

// ---------------------------------------------------------------------------------------------------

constexpr int kBins = 256;

// A grid of tiles over one axis, and between which two tiles each pixel lies.
struct Tiling {
  int64_t tiles;
  int64_t tile;  // pixels
  std::vector<int32_t> tile_of;
  std::vector<int32_t> before;
  std::vector<int32_t> after;
  std::vector<float> weight;  // of `after`
};

Tiling MakeTiling(int64_t size, int64_t tiles) {
  Tiling t{tiles, (size + tiles - 1) / tiles, {}, {}, {}, {}};
  for (int64_t i = 0; i < size; ++i) {
    const double place =
        (static_cast<double>(i) - static_cast<double>(t.tile) / 2) / static_cast<double>(t.tile);
    const auto before = static_cast<int64_t>(std::floor(place));
    auto clamp = [&](int64_t k) {
      return static_cast<int32_t>(std::clamp<int64_t>(k, 0, tiles - 1));
    };
    t.tile_of.push_back(static_cast<int32_t>(i / t.tile));
    t.before.push_back(clamp(before));
    t.after.push_back(clamp(before + 1));
    t.weight.push_back(static_cast<float>(place - static_cast<double>(before)));
  }
  return t;
}

// int32 [1, height, width, channels]: where the histogram of a tile and channel starts in its
// image's.
Value TileOffsets(Builder& b, const std::vector<int32_t>& rows, const std::vector<int32_t>& columns,
                  int64_t grid_width, int64_t channels) {
  std::vector<int32_t> offsets;
  offsets.reserve(rows.size() * columns.size() * static_cast<size_t>(channels));
  for (int32_t row : rows) {
    for (int32_t column : columns) {
      for (int64_t c = 0; c < channels; ++c) {
        offsets.push_back(
            static_cast<int32_t>(((row * grid_width + column) * channels + c) * kBins));
      }
    }
  }
  return b.Constant(
      DType::kInt32,
      {1, static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size()), channels},
      offsets);
}

struct Clahe {
  double clip_limit;
  int64_t grid_height;
  int64_t grid_width;
};

// Contrast-limited adaptive histogram equalization of x [n, h, w, c], values 0 … 255: pixels are
// mapped by the cumulated histograms of the four tiles around them, interpolated.
Value Equalize(Layer& layer, Value x, const Clahe& a) {
  Builder& b = layer.b();
  const Dim batch = x.dim(0);
  if (!x.dim(1).is_static() || !x.dim(2).is_static() || !x.dim(3).is_static()) {
    return layer.Fail("clahe-1", "the size of the images is not known",
                      "Give the model's Input a fixed size, or fix it with --shape.");
  }
  const int64_t height = x.dim(1).value();
  const int64_t width = x.dim(2).value();
  const int64_t channels = x.dim(3).value();
  const Tiling rows = MakeTiling(height, a.grid_height);
  const Tiling columns = MakeTiling(width, a.grid_width);
  const int64_t bottom = rows.tile * rows.tiles - height;
  const int64_t right = columns.tile * columns.tiles - width;
  const int64_t histograms = rows.tiles * columns.tiles * channels;
  constexpr int64_t kMaxElements = int64_t{1} << 28;
  if (bottom > height || right > width || histograms < 1 || histograms > kMaxElements / kBins ||
      height > kMaxElements / std::max<int64_t>(1, width * channels)) {
    return layer.Fail(
        "clahe-2", fmt::format("a grid of {} x {} tiles does not fit images of {} x {}", rows.tiles,
                               columns.tiles, height, width));
  }
  const Dim images_bins = batch * (histograms * kBins);

  // Each image's histograms lie behind those of the one before.
  Value first =
      lrt::Range(b, b.Scalar(0, DType::kInt32), b.SizeOf(batch), b.Scalar(1, DType::kInt32), batch);
  first = lrt::Mul(b, first, b.Scalar(static_cast<double>(histograms * kBins), DType::kInt32));
  first = lrt::Reshape(b, first, {batch, 1, 1, 1});
  const Value level = lrt::Cast(b, Clip(b, x, 0, 255), DType::kInt32);
  const Value place = lrt::Add(b, level, first);

  // Histograms: how many pixels of each tile and channel have each level. The grid's overhang is
  // mirrored pixels.
  Value padded = place;
  Tiling padded_rows = rows;
  Tiling padded_columns = columns;
  if (bottom > 0 || right > 0) {
    padded = lrt::MirrorPad(b, place, {{0, 0}, {0, bottom}, {0, right}, {0, 0}},
                            tflite::MirrorPadMode::SYMMETRIC);
    for (int64_t i = height; i < height + bottom; ++i) {
      padded_rows.tile_of.push_back(static_cast<int32_t>(i / rows.tile));
    }
    for (int64_t i = width; i < width + right; ++i) {
      padded_columns.tile_of.push_back(static_cast<int32_t>(i / columns.tile));
    }
  }
  const Dim pixels = batch * ((height + bottom) * (width + right) * channels);
  const Value bins = lrt::Reshape(
      b,
      lrt::Add(
          b, padded,
          TileOffsets(b, padded_rows.tile_of, padded_columns.tile_of, columns.tiles, channels)),
      {pixels});
  const Value ones = lrt::Fill(b, {pixels}, b.Scalar(1, DType::kFloat32));
  Value histogram = b.Emit(BuiltinOperator::UNSORTED_SEGMENT_SUM,
                           {ones, bins, b.SizeOf(images_bins)}, {DType::kFloat32, {images_bins}});
  histogram = lrt::Reshape(b, histogram, {batch * histograms, kBins});

  // What exceeds the limit is spread over all levels.
  const auto area = static_cast<double>(rows.tile * columns.tile);
  if (a.clip_limit > 0) {
    const Value clipped =
        lrt::Minimum(b, histogram, b.Scalar(a.clip_limit * area / kBins, DType::kFloat32));
    const Value excess = lrt::Reduce(b, BuiltinOperator::SUM, lrt::Sub(b, histogram, clipped), {1},
                                     /*keep_dims=*/true);
    histogram = lrt::Add(b, clipped, lrt::Mul(b, excess, b.Scalar(1.0 / kBins, DType::kFloat32)));
  }
  // Levels as the cumulated histogram stretches them over 0 … 255.
  const Value sums = lrt::Cumsum(b, histogram, 1);
  const Value least = lrt::Reduce(b, BuiltinOperator::REDUCE_MIN, sums, {1}, /*keep_dims=*/true);
  Value range = lrt::Sub(b, b.Scalar(area, DType::kFloat32), least);
  const Value one = b.Scalar(1, DType::kFloat32);
  range = lrt::Select(
      b, lrt::Compare(b, BuiltinOperator::EQUAL, range, b.Scalar(0, DType::kFloat32)), one, range);
  Value levels = lrt::Mul(b, lrt::Sub(b, sums, least), b.Scalar(255, DType::kFloat32));
  levels = Clip(b, lrt::Div(b, levels, range), 0, 255);
  levels = lrt::Reshape(b, levels, {images_bins});

  auto corner = [&](const std::vector<int32_t>& r, const std::vector<int32_t>& c) {
    return lrt::Gather(b, levels, lrt::Add(b, place, TileOffsets(b, r, c, columns.tiles, channels)),
                       0);
  };
  const Value down = b.Constant(DType::kFloat32, {1, height, 1, 1}, rows.weight);
  const Value across = b.Constant(DType::kFloat32, {1, 1, width, 1}, columns.weight);
  auto between = [&](Value x0, Value x1, Value weight) {
    return lrt::Add(b, x0, lrt::Mul(b, lrt::Sub(b, x1, x0), weight));
  };
  const Value top =
      between(corner(rows.before, columns.before), corner(rows.before, columns.after), across);
  const Value low =
      between(corner(rows.after, columns.before), corner(rows.after, columns.after), across);
  return between(top, low, down);
}

Argument ContrastLimitedAdaptiveHistogramEqualization(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  Config& config = layer.config();
  config.Ignore({"bounding_box_format"});
  const std::optional<Range> range = ValueRange(layer);
  if (!range) return Value();
  const std::vector<int> grid = config.Ints("tile_grid_size", 2);
  const Clahe a{config.Float("clip_limit", 4), grid[0], grid[1]};
  const bool first = config.String("data_format", "channels_last") == "channels_first";
  if (a.grid_height < 1 || a.grid_width < 1) {
    return layer.Fail("clahe-3", fmt::format("tile_grid_size = ({}, {})", grid[0], grid[1]));
  }
  return TransformImages(layer, call, [&](Value images) {
    return OnBatch(layer, images, [&](Value image) {
      Value x = first ? ops::ToChannelsLast(b, image) : image;
      x = MoveRange(b, lrt::Cast(b, x, DType::kFloat32), *range, kBytes);
      Value y = MoveRange(b, Equalize(layer, x, a), kBytes, *range);
      y = lrt::Cast(b, y, image.dtype());
      return first ? ops::ToChannelsFirst(b, y) : y;
    });
  });
}

}  // namespace

std::span<const LayerEntry> ContrastLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"AutoContrast", AutoContrast},
      {"ContrastLimitedAdaptiveHistogramEqualization",
       ContrastLimitedAdaptiveHistogramEqualization},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
