#include "ops/reduction.h"

#include <limits>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using Axes = std::optional<std::vector<int>>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Value AsFloat(Builder& b, Value x) {
  return lrt::Cast(b, x, FloatResultType(x.dtype()));
}

// Sums and products of narrow integers are wide, as on all backends.
DType SumType(DType dtype) {
  switch (dtype) {
    case DType::kBool:
    case DType::kInt8:
    case DType::kInt16:
      return DType::kInt32;
    case DType::kUInt8:
    case DType::kUInt16:
      return DType::kUInt32;
    default:
      return dtype;
  }
}

// SUM and REDUCE_PROD. Of unsigned integers in int32: the same bits.
Value Accumulate(Builder& b, BuiltinOperator code, Value x, const Axes& axis, bool keepdims,
                 DType dtype) {
  if (!x.ok()) return x;
  const DType computed = dtype == DType::kUInt32 ? DType::kInt32 : dtype;
  return lrt::Cast(b, Reduce(b, code, lrt::Cast(b, x, computed), axis, keepdims), dtype);
}

Value Std(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Sqrt(b, Var(b, x, axis, keepdims));
}

template <BuiltinOperator kCode>
Value AnyOrAll(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Reduce(b, kCode, lrt::Cast(b, x, DType::kBool), axis, keepdims);
}

Value PeakToPeak(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Subtract(b, Max(b, x, axis, keepdims), Min(b, x, axis, keepdims));
}

Value NotNan(Builder& b, Value x) {
  return lrt::Compare(b, BuiltinOperator::EQUAL, x, x);
}

// x with another number in the place of NaN.
Value WithoutNan(Builder& b, Value x, double number) {
  if (!x.ok() || !ir::IsFloat(x.dtype())) return x;
  return Select(b, NotNan(b, x), x, b.Scalar(number, x.dtype()));
}

Value NanSum(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Sum(b, WithoutNan(b, x, 0), axis, keepdims);
}
Value NanProd(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Prod(b, WithoutNan(b, x, 1), axis, keepdims);
}

// How many numbers there are, as x's float.
Value CountNumbers(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Sum(b, lrt::Cast(b, NotNan(b, x), x.dtype()), axis, keepdims);
}

// NaN where there is no number at all.
template <BuiltinOperator kCode>
Value NanExtreme(Builder& b, Value x, const Axes& axis, bool keepdims) {
  if (!x.ok() || !ir::IsFloat(x.dtype())) return Reduce(b, kCode, x, axis, keepdims);
  const double neutral = kCode == BuiltinOperator::REDUCE_MAX ? -kInfinity : kInfinity;
  const Value extreme = Reduce(b, kCode, WithoutNan(b, x, neutral), axis, keepdims);
  const Value any = Reduce(b, BuiltinOperator::REDUCE_ANY, NotNan(b, x), axis, keepdims);
  return Select(b, any, extreme, b.Scalar(std::numeric_limits<double>::quiet_NaN(), x.dtype()));
}

Value NanMean(Builder& b, Value x, const Axes& axis, bool keepdims) {
  x = AsFloat(b, x);
  return lrt::Div(b, NanSum(b, x, axis, keepdims), CountNumbers(b, x, axis, keepdims));
}
Value NanVar(Builder& b, Value x, const Axes& axis, bool keepdims) {
  x = AsFloat(b, x);
  const Value squares =
      Elementwise(b, BuiltinOperator::SQUARED_DIFFERENCE, x, NanMean(b, x, axis, true));
  return NanMean(b, squares, axis, keepdims);
}
Value NanStd(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Sqrt(b, NanVar(b, x, axis, keepdims));
}

// ---- By name ----

template <Value (*kFunction)(Builder&, Value, const Axes&, bool)>
Argument ReduceOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Axes axis = a.Ints(1, "axis");
  return kFunction(b, x, axis, a.Bool(2, "keepdims", false));
}

// max and min: not below (above) `initial`.
template <BuiltinOperator kCode>
Argument ExtremeOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Axes axis = a.Ints(1, "axis");
  const Value extreme = Reduce(b, kCode, x, axis, a.Bool(2, "keepdims", false));
  if (!a.Has(3, "initial")) return extreme;
  const Value initial = a.Number(3, "initial").As(b, extreme.dtype());
  return kCode == BuiltinOperator::REDUCE_MAX ? Maximum(b, extreme, initial)
                                              : Minimum(b, extreme, initial);
}

