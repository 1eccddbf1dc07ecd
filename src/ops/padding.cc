#include "ops/padding.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>

#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// The kernels of PAD, MIRROR_PAD and TILE end at this rank.
constexpr int kMaxRank = 5;

// pad_width: an int, (n,), (before, after), ((before, after),) or one pair an axis.
std::vector<lrt::AxisPadding> ReadPadWidth(Builder& b, const Argument& argument, int rank) {
  std::vector<int64_t> flat;
  bool good = true;
  auto collect = [&](auto&& self, const Argument& item, int depth) -> void {
    if (item.kind() == Argument::Kind::kInt && item.integer().is_static()) {
      flat.push_back(item.integer().value());
    } else if (item.is_list() && depth < 2) {
      for (const Argument& inner : item.items()) self(self, inner, depth + 1);
    } else {
      good = false;
    }
  };
  collect(collect, argument, 0);
  std::vector<lrt::AxisPadding> padding;
  if (flat.size() == 1) flat.resize(2, flat[0]);
  if (flat.size() == 2) {
    padding.assign(static_cast<size_t>(rank), {flat[0], flat[1]});
  } else {
    for (size_t i = 0; i + 1 < flat.size(); i += 2) padding.push_back({flat[i], flat[i + 1]});
  }
  if (!good || static_cast<int>(padding.size()) != rank) {
    b.Fail("pad-1", fmt::format("pad: pad_width {} does not fit a tensor of rank {}",
                                argument.ToString(), rank));
    return {};
  }
  return padding;
}

Argument PadOp(Builder& b, Arguments& arguments) {
  const Value x = arguments.Tensor(0, "x");
  const Argument& pad_width = arguments.Get(1, "pad_width");
  const std::string mode = arguments.String(2, "mode", "constant");
  const double value = arguments.Float(3, "constant_values", 0);
  if (!x.ok()) return x;
  const std::vector<lrt::AxisPadding> padding = ReadPadWidth(b, pad_width, x.rank());
  if (padding.empty()) return x.rank() == 0 ? x : Value();
  if (mode == "reflect") return Pad(b, x, padding, PadMode::kReflect);
  if (mode == "symmetric") return Pad(b, x, padding, PadMode::kSymmetric);
  if (mode != "constant") {
    return b.Fail("pad-2", fmt::format("pad: mode '{}' has no LiteRT operator", mode),
                  "Use the mode 'constant', 'reflect' or 'symmetric'.");
  }
  return Pad(b, x, padding, PadMode::kConstant, value);
}

Argument RepeatOp(Builder& b, Arguments& arguments) {
  const Value x = arguments.Tensor(0, "x");
  const std::optional<std::vector<int>> repeats = arguments.Ints(1, "repeats");
  const std::optional<int64_t> axis = arguments.OptionalInt(2, "axis");
  if (!x.ok()) return x;
  if (!repeats || repeats->size() != 1) {
    return b.Fail("repeat-1", "repeat: only one number of repeats for all elements is supported",
                  "Use keras.ops.take with an index for each repeated element.");
  }
  if (axis) return Repeat(b, x, repeats->front(), static_cast<int>(*axis));
  Dim elements = 1;
  for (Dim dim : x.shape()) elements = b.symbols().Product(elements, dim);
  return Repeat(b, lrt::Reshape(b, x, Shape{elements}), repeats->front(), 0);
}

Argument FlipOp(Builder& b, Arguments& arguments) {
  const Value x = arguments.Tensor(0, "x");
  std::vector<int> axes;
  if (const std::optional<std::vector<int>> given = arguments.Ints(1, "axis")) {
    axes = *given;
  } else {
    for (int i = 0; i < x.rank(); ++i) axes.push_back(i);
  }
  return Flip(b, x, axes);
}

}  // namespace

