#include "ops/convolution.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "ops/elementwise.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using lrt::Window2D;
using lrt::Window3D;

lrt::Padding PaddingOf(const ConvAttributes& a) {
  return a.padding == ConvPadding::kSame ? lrt::Padding::SAME : lrt::Padding::VALID;
}

Window2D Window2DOf(const ConvAttributes& a) {
  // A 1-D convolution runs as a 2-D one of height 1.
  const bool one = a.strides.size() == 1;
  return {one ? 1 : a.strides[0], one ? a.strides[0] : a.strides[1], one ? 1 : a.dilation_rate[0],
          one ? a.dilation_rate[0] : a.dilation_rate[1], PaddingOf(a)};
}

// x [batch, *spatial, channels] and its kernel, both with a height of 1 where there is one spatial
// axis only; causal padding is done.
struct Lifted {
  Value x;
  Value kernel;
};

Lifted Lift(Builder& b, Value x, Value kernel, const ConvAttributes& a) {
  if (a.channels_first) x = ToChannelsLast(b, x);
  if (x.rank() != 3) return {x, kernel};
  x = lrt::ExpandDims(b, x, 1);
  if (a.padding == ConvPadding::kCausal) {
    const int64_t before = (kernel.dim(0).value() - 1) * a.dilation_rate[0];
    if (before > 0) x = lrt::Pad(b, x, {{0, 0}, {0, 0}, {before, 0}, {0, 0}});
  }
  return {x, lrt::ExpandDims(b, kernel, 0)};
}

// Undoes Lift for a result of the rank that the convolution's operand had.
Value Lower(Builder& b, Value y, int rank, const ConvAttributes& a) {
  if (rank == 3) y = lrt::Squeeze(b, y, {1});
  return a.channels_first ? ToChannelsFirst(b, y) : y;
}

// Equal parts of a kernel's last axis.
std::vector<Value> SplitFilters(Builder& b, Value kernel, int parts) {
  if (!kernel.is_constant()) return lrt::Split(b, kernel, -1, parts);
  std::vector<Value> values;
  const int64_t filters = kernel.dim(-1).value();
  const int64_t part = filters / parts;
  Shape shape = kernel.shape();
  shape.Set(-1, part);
  for (int i = 0; i < parts; ++i) {
    values.push_back(b.Constant(
        Rearranged("filters", kernel.constant(), shape, [filters, part, i](int64_t element) {
          return element / part * filters + i * part + element % part;
        })));
  }
  return values;
}

// nn.conv (3-D) → CONV_3D
//   y = conv(x, W) + b      ⇒   CONV_3D(x, W, b)
//   W [1, h, w, in, out]    ⇒   RESHAPE(CONV_2D([batch · depth, …](x), W[0], b)): the 2-D kernels
//   are quick groups                  ⇒   CONCATENATION(CONV_3D(x_g, W_g)) + b: the kernel knows no
//   groups
Value Conv3D(Builder& b, Value x, Value kernel, Value bias, const ConvAttributes& a) {
  const auto channels = x.dim(4).value();
  const auto groups = static_cast<int>(channels / kernel.dim(3).value());
  if (kernel.dim(0) == Dim(1) && a.strides[0] == 1 && x.shape().NumDynamic() <= 1) {
    ConvAttributes plane = a;
    plane.channels_first = false;
    plane.strides.erase(plane.strides.begin());
    plane.dilation_rate.erase(plane.dilation_rate.begin());
    const Value images = lrt::Reshape(
        b, x, Shape{b.symbols().Product(x.dim(0), x.dim(1)), x.dim(2), x.dim(3), x.dim(4)});
    const Value planar =
        lrt::Reshape(b, kernel, Shape{kernel.dim(1), kernel.dim(2), kernel.dim(3), kernel.dim(4)});
    const Value y = Conv(b, images, planar, bias, plane);
    return lrt::Reshape(b, y, Shape{x.dim(0), x.dim(1), y.dim(1), y.dim(2), y.dim(3)});
  }
  const Window3D window{a.strides[0],       a.strides[1],       a.strides[2], a.dilation_rate[0],
                        a.dilation_rate[1], a.dilation_rate[2], PaddingOf(a)};
  if (groups == 1) return lrt::Conv3D(b, x, kernel, bias, window);
  const std::vector<Value> xs = lrt::Split(b, x, 4, groups);
  const std::vector<Value> kernels = SplitFilters(b, kernel, groups);
  std::vector<Value> ys;
  for (size_t i = 0; i < xs.size(); ++i) {
    ys.push_back(lrt::Conv3D(b, xs[i], kernels[i], Value(), window));
  }
  const Value y = lrt::Concatenation(b, ys, 4);
  return bias.ok() ? lrt::Add(b, y, bias) : y;
}

