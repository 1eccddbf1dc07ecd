#include "ops/indexing.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// STRIDED_SLICE's rank in runtimes before 2.19.
constexpr int kMaxSliceRank = 5;

// One axis of a STRIDED_SLICE. Bounds are what the kernel takes: a masked one is the axis's end.
struct AxisSlice {
  int32_t begin = 0;
  int32_t end = 0;
  int32_t step = 1;
  bool begin_masked = true;
  bool end_masked = true;
  bool removed = false;
  Dim size = 1;  // of the result
  // In place of begin and end, where one is known only at run time.
  std::optional<Dim> dynamic_begin = std::nullopt;
  std::optional<Dim> dynamic_end = std::nullopt;

  bool IsWhole() const { return begin_masked && end_masked && step == 1 && !removed; }
};

std::optional<AxisSlice> IndexAxis(Builder& b, int64_t index, Dim size) {
  if (size.is_static() && (index < -size.value() || index >= size.value())) {
    b.Fail("get-item-1",
           fmt::format("index {} is outside an axis of size {}", index, size.value()));
    return std::nullopt;
  }
  if (size.is_static() && index < 0) index += size.value();
  const auto at = static_cast<int32_t>(index);
  return AxisSlice{
      .begin = at, .end = at + 1, .begin_masked = false, .end_masked = false, .removed = true};
}

// Python's slice.indices() on a static axis. On a dynamic one the kernel clamps the bounds; the
// size follows where no clamping is to be expected (x[1:-1], x[::2]), and is open else (x[:5]).
std::optional<AxisSlice> SliceAxis(Builder& b, std::optional<int64_t> start,
                                   std::optional<int64_t> stop, int64_t step, Dim size) {
  if (step == 0 || step < INT32_MIN || step > INT32_MAX) {
    b.Fail("get-item-2", fmt::format("a slice's step is {}", step));
    return std::nullopt;
  }
  AxisSlice slice{.step = static_cast<int32_t>(step)};
  if (size.is_static()) {
    const int64_t n = size.value();
    const int64_t low = step > 0 ? 0 : -1;
    const int64_t high = step > 0 ? n : n - 1;
    auto bound = [&](std::optional<int64_t> given, int64_t otherwise) {
      return given ? std::clamp(*given < 0 ? *given + n : *given, low, high) : otherwise;
    };
    const int64_t first = bound(start, step > 0 ? low : high);
    const int64_t last = bound(stop, step > 0 ? high : low);
    const int64_t count = std::max<int64_t>(
        0, step > 0 ? (last - first + step - 1) / step : (first - last - step - 1) / -step);
    slice.size = count;
    slice.begin = static_cast<int32_t>(first);
    slice.end = static_cast<int32_t>(last);
    slice.begin_masked = first == (step > 0 ? low : high);
    slice.end_masked = last == (step > 0 ? high : low);  // -1 would count from the end
    return slice;
  }
  auto narrow = [](int64_t bound) {
    return static_cast<int32_t>(std::clamp<int64_t>(bound, INT32_MIN, INT32_MAX));
  };
  slice.begin_masked = !start || (step > 0 && *start == 0);
  slice.end_masked = !stop;
  if (!slice.begin_masked) slice.begin = narrow(*start);
  if (!slice.end_masked) slice.end = narrow(*stop);
  const bool whole_back = step < 0 && slice.begin_masked && slice.end_masked;
  const bool from_front = slice.begin_masked || *start > 0;
  const bool to_back = slice.end_masked || *stop < 0;
  ir::SymbolTable& symbols = b.symbols();
  if (whole_back) {
    slice.size = symbols.CeilDiv(size, -step);
  } else if (step > 0 && from_front && to_back) {
    const Dim length = symbols.Sum(size, static_cast<int64_t>(slice.end) - slice.begin);
    slice.size = step == 1 ? length : symbols.CeilDiv(length, step);
  } else {
    slice.size = symbols.NewOpaque();
  }
  return slice;
}

