// keras.ops: running sums, products and differences along an axis; sums by segment.
#include <fmt/core.h>

#include <limits>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/reduction.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// What a running sum or product has in common: an axis, or none for the raveled tensor; a dtype.
struct Scanned {
  Value x;
  int axis = 0;
  bool ok() const { return x.ok(); }
};
Scanned ReadScan(Builder& b, Arguments& a, std::optional<double> instead_of_nan) {
  Value x = a.Tensor(0, "x");
  std::optional<int64_t> axis = a.OptionalInt(1, "axis");
  const std::optional<DType> dtype = a.DTypeName(2, "dtype");
  if (!x.ok()) return {};
  if (instead_of_nan && ir::IsFloat(x.dtype())) {
    x = Select(b, lrt::Compare(b, BuiltinOperator::EQUAL, x, x), x,
               b.Scalar(*instead_of_nan, x.dtype()));
  }
  DType result = dtype.value_or(x.dtype());
  if (result == DType::kBool) result = DType::kInt32;
  x = lrt::Cast(b, x, result);
  if (!axis) {
    x = Ravel(b, x);
    axis = 0;
  }
  const std::optional<int> positive = NormalizeAxis(b, *axis, x.rank());
  return positive ? Scanned{x, *positive} : Scanned{};
}

template <bool kSkipNan>
Argument CumsumOp(Builder& b, Arguments& a) {
  const Scanned scan = ReadScan(b, a, kSkipNan ? std::optional(0.0) : std::nullopt);
  return scan.ok() ? lrt::Cumsum(b, scan.x, scan.axis) : Value();
}

// Products of 2, 4, 8 … elements (Hillis and Steele, 1986), each from two of half that length:
//   y[i] ⇐ y[i]·y[i - n],  n = 1, 2, 4, …
Value Cumprod(Builder& b, Value x, int axis) {
  const Dim size = x.dim(axis);
  if (!size.is_static()) {
    return b.Fail("cumprod-1", "the running product of an axis of dynamic size is not supported",
                  "Fix the axis's size: in the model's Input, or with --shape.");
  }
  for (int64_t n = 1; n < size.value(); n *= 2) {
    const Value later = Range(b, x, axis, n, size.value());
    const Value earlier = Range(b, x, axis, 0, size.value() - n);
    x = lrt::Concatenation(b, {Range(b, x, axis, 0, n), lrt::Mul(b, later, earlier)}, axis);
  }
  return x;
}

template <bool kSkipNan>
Argument CumprodOp(Builder& b, Arguments& a) {
  const Scanned scan = ReadScan(b, a, kSkipNan ? std::optional(1.0) : std::nullopt);
  return scan.ok() ? Cumprod(b, scan.x, scan.axis) : Value();
}

// x[1:] - x[:-1], n times.
Argument DiffOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "a");
  const int64_t n = a.Int(1, "n", 1);
  const int64_t axis = a.Int(2, "axis", -1);
  if (!x.ok()) return x;
  const std::optional<int> positive = NormalizeAxis(b, axis, x.rank());
  if (!positive) return Value();
  const Dim size = x.dim(*positive);
  if (!size.is_static() || n < 0 || n >= size.value()) {
    return b.Fail("diff-1", fmt::format("{} differences of an axis of {}", n, x.shape().ToString()),
                  "The axis must have a static size beyond n.");
  }
  for (int64_t length = size.value(); length > size.value() - n; --length) {
    const Value later = Range(b, x, *positive, 1, length);
    const Value earlier = Range(b, x, *positive, 0, length - 1);
    x = x.dtype() == DType::kBool ? Elementwise(b, BuiltinOperator::NOT_EQUAL, later, earlier)
                                  : Elementwise(b, BuiltinOperator::SUB, later, earlier);
  }
  return x;
}

// Σ (y[i] + y[i + 1]) / 2·dx
Argument TrapezoidOp(Builder& b, Arguments& a) {
  Value y = a.Tensor(0, "y");
  if (a.Has(1, "x")) return b.Fail("trapezoid-1", "sample points are not supported", "Use dx.");
  const double dx = a.Float(2, "dx", 1);
  const int64_t axis = a.Int(3, "axis", -1);
  if (!y.ok()) return y;
  y = lrt::Cast(b, y, FloatResultType(y.dtype()));
  const std::optional<int> positive = NormalizeAxis(b, axis, y.rank());
  if (!positive) return Value();
  const Dim size = y.dim(*positive);
  if (!size.is_static() || size.value() < 1) {
    return b.Fail("trapezoid-2", "the axis must have a static size",
                  "Fix the axis's size: in the model's Input, or with --shape.");
  }
  const Value later = Range(b, y, *positive, 1, size.value());
  const Value earlier = Range(b, y, *positive, 0, size.value() - 1);
  return Multiply(b, Sum(b, Add(b, later, earlier), std::vector<int>{*positive}), dx / 2);
}

// Rows of data that have one id, joined; ids outside [0, num_segments) are left out.
template <BuiltinOperator kCode>
Argument SegmentOp(Builder& b, Arguments& a) {
  const Value data = a.Tensor(0, "data");
  const Value ids = lrt::Cast(b, a.Tensor(1, "segment_ids"), DType::kInt32);
  const Argument& segments = a.Get(2, "num_segments");
  a.Bool(3, "sorted", false);
  if (!data.ok() || !ids.ok()) return Value();
  if (segments.kind() != Argument::Kind::kInt) {
    return b.Fail("segment-1", "num_segments is None: the result's size would depend on the ids",
                  "Give num_segments.");
  }
  const Dim count = segments.integer();
  if (ids.rank() != 1 || data.rank() < 1 ||
      (count.is_static() && (count.value() < 1 || count.value() > INT32_MAX))) {
    return b.Fail("segment-2", "segment_ids must be 1-D, num_segments at least 1");
  }
  Shape shape = data.shape();
  shape.Set(0, count);
  const Value result = b.Emit(kCode, {data, ids, b.SizeOf(count)}, {data.dtype(), shape});
  if (!ir::IsFloat(data.dtype()) || kCode == BuiltinOperator::UNSORTED_SEGMENT_SUM ||
      kCode == BuiltinOperator::UNSORTED_SEGMENT_PROD) {
    return result;
  }
  // Segments without rows: the kernel's largest floats are Keras's infinities.
  const double sign = kCode == BuiltinOperator::UNSORTED_SEGMENT_MAX ? -1 : 1;
  const Value none = b.Scalar(sign * std::numeric_limits<float>::max(), data.dtype());
  return Select(b, Elementwise(b, BuiltinOperator::EQUAL, result, none),
                b.Scalar(sign * std::numeric_limits<double>::infinity(), data.dtype()), result);
}

}  // namespace

std::span<const OpEntry> ScanOps() {
  static constexpr OpEntry kOps[] = {
      {"math.segment_max", SegmentOp<BuiltinOperator::UNSORTED_SEGMENT_MAX>},
      {"math.segment_min", SegmentOp<BuiltinOperator::UNSORTED_SEGMENT_MIN>},
      {"math.segment_prod", SegmentOp<BuiltinOperator::UNSORTED_SEGMENT_PROD>},
      {"math.segment_sum", SegmentOp<BuiltinOperator::UNSORTED_SEGMENT_SUM>},
      {"numpy.cumprod", CumprodOp<false>},
      {"numpy.cumsum", CumsumOp<false>},
      {"numpy.diff", DiffOp},
      {"numpy.nancumprod", CumprodOp<true>},
      {"numpy.nancumsum", CumsumOp<true>},
      {"numpy.trapezoid", TrapezoidOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
