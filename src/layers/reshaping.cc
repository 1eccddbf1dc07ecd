// Flatten, Reshape, Permute, RepeatVector, Cropping, ZeroPadding and UpSampling.
#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/convolution.h"
#include "ops/image.h"
#include "ops/padding.h"
#include "ops/shape.h"

namespace keras_litert::layers {
namespace {

bool ChannelsFirst(Layer& layer) {
  return ops::ReadChannelsFirst(layer.b(), layer.config().String("data_format", "channels_last"));
}

bool CheckRank(Layer& layer, Value x, int rank) {
  if (!x.ok() || x.rank() == rank) return x.ok();
  layer.Fail("reshaping-1",
             fmt::format("the input must have rank {}, got {}", rank, x.shape().ToString()));
  return false;
}

Argument Flatten(Layer& layer, Arguments& call) {
  Value x = call.Tensor(0, "inputs");
  if (ChannelsFirst(layer) && x.rank() > 2) {
    // Keras flattens channels_first tensors as if they were channels_last.
    x = ops::ToChannelsLast(layer.b(), x);
  }
  if (x.rank() == 1) return lrt::ExpandDims(layer.b(), x, 1);
  return ops::FlattenFrom(layer.b(), x, 1);
}

Argument Reshape(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  std::vector<Dim> shape{x.dim(0)};
  for (int size : layer.config().Ints("target_shape")) {
    if (size < -1) return layer.Fail("reshaping-2", fmt::format("a size of {}", size));
    shape.emplace_back(size);
  }
  return ops::Reshape(layer.b(), x, shape);
}

Argument Permute(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  std::vector<int> axes = layer.config().Ints("dims");
  std::vector<int> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != static_cast<int>(i) + 1) {
      return layer.Fail("reshaping-3", "'dims' must be a permutation of 1, 2, …");
    }
  }
  axes.insert(axes.begin(), 0);
  if (!CheckRank(layer, x, static_cast<int>(axes.size()))) return Value();
  return ops::Transpose(layer.b(), x, axes);
}

Argument RepeatVector(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  const int64_t n = layer.config().Int("n");
  if (!CheckRank(layer, x, 2)) return Value();
  return ops::Repeat(layer.b(), lrt::ExpandDims(layer.b(), x, 1), n, 1);
}

// One (before, after) for each of `spatial` axes, none negative. With one axis: an int or a pair of
// ints. With several: an int, or for each an int or a pair.
std::vector<lrt::AxisPadding> ReadPairs(Layer& layer, std::string_view key, int spatial) {
  const nlohmann::json& value = layer.config().Raw(key);
  std::vector<lrt::AxisPadding> pairs;
  auto pair = [&](const nlohmann::json& item) {
    if (item.is_number_integer()) {
      pairs.push_back({item.get<int64_t>(), item.get<int64_t>()});
    } else if (item.is_array() && item.size() == 2 && item[0].is_number_integer() &&
               item[1].is_number_integer()) {
      pairs.push_back({item[0].get<int64_t>(), item[1].get<int64_t>()});
    }
  };
  if (spatial == 1 || value.is_number_integer()) {
    for (int i = 0; i < spatial; ++i) pair(value);
  } else if (value.is_array()) {
    for (const nlohmann::json& item : value) pair(item);
  }
  const bool bad = std::any_of(pairs.begin(), pairs.end(), [](const lrt::AxisPadding& p) {
    return p.before < 0 || p.after < 0 || p.before > INT32_MAX / 2 || p.after > INT32_MAX / 2;
  });
  if (bad || static_cast<int>(pairs.size()) != spatial) {
    layer.Fail("reshaping-4",
               fmt::format("'{}' must be an int, or for each of {} axes an int or a pair of ints, "
                           "none of them negative",
                           key, spatial));
    return {};
  }
  return pairs;
}

// The pairs among those of all axes, or nothing where the layer cannot be computed.
std::vector<lrt::AxisPadding> OnSpatialAxes(Layer& layer, Value x, std::string_view key,
                                            int spatial) {
  const std::vector<lrt::AxisPadding> pairs = ReadPairs(layer, key, spatial);
  const bool first = ChannelsFirst(layer);
  if (!CheckRank(layer, x, spatial + 2) || pairs.empty()) return {};
  std::vector<lrt::AxisPadding> all(static_cast<size_t>(x.rank()));
  std::copy(pairs.begin(), pairs.end(), all.begin() + (first ? 2 : 1));
  return all;
}

template <int kRank>
Argument Cropping(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  const std::vector<lrt::AxisPadding> crops = OnSpatialAxes(layer, x, "cropping", kRank);
  return crops.empty() ? Value() : ops::Crop(layer.b(), x, crops);
}