// x[start:stop] with bounds of which one is a size of a tensor. Bounds are taken to lie within the
// axis, so the result has stop - start elements: x[:n], x[n:], x[-n:], x[a:a + n].
AxisSlice SliceAxisBySizes(Builder& b, const Argument& start, const Argument& stop, Dim size) {
  ir::SymbolTable& symbols = b.symbols();
  auto position = [&](const Argument& bound, Dim otherwise) {
    if (bound.is_none()) return otherwise;
    const Dim at = bound.integer();
    const bool from_end = at.is_static() ? at.value() < 0 : at.coefficient() < 0;
    return from_end ? symbols.Sum(size, at) : at;
  };
  const Dim first = position(start, 0);
  const Dim last = position(stop, size);
  AxisSlice slice;
  slice.begin_masked = first == Dim(0);
  slice.end_masked = stop.is_none() || last == size;
  if (!slice.begin_masked) slice.dynamic_begin = first;
  if (!slice.end_masked) slice.dynamic_end = last;
  slice.size = first == Dim(0) ? last : symbols.Sum(last, symbols.Product(first, -1));
  return slice;
}

Value EmitSlices(Builder& b, Value x, const std::vector<AxisSlice>& slices) {
  Shape begin;
  Shape end;
  std::vector<int32_t> steps;
  lrt::StridedSliceMasks masks;
  Shape shape;
  bool whole = true;
  for (size_t i = 0; i < slices.size(); ++i) {
    const AxisSlice& slice = slices[i];
    begin.Append(slice.begin_masked ? Dim(0) : slice.dynamic_begin.value_or(Dim(slice.begin)));
    end.Append(slice.end_masked ? Dim(0) : slice.dynamic_end.value_or(Dim(slice.end)));
    steps.push_back(slice.step);
    if (slice.begin_masked) masks.begin_mask |= 1 << i;
    if (slice.end_masked) masks.end_mask |= 1 << i;
    if (slice.removed) masks.shrink_axis_mask |= 1 << i;
    if (!slice.removed) shape.Append(slice.size);
    whole &= slice.IsWhole();
  }
  if (whole) return x;
  return lrt::StridedSlice(b, x, b.ShapeVector(begin), b.ShapeVector(end), b.Vector(steps), masks,
                           {x.dtype(), shape});
}

// Neighbouring axes that are taken whole become one, for the kernel's limit of ranks.
Value EmitSlicesOfAnyRank(Builder& b, Value x, const std::vector<AxisSlice>& slices) {
  if (x.rank() <= kMaxSliceRank) return EmitSlices(b, x, slices);
  Shape merged;
  Shape result;
  std::vector<AxisSlice> fewer;
  for (int i = 0; i < x.rank(); ++i) {
    const AxisSlice& slice = slices[static_cast<size_t>(i)];
    if (!slice.removed) result.Append(slice.size);
    if (slice.IsWhole() && !fewer.empty() && fewer.back().IsWhole()) {
      merged.Set(-1, b.symbols().Product(merged[-1], x.dim(i)));
      fewer.back().size = merged[-1];
    } else {
      merged.Append(x.dim(i));
      fewer.push_back(slice);
    }
  }
  if (merged.rank() > kMaxSliceRank) {
    return b.Fail("get-item-3",
                  fmt::format("a slice of a tensor of rank {} is not supported", x.rank()),
                  "Merge axes with a reshape in front, and split them behind.");
  }
  return lrt::Reshape(b, EmitSlices(b, lrt::Reshape(b, x, merged), fewer), result);
}

std::optional<int64_t> StaticInt(const Argument& argument) {
  if (argument.kind() != Argument::Kind::kInt || !argument.integer().is_static()) {
    return std::nullopt;
  }
  return argument.integer().value();
}

// Indices in [0, size) from ones that may count from the end.
Value NonNegative(Builder& b, Value indices, Dim size) {
  if (ir::IsUnsigned(indices.dtype()) || indices.dtype() == DType::kBool) {
    return lrt::Cast(b, indices, DType::kInt32);
  }
  if (indices.is_constant() && indices.type().shape.is_static()) {
    auto values = ir::EvaluateAs<int64_t>(indices.constant());
    if (values && std::all_of(values->begin(), values->end(), [](int64_t v) { return v >= 0; })) {
      return indices;
    }
  }
  const Value n = lrt::Cast(b, b.SizeOf(size), indices.dtype());
  return Elementwise(b, BuiltinOperator::FLOOR_MOD, indices, n);
}

