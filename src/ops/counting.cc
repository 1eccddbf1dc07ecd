// keras.ops: what counts elements, or finds them: some results have sizes that only a run tells.
#include <fmt/core.h>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/indexing.h"
#include "ops/reduction.h"
#include "ops/shape.h"
#include "ops/sort.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

Value Int(Builder& b, int64_t value) {
  return b.Scalar(static_cast<double>(value), DType::kInt32);
}

// WHERE: the places of true, int32 [count, rank] with a count that is known at run time.
Value Places(Builder& b, Value condition) {
  if (!condition.ok()) return condition;
  const Shape shape{b.symbols().NewOpaque(), condition.rank()};
  const Value places = b.Emit(BuiltinOperator::WHERE, {condition}, {DType::kInt64, shape});
  return lrt::Cast(b, places, DType::kInt32);
}

Argument NonzeroOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  if (!x.ok()) return x;
  if (x.rank() < 1) return b.Fail("nonzero-1", "nonzero of a scalar");
  const Value condition = x.dtype() == DType::kBool ? x
                                                    : Elementwise(b, BuiltinOperator::NOT_EQUAL, x,
                                                                  b.Scalar(0, x.dtype()));
  const Value places = Places(b, condition);
  std::vector<Argument> axes;
  for (int i = 0; i < x.rank(); ++i) {
    axes.emplace_back(lrt::Reshape(b, Range(b, places, 1, i, i + 1), Shape{places.dim(0)}));
  }
  return Argument::List(std::move(axes));
}

// The sum of one-hot vectors, as long as the largest number asks for.
Argument BincountOp(Builder& b, Arguments& a) {
  const Value numbers = a.Tensor(0, "x");
  const Value x = lrt::Cast(b, numbers, DType::kInt32);
  const bool weighted = a.Has(1, "weights");
  const Value weights = weighted ? a.Tensor(1, "weights") : a.OptionalTensor(1, "weights");
  const int64_t least = a.Int(2, "minlength", 0);
  if (a.Bool(3, "sparse", false)) {
    return b.Fail("bincount-1", "LiteRT has dense tensors only", "Use sparse=False.");
  }
  if (!x.ok() || (weighted && !weights.ok())) return Value();
  if (x.rank() < 1 || x.rank() > 2 || least < 0 || least > INT32_MAX) {
    return b.Fail("bincount-2", fmt::format("bincount of {}", x.shape().ToString()));
  }
  const Value largest = lrt::Reduce(b, BuiltinOperator::REDUCE_MAX, Ravel(b, x), {0}, false);
  const Value depth = lrt::Maximum(b, lrt::Add(b, largest, Int(b, 1)), Int(b, least));
  const DType dtype = weighted ? ResultType({Operand(numbers), Operand(weights)}) : DType::kInt32;
  Shape shape = x.shape();
  shape.Append(b.symbols().NewOpaque());
  tflite::OneHotOptionsT options;
  options.axis = -1;
  Value hot = b.Emit(BuiltinOperator::ONE_HOT, std::move(options),
                     {x, depth, b.Scalar(1, dtype), b.Scalar(0, dtype)}, {dtype, shape});
  if (weighted) {
    const Value factor = lrt::Cast(b, weights, dtype);
    hot = Elementwise(b, BuiltinOperator::MUL, hot, lrt::ExpandDims(b, factor, factor.rank()));
  }
  return lrt::Reduce(b, BuiltinOperator::SUM, hot, {x.rank() - 1}, false);
}

