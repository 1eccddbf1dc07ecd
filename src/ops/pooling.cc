#include "ops/pooling.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using Pool2D = Value (*)(Builder&, Value, const lrt::PoolWindow&);

// One axis of a pooling.
struct Axis {
  int size = 1;
  int stride = 1;
  bool trivial() const { return size == 1 && stride == 1; }
};

Value PoolPlane(Builder& b, Value x, const Axis& height, const Axis& width, lrt::Padding padding,
                Pool2D pool) {
  if (height.trivial() && width.trivial()) return x;
  return pool(b, x, {height.size, width.size, height.stride, width.stride, padding});
}

// x [batch, *spatial, channels] → the pooled x. Maxima and averages over a box are those over its
// planes, pooled along the third axis; that holds for the averages at a border too, whose counts
// are products of the axes' counts.
//   1-D   ⇒   2-D of height 1
//   3-D   ⇒   the planes [batch · depth, height, width, channels], then the columns [batch, depth,
//   height · width, channels]
Value PoolAxes(Builder& b, Value x, const std::vector<Axis>& axes, lrt::Padding padding,
               Pool2D pool) {
  if (axes.size() == 1) {
    const Value y = PoolPlane(b, lrt::ExpandDims(b, x, 1), {}, axes[0], padding, pool);
    return lrt::Squeeze(b, y, {1});
  }
  if (axes.size() == 2) return PoolPlane(b, x, axes[0], axes[1], padding, pool);
  ir::SymbolTable& symbols = b.symbols();
  Shape shape = x.shape();
  if (!axes[1].trivial() || !axes[2].trivial()) {
    const Value planes = lrt::Reshape(
        b, x, Shape{symbols.Product(x.dim(0), x.dim(1)), x.dim(2), x.dim(3), x.dim(4)});
    x = PoolPlane(b, planes, axes[1], axes[2], padding, pool);
    shape.Set(2, x.dim(1));
    shape.Set(3, x.dim(2));
  }
  if (!axes[0].trivial()) {
    const Value columns = lrt::Reshape(
        b, x, Shape{shape[0], shape[1], symbols.Product(shape[2], shape[3]), shape[4]});
    x = PoolPlane(b, columns, axes[0], {}, padding, pool);
    shape.Set(1, x.dim(1));
  }
  return lrt::Reshape(b, x, shape);
}

bool CheckPool(Builder& b, std::string_view function, Value x) {
  if (!x.ok()) return false;
  if (x.rank() < 3 || x.rank() > 5) {
    b.Fail("pool-1", fmt::format("{}: an input {}: its rank must be 3, 4 or 5", function,
                                 x.shape().ToString()));
    return false;
  }
  if (!ir::IsFloat(x.dtype())) {
    b.Fail(
        "pool-4",
        fmt::format("{}: an input of dtype {} has no LiteRT kernel", function, ir::Name(x.dtype())),
        "Cast it to float32 in front.");
    return false;
  }
  return true;
}

Value Pool(Builder& b, std::string_view function, Value x, const PoolAttributes& a, Pool2D pool) {
  if (!CheckPool(b, function, x)) return Value();
  const auto spatial = static_cast<size_t>(x.rank() - 2);
  auto bad = [&](const std::vector<int>& v) {
    return v.size() != spatial || std::any_of(v.begin(), v.end(), [](int n) { return n < 1; });
  };
  if (bad(a.pool_size) || bad(a.strides) || a.padding == ConvPadding::kCausal) {
    return b.Fail("pool-2", fmt::format("{}: pool_size and strides must be {} positive ints, "
                                        "padding 'valid' or 'same'",
                                        function, spatial));
  }
  std::vector<Axis> axes;
  for (size_t i = 0; i < spatial; ++i) axes.push_back({a.pool_size[i], a.strides[i]});
  const lrt::Padding padding =
      a.padding == ConvPadding::kSame ? lrt::Padding::SAME : lrt::Padding::VALID;
  const Value y = PoolAxes(b, a.channels_first ? ToChannelsLast(b, x) : x, axes, padding, pool);
  return a.channels_first ? ToChannelsFirst(b, y) : y;
}

// An adaptive pooling computes each window of an axis beforehand.
constexpr int kMaxAdaptiveSize = 1 << 16;

// The windows of an adaptive pooling of n elements into `out`.
struct Windows {
  std::vector<int32_t> starts;
  std::vector<int> sizes;  // of each window
};

Windows WindowsOf(int64_t n, int64_t out) {
  Windows windows;
  for (int64_t i = 0; i < out; ++i) {
    const int64_t start = i * n / out;
    windows.starts.push_back(static_cast<int32_t>(start));
    windows.sizes.push_back(static_cast<int>(((i + 1) * n + out - 1) / out - start));
  }
  return windows;
}

// The stride with which windows of one size follow each other, or 0 where there is none.
int RegularStride(const Windows& windows) {
  const size_t count = windows.starts.size();
  for (size_t i = 1; i < count; ++i) {
    if (windows.sizes[i] != windows.sizes[0] ||
        windows.starts[i] - windows.starts[i - 1] != windows.starts[1] - windows.starts[0]) {
      return 0;
    }
  }
  return count == 1 ? windows.sizes[0] : windows.starts[1] - windows.starts[0];
}