Value AsIndices(Builder& b, Value indices) {
  if (indices.dtype() == DType::kInt64 || indices.dtype() == DType::kInt32) return indices;
  return lrt::Cast(b, indices, DType::kInt32);
}

// ---- By name ----

Argument GetItemOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return GetItem(b, x, a.Get(1, "key"));
}

Argument TakeOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Value indices = a.Tensor(1, "indices");
  return Take(b, x, indices, a.OptionalInt(2, "axis"));
}

Argument TakeAlongAxisOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Value indices = a.Tensor(1, "indices");
  return TakeAlongAxis(b, x, indices, a.OptionalInt(2, "axis"));
}

// Starts of a slice: a tensor, a list of ints, or a list of ints and scalar tensors, as an int32
// vector.
Value ReadStarts(Builder& b, const Argument& argument, Arguments& a, int position,
                 const char* name) {
  if (argument.is_list() && std::any_of(argument.items().begin(), argument.items().end(),
                                        [](const Argument& i) { return i.is_tensor(); })) {
    std::vector<Value> parts;
    for (const Argument& item : argument.items()) {
      Value part =
          item.is_tensor() ? lrt::Cast(b, item.tensor(), DType::kInt32) : b.SizeOf(item.integer());
      parts.push_back(lrt::Reshape(b, part, Shape{1}));
    }
    return lrt::Concatenation(b, parts, 0);
  }
  return lrt::Cast(b, a.Tensor(position, name), DType::kInt32);
}

// inputs[start : start + shape]; a size of -1 reaches to the end.
Argument SliceOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "inputs");
  const Argument& start = a.Get(1, "start_indices");
  const Value starts = ReadStarts(b, start, a, 1, "start_indices");
  const Argument& sizes = a.Get(2, "shape");
  if (!x.ok() || !starts.ok()) return Value();
  const bool are_ints = sizes.is_list() && std::all_of(sizes.items().begin(), sizes.items().end(),
                                                       [](const Argument& i) {
                                                         return i.kind() == Argument::Kind::kInt;
                                                       });
  if (!are_ints || static_cast<int>(sizes.items().size()) != x.rank() || starts.rank() != 1 ||
      starts.dim(0) != Dim(x.rank())) {
    return b.Fail("slice-1", fmt::format("the start and the shape must have {} numbers", x.rank()));
  }
  if (x.rank() > kMaxSliceRank) {
    return b.Fail("slice-2",
                  fmt::format("a slice of a tensor of rank {} is not supported", x.rank()),
                  "Merge axes with a reshape in front, and split them behind.");
  }
  Shape shape;
  Shape written;
  std::vector<int32_t> begin;  // where all starts are known
  std::vector<int32_t> count;  // where all sizes are
  for (int i = 0; i < x.rank(); ++i) {
    const Dim size = sizes.items()[static_cast<size_t>(i)].integer();
    if (size.is_static() && (size.value() < -1 || size.value() > INT32_MAX)) {
      return b.Fail("slice-3", fmt::format("a size is {}", size.value()));
    }
    // -1: known when the file runs.
    const int64_t from =
        start.is_list() ? StaticInt(start.items()[static_cast<size_t>(i)]).value_or(-1) : -1;
    if (!size.is_static() || size.value() >= 0) {
      shape.Append(size);
    } else {
      shape.Append(from >= 0 ? b.symbols().Sum(x.dim(i), -from) : b.symbols().NewOpaque());
    }
    // The whole of an axis needs no number.
    const bool whole = from == 0 && !size.is_static() && size == x.dim(i);
    written.Append(whole ? Dim(-1) : size);
    if (from >= 0 && from <= INT32_MAX) begin.push_back(static_cast<int32_t>(from));
    if (written[i].is_static()) count.push_back(static_cast<int32_t>(written[i].value()));
  }
  if (shape == x.shape() && start.is_list() &&
      std::all_of(start.items().begin(), start.items().end(),
                  [](const Argument& i) { return StaticInt(i) == 0; })) {
    return x;
  }
  const auto rank = static_cast<size_t>(x.rank());
  if (begin.size() == rank && count.size() == rank) return lrt::Slice(b, x, begin, count, shape);
  return lrt::Slice(b, x, starts, b.ShapeVector(written), shape);
}