// Elements from each edge on, less those from the next on; the last bin has both of its edges.
Argument HistogramOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const int64_t bins = a.Int(1, "bins", 10);
  const Argument& range = a.Get(2, "range");
  if (!x.ok()) return x;
  if (x.rank() != 1 || bins < 1 || bins > (1 << 16)) {
    return b.Fail("histogram-1",
                  fmt::format("histogram of {} in {} bins", x.shape().ToString(), bins));
  }
  x = lrt::Cast(b, x, FloatResultType(x.dtype()));
  Value low;
  Value high;
  if (range.is_list()) {
    if (range.items().size() != 2 || !range.items()[0].is_number() ||
        !range.items()[1].is_number()) {
      return b.Fail("histogram-2", "histogram: range must be two numbers");
    }
    low = b.Scalar(range.items()[0].number(), x.dtype());
    high = b.Scalar(range.items()[1].number(), x.dtype());
  } else {
    low = Min(b, x, std::nullopt);
    high = Max(b, x, std::nullopt);
  }
  // Of one number only: a bin of width 1 around it.
  const Value flat = Elementwise(b, BuiltinOperator::EQUAL, low, high);
  const Value half = Multiply(b, lrt::Cast(b, flat, x.dtype()), 0.5);
  low = lrt::Sub(b, low, half);
  high = lrt::Add(b, high, half);
  std::vector<float> fractions;
  for (int64_t i = 0; i < bins; ++i) {
    fractions.push_back(static_cast<float>(static_cast<double>(i) / static_cast<double>(bins)));
  }
  const Value steps = lrt::Cast(b, b.Constant(DType::kFloat32, Shape{bins}, fractions), x.dtype());
  const Value edges = lrt::Add(b, low, lrt::Mul(b, lrt::Sub(b, high, low), steps));
  const Value row = lrt::Reshape(b, x, {1, x.dim(0)});
  auto count = [&](BuiltinOperator condition, Value edge, int64_t n) {
    const Value holds = Elementwise(b, condition, row, lrt::Reshape(b, edge, {n, 1}));
    return Sum(b, lrt::Cast(b, holds, DType::kInt32), std::vector<int>{1});
  };
  const Value from = count(BuiltinOperator::GREATER_EQUAL, edges, bins);
  const Value last = count(BuiltinOperator::GREATER, high, 1);
  if (!from.ok() || !last.ok()) return Value();
  const Value next =
      bins == 1 ? last : lrt::Concatenation(b, {Range(b, from, 0, 1, bins), last}, 0);
  return Argument::List({lrt::Sub(b, from, next),
                         lrt::Concatenation(b, {edges, lrt::Reshape(b, high, Shape{1})}, 0)});
}

// Of the sorted elements those that differ from the one before.
Argument UniqueOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  a.Bool(1, "sorted", true);
  const bool with_index = a.Bool(2, "return_index", false);
  const bool with_inverse = a.Bool(3, "return_inverse", false);
  const bool with_counts = a.Bool(4, "return_counts", false);
  const std::optional<int64_t> axis = a.OptionalInt(5, "axis");
  const std::optional<int64_t> size = a.OptionalInt(6, "size");
  const double fill_value = a.Has(7, "fill_value") ? a.Float(7, "fill_value", 0) : 0;
  a.Get(7, "fill_value");
  if (!x.ok()) return x;
  if (axis && !(x.rank() == 1 && (*axis == 0 || *axis == -1))) {
    return b.Fail("unique-1", "unique: rows or columns are not compared, elements are",
                  "Use axis=None.");
  }
  if (size && (*size < 1 || *size > INT32_MAX)) {
    return b.Fail("unique-2", fmt::format("unique: size = {}", *size));
  }
  const Value flat = Ravel(b, x);
  const Dim n = flat.dim(0);
  if (n.is_static() && n.value() < 1) return b.Fail("unique-3", "unique of nothing");
  const Sorted sorted = SortLast(b, flat, false);
  const Value first = b.Constant(DType::kBool, Shape{1}, std::vector<uint8_t>{1});
  Value is_new = first;
  if (n != Dim(1)) {
    const Value differs =
        Elementwise(b, BuiltinOperator::NOT_EQUAL, Crop(b, sorted.values, {{1, 0}}),
                    Crop(b, sorted.values, {{0, 1}}));
    is_new = lrt::Concatenation(b, {first, differs}, 0);
  }
  const Value found = Places(b, is_new);
  if (!found.ok()) return found;
  const Value places = lrt::Reshape(b, found, Shape{found.dim(0)});
  // To the size that was asked for: cut, or filled.
  auto sized = [&](Value v, double fill) {
    if (!size) return v;
    const Value filling = lrt::Fill(b, Shape{*size}, b.Scalar(fill, v.dtype()));
    return Range(b, lrt::Concatenation(b, {v, filling}, 0), 0, 0, *size);
  };
  std::vector<Argument> results{sized(lrt::Gather(b, sorted.values, places, 0), fill_value)};
  if (with_index) results.emplace_back(sized(lrt::Gather(b, sorted.indices, places, 0), 1));
  if (with_inverse) {
    const Value number = Subtract(b, lrt::Cumsum(b, lrt::Cast(b, is_new, DType::kInt32), 0), 1);
    const Value inverse = lrt::ScatterNd(b, lrt::Reshape(b, sorted.indices, {n, 1}), number,
                                         b.ShapeVector(Shape{n}), Shape{n});
    results.emplace_back(lrt::Reshape(b, inverse, x.shape()));
  }
  if (with_counts) {
    const Value end = lrt::Reshape(b, b.SizeOf(n), Shape{1});
    const Value next = lrt::Concatenation(b, {Crop(b, places, {{1, 0}}), end}, 0);
    results.emplace_back(sized(Elementwise(b, BuiltinOperator::SUB, next, places), 0));
  }
  if (results.size() == 1) return results[0];
  return Argument::List(std::move(results));
}

