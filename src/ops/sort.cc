#include "ops/sort.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/indexing.h"
#include "ops/reduction.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using Axes = std::optional<std::vector<int>>;

Sorted TopK(Builder& b, Value x, Dim k) {
  Shape shape = x.shape();
  if (!x.ok() || shape.rank() == 0) return {};
  shape.Set(-1, k);
  const std::vector<Value> both = b.EmitMany(BuiltinOperator::TOPK_V2, {x, b.SizeOf(k)},
                                             {{x.dtype(), shape}, {DType::kInt32, shape}}, 2);
  return {both[0], both[1]};
}

template <bool kIndices>
Argument SortOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const bool ravel = a.IsNone(1, "axis");
  int64_t axis = a.Int(1, "axis", -1);
  if (!x.ok()) return x;
  if (ravel) {
    x = Ravel(b, x);
    axis = 0;
  }
  const std::optional<int> positive = NormalizeAxis(b, axis, x.rank());
  if (!positive) return Value();
  const LastAxis last(b, x, {*positive});
  const Sorted sorted = SortLast(b, last.value(), false);
  return last.Restore(kIndices ? sorted.indices : sorted.values);
}

// All in order, which is one of the partitions.
Argument ArgPartitionOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const int64_t kth = a.Int(1, "kth");
  const std::optional<int64_t> axis =
      a.IsNone(2, "axis") ? a.OptionalInt(2, "axis") : std::optional(a.Int(2, "axis", -1));
  if (!x.ok()) return x;
  if (!axis) x = Ravel(b, x);
  const std::optional<int> positive = NormalizeAxis(b, axis.value_or(0), x.rank());
  if (!positive) return Value();
  const Dim size = x.dim(*positive);
  if (size.is_static() && (kth >= size.value() || kth < -size.value())) {
    return b.Fail("argpartition-1",
                  fmt::format("the element {} of an axis of {}", kth, x.shape().ToString()));
  }
  const LastAxis last(b, x, {*positive});
  return last.Restore(SortLast(b, last.value(), false).indices);
}

Argument TopKOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const int64_t k = a.Int(1, "k");
  a.Bool(2, "sorted", true);
  if (!x.ok()) return x;
  const Dim size = x.dim(-1);
  if (x.rank() < 1 || k < 1 || k > INT32_MAX || (size.is_static() && k > size.value())) {
    return b.Fail("top-k-1",
                  fmt::format("the {} largest of an axis of {}", k, x.shape().ToString()));
  }
  const Sorted top = TopK(b, x, k);
  return Argument::List({top.values, top.indices});
}

// The target's prediction is not below the k-th largest.
Argument InTopKOp(Builder& b, Arguments& a) {
  const Value targets = a.Tensor(0, "targets");
  const Value predictions = a.Tensor(1, "predictions");
  const int64_t k = a.Int(2, "k");
  if (!targets.ok() || !predictions.ok()) return Value();
  const Dim classes = predictions.dim(-1);
  if (predictions.rank() != 2 || targets.rank() != 1 || k < 1 ||
      (classes.is_static() && k > classes.value())) {
    return b.Fail("in-top-k-1",
                  "targets must be [batch], predictions [batch, classes], k at most classes");
  }
  const Value least = Range(b, TopK(b, predictions, k).values, 1, k - 1, k);
  const Value rows =
      lrt::Reshape(b, lrt::Cast(b, targets, DType::kInt32), Shape{targets.dim(0), 1});
  const Value own = lrt::Gather(b, predictions, rows, 1, 1);
  return lrt::Reshape(b, Elementwise(b, BuiltinOperator::GREATER_EQUAL, own, least),
                      targets.shape());
}

// ---- Order statistics ----

// How a quantile between two elements comes of them.
enum class Between { kLinear, kLower, kHigher, kNearest, kMidpoint };

std::optional<Between> ReadMethod(Builder& b, const std::string& method) {
  constexpr std::pair<std::string_view, Between> kMethods[] = {{"linear", Between::kLinear},
                                                               {"lower", Between::kLower},
                                                               {"higher", Between::kHigher},
                                                               {"nearest", Between::kNearest},
                                                               {"midpoint", Between::kMidpoint}};
  for (const auto& [name, between] : kMethods) {
    if (name == method) return between;
  }
  b.Fail("quantile-1", fmt::format("the method '{}' is not known", method));
  return std::nullopt;
}