Argument SliceUpdateOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "inputs");
  const Value starts = ReadStarts(b, a.Get(1, "start_indices"), a, 1, "start_indices");
  const Value updates = a.Tensor(2, "updates");
  if (!x.ok() || !updates.ok() || !starts.ok()) return Value();
  if (starts.rank() != 1 || starts.dim(0) != Dim(x.rank()) || updates.rank() != x.rank()) {
    return b.Fail("slice-update-1", "inputs, updates and start_indices differ in rank");
  }
  return lrt::DynamicUpdateSlice(b, x, lrt::Cast(b, updates, x.dtype()), starts);
}

// Values at the positions of a tensor of zeros; those of one position add up.
Argument ScatterOp(Builder& b, Arguments& a) {
  const Value indices = lrt::Cast(b, a.Tensor(0, "indices"), DType::kInt32);
  const Value values = a.Tensor(1, "values");
  const std::optional<std::vector<int>> sizes = a.Ints(2, "shape");
  if (!indices.ok() || !values.ok() || !sizes) return Value();
  Shape shape;
  for (int size : *sizes) {
    if (size < 0) return b.Fail("scatter-1", "the shape has a negative size");
    shape.Append(size);
  }
  return lrt::ScatterNd(b, indices, values, b.ShapeVector(shape), shape);
}

// True where indices [updates, axes] are constant and no two are alike.
bool AreDistinct(Value indices, int depth) {
  if (!indices.is_constant()) return false;
  const auto known = ir::EvaluateAs<int32_t>(indices.constant());
  if (!known) return false;
  std::set<std::vector<int32_t>> seen;
  for (auto at = known->begin(); at != known->end(); at += depth) {
    if (!seen.emplace(at, at + depth).second) return false;
  }
  return true;
}

// Of each update, whether no later one has its position: bool [updates]. Compares all pairs.
Value LastOfEachPosition(Builder& b, Value indices, Value x, int depth) {
  const Dim count = indices.dim(0);
  // Positions as one number each: Σ index × stride.
  Value flat;
  for (int i = 0; i < depth; ++i) {
    std::vector<AxisSlice> column = {{.size = count}, *IndexAxis(b, i, depth)};
    const Value part = EmitSlices(b, indices, column);
    if (i > 0) flat = Elementwise(b, BuiltinOperator::MUL, flat, b.SizeOf(x.dim(i)));
    flat = i == 0 ? part : Elementwise(b, BuiltinOperator::ADD, flat, part);
  }
  const Value order = lrt::Cumsum(b, BroadcastTo(b, b.Scalar(1, DType::kInt32), Shape{count}), 0);
  auto pairs = [&](BuiltinOperator condition, Value v) {
    return lrt::Compare(b, condition, lrt::Reshape(b, v, Shape{1, count}),
                        lrt::Reshape(b, v, Shape{count, 1}));
  };
  const Value beaten =
      Elementwise(b, BuiltinOperator::LOGICAL_AND, pairs(BuiltinOperator::EQUAL, flat),
                  pairs(BuiltinOperator::GREATER, order));
  const Value any = lrt::Reduce(b, BuiltinOperator::REDUCE_ANY, beaten, {1}, false);
  return lrt::Unary(b, BuiltinOperator::LOGICAL_NOT, any);
}