// ---- Connectionist temporal classification ----

// The best class of each step; repeated ones and blanks left out, the others moved to the front.
Argument CtcDecodeOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "inputs");
  const Value lengths = lrt::Cast(b, a.Tensor(1, "sequence_lengths"), DType::kInt32);
  const std::string strategy = a.String(2, "strategy", "greedy");
  a.Int(3, "beam_width", 100);
  a.Int(4, "top_paths", 1);
  const bool merge = a.Bool(5, "merge_repeated", true);
  const bool no_mask = a.IsNone(6, "mask_index");
  const int64_t given = a.OptionalInt(6, "mask_index").value_or(0);
  if (!x.ok() || !lengths.ok()) return Value();
  if (strategy != "greedy") {
    return b.Fail("ctc-1", fmt::format("ctc_decode: the strategy '{}' is not supported", strategy),
                  "Use strategy='greedy', or search outside of the model.");
  }
  if (x.rank() != 3 || !x.dim(1).is_static() || x.dim(1).value() < 2 || !x.dim(2).is_static() ||
      lengths.rank() != 1) {
    return b.Fail("ctc-2", fmt::format("ctc_decode: inputs {} must be [batch, steps, classes] of "
                                       "static steps and classes, lengths [batch]",
                                       x.shape().ToString()));
  }
  if (!ir::IsFloat(x.dtype())) x = lrt::Cast(b, x, kFloatX);
  const Dim batch = x.dim(0);
  const int64_t steps = x.dim(1).value();
  const Value blank = Int(b, no_mask ? x.dim(2).value() - 1 : given);
  std::vector<int32_t> numbers;
  for (int64_t i = 0; i < steps; ++i) numbers.push_back(static_cast<int32_t>(i));
  const Value place = lrt::Reshape(b, b.Vector(numbers), {1, steps});
  const Value beyond = Elementwise(b, BuiltinOperator::GREATER_EQUAL, place,
                                   lrt::Reshape(b, lengths, {lengths.dim(0), 1}));
  Value best = lrt::ArgReduce(b, BuiltinOperator::ARG_MAX, x, 2);
  best = Select(b, beyond, blank, best);
  const Value score = lrt::Reduce(b, BuiltinOperator::REDUCE_MAX, x, {2}, false);
  const Value kept = Select(b, beyond, b.Scalar(0, x.dtype()), score);
  if (merge) {
    // -1 is before the first.
    const Value before = lrt::PadV2(b, Range(b, best, 1, 0, steps - 1), {{}, {1, 0}}, Int(b, -1));
    best = Select(b, Elementwise(b, BuiltinOperator::EQUAL, best, before), blank, best);
  }
  const Value is_blank = Elementwise(b, BuiltinOperator::EQUAL, best, blank);
  best = Select(b, is_blank, Int(b, -1), best);
  const Value order = Select(b, is_blank, Int(b, steps), place);
  const Sorted sorted = SortLast(b, BroadcastTo(b, order, {batch, steps}), false);
  const Value paths = TakeAlongAxis(b, best, sorted.indices, 1);
  return Argument::List(
      {lrt::ExpandDims(b, paths, 0),
       lrt::Unary(b, BuiltinOperator::NEG, Sum(b, kept, std::vector<int>{1}, true))});
}

}  // namespace

std::span<const OpEntry> CountingOps() {
  static constexpr OpEntry kOps[] = {
      {"nn.ctc_decode", CtcDecodeOp},   {"numpy.bincount", BincountOp},
      {"numpy.histogram", HistogramOp}, {"numpy.nonzero", NonzeroOp},
      {"numpy.unique", UniqueOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