// One axis with windows of two sizes: both poolings with stride 1, and of each element the one that
// it needs.
//   y[i] = pool_small(x)[start_i] or pool_big(x)[start_i]   ⇒   GATHER(CONCATENATION(pool_small(x),
//   pool_big(x)), …)
Value PoolIrregular(Builder& b, Value x, int axis, const Windows& windows, Pool2D pool) {
  std::vector<int> sizes = windows.sizes;
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  std::vector<Value> parts;
  std::vector<int32_t> indices = windows.starts;
  int32_t offset = 0;
  for (int size : sizes) {
    std::vector<Axis> axes(static_cast<size_t>(x.rank() - 2));
    axes[static_cast<size_t>(axis - 1)].size = size;
    parts.push_back(PoolAxes(b, x, axes, lrt::Padding::VALID, pool));
    for (size_t i = 0; i < indices.size(); ++i) {
      if (windows.sizes[i] == size) indices[i] += offset;
    }
    offset += static_cast<int32_t>(parts.back().dim(axis).value());
  }
  return lrt::Gather(b, lrt::Concatenation(b, parts, axis), b.Vector(indices), axis);
}

Value AdaptivePool(Builder& b, std::string_view function, Value x,
                   const std::vector<int>& output_size, bool channels_first, Pool2D pool) {
  if (!CheckPool(b, function, x)) return Value();
  if (channels_first) x = ToChannelsLast(b, x);
  const auto spatial = static_cast<size_t>(x.rank() - 2);
  if (output_size.size() != spatial ||
      std::any_of(output_size.begin(), output_size.end(), [](int n) { return n < 1; })) {
    return b.Fail("adaptive-pool-1",
                  fmt::format("{}: output_size must be {} positive ints", function, spatial));
  }
  const int largest = *std::max_element(output_size.begin(), output_size.end());
  if (largest > kMaxAdaptiveSize) {
    return b.Fail("adaptive-pool-3", fmt::format("{}: an output_size of {} is beyond the {} whose "
                                                 "windows are computed while converting",
                                                 function, largest, kMaxAdaptiveSize));
  }
  // Axes with equal steps are one pooling.
  std::vector<Axis> regular(spatial);
  std::vector<Windows> windows;
  for (size_t i = 0; i < spatial; ++i) {
    const Dim size = x.dim(static_cast<int>(i) + 1);
    if (!size.is_static() || size.value() < 1) {
      return b.Fail("adaptive-pool-2",
                    fmt::format("{}: the size of a spatial axis of {} is not known while "
                                "converting",
                                function, x.shape().ToString()),
                    "Give the model's Input its spatial sizes, or fix them with --shape.");
    }
    windows.push_back(WindowsOf(size.value(), output_size[i]));
    const int stride = RegularStride(windows[i]);
    if (stride > 0) regular[i] = {windows[i].sizes[0], stride};
  }
  x = PoolAxes(b, x, regular, lrt::Padding::VALID, pool);
  for (size_t i = 0; i < spatial; ++i) {
    if (RegularStride(windows[i]) == 0) {
      x = PoolIrregular(b, x, static_cast<int>(i) + 1, windows[i], pool);
    }
  }
  return channels_first ? ToChannelsFirst(b, x) : x;
}

template <Value (*kFunction)(Builder&, Value, const PoolAttributes&)>
Argument PoolOp(Builder& b, Arguments& arguments) {
  const Value x = arguments.Tensor(0, "inputs");
  const int count = x.rank() - 2;
  PoolAttributes a;
  const std::vector<int> pool_size = arguments.Ints(1, "pool_size").value_or(std::vector<int>{1});
  a.pool_size = PerSpatialAxis(b, "pool_size", pool_size, count);
  a.strides =
      PerSpatialAxis(b, "strides", arguments.Ints(2, "strides").value_or(a.pool_size), count);
  a.padding = ReadPadding(b, arguments.String(3, "padding", "valid"));
  a.channels_first = ReadChannelsFirst(b, arguments.String(4, "data_format", "channels_last"));
  return kFunction(b, x, a);
}

template <Value (*kFunction)(Builder&, Value, const std::vector<int>&, bool)>
Argument AdaptivePoolOp(Builder& b, Arguments& arguments) {
  const Value x = arguments.Tensor(0, "inputs");
  const std::vector<int> size =
      PerSpatialAxis(b, "output_size",
                     arguments.Ints(1, "output_size").value_or(std::vector<int>{}), x.rank() - 2);
  return kFunction(b, x, size,
                   ReadChannelsFirst(b, arguments.String(2, "data_format", "channels_last")));
}

}  // namespace

Value MaxPool(Builder& b, Value x, const PoolAttributes& attributes) {
  return Pool(b, "max_pool", x, attributes, lrt::MaxPool2D);
}

Value AveragePool(Builder& b, Value x, const PoolAttributes& attributes) {
  return Pool(b, "average_pool", x, attributes, lrt::AveragePool2D);
}

Value AdaptiveMaxPool(Builder& b, Value x, const std::vector<int>& output_size,
                      bool channels_first) {
  return AdaptivePool(b, "adaptive_max_pool", x, output_size, channels_first, lrt::MaxPool2D);
}

Value AdaptiveAveragePool(Builder& b, Value x, const std::vector<int>& output_size,
                          bool channels_first) {
  return AdaptivePool(b, "adaptive_average_pool", x, output_size, channels_first,
                      lrt::AveragePool2D);
}

std::span<const OpEntry> PoolingOps() {
  static constexpr OpEntry kOps[] = {
      {"nn.max_pool", PoolOp<MaxPool>},
      {"nn.average_pool", PoolOp<AveragePool>},
      {"nn.adaptive_max_pool", AdaptivePoolOp<AdaptiveMaxPool>},
      {"nn.adaptive_average_pool", AdaptivePoolOp<AdaptiveAveragePool>},
  };
  return kOps;
}

}  // namespace keras_litert::ops
