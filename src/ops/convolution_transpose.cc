// nn.conv_transpose.
//
// With K = (taps - 1) * dilation + 1 taps an axis of n elements gives, before cropping, (n - 1) *
// stride + K:
//   full[i * stride + j * dilation] += x[i] * W[j]
// of which `crop_before` and `crop_after` elements go away (Keras's padding; a negative crop adds
// elements that only the bias fills). Four ways to compute it:
//
//   stride 1                     ⇒   CONV_2D, CONV_3D(PAD(x), flipped W)
//   static sizes, LiteRT's pads  ⇒   TRANSPOSE_CONV
//   else                         ⇒   DEPTH_TO_SPACE(CONV_2D(PAD(x), phases of W)), cropped (see
//   SubPixel) 3-D, or W not constant       ⇒   CONV_3D_TRANSPOSE or TRANSPOSE_CONV, cropped
//
// TRANSPOSE_CONV wants the shape of its result, and with one computed at run time (a dynamic batch
// is enough) it and whatever follows it is out of reach of the XNNPACK delegate. The sub-pixel form
// needs no shape.
#include <fmt/core.h>

#include <algorithm>

#include "ops/convolution.h"
#include "ops/elementwise.h"
#include "ops/shape.h"

namespace keras_litert::ops {
namespace {

int64_t FloorDiv(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}
int64_t CeilDiv(int64_t a, int64_t b) {
  return -FloorDiv(-a, b);
}

struct Axis {
  int64_t taps = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t crop_before = 0;  // >= 0, < extent()
  int64_t crop_after = 0;   // > -stride

  int64_t extent() const { return (taps - 1) * dilation + 1; }
  // The result has n * stride + growth() elements.
  int64_t growth() const { return extent() - stride - crop_before - crop_after; }
};

// The crops that Keras's padding means: keras.src.backend.common.backend_utils states the padding
// of a convolution on the stretched input, of extent - 1 elements less the crop on either side.
Axis AxisOf(int64_t taps, int64_t stride, int64_t dilation, ConvPadding padding,
            std::optional<int64_t> output_padding) {
  Axis axis{taps, stride, dilation};
  const int64_t extent = axis.extent();
  int64_t before;
  int64_t after;
  if (padding == ConvPadding::kSame) {
    const int64_t total =
        output_padding ? extent + extent % 2 - 2 + *output_padding : stride + extent - 2;
    before = std::min(CeilDiv(total, 2), extent - 1);
    after = total - before;
  } else {
    before = extent - 1;
    after = extent - 1 + output_padding.value_or(std::max(extent, stride) - extent);
  }
  axis.crop_before = extent - 1 - before;
  axis.crop_after = extent - 1 - after;
  return axis;
}

struct Problem {
  Value x;       // [batch, *spatial, in]
  Value kernel;  // [*spatial, out, in]
  Value bias;    // [out]
  std::vector<Axis> axes;