Value Pad(Builder& b, Value x, const std::vector<lrt::AxisPadding>& padding, PadMode mode,
          double value) {
  if (!x.ok()) return x;
  bool nothing = true;
  const bool fits = static_cast<int>(padding.size()) == x.rank();
  for (size_t i = 0; fits && i < padding.size(); ++i) {
    const lrt::AxisPadding& axis = padding[i];
    nothing &= axis == lrt::AxisPadding{};
    if (axis.before < 0 || axis.after < 0 || axis.before > INT32_MAX || axis.after > INT32_MAX) {
      return b.Fail("pad-3", fmt::format("pad: {} and {} elements cannot be added on axis {}",
                                         axis.before, axis.after, i));
    }
    const Dim size = x.dim(static_cast<int>(i));
    const int64_t most =
        !size.is_static() ? INT32_MAX : size.value() - (mode == PadMode::kReflect ? 1 : 0);
    if (mode != PadMode::kConstant && std::max(axis.before, axis.after) > most) {
      return b.Fail("pad-4", fmt::format("pad: {} and {} elements of axis {} of {} cannot be "
                                         "mirrored",
                                         axis.before, axis.after, i, x.shape().ToString()));
    }
  }
  if (!fits || x.rank() > kMaxRank) {
    return b.Fail("pad-1",
                  fmt::format("pad: {} pairs of sizes for a tensor of rank {}; LiteRT pads "
                              "up to rank {}",
                              padding.size(), x.rank(), kMaxRank));
  }
  if (nothing) return x;
  if (mode != PadMode::kConstant) {
    return lrt::MirrorPad(b, x, padding,
                          mode == PadMode::kReflect ? tflite::MirrorPadMode::REFLECT
                                                    : tflite::MirrorPadMode::SYMMETRIC);
  }
  return value == 0 ? lrt::Pad(b, x, padding)
                    : lrt::PadV2(b, x, padding, b.Scalar(value, x.dtype()));
}

// numpy.repeat → TILE
//   y[.., i * n + k, ..] = x[.., i, ..]   ⇒   RESHAPE(TILE(RESHAPE(x, [before · axis, 1, behind]),
//   [1, n, 1]))
Value Repeat(Builder& b, Value x, int64_t repeats, int axis) {
  if (!x.ok()) return x;
  if (axis < -x.rank() || axis >= x.rank() || repeats < 1 || repeats > INT32_MAX) {
    return b.Fail("repeat-2", fmt::format("repeat: {} repeats on axis {} of a tensor of rank {}",
                                          repeats, axis, x.rank()));
  }
  if (repeats == 1) return x;
  axis = axis < 0 ? axis + x.rank() : axis;
  Dim leading = 1;
  Dim trailing = 1;
  for (int i = 0; i < x.rank(); ++i) {
    Dim& part = i <= axis ? leading : trailing;
    part = b.symbols().Product(part, x.dim(i));
  }
  Shape shape = x.shape();
  shape.Set(axis, x.dim(axis) * repeats);
  const Value column = lrt::Reshape(b, x, Shape{leading, 1, trailing});
  return lrt::Reshape(b, lrt::Tile(b, column, {1, static_cast<int32_t>(repeats), 1}), shape);
}

// numpy.flip → REVERSE_V2, an axis at a time: the kernel takes several only where they are
// neighbours.
Value Flip(Builder& b, Value x, const std::vector<int>& axes) {
  if (!x.ok()) return x;
  for (int axis : axes) {
    if (axis < -x.rank() || axis >= x.rank()) {
      return b.Fail("flip-1",
                    fmt::format("flip: axis {} is outside a tensor of rank {}", axis, x.rank()));
    }
    x = lrt::ReverseV2(b, x, {axis});
  }
  return x;
}

std::span<const OpEntry> PaddingOps() {
  static constexpr OpEntry kOps[] = {
      {"numpy.pad", PadOp},
      {"numpy.repeat", RepeatOp},
      {"numpy.flip", FlipOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