// Arguments from `position` on: strides, padding, data_format, dilation_rate.
ConvAttributes ReadAttributes(Builder& b, Arguments& arguments, int position, int rank) {
  ConvAttributes a;
  const int count = rank - 2;
  const std::vector<int> one{1};
  a.strides =
      PerSpatialAxis(b, "strides", arguments.Ints(position, "strides").value_or(one), count);
  a.padding = ReadPadding(b, arguments.String(position + 1, "padding", "valid"));
  a.channels_first =
      ReadChannelsFirst(b, arguments.String(position + 2, "data_format", "channels_last"));
  a.dilation_rate = PerSpatialAxis(
      b, "dilation_rate", arguments.Ints(position + 3, "dilation_rate").value_or(one), count);
  return a;
}

template <Value (*kFunction)(Builder&, Value, Value, Value, const ConvAttributes&)>
Argument ConvOp(Builder& b, Arguments& arguments) {
  const Value x = arguments.Tensor(0, "inputs");
  const Value kernel = arguments.Tensor(1, "kernel");
  return kFunction(b, x, kernel, Value(), ReadAttributes(b, arguments, 2, x.rank()));
}

Argument SeparableConvOp(Builder& b, Arguments& arguments) {
  const Value x = arguments.Tensor(0, "inputs");
  const Value depthwise = arguments.Tensor(1, "depthwise_kernel");
  const Value pointwise = arguments.Tensor(2, "pointwise_kernel");
  return SeparableConv(b, x, depthwise, pointwise, Value(),
                       ReadAttributes(b, arguments, 3, x.rank()));
}

Argument ConvTransposeOp(Builder& b, Arguments& arguments) {
  const Value x = arguments.Tensor(0, "inputs");
  const Value kernel = arguments.Tensor(1, "kernel");
  const int count = x.rank() - 2;
  const std::vector<int> one{1};
  ConvAttributes a;
  a.strides = PerSpatialAxis(b, "strides", arguments.Ints(2, "strides").value_or(one), count);
  a.padding = ReadPadding(b, arguments.String(3, "padding", "valid"));
  std::optional<std::vector<int>> output_padding = arguments.Ints(4, "output_padding");
  if (output_padding && output_padding->size() == 1 && count > 1) {
    output_padding->resize(static_cast<size_t>(count), output_padding->front());
  }
  a.channels_first = ReadChannelsFirst(b, arguments.String(5, "data_format", "channels_last"));
  a.dilation_rate =
      PerSpatialAxis(b, "dilation_rate", arguments.Ints(6, "dilation_rate").value_or(one), count);
  return ConvTranspose(b, x, kernel, Value(), a, output_padding);
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

ConvPadding ReadPadding(Builder& b, const std::string& padding) {
  std::string lower = padding;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower == "same") return ConvPadding::kSame;
  if (lower == "causal") return ConvPadding::kCausal;
  if (lower != "valid") b.Fail("window-1", fmt::format("padding '{}' is not known", padding));
  return ConvPadding::kValid;
}

bool ReadChannelsFirst(Builder& b, const std::string& data_format) {
  if (data_format != "channels_first" && data_format != "channels_last") {
    b.Fail("window-2", fmt::format("data_format '{}' is not known", data_format));
  }
  return data_format == "channels_first";
}

std::vector<int> PerSpatialAxis(Builder& b, std::string_view name, std::vector<int> values,
                                int count) {
  if (count < 1) return {1};  // the operand's rank is the problem, and is reported elsewhere
  const auto size = static_cast<size_t>(count);
  if (values.size() == 1) values.resize(size, values.front());
  const bool positive = std::all_of(values.begin(), values.end(), [](int v) { return v >= 1; });
  if (!positive || values.size() != size) {
    b.Fail("window-3",
           fmt::format("'{}' must be {} positive ints, one a spatial axis", name, count));
    values.assign(size, 1);
  }
  return values;
}

