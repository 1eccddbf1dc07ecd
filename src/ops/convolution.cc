#include "ops/convolution.h"

#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using lrt::Window2D;

lrt::Padding PaddingOf(const ConvAttributes& a) {
  return a.padding == ConvPadding::kSame ? lrt::Padding::SAME : lrt::Padding::VALID;
}

Window2D WindowOf(const ConvAttributes& a) {
  // A 1-D convolution runs as a 2-D one of height 1.
  const bool one = a.strides.size() == 1;
  return {one ? 1 : a.strides[0], one ? a.strides[0] : a.strides[1], one ? 1 : a.dilation_rate[0],
          one ? a.dilation_rate[0] : a.dilation_rate[1], PaddingOf(a)};
}

}  // namespace

Value ToChannelsLast(Builder& b, Value x) {
  std::vector<int> permutation{0};
  for (int i = 2; i < x.rank(); ++i) permutation.push_back(i);
  permutation.push_back(1);
  return lrt::Transpose(b, x, permutation);
}

Value ToChannelsFirst(Builder& b, Value x) {
  std::vector<int> permutation{0, x.rank() - 1};
  for (int i = 1; i < x.rank() - 1; ++i) permutation.push_back(i);
  return lrt::Transpose(b, x, permutation);
}

// nn.conv (2-D) → CONV_2D
//   y = conv(x, W) + b   ⇒   CONV_2D(x, OHWI(W), b)      W is HWIO
Value Conv(Builder& b, Value x, Value kernel, Value bias, const ConvAttributes& a) {
  if (!x.ok() || !kernel.ok()) return Value();
  if (x.rank() != 4) return b.Fail("conv-1", "only 2-D convolutions are lowered");
  if (a.channels_first) x = ToChannelsLast(b, x);
  const Value filter = lrt::Transpose(b, kernel, {3, 0, 1, 2});
  const Value y = lrt::Conv2D(b, x, filter, bias, WindowOf(a));
  return a.channels_first ? ToChannelsFirst(b, y) : y;
}

// nn.depthwise_conv (2-D) → DEPTHWISE_CONV_2D
//   y[..., c * m + k] = conv(x[..., c], W[:, :, c, k])   ⇒   DEPTHWISE_CONV_2D(x, [1, h, w, c * m](W), b)
Value DepthwiseConv(Builder& b, Value x, Value kernel, Value bias, const ConvAttributes& a) {
  if (!x.ok() || !kernel.ok()) return Value();
  if (x.rank() != 4) return b.Fail("depthwise-conv-1", "only 2-D convolutions are lowered");
  if (a.channels_first) x = ToChannelsLast(b, x);
  const auto multiplier = static_cast<int>(kernel.dim(3).value());
  const Value filter = lrt::Reshape(
      b, kernel, Shape{1, kernel.dim(0), kernel.dim(1), kernel.dim(2) * kernel.dim(3).value()});
  const Value y = lrt::DepthwiseConv2D(b, x, filter, bias, WindowOf(a), multiplier);
  return a.channels_first ? ToChannelsFirst(b, y) : y;
}

std::span<const OpEntry> ConvolutionOps() { return {}; }

}  // namespace keras_litert::ops