  int rank() const { return static_cast<int>(axes.size()); }
  Dim out() const { return kernel.dim(-2); }
};

Shape ResultShape(Builder& b, const Problem& p) {
  Shape shape{p.x.dim(0)};
  for (int i = 0; i < p.rank(); ++i) {
    const Axis& axis = p.axes[static_cast<size_t>(i)];
    shape.Append(b.symbols().Sum(p.x.dim(i + 1) * axis.stride, axis.growth()));
  }
  shape.Append(p.out());
  return shape;
}

// W mirrored on its spatial axes, [*spatial, out, in].
Value Flipped(Builder& b, Value kernel) {
  const int spatial = kernel.rank() - 2;
  std::vector<int> axes;
  for (int i = 0; i < spatial; ++i) axes.push_back(i);
  if (!kernel.is_constant()) {
    for (int axis : axes) kernel = lrt::ReverseV2(b, kernel, {axis});
    return kernel;
  }
  int64_t taps = 1;
  for (int axis : axes) taps *= kernel.dim(axis).value();
  const int64_t inner = kernel.shape().NumElements() / taps;
  // Mirroring all spatial axes mirrors their flat index.
  return b.Constant(
      Rearranged("flip", kernel.constant(), kernel.shape(), [taps, inner](int64_t element) {
        return (taps - 1 - element / inner) * inner + element % inner;
      }));
}

// Every stride is 1:   y = conv(pad(x), flipped W),   padded by extent - 1 - crop on either side.
Value AsConvolution(Builder& b, const Problem& p) {
  ConvAttributes a;
  std::vector<lrt::AxisPadding> padding{{0, 0}};
  bool same = true;
  bool none = true;
  for (const Axis& axis : p.axes) {
    a.strides.push_back(1);
    a.dilation_rate.push_back(static_cast<int>(axis.dilation));
    const lrt::AxisPadding pad{axis.extent() - 1 - axis.crop_before,
                               axis.extent() - 1 - axis.crop_after};
    same &= pad.before == (axis.extent() - 1) / 2 && pad.before + pad.after == axis.extent() - 1;
    none &= pad == lrt::AxisPadding{};
    padding.push_back(pad);
  }
  padding.push_back({0, 0});
  Value x = p.x;
  if (same && !none) {
    a.padding = ConvPadding::kSame;
  } else if (!none) {
    x = lrt::Pad(b, x, padding);
  }
  // [*spatial, out, in] → [*spatial, in, out]
  std::vector<int> permutation;
  for (int i = 0; i < p.rank(); ++i) permutation.push_back(i);
  permutation.push_back(p.rank() + 1);
  permutation.push_back(p.rank());
  return Conv(b, x, lrt::Transpose(b, Flipped(b, p.kernel), permutation), p.bias, a);
}

// The padding with which LiteRT's kernels compute exactly this result, if there is one. They derive
// the crop from the shapes: SAME takes the smaller half of what is too much in front, VALID
// nothing.
std::optional<lrt::Padding> NativePadding(const Problem& p) {
  bool same = true;
  bool valid = true;
  for (const Axis& axis : p.axes) {
    if (axis.dilation != 1) return std::nullopt;
    const int64_t total = axis.crop_before + axis.crop_after;
    same &= axis.growth() <= 0 && axis.growth() > -axis.stride &&
            axis.crop_before == std::max<int64_t>(total, 0) / 2;
    valid &= axis.crop_before == 0 && axis.crop_after <= 0;
  }
  if (valid) return lrt::Padding::VALID;
  return same ? std::optional(lrt::Padding::SAME) : std::nullopt;
}

Value EmitTransposed(Builder& b, const Problem& p, const Shape& shape, lrt::Padding padding) {
  const std::vector<Axis>& axes = p.axes;
  auto stride = [&](size_t i) { return static_cast<int>(axes[i].stride); };
  auto dilation = [&](size_t i) { return static_cast<int>(axes[i].dilation); };
  if (p.rank() == 3) {
    return lrt::Conv3DTranspose(
        b, p.x, p.kernel, p.bias, shape,
        {stride(0), stride(1), stride(2), dilation(0), dilation(1), dilation(2), padding});
  }
  return lrt::TransposeConv(b, p.x, lrt::Transpose(b, p.kernel, {2, 0, 1, 3}), p.bias, shape,
                            {stride(0), stride(1), 1, 1, padding});
}

// LiteRT's operator; where no padding of its own gives the result, the uncropped one is computed
// and cropped.
Value AsTransposedConvolution(Builder& b, const Problem& p) {
  if (const std::optional<lrt::Padding> padding = NativePadding(p)) {
    return EmitTransposed(b, p, ResultShape(b, p), *padding);
  }
  Problem whole = p;
  std::vector<lrt::AxisPadding> crops{{0, 0}};
  for (Axis& axis : whole.axes) {
    crops.push_back({axis.crop_before, std::max<int64_t>(axis.crop_after, 0)});
    axis.crop_before = 0;
    axis.crop_after = std::min<int64_t>(axis.crop_after, 0);
  }
  crops.push_back({0, 0});
  const Value y = EmitTransposed(b, whole, ResultShape(b, whole), lrt::Padding::VALID);
  return Crop(b, y, crops);
}

// How one axis falls into phases. Result element o is phase r of window q, o + skip = q * stride +
// r, and reads
//   y[o] = Σ_t x[q + t - pad_before] * W[j],   j = r + crop_before - skip + (pad_before - t) *
//   stride
// for t in [0, window), where j is a tap: a convolution with `stride` times as many filters.
struct Phases {
  int64_t skip = 0;
  int64_t window = 1;
  int64_t pad_before = 0;
  int64_t pad_after = 0;
  int64_t crop_after = 0;  // of the interleaved phases
  int64_t first_tap = 0;   // crop_before - skip + pad_before * stride
};

Phases PhasesOf(const Axis& axis) {
  Phases best;
  int64_t best_window = 0;
  for (int64_t skip = 0; skip < axis.stride; ++skip) {
    const int64_t crop = axis.crop_before - skip;
    const int64_t last = FloorDiv(axis.stride - 1 + crop, axis.stride);
    const int64_t first = std::min<int64_t>(CeilDiv(crop - (axis.extent() - 1), axis.stride), 0);
    const int64_t window = std::max<int64_t>(last - first + 1, 1);
    if (best_window != 0 && window >= best_window) continue;
    best_window = window;
    best.skip = skip;
    best.window = window;
    best.pad_before = -first;
    best.first_tap = crop + best.pad_before * axis.stride;
    // Windows beyond n: as many as the result needs.
    const int64_t more = CeilDiv(axis.growth() + skip, axis.stride);
    best.pad_after = std::max<int64_t>(more + window - 1 - best.pad_before, 0);
    const int64_t windows = best.pad_before + best.pad_after - window + 1;  // less n
    best.crop_after = windows * axis.stride - axis.growth() - skip;
  }
  return best;
}

// W as the filters of all phases: [sh * sw * out, window_h, window_w, in].
Value PhaseFilters(Builder& b, const Problem& p, const Phases& h, const Phases& w) {
  const Axis& ah = p.axes[0];
  const Axis& aw = p.axes[1];
  const int64_t out = p.out().value();
  const int64_t in = p.kernel.dim(-1).value();
  const Shape shape{ah.stride * aw.stride * out, h.window, w.window, in};
  auto tap = [](const Axis& axis, const Phases& phases, int64_t r, int64_t t) -> int64_t {
    const int64_t j = r + phases.first_tap - t * axis.stride;
    return j < 0 || j >= axis.extent() || j % axis.dilation != 0 ? -1 : j / axis.dilation;
  };
  return b.Constant(
      Rearranged("phases", p.kernel.constant(), shape, [=](int64_t element) -> int64_t {
        const int64_t i = element % in;
        const int64_t tw = element / in % w.window;
        const int64_t th = element / in / w.window % h.window;
        const int64_t filter = element / in / w.window / h.window;
        const int64_t row = tap(ah, h, filter / out / aw.stride, th);
        const int64_t column = tap(aw, w, filter / out % aw.stride, tw);
        if (row < 0 || column < 0) return -1;
        return ((row * aw.taps + column) * out + filter % out) * in + i;
      }));
}

// The phases' results, [batch, h, w, sh * sw * out], side by side: [batch, h * sh, w * sw, out].
Value Interleave(Builder& b, Value y, int64_t sh, int64_t sw, Dim out) {
  if (sh == sw) return sh == 1 ? y : lrt::DepthToSpace(b, y, static_cast<int>(sh));
  const Shape shape{y.dim(0), y.dim(1) * sh, y.dim(2) * sw, out};
  if (sh > 1) {
    const Dim rows = b.symbols().Product(y.dim(0), y.dim(1));
    y = lrt::Reshape(b, y, Shape{rows, y.dim(2), sh, out * sw});
    y = lrt::Transpose(b, y, {0, 2, 1, 3});
  }
  return lrt::Reshape(b, y, shape);
}

Value SubPixel(Builder& b, const Problem& p) {
  const Phases h = PhasesOf(p.axes[0]);
  const Phases w = PhasesOf(p.axes[1]);
  const int64_t sh = p.axes[0].stride;
  const int64_t sw = p.axes[1].stride;
  const int64_t out = p.out().value();
  Value x = p.x;
  if (h.pad_before + h.pad_after + w.pad_before + w.pad_after > 0) {
    x = lrt::Pad(b, x, {{0, 0}, {h.pad_before, h.pad_after}, {w.pad_before, w.pad_after}, {0, 0}});
  }
  Value biases;
  if (p.bias.ok()) {
    biases = b.Constant(Rearranged("phases", p.bias.constant(), Shape{sh * sw * out},
                                   [out](int64_t element) { return element % out; }));
  }
  Value y = lrt::Conv2D(b, x, PhaseFilters(b, p, h, w), biases, {});
  y = Interleave(b, y, sh, sw, out);
  return Crop(b, y, {{0, 0}, {h.skip, h.crop_after}, {w.skip, w.crop_after}, {0, 0}});
}

}  // namespace

Value ConvTranspose(Builder& b, Value x, Value kernel, Value bias, const ConvAttributes& a,
                    const std::optional<std::vector<int>>& output_padding) {
  if (!CheckConvolution(b, "conv_transpose", x, kernel, a, -1)) return Value();
  const auto spatial = static_cast<size_t>(x.rank() - 2);
  if (x.dim(a.channels_first ? 1 : -1) != kernel.dim(-1) || a.padding == ConvPadding::kCausal) {
    return b.Fail("conv-transpose-1",
                  fmt::format("conv_transpose: an input {} and a kernel {} do not fit",
                              x.shape().ToString(), kernel.shape().ToString()));
  }
  Problem p{Cast(b, a.channels_first ? ToChannelsLast(b, x) : x, kernel.dtype()), kernel, bias, {}};
  for (size_t i = 0; i < spatial; ++i) {
    std::optional<int64_t> extra;
    if (output_padding && i < output_padding->size()) extra = (*output_padding)[i];
    if ((output_padding && output_padding->size() != spatial) ||
        (extra && (*extra < 0 || *extra >= a.strides[i]))) {
      return b.Fail("conv-transpose-2",
                    "conv_transpose: output_padding must be less than the strides, on each axis");
    }
    p.axes.push_back(AxisOf(kernel.dim(static_cast<int>(i)).value(), a.strides[i],
                            a.dilation_rate[i], a.padding, extra));
  }
  if (spatial == 1) {
    p.x = lrt::ExpandDims(b, p.x, 1);
    p.kernel = lrt::ExpandDims(b, p.kernel, 0);
    p.axes.insert(p.axes.begin(), Axis{});
  }
  const bool unit =
      std::all_of(p.axes.begin(), p.axes.end(), [](const Axis& axis) { return axis.stride == 1; });
  const bool dilated =
      std::any_of(p.axes.begin(), p.axes.end(), [](const Axis& axis) { return axis.dilation > 1; });
  Value y;
  if (unit) {
    y = AsConvolution(b, p);
  } else if (p.rank() == 3 || !p.kernel.is_constant() || (p.bias.ok() && !p.bias.is_constant()) ||
             (p.x.shape().is_static() && NativePadding(p))) {
    if (dilated && p.rank() == 2) {
      return b.Fail("conv-transpose-4",
                    "conv_transpose: a computed kernel with strides and dilation is not supported",
                    "Use a kernel that is a weight, or no dilation.");
    }
    y = AsTransposedConvolution(b, p);
  } else {
    y = SubPixel(b, p);
  }
  if (spatial == 1) y = lrt::Squeeze(b, y, {1});
  return a.channels_first ? ToChannelsFirst(b, y) : y;
}

}  // namespace keras_litert::ops