template <int kRank>
Argument ZeroPadding(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  const std::vector<lrt::AxisPadding> padding = OnSpatialAxes(layer, x, "padding", kRank);
  return padding.empty() ? Value() : ops::Pad(layer.b(), x, padding);
}

// Nearest up-sampling of [batch, height, width, channels] by whole numbers.
//   static sizes     ⇒   RESIZE_NEAREST_NEIGHBOR
//   dynamic sizes    ⇒   DEPTH_TO_SPACE(CONCATENATION(x, … f² times)): no shape to compute at run
//   time else             ⇒   repeated along either axis
Value UpSampleNearest(Builder& b, Value x, int64_t fh, int64_t fw) {
  if (fh == 1 && fw == 1) return x;
  if (ir::IsFloat(x.dtype()) && x.dim(1).is_static() && x.dim(2).is_static()) {
    // Half-pixel centers lie in the middle of their source, where rounding does no harm.
    return lrt::ResizeNearestNeighbor(b, x, x.dim(1) * fh, x.dim(2) * fw, false, true);
  }
  if (ir::IsFloat(x.dtype()) && fh == fw && fh <= 4 && x.dim(3).is_static()) {
    const std::vector<Value> copies(static_cast<size_t>(fh * fh), x);
    return lrt::DepthToSpace(b, lrt::Concatenation(b, copies, 3), static_cast<int>(fh));
  }
  return ops::Repeat(b, ops::Repeat(b, x, fh, 1), fw, 2);
}

std::vector<int> Factors(Layer& layer, int count) {
  std::vector<int> size = layer.config().Ints("size", count);
  if (std::any_of(size.begin(), size.end(), [](int n) { return n < 1; })) {
    layer.Fail("reshaping-5", "'size' must be positive");
    return {};
  }
  return size;
}

Argument UpSampling1D(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  const std::vector<int> size = Factors(layer, 1);
  if (!CheckRank(layer, x, 3) || size.empty()) return Value();
  return ops::Repeat(layer.b(), x, size[0], 1);
}

Argument UpSampling2D(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  const std::vector<int> size = Factors(layer, 2);
  const bool first = ChannelsFirst(layer);
  const std::string interpolation = layer.config().String("interpolation", "nearest");
  if (!CheckRank(layer, x, 4) || size.empty()) return Value();
  Builder& b = layer.b();
  const Value image = first ? ops::ToChannelsLast(b, x) : x;
  Value y;
  if (interpolation == "nearest") {
    y = UpSampleNearest(b, image, size[0], size[1]);
  } else if (interpolation == "bilinear" && ir::IsFloat(x.dtype())) {
    // Also for sizes that only the run time knows.
    y = lrt::ResizeBilinear(b, image, image.dim(1) * size[0], image.dim(2) * size[1],
                            /*align_corners=*/false, /*half_pixel_centers=*/true);
  } else if (!image.dim(1).is_static() || !image.dim(2).is_static()) {
    return layer.Fail("reshaping-6",
                      fmt::format("interpolation '{}' needs to know the image's size, got {}",
                                  interpolation, x.shape().ToString()),
                      "Give the model's Input its spatial sizes, or fix them with --shape.");
  } else {
    const int64_t height = image.dim(1).value() * size[0];
    const int64_t width = image.dim(2).value() * size[1];
    if (height > INT32_MAX || width > INT32_MAX) {
      return layer.Fail("reshaping-5", "the image becomes too large");
    }
    y = ops::Resize(b, image,
                    {.height = static_cast<int>(height),
                     .width = static_cast<int>(width),
                     .interpolation = interpolation});
  }
  return first ? ops::ToChannelsFirst(b, y) : y;
}

Argument UpSampling3D(Layer& layer, Arguments& call) {
  Value x = call.Tensor(0, "inputs");
  const std::vector<int> size = Factors(layer, 3);
  const int first = ChannelsFirst(layer) ? 2 : 1;
  if (!CheckRank(layer, x, 5) || size.empty()) return Value();
  for (int i = 0; i < 3; ++i)
    x = ops::Repeat(layer.b(), x, size[static_cast<size_t>(i)], first + i);
  return x;
}

}  // namespace

std::span<const LayerEntry> ReshapingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Cropping1D", Cropping<1>},
      {"Cropping2D", Cropping<2>},
      {"Cropping3D", Cropping<3>},
      {"Flatten", Flatten},
      {"Permute", Permute},
      {"RepeatVector", RepeatVector},
      {"Reshape", Reshape},
      {"UpSampling1D", UpSampling1D},
      {"UpSampling2D", UpSampling2D},
      {"UpSampling3D", UpSampling3D},
      {"ZeroPadding1D", ZeroPadding<1>},
      {"ZeroPadding2D", ZeroPadding<2>},
      {"ZeroPadding3D", ZeroPadding<3>},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