Argument ProdOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Axes axis = a.Ints(1, "axis");
  const bool keepdims = a.Bool(2, "keepdims", false);
  const std::optional<DType> dtype = a.DTypeName(3, "dtype");
  return Accumulate(b, BuiltinOperator::REDUCE_PROD, x, axis, keepdims,
                    dtype.value_or(SumType(x.dtype())));
}

// The index of the extreme along one axis, or in the raveled tensor; of equals the first.
Argument Arg(Builder& b, BuiltinOperator code, Value x, std::optional<int64_t> axis,
             bool keepdims) {
  if (!x.ok()) return x;
  const int rank = x.rank();
  if (x.dtype() == DType::kBool) x = lrt::Cast(b, x, DType::kInt32);
  if (!axis) {
    const Value index = lrt::ArgReduce(b, code, Ravel(b, x), 0);
    if (!keepdims) return index;
    return lrt::Reshape(b, index, Shape(std::vector<Dim>(static_cast<size_t>(rank), Dim(1))));
  }
  const std::optional<int> positive = NormalizeAxis(b, *axis, rank);
  if (!positive) return Value();
  const Value index = lrt::ArgReduce(b, code, x, *positive);
  return keepdims ? lrt::ExpandDims(b, index, *positive) : index;
}

template <BuiltinOperator kCode>
Argument ArgOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const std::optional<int64_t> axis = a.OptionalInt(1, "axis");
  return Arg(b, kCode, x, axis, a.Bool(2, "keepdims", false));
}

template <BuiltinOperator kCode>
Argument NanArgOp(Builder& b, Arguments& a) {
  const double neutral = kCode == BuiltinOperator::ARG_MAX ? -kInfinity : kInfinity;
  const Value x = WithoutNan(b, a.Tensor(0, "x"), neutral);
  const std::optional<int64_t> axis = a.OptionalInt(1, "axis");
  return Arg(b, kCode, x, axis, a.Bool(2, "keepdims", false));
}

Argument CountNonzeroOp(Builder& b, Arguments& a) {
  const Value x = lrt::Cast(b, a.Tensor(0, "x"), DType::kBool);
  return Sum(b, x, a.Ints(1, "axis"));
}

// sum(x·w) / sum(w); 1-D weights lie along the axis.
Argument AverageOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const Axes axis = a.Ints(1, "axis");
  if (!a.Has(2, "weights")) return Mean(b, x, axis);
  Value weights = a.Tensor(2, "weights");
  if (!x.ok() || !weights.ok()) return Value();
  const DType dtype = FloatResultType(ResultType({Operand(x), Operand(weights)}));
  x = lrt::Cast(b, x, dtype);
  weights = lrt::Cast(b, weights, dtype);
  if (weights.rank() != x.rank()) {
    const std::optional<std::vector<int>> axes = NormalizeAxes(b, axis, x.rank());
    if (!axes) return Value();
    if (weights.rank() != 1 || axes->size() != 1) {
      return b.Fail("average-1", "weights of another rank than x must be 1-D, along one axis");
    }
    Shape along(std::vector<Dim>(static_cast<size_t>(x.rank()), Dim(1)));
    along.Set((*axes)[0], weights.dim(0));
    weights = lrt::Reshape(b, weights, along);
  }
  weights = Add(b, weights, lrt::Unary(b, BuiltinOperator::ZEROS_LIKE, x));
  return lrt::Div(b, Sum(b, lrt::Mul(b, x, weights), axis), Sum(b, weights, axis));
}

}  // namespace

Value Reduce(Builder& b, BuiltinOperator code, Value x, const Axes& axis, bool keepdims) {
  if (!x.ok()) return x;
  if (x.dtype() == DType::kBool) {
    if (code == BuiltinOperator::REDUCE_MAX) code = BuiltinOperator::REDUCE_ANY;
    if (code == BuiltinOperator::REDUCE_MIN) code = BuiltinOperator::REDUCE_ALL;
  }
  const Axes axes = NormalizeAxes(b, axis, x.rank());
  if (!axes) return Value();
  return axes->empty() ? x : lrt::Reduce(b, code, x, *axes, keepdims);
}

