// keras.ops: joining, cutting, moving and repeating axes.
#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/known_sizes.h"
#include "ops/shape.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// TILE's rank.
constexpr int kMaxTileRank = 8;

Argument ToArgument(const std::vector<Value>& values) {
  std::vector<Argument> items(values.begin(), values.end());
  return Argument::List(std::move(items));
}

// x with axes of size 1 in front, up to `rank`.
Value AtLeast(Builder& b, Value x, int rank) {
  Shape shape = x.shape();
  while (shape.rank() < rank) shape.Insert(0, 1);
  return lrt::Reshape(b, x, shape);
}

Argument ExpandDimsOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const std::optional<std::vector<int>> axis = a.Ints(1, "axis");
  if (!x.ok() || !axis) return Value();
  const int rank = x.rank() + static_cast<int>(axis->size());
  const std::optional<std::vector<int>> axes = NormalizeAxes(b, axis, rank);
  if (!axes) return Value();
  Shape shape = x.shape();
  for (int position : *axes) shape.Insert(position, 1);
  return lrt::Reshape(b, x, shape);
}

Argument SqueezeOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const std::optional<std::vector<int>> axis = a.Ints(1, "axis");
  if (!x.ok()) return x;
  std::vector<int> axes;
  if (axis) {
    const std::optional<std::vector<int>> given = NormalizeAxes(b, axis, x.rank());
    if (!given) return Value();
    axes = *given;
  } else {
    for (int i = 0; i < x.rank(); ++i) {
      if (x.dim(i) == Dim(1)) axes.push_back(i);
    }
  }
  for (int i : axes) {
    if (x.dim(i).is_static() && x.dim(i) != Dim(1)) {
      return b.Fail("squeeze-1", fmt::format("axis {} has {} elements", i, x.dim(i).value()));
    }
  }
  return lrt::Squeeze(b, x, axes);
}

Argument SwapAxesOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const int64_t axis1 = a.Int(1, "axis1");
  const int64_t axis2 = a.Int(2, "axis2");
  if (!x.ok()) return x;
  const std::optional<int> first = NormalizeAxis(b, axis1, x.rank());
  const std::optional<int> second = NormalizeAxis(b, axis2, x.rank());
  if (!first || !second) return Value();
  std::vector<int> order(static_cast<size_t>(x.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<size_t>(*first)], order[static_cast<size_t>(*second)]);
  return lrt::Transpose(b, x, order);
}

Argument MoveAxisOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const std::optional<std::vector<int>> source = a.Ints(1, "source");
  const std::optional<std::vector<int>> destination = a.Ints(2, "destination");
  if (!x.ok() || !source || !destination) return Value();
  if (source->size() != destination->size() || !NormalizeAxes(b, source, x.rank()) ||
      !NormalizeAxes(b, destination, x.rank())) {
    return b.Fail("moveaxis-1", "source and destination do not fit");
  }
  std::vector<int> order(static_cast<size_t>(x.rank()), -1);
  std::vector<bool> moved(order.size());
  for (size_t i = 0; i < source->size(); ++i) {
    const auto from = static_cast<size_t>(((*source)[i] + x.rank()) % x.rank());
    const auto to = static_cast<size_t>(((*destination)[i] + x.rank()) % x.rank());
    order[to] = static_cast<int>(from);
    moved[from] = true;
  }
  int next = 0;
  for (int& axis : order) {
    if (axis >= 0) continue;
    while (moved[static_cast<size_t>(next)]) ++next;
    axis = next++;
  }
  return lrt::Transpose(b, x, order);
}

Argument RavelOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return x.ok() ? Ravel(b, x) : x;
}

// ---- Joining ----

std::vector<Value> Promoted(Builder& b, const std::vector<Value>& xs) {
  std::vector<Promotable> types;
  for (Value x : xs) {
    if (!x.ok()) return {};
    types.emplace_back(x.dtype());
  }
  const DType dtype = ResultType(std::span<const Promotable>(types));
  std::vector<Value> cast;
  for (Value x : xs) cast.push_back(lrt::Cast(b, x, dtype));
  return cast;
}