// The q-quantiles of x over the axes, each 0 ≤ q ≤ 1, stacked along a new first axis.
std::vector<Value> Quantiles(Builder& b, Value x, const std::vector<double>& qs, const Axes& axis,
                             Between between, bool keepdims) {
  if (!x.ok()) return {};
  x = lrt::Cast(b, x, FloatResultType(x.dtype()));
  const Axes axes = NormalizeAxes(b, axis, x.rank());
  if (!axes) return {};
  const LastAxis last(b, x, *axes);
  const Dim size = last.value().dim(-1);
  if (!size.is_static() || size.value() < 1) {
    b.Fail("quantile-2", "the quantile over an axis of dynamic size is not supported",
           "Fix the axis's size: in the model's Input, or with --shape.");
    return {};
  }
  const Value sorted = SortLast(b, last.value(), false).values;
  const int at = sorted.rank() - 1;
  Shape reduced = sorted.shape();
  if (sorted.ok()) reduced.Erase(at);
  auto element = [&](double index) {
    const auto i = static_cast<int64_t>(index);
    return lrt::Reshape(b, Range(b, sorted, at, i, i + 1), reduced);
  };
  std::vector<Value> results;
  for (double q : qs) {
    const double place = q * static_cast<double>(size.value() - 1);
    const double low = std::floor(place);
    const double high = std::ceil(place);
    const double fraction = between == Between::kLower      ? 0
                            : between == Between::kHigher   ? 1
                            : between == Between::kMidpoint ? 0.5
                            : between == Between::kNearest  ? std::nearbyint(place) - low
                                                            : place - low;
    Value y;
    if (low == high || fraction == 0) {
      y = element(low);
    } else if (fraction == 1) {
      y = element(high);
    } else {
      y = Add(b, Multiply(b, element(low), 1 - fraction), Multiply(b, element(high), fraction));
    }
    results.push_back(last.Reduced(y, keepdims));
  }
  return results;
}

Argument MedianOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Axes axis = a.Ints(1, "axis");
  const std::vector<Value> median =
      Quantiles(b, x, {0.5}, axis, Between::kLinear, a.Bool(2, "keepdims", false));
  return median.empty() ? Value() : median[0];
}

// The same without the NaN: they are sorted to the end as infinities, and each row counts its own.
std::vector<Value> NanQuantiles(Builder& b, Value x, const std::vector<double>& qs,
                                const Axes& axis, Between between, bool keepdims) {
  if (!x.ok()) return {};
  x = lrt::Cast(b, x, FloatResultType(x.dtype()));
  const DType dtype = x.dtype();
  const Axes axes = NormalizeAxes(b, axis, x.rank());
  if (!axes) return {};
  const LastAxis last(b, x, *axes);
  const Value own = last.value();
  const Value valid = lrt::Compare(b, BuiltinOperator::EQUAL, own, own);
  const Value infinity = b.Scalar(std::numeric_limits<double>::infinity(), dtype);
  const Value sorted = SortLast(b, Select(b, valid, own, infinity), false).values;
  if (!sorted.ok()) return {};
  const std::vector<int> row{sorted.rank() - 1};
  const Value count = Sum(b, lrt::Cast(b, valid, dtype), row, true);
  const Value end = Maximum(b, Subtract(b, count, 1.0), 0.0);
  const Value none = Elementwise(b, BuiltinOperator::EQUAL, count, b.Scalar(0, dtype));
  const Value nan = b.Scalar(std::numeric_limits<double>::quiet_NaN(), dtype);
  auto element = [&](Value index) {
    return TakeAlongAxis(b, sorted, lrt::Cast(b, index, DType::kInt32), -1);
  };
  std::vector<Value> results;
  for (double q : qs) {
    const Value place = Multiply(b, end, q);
    const Value low = lrt::Unary(b, BuiltinOperator::FLOOR, place);
    const Value high = lrt::Unary(b, BuiltinOperator::CEIL, place);
    Value y;
    if (between == Between::kLower) {
      y = element(low);
    } else if (between == Between::kHigher) {
      y = element(high);
    } else if (between == Between::kNearest) {
      y = element(lrt::Unary(b, BuiltinOperator::ROUND, place));
    } else {
      const Value fraction = between == Between::kMidpoint
                                 ? Multiply(b, lrt::Sub(b, high, low), 0.5)
                                 : lrt::Sub(b, place, low);
      y = lrt::Add(b, lrt::Mul(b, element(low), Subtract(b, 1.0, fraction)),
                   lrt::Mul(b, element(high), fraction));
    }
    y = Select(b, none, nan, y);
    Shape reduced = y.shape();
    if (!y.ok()) return {};
    reduced.Erase(reduced.rank() - 1);
    results.push_back(last.Reduced(lrt::Reshape(b, y, reduced), keepdims));
  }
  return results;
}
Argument NanMedianOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Axes axis = a.Ints(1, "axis");
  const std::vector<Value> median =
      NanQuantiles(b, x, {0.5}, axis, Between::kLinear, a.Bool(2, "keepdims", false));
  return median.empty() ? Value() : median[0];
}