bool CheckConvolution(Builder& b, std::string_view function, Value x, Value kernel,
                      const ConvAttributes& a, int channel_axis) {
  if (!x.ok() || !kernel.ok()) return false;
  auto fail = [&](std::string_view code, std::string message) {
    b.Fail(std::string(code), fmt::format("{}: {}", function, message));
    return false;
  };
  const auto spatial = static_cast<size_t>(std::max(x.rank() - 2, 0));
  if (spatial < 1 || spatial > 3 || kernel.rank() != x.rank()) {
    return fail("conv-1", fmt::format("an input {} and a kernel {} do not fit: both must have rank "
                                      "3, 4 or 5, and the same",
                                      x.shape().ToString(), kernel.shape().ToString()));
  }
  if (a.strides.size() != spatial || a.dilation_rate.size() != spatial) {
    return fail("conv-2", fmt::format("{} strides and {} dilation rates are given for {} spatial "
                                      "axes",
                                      a.strides.size(), a.dilation_rate.size(), spatial));
  }
  auto bad = [](int v) { return v < 1; };
  if (std::any_of(a.strides.begin(), a.strides.end(), bad) ||
      std::any_of(a.dilation_rate.begin(), a.dilation_rate.end(), bad)) {
    return fail("conv-2", "strides and dilation rates must be positive");
  }
  if (a.padding == ConvPadding::kCausal && spatial != 1) {
    return fail("conv-3", "causal padding needs one spatial axis");
  }
  const Dim channels = x.dim(a.channels_first ? 1 : -1);
  const Dim in = kernel.dim(channel_axis);
  if (!kernel.shape().is_static() || kernel.shape().NumElements() <= 0) {
    return fail("conv-4", fmt::format("a kernel of shape {}", kernel.shape().ToString()));
  }
  if (!channels.is_static() || channels.value() <= 0 || channels.value() % in.value() != 0) {
    return fail("conv-4", fmt::format("an input {} has not the channels of a kernel {}",
                                      x.shape().ToString(), kernel.shape().ToString()));
  }
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t taps = kernel.dim(static_cast<int>(i)).value();
    if ((taps - 1) * a.dilation_rate[i] >= std::numeric_limits<int32_t>::max()) {
      return fail("conv-8", fmt::format("a kernel of {} taps at a dilation rate of {} reaches "
                                        "further than LiteRT's sizes of 32 bits",
                                        taps, a.dilation_rate[i]));
    }
  }
  if (!ir::IsFloat(kernel.dtype())) {
    return fail("conv-5",
                fmt::format("a kernel of dtype {} has no LiteRT kernel", ir::Name(kernel.dtype())));
  }
  return true;
}

ir::ConstantPtr Rearranged(std::string name, const ir::ConstantPtr& x, const Shape& shape,
                           std::function<int64_t(int64_t)> source) {
  const DType dtype = x->type().dtype;
  const size_t size = ir::SizeOf(dtype);
  return ir::ComputedConstant(
      std::move(name), {dtype, shape}, {x},
      [size, source = std::move(source)](std::span<const std::span<const std::byte>> in,
                                         std::span<std::byte> out) -> Status {
        const size_t elements = out.size() / size;
        for (size_t i = 0; i < elements; ++i) {
          const int64_t from = source(static_cast<int64_t>(i));
          if (from < 0) {
            std::memset(out.data() + i * size, 0, size);
          } else {
            std::memcpy(out.data() + i * size, in[0].data() + static_cast<size_t>(from) * size,
                        size);
          }
        }
        return {};
      });
}