Argument Join(Builder& b, const std::vector<Value>& xs, int axis) {
  if (xs.empty() || !xs[0].ok()) return Value();
  const std::optional<int> at = NormalizeAxis(b, axis, xs[0].rank());
  return at && CheckAlike(b, xs, *at) ? Concatenate(b, xs, *at) : Value();
}

Argument StackOp(Builder& b, Arguments& a) {
  const std::vector<Value> xs = Promoted(b, a.Tensors(0, "x"));
  const int64_t axis = a.Int(1, "axis", 0);
  if (xs.empty()) return Value();
  const std::optional<int> position = NormalizeAxis(b, axis, xs[0].rank() + 1);
  return position && CheckAlike(b, xs, -1) ? lrt::Pack(b, xs, *position) : Value();
}

Argument HStackOp(Builder& b, Arguments& a) {
  std::vector<Value> xs = a.Tensors(0, "xs");
  for (Value& x : xs) x = AtLeast(b, x, 1);
  return Join(b, xs, !xs.empty() && xs[0].rank() == 1 ? 0 : 1);
}
Argument VStackOp(Builder& b, Arguments& a) {
  std::vector<Value> xs = a.Tensors(0, "xs");
  for (Value& x : xs) x = AtLeast(b, x, 2);
  return Join(b, xs, 0);
}
// Vectors [n] become [1, n, 1], matrices [m, n] become [m, n, 1].
Argument DStackOp(Builder& b, Arguments& a) {
  std::vector<Value> xs = a.Tensors(0, "xs");
  for (Value& x : xs) {
    if (x.rank() < 2) x = AtLeast(b, x, 2);
    if (x.rank() == 2) x = lrt::ExpandDims(b, x, 2);
  }
  return Join(b, xs, 2);
}
Argument AppendOp(Builder& b, Arguments& a) {
  Value x1 = a.Tensor(0, "x1");
  Value x2 = a.Tensor(1, "x2");
  const std::optional<int64_t> axis = a.OptionalInt(2, "axis");
  if (!x1.ok() || !x2.ok()) return Value();
  if (axis) return Join(b, {x1, x2}, static_cast<int>(*axis));
  return Join(b, {Ravel(b, x1), Ravel(b, x2)}, 0);
}

// ---- Cutting ----

// At the given indices, or into parts of equal size; `uneven`: the first parts may be longer by
// one.
Argument SplitAlong(Builder& b, Value x, const Argument& sections, int64_t axis, bool uneven) {
  if (!x.ok()) return x;
  const std::optional<int> positive = NormalizeAxis(b, axis, x.rank());
  if (!positive) return Value();
  const Dim size = x.dim(*positive);
  if (sections.kind() == Argument::Kind::kInt && sections.integer().is_static()) {
    const int64_t parts = sections.integer().value();
    if (parts < 1 || parts > INT32_MAX) return b.Fail("split-1", fmt::format("{} parts", parts));
    const bool even = size.is_static() ? size.value() % parts == 0 : !uneven;
    if (parts == 1) return ToArgument({x});
    if (even) return ToArgument(lrt::Split(b, x, *positive, static_cast<int>(parts)));
    if (!size.is_static() || !uneven) {
      return b.Fail("split-2",
                    fmt::format("axis {} does not split into {} equal parts", axis, parts),
                    "Its size must be a multiple; a dynamic one can be fixed in the model's Input, "
                    "or with --shape.");
    }
    std::vector<Value> pieces;
    int64_t at = 0;
    for (int64_t i = 0; i < parts; ++i) {
      const int64_t length = size.value() / parts + (i < size.value() % parts ? 1 : 0);
      pieces.push_back(Range(b, x, *positive, at, at + length));
      at += length;
    }
    return ToArgument(pieces);
  }
  if (!sections.is_list() || !size.is_static()) {
    return b.Fail("split-3", fmt::format("axis {} is split at {}", axis, sections.ToString()),
                  "Split a dynamic axis into a number of equal parts.");
  }
  std::vector<Value> pieces;
  int64_t at = 0;
  auto cut = [&](int64_t end) {
    end = std::clamp<int64_t>(end < 0 ? end + size.value() : end, 0, size.value());
    pieces.push_back(Range(b, x, *positive, at, std::max(at, end)));
    at = end;
  };
  for (const Argument& item : sections.items()) {
    if (item.kind() != Argument::Kind::kInt || !item.integer().is_static()) {
      return b.Fail("split-3", fmt::format("an index of a split is {}", item.ToString()));
    }
    cut(item.integer().value());
  }
  cut(size.value());
  return ToArgument(pieces);
}