// inputs with updates at the positions:
//   add:  inputs + SCATTER_ND(indices, updates)
//   none: SELECT(SCATTER_ND(indices, 1) > 0, SCATTER_ND(indices, updates), inputs), of updates of
//   one position the last
Argument ScatterUpdateOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "inputs");
  const Value indices = lrt::Cast(b, a.Tensor(1, "indices"), DType::kInt32);
  const Value updates = lrt::Cast(b, a.Tensor(2, "updates"), x.dtype());
  const std::string reduction = a.String(3, "reduction", "");
  if (!x.ok() || !indices.ok() || !updates.ok()) return Value();
  const int depth = indices.dim(-1).is_static() ? static_cast<int>(indices.dim(-1).value()) : -1;
  if (indices.rank() < 2 || depth < 1 || depth > x.rank()) {
    return b.Fail("scatter-update-1",
                  "indices must be [updates, axes], of at most the inputs' rank");
  }
  const Value shape = b.ShapeVector(x.shape());
  if (reduction == "add") {
    return Elementwise(b, BuiltinOperator::ADD, x,
                       lrt::ScatterNd(b, indices, updates, shape, x.shape()));
  }
  if (!reduction.empty()) {
    return b.Fail("scatter-update-2", fmt::format("the reduction '{}' is not supported", reduction),
                  "Use None or 'add'.");
  }
  // Two updates of one position would add up: only the last of them counts.
  Shape rows{1};
  Shape covered;
  for (int i = 0; i + 1 < indices.rank(); ++i) {
    rows.Set(0, b.symbols().Product(rows[0], indices.dim(i)));
  }
  Shape places{rows[0], depth};
  Shape values{rows[0]};
  Shape aligned;
  for (int i = 0; i < depth; ++i) covered.Append(x.dim(i));
  for (int i = depth; i < x.rank(); ++i) values.Append(x.dim(i));
  const Value at = lrt::Reshape(b, indices, places);
  Value written = lrt::Reshape(b, updates, values);
  if (!at.ok() || !written.ok()) return Value();
  Value counts;
  if (AreDistinct(at, depth)) {
    counts = BroadcastTo(b, b.Scalar(1, DType::kFloat32), rows);
  } else {
    const Value last = LastOfEachPosition(b, at, x, depth);
    counts = lrt::Cast(b, last, DType::kFloat32);
    Shape column{rows[0]};
    while (column.rank() < values.rank()) column.Append(1);
    written = Select(b, lrt::Reshape(b, last, column), written, FullLike(b, written, 0, x.dtype()));
  }
  Value hit = lrt::ScatterNd(b, at, counts, b.ShapeVector(covered), covered);
  hit = Elementwise(b, BuiltinOperator::GREATER, hit, b.Scalar(0, DType::kFloat32));
  aligned = covered;
  while (aligned.rank() < x.rank()) aligned.Append(1);
  return Select(b, lrt::Reshape(b, hit, aligned), lrt::ScatterNd(b, at, written, shape, x.shape()),
                x);
}

}  // namespace

Value GetItem(Builder& b, Value x, const Argument& key) {
  if (!x.ok()) return x;
  const std::vector<Argument> keys = key.is_list() ? key.items() : std::vector<Argument>{key};
  int named = 0;
  for (const Argument& k : keys) {
    if (!k.is_none() && k.kind() != Argument::Kind::kEllipsis) ++named;
  }
  if (named > x.rank()) {
    return b.Fail("get-item-4",
                  fmt::format("{} indices are given for a tensor of rank {}", named, x.rank()));
  }
  std::vector<AxisSlice> slices;
  std::vector<int> new_axes;  // positions in the result
  int kept = 0;
  auto keep_whole = [&] {
    slices.push_back({.size = x.dim(static_cast<int>(slices.size()))});
    ++kept;
  };
  bool seen_ellipsis = false;
  for (const Argument& k : keys) {
    const Dim size = x.dim(static_cast<int>(slices.size()));
    std::optional<AxisSlice> slice;
    switch (k.kind()) {
      case Argument::Kind::kNone:
        new_axes.push_back(kept++);
        continue;
      case Argument::Kind::kEllipsis:
        if (seen_ellipsis) return b.Fail("get-item-5", "more than one '...'");
        seen_ellipsis = true;
        for (int i = named; i < x.rank(); ++i) keep_whole();
        continue;
      case Argument::Kind::kInt: {
        const std::optional<int64_t> index = StaticInt(k);
        if (!index)
          return b.Fail("get-item-6", "an index depends on a dynamic size",
                        "Fix the axis's size: in the model's Input, or with --shape.");
        slice = IndexAxis(b, *index, size);
        break;
      }
      case Argument::Kind::kSlice: {
        std::optional<int64_t> bounds[3];
        const Argument& step = k.items()[2];
        auto is_size = [](const Argument& bound) {
          return bound.kind() == Argument::Kind::kInt && !bound.integer().is_static();
        };
        auto is_bound = [](const Argument& bound) {
          return bound.is_none() || bound.kind() == Argument::Kind::kInt;
        };
        if ((is_size(k.items()[0]) || is_size(k.items()[1])) && is_bound(k.items()[0]) &&
            is_bound(k.items()[1]) && (step.is_none() || StaticInt(step) == 1)) {
          slice = SliceAxisBySizes(b, k.items()[0], k.items()[1], size);
          break;
        }
        for (size_t i = 0; i < 3; ++i) {
          const Argument& bound = k.items()[i];
          bounds[i] = StaticInt(bound);
          if (!bounds[i] && !bound.is_none()) {
            return b.Fail("get-item-7", fmt::format("a slice's bound is {}", bound.ToString()),
                          "Use keras.ops.slice for starts that are tensors.");
          }
        }
        slice = SliceAxis(b, bounds[0], bounds[1], bounds[2].value_or(1), size);
        break;
      }
      default:
        return b.Fail("get-item-8", fmt::format("{} is no index", k.ToString()),
                      "Use keras.ops.take for indices that are tensors.");
    }
    if (!slice) return Value();
    if (!slice->removed) ++kept;
    slices.push_back(*slice);
  }
  while (static_cast<int>(slices.size()) < x.rank()) keep_whole();
  const Value y = EmitSlicesOfAnyRank(b, x, slices);
  Shape shape = y.shape();
  for (int axis : new_axes) shape.Insert(axis, 1);
  return y.ok() ? lrt::Reshape(b, y, shape) : y;
}

