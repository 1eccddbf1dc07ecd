// Conv1D … Conv3D, their depthwise, separable and transposed kin.
#include "ops/convolution.h"

#include <fmt/core.h>

#include <cstdint>
#include <optional>

#include "layers/table.h"

namespace keras_litert::layers {
namespace {

constexpr std::string_view kTrainingOnly[] = {
    "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer",
    "kernel_constraint", "bias_constraint", "depthwise_initializer", "depthwise_regularizer",
    "depthwise_constraint", "pointwise_initializer", "pointwise_regularizer",
    "pointwise_constraint",
    // Keras saves the kernel with its low-rank update merged in.
    "lora_rank", "lora_alpha"};

// What all of these layers have. Sizes and counts are at least 1; a problem is reported, and leaves
// the layer unusable
// (`ok` false).
struct Convolution {
  bool ok = true;
  ops::ConvAttributes attributes;
  std::vector<int> kernel_size;
  bool use_bias = true;
  Dim channels = 1;
};

std::vector<int> PositiveInts(Layer& layer, std::string_view key, int rank, bool& ok) {
  const size_t errors = layer.b().errors().size();
  std::vector<int> values =
      layer.config().Has(key) ? layer.config().Ints(key, rank) : std::vector<int>{1};
  values = ops::PerSpatialAxis(layer.b(), key, values, rank);
  ok &= layer.b().errors().size() == errors;
  return values;
}

int64_t PositiveInt(Layer& layer, std::string_view key, int64_t fallback, bool& ok) {
  const int64_t value = fallback > 0 ? layer.config().Int(key, fallback) : layer.config().Int(key);
  if (value >= 1 && value <= INT32_MAX) return value;
  layer.Fail("conv-6", fmt::format("'{}' must be positive, got {}", key, value));
  ok = false;
  return 1;
}

Convolution Read(Layer& layer, Value x, int rank) {
  Config& config = layer.config();
  config.Ignore(kTrainingOnly);
  Convolution c;
  const size_t errors = layer.b().errors().size();
  c.attributes.strides = PositiveInts(layer, "strides", rank, c.ok);
  c.attributes.dilation_rate = PositiveInts(layer, "dilation_rate", rank, c.ok);
  c.kernel_size = PositiveInts(layer, "kernel_size", rank, c.ok);
  c.attributes.channels_first =
      ops::ReadChannelsFirst(layer.b(), config.String("data_format", "channels_last"));
  c.attributes.padding = ops::ReadPadding(layer.b(), config.String("padding", "valid"));
  c.use_bias = config.Bool("use_bias", true);
  c.channels = x.dim(c.attributes.channels_first ? 1 : -1);
  c.ok &= layer.b().errors().size() == errors;
  if (x.rank() != rank + 2) {
    layer.Fail("conv-7",
               fmt::format("the input must have rank {}, got {}", rank + 2, x.shape().ToString()));
    c.ok = false;
  }
  return c;
}

Shape KernelShape(const Convolution& c, Dim a, Dim b) {
  Shape shape;
  for (int size : c.kernel_size) shape.Append(size);
  shape.Append(a);
  shape.Append(b);
  return shape;
}

template <int kRank>
Argument Conv(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  Convolution c = Read(layer, x, kRank);
  const int64_t filters = PositiveInt(layer, "filters", 0, c.ok);
  const int64_t groups = PositiveInt(layer, "groups", 1, c.ok);
  if (!c.ok) return Value();
  const Value kernel = layer.Weight(
      0, "kernel", KernelShape(c, layer.b().symbols().FloorDiv(c.channels, groups), filters));
  const Value bias = c.use_bias ? layer.Weight(1, "bias", Shape{filters}) : Value();
  return ApplyActivation(layer, ops::Conv(layer.b(), x, kernel, bias, c.attributes), "activation");
}

template <int kRank>
Argument DepthwiseConv(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  // Keras 2 writes these for the depthwise layer too.
  layer.config().Ignore({"filters", "groups"});
  Convolution c = Read(layer, x, kRank);
  const int64_t multiplier = PositiveInt(layer, "depth_multiplier", 1, c.ok);
  if (!c.ok) return Value();
  const Value kernel = layer.Weight(0, "kernel", KernelShape(c, c.channels, multiplier));
  const Value bias = c.use_bias ? layer.Weight(1, "bias", Shape{c.channels * multiplier}) : Value();
  return ApplyActivation(layer, ops::DepthwiseConv(layer.b(), x, kernel, bias, c.attributes),
                         "activation");
}

template <int kRank>
Argument SeparableConv(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  layer.config().Ignore({"groups"});
  Convolution c = Read(layer, x, kRank);
  const int64_t filters = PositiveInt(layer, "filters", 0, c.ok);
  const int64_t multiplier = PositiveInt(layer, "depth_multiplier", 1, c.ok);
  if (!c.ok) return Value();
  const Value depthwise =
      layer.Weight(0, "depthwise_kernel", KernelShape(c, c.channels, multiplier));
  Convolution pointwise = c;
  pointwise.kernel_size.assign(kRank, 1);
  const Value mixing =
      layer.Weight(1, "pointwise_kernel", KernelShape(pointwise, c.channels * multiplier, filters));
  const Value bias = c.use_bias ? layer.Weight(2, "bias", Shape{filters}) : Value();
  return ApplyActivation(
      layer, ops::SeparableConv(layer.b(), x, depthwise, mixing, bias, c.attributes), "activation");
}

template <int kRank>
Argument ConvTranspose(Layer& layer, Arguments& call) {
  const Value x = call.Tensor(0, "inputs");
  layer.config().Ignore({"groups"});
  Convolution c = Read(layer, x, kRank);
  const int64_t filters = PositiveInt(layer, "filters", 0, c.ok);
  std::optional<std::vector<int>> output_padding;
  if (layer.config().Has("output_padding")) {
    output_padding = layer.config().Ints("output_padding", kRank);
  } else {
    layer.config().Ignore({"output_padding"});
  }
  if (!c.ok) return Value();
  const Value kernel = layer.Weight(0, "kernel", KernelShape(c, filters, c.channels));
  const Value bias = c.use_bias ? layer.Weight(1, "bias", Shape{filters}) : Value();
  return ApplyActivation(
      layer, ops::ConvTranspose(layer.b(), x, kernel, bias, c.attributes, output_padding),
      "activation");
}

}  // namespace

std::span<const LayerEntry> ConvolutionLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"Conv1D", Conv<1>},
      {"Conv2D", Conv<2>},
      {"Conv3D", Conv<3>},
      {"Conv1DTranspose", ConvTranspose<1>},
      {"Conv2DTranspose", ConvTranspose<2>},
      {"Conv3DTranspose", ConvTranspose<3>},
      {"DepthwiseConv1D", DepthwiseConv<1>},
      {"DepthwiseConv2D", DepthwiseConv<2>},
      {"SeparableConv1D", SeparableConv<1>},
      {"SeparableConv2D", SeparableConv<2>},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