template <bool kUneven>
Argument SplitOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Argument& sections = a.Get(1, "indices_or_sections");
  return SplitAlong(b, x, sections, a.Int(2, "axis", 0), kUneven);
}

template <int kAxis>
Argument SplitAxisOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const bool vector = kAxis == 1 && x.rank() == 1;  // hsplit of a vector
  return SplitAlong(b, x, a.Get(1, "indices_or_sections"), vector ? 0 : kAxis, false);
}

Argument UnstackOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const std::optional<int64_t> num = a.OptionalInt(1, "num");
  const int64_t axis = a.Int(2, "axis", 0);
  if (!x.ok()) return x;
  const std::optional<int> positive = NormalizeAxis(b, axis, x.rank());
  if (!positive) return Value();
  const Dim size = x.dim(*positive);
  if (!size.is_static() || size.value() < 1 || (num && *num != size.value())) {
    return b.Fail("unstack-1",
                  fmt::format("axis {} of {} does not unstack", axis, x.shape().ToString()),
                  "Fix the axis's size: in the model's Input, or with --shape.");
  }
  return ToArgument(lrt::Unpack(b, x, *positive));
}

// ---- Repeating and turning ----

// Repeats, as SizesOf() gives them, of which some are known only when the file runs.
Argument TileByTensors(Builder& b, Value x, const Argument& repeats) {
  std::vector<Value> counts;
  for (const Argument& count : repeats.items()) {
    if (count.is_tensor() && !count.tensor().ok()) return count;
    if (!count.is_tensor() && count.integer().is_static() && count.integer().value() < 0) {
      return b.Fail("tile-1", "a number of repeats is negative");
    }
    counts.push_back(count.is_tensor() ? count.tensor() : b.SizeOf(count.integer()));
  }
  while (static_cast<int>(counts.size()) < x.rank()) {
    counts.insert(counts.begin(), b.Scalar(1, DType::kInt32));
  }
  x = AtLeast(b, x, static_cast<int>(counts.size()));
  if (x.rank() > kMaxTileRank) {
    return b.Fail("tile-2", "a tensor of more than 8 axes",
                  "Merge axes with a reshape in front, and split them behind.");
  }
  Shape shape;
  const size_t added = counts.size() - repeats.items().size();
  for (int i = 0; i < x.rank(); ++i) {
    const size_t at = static_cast<size_t>(i);
    if (at < added) {
      shape.Append(x.dim(i));
    } else if (const Argument& count = repeats.items()[at - added]; count.is_tensor()) {
      shape.Append(b.symbols().NewOpaque());
    } else {
      shape.Append(b.symbols().Product(x.dim(i), count.integer()));
    }
  }
  return b.Emit(ir::BuiltinOperator::TILE, {x, lrt::Pack(b, counts, 0)}, {x.dtype(), shape});
}