// nn.conv (1-D, 2-D) → CONV_2D
//   y = conv(x, W) + b     ⇒   CONV_2D(x, OHWI(W), b)      W is HWIO; 1-D as 2-D of height 1
//   one channel a group    ⇒   DEPTHWISE_CONV_2D(x, [1, h, w, out](W), b)
// Other groups are CONV_2D's own: it has in / I of them where the filter has I input channels.
Value Conv(Builder& b, Value x, Value kernel, Value bias, const ConvAttributes& a) {
  if (!CheckConvolution(b, "conv", x, kernel, a, -2)) return Value();
  const int64_t channels = x.dim(a.channels_first ? 1 : -1).value();
  const int64_t filters = kernel.dim(-1).value();
  const int64_t groups = channels / kernel.dim(-2).value();
  if (filters % groups != 0) {
    return b.Fail("conv-4",
                  fmt::format("conv: {} filters do not divide into {} groups", filters, groups));
  }
  x = Cast(b, x, kernel.dtype());
  if (x.rank() == 5) {
    const Value y = Conv3D(b, a.channels_first ? ToChannelsLast(b, x) : x, kernel, bias, a);
    return a.channels_first ? ToChannelsFirst(b, y) : y;
  }
  const Lifted lifted = Lift(b, x, kernel, a);
  Value y;
  if (groups == channels && groups > 1) {
    const Value filter = lrt::Reshape(
        b, lifted.kernel, Shape{1, lifted.kernel.dim(0), lifted.kernel.dim(1), filters});
    y = lrt::DepthwiseConv2D(b, lifted.x, filter, bias, Window2DOf(a),
                             static_cast<int>(filters / channels));
  } else {
    y = lrt::Conv2D(b, lifted.x, lrt::Transpose(b, lifted.kernel, {3, 0, 1, 2}), bias,
                    Window2DOf(a));
  }
  return Lower(b, y, x.rank(), a);
}

// nn.depthwise_conv → DEPTHWISE_CONV_2D; 1-D as 2-D of height 1
//   y[..., c * m + k] = conv(x[..., c], W[..., c, k])   ⇒   DEPTHWISE_CONV_2D(x, [1, h, w, c *
//   m](W), b)
Value DepthwiseConv(Builder& b, Value x, Value kernel, Value bias, const ConvAttributes& a) {
  if (!CheckConvolution(b, "depthwise_conv", x, kernel, a, -2)) return Value();
  const int64_t channels = kernel.dim(-2).value();
  if (x.rank() > 4 || x.dim(a.channels_first ? 1 : -1) != Dim(channels)) {
    return b.Fail("depthwise-conv-1",
                  fmt::format("depthwise_conv: an input {} and a kernel {} do not fit",
                              x.shape().ToString(), kernel.shape().ToString()));
  }
  x = Cast(b, x, kernel.dtype());
  const int64_t multiplier = kernel.dim(-1).value();
  const Lifted lifted = Lift(b, x, kernel, a);
  const Value filter =
      lrt::Reshape(b, lifted.kernel,
                   Shape{1, lifted.kernel.dim(0), lifted.kernel.dim(1), channels * multiplier});
  const Value y =
      lrt::DepthwiseConv2D(b, lifted.x, filter, bias, Window2DOf(a), static_cast<int>(multiplier));
  return Lower(b, y, x.rank(), a);
}

Value SeparableConv(Builder& b, Value x, Value depthwise_kernel, Value pointwise_kernel, Value bias,
                    const ConvAttributes& a) {
  // Both steps run on channels_last images.
  if (!CheckConvolution(b, "separable_conv", x, depthwise_kernel, a, -2) ||
      pointwise_kernel.rank() != x.rank()) {
    return b.Fail("separable-conv-1", "separable_conv: the input and the kernels do not fit");
  }
  const int rank = x.rank();
  const Lifted lifted = Lift(b, x, depthwise_kernel, a);
  ConvAttributes window = a;
  window.channels_first = false;
  if (rank == 3) {
    pointwise_kernel = lrt::ExpandDims(b, pointwise_kernel, 0);
    window.strides.insert(window.strides.begin(), 1);
    window.dilation_rate.insert(window.dilation_rate.begin(), 1);
    if (window.padding == ConvPadding::kCausal) window.padding = ConvPadding::kValid;
  }
  const Value y = DepthwiseConv(b, lifted.x, lifted.kernel, Value(), window);
  window.padding = ConvPadding::kValid;
  std::fill(window.strides.begin(), window.strides.end(), 1);
  return Lower(b, Conv(b, y, pointwise_kernel, bias, window), rank, a);
}

std::span<const OpEntry> ConvolutionOps() {
  static constexpr OpEntry kOps[] = {
      {"nn.conv", ConvOp<Conv>},
      {"nn.depthwise_conv", ConvOp<DepthwiseConv>},
      {"nn.separable_conv", SeparableConvOp},
      {"nn.conv_transpose", ConvTransposeOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