// q: a number, or a list, whose quantiles lie along a new first axis.
Argument QuantilesOp(Builder& b, Arguments& a, double unit, bool skip_nan = false) {
  const Value x = a.Tensor(0, "x");
  const Value q = a.Tensor(1, "q");
  const Axes axis = a.Ints(2, "axis");
  const std::optional<Between> between = ReadMethod(b, a.String(3, "method", "linear"));
  const bool keepdims = a.Bool(4, "keepdims", false);
  if (!x.ok() || !q.ok() || !between) return Value();
  if (!q.is_constant() || q.rank() > 1) {
    return b.Fail("quantile-3", "q must be a number or a list of numbers");
  }
  auto numbers = ir::EvaluateAs<double>(q.constant());
  if (!numbers || numbers->empty()) return b.Fail("quantile-3", "q must be a list of numbers");
  for (double& number : *numbers) {
    number /= unit;
    if (!(number >= 0 && number <= 1)) return b.Fail("quantile-4", "q is outside its range");
  }
  const std::vector<Value> results = skip_nan
                                         ? NanQuantiles(b, x, *numbers, axis, *between, keepdims)
                                         : Quantiles(b, x, *numbers, axis, *between, keepdims);
  if (results.empty()) return Value();
  return q.rank() == 0 ? results[0] : lrt::Pack(b, results, 0);
}
// Keras 3.15's Quantile operation forgets its method: in a graph it computes 'linear' whatever was
// asked for.
Argument QuantileOp(Builder& b, Arguments& a) {
  if (a.String(3, "method", "linear") != "linear") {
    return b.Fail("quantile-5",
                  "quantile: Keras computes other methods than 'linear' in some calls only",
                  "Use keras.ops.percentile with the method.");
  }
  return QuantilesOp(b, a, 1);
}
Argument PercentileOp(Builder& b, Arguments& a) {
  return QuantilesOp(b, a, 100);
}

template <int kUnit>
Argument NanQuantilesOp(Builder& b, Arguments& a) {
  return QuantilesOp(b, a, kUnit, true);
}

// How many of the sorted bins are below x (or equal to it): the place to insert x.
Value CountBelow(Builder& b, Value x, Value bins, BuiltinOperator condition) {
  if (!x.ok() || !bins.ok()) return Value();
  if (bins.rank() != 1) return b.Fail("search-1", "the sorted values must be 1-D");
  const DType dtype = ResultType({Operand(x), Operand(bins)});
  Shape column = x.shape();
  column.Append(1);
  const Value below = Elementwise(b, condition, lrt::Cast(b, bins, dtype),
                                  lrt::Reshape(b, lrt::Cast(b, x, dtype), column));
  return Sum(b, below, std::vector<int>{-1});
}
Argument DigitizeOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return CountBelow(b, x, a.Tensor(1, "bins"), BuiltinOperator::LESS_EQUAL);
}
Argument SearchSortedOp(Builder& b, Arguments& a) {
  const Value sorted = a.Tensor(0, "sorted_sequence");
  const Value values = a.Tensor(1, "values");
  const std::string side = a.String(2, "side", "left");
  if (side != "left" && side != "right") {
    return b.Fail("search-2", fmt::format("side is '{}'", side));
  }
  return CountBelow(b, values, sorted,
                    side == "left" ? BuiltinOperator::LESS : BuiltinOperator::LESS_EQUAL);
}

}  // namespace

// Ascending: the largest of the negated elements first; integers negate as -1 - x, which does not
// overflow.
Sorted SortLast(Builder& b, Value x, bool descending) {
  if (!x.ok()) return {};
  if (descending) return TopK(b, x, x.dim(-1));
  const DType dtype = x.dtype();
  auto negate = [&](Value v) {
    return ir::IsFloat(v.dtype())
               ? lrt::Unary(b, BuiltinOperator::NEG, v)
               : Elementwise(b, BuiltinOperator::SUB, b.Scalar(-1, v.dtype()), v);
  };
  if (dtype == DType::kBool || dtype == DType::kUInt8 || dtype == DType::kUInt16) {
    x = lrt::Cast(b, x, DType::kInt32);
  }
  const Sorted sorted = TopK(b, negate(x), x.dim(-1));
  return {lrt::Cast(b, negate(sorted.values), dtype), sorted.indices};
}

std::span<const OpEntry> SortOps() {
  static constexpr OpEntry kOps[] = {
      {"math.in_top_k", InTopKOp},
      {"math.top_k", TopKOp},
      {"numpy.argpartition", ArgPartitionOp},
      {"numpy.argsort", SortOp<true>},
      {"numpy.digitize", DigitizeOp},
      {"numpy.median", MedianOp},
      {"numpy.nanmedian", NanMedianOp},
      {"numpy.nanpercentile", NanQuantilesOp<100>},
      {"numpy.nanquantile", NanQuantilesOp<1>},
      {"numpy.percentile", PercentileOp},
      {"numpy.quantile", QuantileOp},
      {"numpy.search_sorted", SearchSortedOp},
      {"numpy.searchsorted", SearchSortedOp},
      {"numpy.sort", SortOp<false>},
  };
  return kOps;
}

}  // namespace keras_litert::ops