Argument TileOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const Argument& given = a.Get(1, "repeats");
  if (!x.ok()) return x;
  const std::optional<std::vector<Argument>> repeats = SizesOf(b, given);
  if (!repeats) {
    return b.Fail("tile-3", fmt::format("the repeats are {}", given.ToString()),
                  "Give integers, or a tensor of them.");
  }
  std::vector<int32_t> multiples;
  for (const Argument& count : *repeats) {
    if (count.is_tensor() || !count.integer().is_static()) {
      return TileByTensors(b, x, Argument::List(*repeats));
    }
    multiples.push_back(
        static_cast<int32_t>(std::clamp<int64_t>(count.integer().value(), -1, INT32_MAX)));
  }
  if (std::any_of(multiples.begin(), multiples.end(), [](int32_t n) { return n < 0; })) {
    return b.Fail("tile-1", "a number of repeats is negative");
  }
  while (static_cast<int>(multiples.size()) < x.rank()) multiples.insert(multiples.begin(), 1);
  x = AtLeast(b, x, static_cast<int>(multiples.size()));
  if (x.rank() > kMaxTileRank)
    return b.Fail("tile-2", "a tensor of more than 8 axes",
                  "Merge axes with a reshape in front, and split them behind.");
  if (std::all_of(multiples.begin(), multiples.end(), [](int32_t n) { return n == 1; })) return x;
  return lrt::Tile(b, x, multiples);
}

Argument BroadcastToOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Argument& given = a.Get(1, "shape");
  const std::optional<std::vector<Argument>> sizes = SizesOf(b, given);
  if (!x.ok()) return x;
  const auto is_known = [](const Argument& size) { return size.kind() == Argument::Kind::kInt; };
  if (!sizes || !std::all_of(sizes->begin(), sizes->end(), is_known)) {
    return b.Fail("broadcast-to-1", fmt::format("the shape is {}", given.ToString()));
  }
  Shape shape;
  for (const Argument& size : *sizes) {
    shape.Append(size.integer());
  }
  return BroadcastTo(b, x, shape);
}

// What leaves one end comes in at the other.
Value RollAxis(Builder& b, Value x, int64_t shift, int axis) {
  if (!x.ok()) return x;
  const Dim size = x.dim(axis);
  if (!size.is_static()) {
    return b.Fail("roll-1", fmt::format("axis {}, which is rolled, has a dynamic size", axis),
                  "Fix the axis's size: in the model's Input, or with --shape.");
  }
  const int64_t n = size.value();
  if (n == 0) return x;
  const int64_t front = ((shift % n) + n) % n;
  if (front == 0) return x;
  return lrt::Concatenation(b, {Range(b, x, axis, n - front, n), Range(b, x, axis, 0, n - front)},
                            axis);
}

Argument RollOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const std::optional<std::vector<int>> shift = a.Ints(1, "shift");
  const std::optional<std::vector<int>> axis = a.Ints(2, "axis");
  if (!x.ok() || !shift || shift->empty()) return Value();
  if (!axis) {
    // A copy: new tensors may move the graph's.
    const Shape shape = x.shape();  // NOLINT(performance-unnecessary-copy-initialization)
    const int total = std::accumulate(shift->begin(), shift->end(), 0);
    return lrt::Reshape(b, RollAxis(b, Ravel(b, x), total, 0), shape);
  }
  if (shift->size() != axis->size() && shift->size() != 1) {
    return b.Fail("roll-2", "shift and axis differ in length");
  }
  for (size_t i = 0; i < axis->size(); ++i) {
    const std::optional<int> positive = NormalizeAxis(b, (*axis)[i], x.rank());
    if (!positive) return Value();
    x = RollAxis(b, x, (*shift)[shift->size() == 1 ? 0 : i], *positive);
  }
  return x;
}

Value FlipAxis(Builder& b, Value x, int64_t axis) {
  const std::optional<int> positive = NormalizeAxis(b, axis, x.rank());
  return x.ok() && positive ? lrt::ReverseV2(b, x, {*positive}) : Value();
}
template <int kAxis>
Argument FlipAxisOp(Builder& b, Arguments& a) {
  return FlipAxis(b, a.Tensor(0, "x"), kAxis);
}