Value Mean(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Reduce(b, BuiltinOperator::MEAN, AsFloat(b, x), axis, keepdims);
}

Value Sum(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Accumulate(b, BuiltinOperator::SUM, x, axis, keepdims, SumType(x.dtype()));
}

Value Prod(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Accumulate(b, BuiltinOperator::REDUCE_PROD, x, axis, keepdims, SumType(x.dtype()));
}

Value Max(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Reduce(b, BuiltinOperator::REDUCE_MAX, x, axis, keepdims);
}

Value Min(Builder& b, Value x, const Axes& axis, bool keepdims) {
  return Reduce(b, BuiltinOperator::REDUCE_MIN, x, axis, keepdims);
}

// mean((x - mean(x))²)
Value Var(Builder& b, Value x, const Axes& axis, bool keepdims) {
  x = AsFloat(b, x);
  const Value squares =
      Elementwise(b, BuiltinOperator::SQUARED_DIFFERENCE, x, Mean(b, x, axis, true));
  return Mean(b, squares, axis, keepdims);
}

// log(sum(exp(x - m))) + m with m = max(x), or 0 where that is infinite.
Value LogSumExp(Builder& b, Value x, const Axes& axis, bool keepdims) {
  x = AsFloat(b, x);
  if (!x.ok()) return x;
  Value m = Max(b, x, axis, true);
  const Value finite = Elementwise(b, BuiltinOperator::LESS, lrt::Unary(b, BuiltinOperator::ABS, m),
                                   b.Scalar(kInfinity, x.dtype()));
  m = Select(b, finite, m, b.Scalar(0, x.dtype()));
  const Value sum = Sum(b, Exp(b, Subtract(b, x, m)), axis, keepdims);
  return lrt::Add(b, Log(b, sum), keepdims ? m : lrt::Reshape(b, m, sum.shape()));
}

std::span<const OpEntry> ReductionOps() {
  static constexpr OpEntry kOps[] = {
      {"math.logsumexp", ReduceOp<LogSumExp>},
      {"numpy.all", ReduceOp<AnyOrAll<BuiltinOperator::REDUCE_ALL>>},
      {"numpy.amax", ReduceOp<Max>},
      {"numpy.amin", ReduceOp<Min>},
      {"numpy.any", ReduceOp<AnyOrAll<BuiltinOperator::REDUCE_ANY>>},
      {"numpy.argmax", ArgOp<BuiltinOperator::ARG_MAX>},
      {"numpy.argmin", ArgOp<BuiltinOperator::ARG_MIN>},
      {"numpy.average", AverageOp},
      {"numpy.count_nonzero", CountNonzeroOp},
      {"numpy.max", ExtremeOp<BuiltinOperator::REDUCE_MAX>},
      {"numpy.mean", ReduceOp<Mean>},
      {"numpy.min", ExtremeOp<BuiltinOperator::REDUCE_MIN>},
      {"numpy.nanargmax", NanArgOp<BuiltinOperator::ARG_MAX>},
      {"numpy.nanargmin", NanArgOp<BuiltinOperator::ARG_MIN>},
      {"numpy.nanmax", ReduceOp<NanExtreme<BuiltinOperator::REDUCE_MAX>>},
      {"numpy.nanmean", ReduceOp<NanMean>},
      {"numpy.nanmin", ReduceOp<NanExtreme<BuiltinOperator::REDUCE_MIN>>},
      {"numpy.nanprod", ReduceOp<NanProd>},
      {"numpy.nanstd", ReduceOp<NanStd>},
      {"numpy.nansum", ReduceOp<NanSum>},
      {"numpy.nanvar", ReduceOp<NanVar>},
      {"numpy.prod", ProdOp},
      {"numpy.ptp", ReduceOp<PeakToPeak>},
      {"numpy.std", ReduceOp<Std>},
      {"numpy.sum", ReduceOp<Sum>},
      {"numpy.var", ReduceOp<Var>},
  };
  return kOps;
}

}  // namespace keras_litert::ops
