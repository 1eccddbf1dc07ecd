// keras.ops.conv and its kin.
//
// x has a batch axis, 1 to 3 spatial axes and channels; kernels and biases have x's dtype, or x is
// cast to the kernel's. Sizes of kernels and numbers of channels are static. A failed Value stands
// for no bias.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ir/operators.h"
#include "ops/argument.h"
#include "ops/dtype.h"

namespace keras_litert::ops {

enum class ConvPadding { kValid, kSame, kCausal };

struct ConvAttributes {
  std::vector<int> strides;        // one a spatial axis
  std::vector<int> dilation_rate;  // one a spatial axis
  ConvPadding padding = ConvPadding::kValid;
  bool channels_first = false;
};

// keras.ops.conv: kernel [*spatial, in / groups, out]; groups follow from the channels; bias [out].
// kCausal (one spatial axis only) pads in front, so that no output sees what comes after it.
Value Conv(Builder& b, Value x, Value kernel, Value bias, const ConvAttributes& attributes);
// keras.ops.depthwise_conv, one or two spatial axes: kernel [*spatial, in, multiplier]; bias [in *
// multiplier].
Value DepthwiseConv(Builder& b, Value x, Value kernel, Value bias,
                    const ConvAttributes& attributes);
// keras.ops.separable_conv: a depthwise convolution, then a pointwise one, kernel [1…, in *
// multiplier, out].
Value SeparableConv(Builder& b, Value x, Value depthwise_kernel, Value pointwise_kernel, Value bias,
                    const ConvAttributes& attributes);
// keras.ops.conv_transpose: kernel [*spatial, out, in]; bias [out]. `output_padding`: one a spatial
// axis, or nullopt for Keras's default. padding is not kCausal.
Value ConvTranspose(Builder& b, Value x, Value kernel, Value bias, const ConvAttributes& attributes,
                    const std::optional<std::vector<int>>& output_padding);

// x with its channels last, where it has them first, and back.
Value ToChannelsLast(Builder& b, Value x);
Value ToChannelsFirst(Builder& b, Value x);

// ---- Shared by the families that slide windows ----

// "valid", "same", "causal"; anything else is reported.
ConvPadding ReadPadding(Builder& b, const std::string& padding);
bool ReadChannelsFirst(Builder& b, const std::string& data_format);
// One positive int for each of `count` spatial axes; one alone serves all. Anything else is
// reported, and is 1.
std::vector<int> PerSpatialAxis(Builder& b, std::string_view name, std::vector<int> values,
                                int count);
// Reports what the operators could not compute: ranks, attributes and kernels that do not fit,
// dynamic channels, integers. `channel_axis` is the kernel's axis that x's channels must be a
// multiple of.
bool CheckConvolution(Builder& b, std::string_view function, Value x, Value kernel,
                      const ConvAttributes& attributes, int channel_axis);
// A constant of `shape` whose element i is x's element source(i), or zero where that is negative.
// Lazy.
ir::ConstantPtr Rearranged(std::string name, const ir::ConstantPtr& x, const Shape& shape,
                           std::function<int64_t(int64_t)> source);

}  // namespace keras_litert::ops
