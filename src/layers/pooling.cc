// Max and average pooling, global and adaptive pooling.
#include "ops/pooling.h"

#include <fmt/core.h>

#include "layers/table.h"
#include "ops/reduction.h"

namespace keras_litert::layers {
namespace {

using PoolFunction = Value (*)(Builder&, Value, const ops::PoolAttributes&);

template <int kRank, PoolFunction kPool>
Argument Pool(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  ops::PoolAttributes a;
  a.pool_size = config.Ints("pool_size", std::vector<int>(kRank, 2));
  a.strides = config.Ints("strides", a.pool_size);
  a.channels_first = config.String("data_format", "channels_last") == "channels_first";
  const std::string padding = config.String("padding", "valid");
  if (padding == "same") {
    a.padding = ops::ConvPadding::kSame;
  } else if (padding != "valid") {
    return layer.Fail("pool-2", fmt::format("padding '{}' is not known", padding));
  }
  return kPool(layer.b(), x, a);
}

using ReduceFunction = Value (*)(Builder&, Value, const std::optional<std::vector<int>>&, bool);

template <int kRank, ReduceFunction kReduce>
Argument GlobalPool(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  const bool first = config.String("data_format", "channels_last") == "channels_first";
  std::vector<int> axes;
  for (int i = 0; i < kRank; ++i) axes.push_back(first ? i + 2 : i + 1);
  return kReduce(layer.b(), x, axes, config.Bool("keepdims", false));
}

}  // namespace

std::span<const LayerEntry> PoolingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"MaxPooling2D", Pool<2, ops::MaxPool>},
      {"AveragePooling2D", Pool<2, ops::AveragePool>},
      {"GlobalAveragePooling2D", GlobalPool<2, ops::Mean>},
      {"GlobalMaxPooling2D", GlobalPool<2, ops::Max>},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
