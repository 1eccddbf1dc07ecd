// Conv1D … Conv3D, their depthwise, separable and transposed kin.
#include "ops/convolution.h"

#include <fmt/core.h>

#include "layers/table.h"

namespace keras_litert::layers {
namespace {

constexpr std::string_view kTrainingOnly[] = {
    "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer",
    "kernel_constraint",  "bias_constraint",  "depthwise_initializer", "depthwise_regularizer",
    "depthwise_constraint", "pointwise_initializer", "pointwise_regularizer", "pointwise_constraint"};

ops::ConvAttributes ReadAttributes(Layer& layer, int rank) {
  Config& config = layer.config();
  ops::ConvAttributes a;
  a.strides = config.Ints("strides", std::vector<int>(static_cast<size_t>(rank), 1));
  a.dilation_rate = config.Ints("dilation_rate", std::vector<int>(static_cast<size_t>(rank), 1));
  a.channels_first = config.String("data_format", "channels_last") == "channels_first";
  const std::string padding = config.String("padding", "valid");
  if (padding == "same") {
    a.padding = ops::ConvPadding::kSame;
  } else if (padding == "causal") {
    a.padding = ops::ConvPadding::kCausal;
  } else if (padding != "valid") {
    layer.Fail("conv-2", fmt::format("padding '{}' is not known", padding));
  }
  return a;
}

Dim Channels(Value x, const ops::ConvAttributes& a) { return x.dim(a.channels_first ? 1 : -1); }

template <int kRank>
Argument Conv(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore(kTrainingOnly);
  const ops::ConvAttributes a = ReadAttributes(layer, kRank);
  const int64_t filters = config.Int("filters");
  const int64_t groups = config.Int("groups", 1);
  if (x.rank() != kRank + 2) {
    return layer.Fail("conv-3", fmt::format("the input must have rank {}, got {}", kRank + 2,
                                            x.shape().ToString()));
  }
  Shape kernel_shape = Shape::Of({});
  for (int size : config.Ints("kernel_size", kRank)) kernel_shape.Append(size);
  kernel_shape.Append(layer.b().symbols().FloorDiv(Channels(x, a), groups));
  kernel_shape.Append(filters);
  const Value kernel = layer.Weight(0, "kernel", kernel_shape);
  const Value bias =
      config.Bool("use_bias", true) ? layer.Weight(1, "bias", Shape{filters}) : Value();
  return ApplyActivation(layer, ops::Conv(layer.b(), x, kernel, bias, a), "activation");
}

template <int kRank>
Argument DepthwiseConv(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Config& config = layer.config();
  config.Ignore(kTrainingOnly);
  config.Ignore({"filters", "groups", "kernel_size"});
  const ops::ConvAttributes a = ReadAttributes(layer, kRank);
  const int64_t multiplier = config.Int("depth_multiplier", 1);
  Shape kernel_shape;
  for (int size : config.Ints("kernel_size", kRank)) kernel_shape.Append(size);
  kernel_shape.Append(Channels(x, a));
  kernel_shape.Append(multiplier);
  const Value kernel = layer.Weight(0, "kernel", kernel_shape);
  const Value bias = config.Bool("use_bias", true)
                         ? layer.Weight(1, "bias", Shape{Channels(x, a) * multiplier})
                         : Value();
  return ApplyActivation(layer, ops::DepthwiseConv(layer.b(), x, kernel, bias, a), "activation");
}

}  // namespace

std::span<const LayerEntry> ConvolutionLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Conv1D", Conv<1>},
      {"Conv2D", Conv<2>},
      {"Conv3D", Conv<3>},
      {"DepthwiseConv1D", DepthwiseConv<1>},
      {"DepthwiseConv2D", DepthwiseConv<2>},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