// A quarter turn from axis 0 towards axis 1 of `axes`: the transposed tensor with one axis flipped.
Argument Rot90Op(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "array");
  const int64_t turns = ((a.Int(1, "k", 1) % 4) + 4) % 4;
  const std::vector<int> axes = a.Ints(2, "axes").value_or(std::vector<int>{0, 1});
  if (!x.ok()) return x;
  if (axes.size() != 2) return b.Fail("rot90-1", "axes must be two");
  const std::optional<int> from = NormalizeAxis(b, axes[0], x.rank());
  const std::optional<int> to = NormalizeAxis(b, axes[1], x.rank());
  if (!from || !to) return Value();
  if (*from == *to) return b.Fail("rot90-2", "the two axes are the same");
  if (turns == 0) return x;
  if (turns == 2) return FlipAxis(b, FlipAxis(b, x, *from), *to);
  std::vector<int> order(static_cast<size_t>(x.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<size_t>(*from)], order[static_cast<size_t>(*to)]);
  if (turns == 1) return lrt::Transpose(b, FlipAxis(b, x, *to), order);
  return FlipAxis(b, lrt::Transpose(b, x, order), *to);
}

// Each input along an axis of its own, broadcast with the others; "xy" swaps the first two axes.
Argument MeshgridOp(Builder& b, Arguments& a) {
  std::vector<Value> xs;
  for (int i = 0; i < static_cast<int>(a.num_positional()); ++i) {
    const Value x = a.Tensor(i, "x");
    if (!x.ok()) return x;
    xs.push_back(Ravel(b, x));
  }
  const std::string indexing = a.String(-1, "indexing", "xy");
  if (indexing != "xy" && indexing != "ij") {
    return b.Fail("meshgrid-1", fmt::format("indexing is '{}'", indexing));
  }
  std::vector<size_t> order(xs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (indexing == "xy" && xs.size() > 1) std::swap(order[0], order[1]);
  Shape shape;
  for (size_t i : order) shape.Append(xs[i].dim(0));
  std::vector<Value> grids;
  for (size_t i = 0; i < xs.size(); ++i) {
    Shape own(std::vector<Dim>(xs.size(), Dim(1)));
    own.Set(static_cast<int>(order[i]), xs[i].dim(0));
    grids.push_back(BroadcastTo(b, lrt::Reshape(b, xs[i], own), shape));
  }
  return ToArgument(grids);
}

}  // namespace

std::span<const OpEntry> RearrangeOps() {
  static constexpr OpEntry kOps[] = {
      {"core.unstack", UnstackOp},
      {"numpy.append", AppendOp},
      {"numpy.array_split", SplitOp<true>},
      {"numpy.broadcast_to", BroadcastToOp},
      {"numpy.dsplit", SplitAxisOp<2>},
      {"numpy.dstack", DStackOp},
      {"numpy.expand_dims", ExpandDimsOp},
      {"numpy.fliplr", FlipAxisOp<1>},
      {"numpy.flipud", FlipAxisOp<0>},
      {"numpy.hsplit", SplitAxisOp<1>},
      {"numpy.hstack", HStackOp},
      {"numpy.meshgrid", MeshgridOp},
      {"numpy.moveaxis", MoveAxisOp},
      {"numpy.ravel", RavelOp},
      {"numpy.roll", RollOp},
      {"numpy.rot90", Rot90Op},
      {"numpy.split", SplitOp<false>},
      {"numpy.squeeze", SqueezeOp},
      {"numpy.stack", StackOp},
      {"numpy.swapaxes", SwapAxesOp},
      {"numpy.tile", TileOp},
      {"numpy.vsplit", SplitAxisOp<0>},
      {"numpy.vstack", VStackOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
