// Max and average pooling, global and adaptive pooling.
#include "ops/pooling.h"

#include <fmt/core.h>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/elementwise.h"
#include "ops/reduction.h"

namespace keras_litert::layers {
namespace {

// False, and an error, where the input has not got kRank spatial axes.
bool CheckRank(Layer& layer, Value x, int spatial) {
  if (!x.ok() || x.rank() == spatial + 2) return x.ok();
  layer.Fail("pool-5",
             fmt::format("the input must have rank {}, got {}", spatial + 2, x.shape().ToString()));
  return false;
}

bool ChannelsFirst(Layer& layer) {
  return ops::ReadChannelsFirst(layer.b(), layer.config().String("data_format", "channels_last"));
}

using PoolFunction = Value (*)(Builder&, Value, const ops::PoolAttributes&);

template <int kRank, PoolFunction kPool>
Argument Pool(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  ops::PoolAttributes a;
  a.pool_size = config.Ints("pool_size", std::vector<int>(kRank, 2));
  a.strides = config.Ints("strides", a.pool_size);
  a.channels_first = ChannelsFirst(layer);
  a.padding = ops::ReadPadding(layer.b(), config.String("padding", "valid"));
  return CheckRank(layer, x, kRank) ? kPool(layer.b(), x, a) : Value();
}

template <int kRank>
std::vector<int> SpatialAxes(Layer& layer) {
  const int first = ChannelsFirst(layer) ? 2 : 1;
  std::vector<int> axes;
  for (int i = 0; i < kRank; ++i) axes.push_back(first + i);
  return axes;
}

using ReduceFunction = Value (*)(Builder&, Value, const std::optional<std::vector<int>>&, bool);

template <int kRank, ReduceFunction kReduce>
Argument GlobalPool(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  const bool keepdims = layer.config().Bool("keepdims", false);
  const std::vector<int> axes = SpatialAxes<kRank>(layer);
  return CheckRank(layer, x, kRank) ? kReduce(layer.b(), x, axes, keepdims) : Value();
}

// With a mask: the mean of the steps that count. It has the input's mask, and an own one comes as
// an argument.
Argument GlobalAveragePooling1D(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Value mask = call.OptionalTensor(1, "mask");
  if (!mask.ok()) mask = layer.Mask(x);
  const bool keepdims = layer.config().Bool("keepdims", false);
  const std::vector<int> axes = SpatialAxes<1>(layer);
  if (!CheckRank(layer, x, 1)) return Value();
  Builder& b = layer.b();
  if (!mask.ok()) return ops::Mean(b, x, axes, keepdims);
  if (mask.rank() != 2) {
    return layer.Fail("pool-6",
                      fmt::format("a mask must have rank 2, got {}", mask.shape().ToString()));
  }
  const Value steps = lrt::ExpandDims(b, lrt::Cast(b, mask, DType::kBool), axes[0] == 1 ? 2 : 1);
  // Masked values are left out by selection: times 0 would keep a NaN.
  const Value kept = lrt::Select(b, steps, x, b.Scalar(0, x.dtype()));
  return ops::Divide(b, ops::Sum(b, kept, axes, keepdims),
                     ops::Sum(b, lrt::Cast(b, steps, x.dtype()), axes, keepdims));
}

using AdaptiveFunction = Value (*)(Builder&, Value, const std::vector<int>&, bool);

template <int kRank, AdaptiveFunction kPool>
Argument AdaptivePool(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  const std::vector<int> size = layer.config().Ints("output_size", kRank);
  const bool first = ChannelsFirst(layer);
  return CheckRank(layer, x, kRank) ? kPool(layer.b(), x, size, first) : Value();
}

}  // namespace

std::span<const LayerEntry> PoolingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"MaxPooling1D", Pool<1, ops::MaxPool>},
      {"MaxPooling2D", Pool<2, ops::MaxPool>},
      {"MaxPooling3D", Pool<3, ops::MaxPool>},
      {"AveragePooling1D", Pool<1, ops::AveragePool>},
      {"AveragePooling2D", Pool<2, ops::AveragePool>},
      {"AveragePooling3D", Pool<3, ops::AveragePool>},
      {"GlobalMaxPooling1D", GlobalPool<1, ops::Max>},
      {"GlobalMaxPooling2D", GlobalPool<2, ops::Max>},
      {"GlobalMaxPooling3D", GlobalPool<3, ops::Max>},
      {"GlobalAveragePooling1D", GlobalAveragePooling1D},
      {"GlobalAveragePooling2D", GlobalPool<2, ops::Mean>},
      {"GlobalAveragePooling3D", GlobalPool<3, ops::Mean>},
      {"AdaptiveMaxPooling1D", AdaptivePool<1, ops::AdaptiveMaxPool>},
      {"AdaptiveMaxPooling2D", AdaptivePool<2, ops::AdaptiveMaxPool>},
      {"AdaptiveMaxPooling3D", AdaptivePool<3, ops::AdaptiveMaxPool>},
      {"AdaptiveAveragePooling1D", AdaptivePool<1, ops::AdaptiveAveragePool>},
      {"AdaptiveAveragePooling2D", AdaptivePool<2, ops::AdaptiveAveragePool>},
      {"AdaptiveAveragePooling3D", AdaptivePool<3, ops::AdaptiveAveragePool>},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