Value Take(Builder& b, Value x, Value indices, std::optional<int64_t> axis) {
  if (!x.ok() || !indices.ok()) return Value();
  if (!axis) {
    x = Ravel(b, x);
    axis = 0;
  }
  const std::optional<int> positive = NormalizeAxis(b, *axis, x.rank());
  if (!positive) return Value();
  indices = NonNegative(b, AsIndices(b, indices), x.dim(*positive));
  return lrt::Gather(b, x, indices, *positive);
}

// With the axis last and the others merged: GATHER of each row.
Value TakeAlongAxis(Builder& b, Value x, Value indices, std::optional<int64_t> axis) {
  if (!x.ok() || !indices.ok()) return Value();
  if (!axis) {
    x = Ravel(b, x);
    indices = Ravel(b, indices);
    axis = 0;
  }
  const std::optional<int> positive = NormalizeAxis(b, *axis, x.rank());
  if (!positive) return Value();
  if (x.rank() != indices.rank()) {
    return b.Fail("take-along-axis-1", "the indices have another rank than the tensor");
  }
  Shape common_x = x.shape();
  Shape common_indices = indices.shape();
  for (int i = 0; i < x.rank(); ++i) {
    if (i == *positive) continue;
    Shape size;
    if (!lrt::Broadcast(Shape{x.dim(i)}, Shape{indices.dim(i)}, &size)) {
      return b.Fail("take-along-axis-2", fmt::format("the indices do not fit in axis {}", i));
    }
    common_x.Set(i, size[0]);
    common_indices.Set(i, size[0]);
  }
  const LastAxis values(b, BroadcastTo(b, x, common_x), {*positive});
  indices = NonNegative(b, AsIndices(b, indices), x.dim(*positive));
  const LastAxis places(b, BroadcastTo(b, indices, common_indices), {*positive});
  auto rows = [&](Value v) {
    Dim count = 1;
    for (int i = 0; i + 1 < v.rank(); ++i) count = b.symbols().Product(count, v.dim(i));
    return lrt::Reshape(b, v, Shape{count, v.dim(-1)});
  };
  const Value taken = x.rank() == 1
                          ? lrt::Gather(b, values.value(), places.value(), 0)
                          : lrt::Gather(b, rows(values.value()), rows(places.value()), 1, 1);
  return places.Restore(lrt::Reshape(b, taken, places.value().shape()));
}

std::span<const OpEntry> IndexingOps() {
  static constexpr OpEntry kOps[] = {
      {"core.scatter", ScatterOp},
      {"core.scatter_update", ScatterUpdateOp},
      {"core.slice", SliceOp},
      {"core.slice_update", SliceUpdateOp},
      {"numpy.get_item", GetItemOp},
      {"numpy.take", TakeOp},
      {"numpy.take_along_axis", TakeAlongAxisOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
