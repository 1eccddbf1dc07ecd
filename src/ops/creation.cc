// keras.ops: tensors made from another's shape or from numbers, parts of matrices, encodings.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/reduction.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// 0, 1, … size - 1 as int32: a constant, or at run time.
Value Iota(Builder& b, Dim size) {
  if (size.is_static()) {
    std::vector<int32_t> values(static_cast<size_t>(size.value()));
    std::iota(values.begin(), values.end(), 0);
    return b.Vector(values);
  }
  return lrt::Range(b, b.Scalar(0, DType::kInt32), b.SizeOf(size), b.Scalar(1, DType::kInt32),
                    size);
}

template <int kNumber>
Argument LikeOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return FullLike(b, x, kNumber, a.DTypeName(1, "dtype").value_or(x.dtype()));
}

Argument FullLikeOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Operand value = a.Number(1, "fill_value");
  if (!x.ok() || !value.ok()) return Value();
  const DType dtype = a.DTypeName(2, "dtype").value_or(x.dtype());
  const Value fill = value.As(b, dtype);
  return fill.rank() == 0 ? lrt::Fill(b, x.shape(), fill) : BroadcastTo(b, fill, x.shape());
}

Argument FullOp(Builder& b, Arguments& a) {
  const std::optional<std::vector<int>> sizes = a.Ints(0, "shape");
  const Operand value = a.Number(1, "fill_value");
  if (!sizes || !value.ok()) return Value();
  Shape shape;
  for (int size : *sizes) {
    if (size < 0) return b.Fail("full-1", "a size is negative");
    shape.Append(size);
  }
  const DType own = value.number ? (value.is_int ? DType::kInt32 : kFloatX) : value.tensor.dtype();
  return BroadcastTo(b, value.As(b, a.DTypeName(2, "dtype").value_or(own)), shape);
}

// start + i·step, i = 0 … num - 1, along a new axis. `step` (may be null) is set to the step.
Value Spaced(Builder& b, Value start, Value stop, int64_t num, bool endpoint, int64_t axis,
             Value* step = nullptr) {
  if (num < 1 || num > (1 << 24)) return b.Fail("linspace-1", fmt::format("{} steps", num));
  const Value span = Subtract(b, stop, start);
  const std::optional<int> position = NormalizeAxis(b, axis, span.rank() + 1);
  if (!span.ok() || !position) return Value();
  const double intervals = static_cast<double>(std::max<int64_t>(1, endpoint ? num - 1 : num));
  if (step != nullptr) *step = Multiply(b, span, 1.0 / intervals);
  Shape steps(std::vector<Dim>(static_cast<size_t>(span.rank() + 1), Dim(1)));
  steps.Set(*position, num);
  std::vector<float> fractions;
  for (int64_t i = 0; i < num; ++i) {
    fractions.push_back(static_cast<float>(static_cast<double>(i) / intervals));
  }
  const Value fraction = lrt::Cast(b, b.Constant(DType::kFloat32, steps, fractions), span.dtype());
  Shape whole = span.shape();
  whole.Insert(*position, 1);
  Shape base = start.shape();
  while (base.rank() < span.rank()) base.Insert(0, 1);
  base.Insert(*position, 1);
  return Add(b, lrt::Reshape(b, start, base), Multiply(b, lrt::Reshape(b, span, whole), fraction));
}

Argument LinspaceOp(Builder& b, Arguments& a) {
  const Operand first = a.Number(0, "start");
  const Operand last = a.Number(1, "stop");
  const int64_t num = a.Int(2, "num", 50);
  const bool endpoint = a.Bool(3, "endpoint", true);
  const bool retstep = a.Bool(4, "retstep", false);
  const std::optional<DType> dtype = a.DTypeName(5, "dtype");
  const int64_t axis = a.Int(6, "axis", 0);
  if (!first.ok() || !last.ok()) return Value();
  const DType computed = FloatResultType(ResultType({first, last}));
  Value step;
  const Value values = Spaced(b, first.As(b, computed), last.As(b, computed), num, endpoint, axis,
                              retstep ? &step : nullptr);
  const Value result = lrt::Cast(b, values, dtype.value_or(computed));
  if (retstep) return Argument::List({result, step});
  return result;
}

// base ** linspace(start, stop)
Argument LogspaceOp(Builder& b, Arguments& a) {
  const Operand first = a.Number(0, "start");
  const Operand last = a.Number(1, "stop");
  const int64_t num = a.Int(2, "num", 50);
  const bool endpoint = a.Bool(3, "endpoint", true);
  const double base = a.Float(4, "base", 10);
  const std::optional<DType> dtype = a.DTypeName(5, "dtype");
  const int64_t axis = a.Int(6, "axis", 0);
  if (!first.ok() || !last.ok()) return Value();
  const DType computed = FloatResultType(ResultType({first, last}));
  const Value x = Spaced(b, first.As(b, computed), last.As(b, computed), num, endpoint, axis);
  if (!x.ok()) return x;
  const Value y = Elementwise(b, BuiltinOperator::POW, b.Scalar(base, computed), x);
  return lrt::Cast(b, y, dtype.value_or(computed));
}

// sign(start) · exp(linspace(log |start|, log |stop|))
Argument GeomspaceOp(Builder& b, Arguments& a) {
  const Operand first = a.Number(0, "start");
  const Operand last = a.Number(1, "stop");
  const int64_t num = a.Int(2, "num", 50);
  const bool endpoint = a.Bool(3, "endpoint", true);
  const std::optional<DType> dtype = a.DTypeName(4, "dtype");
  const int64_t axis = a.Int(5, "axis", 0);
  if (!first.ok() || !last.ok()) return Value();
  const DType computed = FloatResultType(ResultType({first, last}));
  const Value start = first.As(b, computed);
  auto log = [&](Value v) {
    return lrt::Unary(b, BuiltinOperator::LOG, lrt::Unary(b, BuiltinOperator::ABS, v));
  };
  const Value x = Spaced(b, log(start), log(last.As(b, computed)), num, endpoint, axis);
  const std::optional<int> position = NormalizeAxis(b, axis, x.rank());
  if (!x.ok() || !position) return Value();
  Shape whole = start.shape();
  while (whole.rank() + 1 < x.rank()) whole.Insert(0, 1);
  whole.Insert(*position, 1);
  const Value sign = lrt::Reshape(b, lrt::Unary(b, BuiltinOperator::SIGN, start), whole);
  const Value y = Elementwise(b, BuiltinOperator::MUL, sign, Exp(b, x));
  return lrt::Cast(b, y, dtype.value_or(computed));
}

// ---- Parts of matrices ----

// Where column - row (of the last two axes) is at most, or at least, k.
Argument Triangle(Builder& b, Arguments& a, BuiltinOperator condition) {
  const Value x = a.Tensor(0, "x");
  const int64_t k = a.Int(1, "k", 0);
  if (!x.ok()) return x;
  if (x.rank() < 2) return b.Fail("triangle-1", "a triangle needs a matrix");
  const Value row = lrt::Reshape(b, Iota(b, x.dim(-2)), Shape{x.dim(-2), 1});
  const Value column = lrt::Reshape(b, Iota(b, x.dim(-1)), Shape{1, x.dim(-1)});
  const Value keep = Elementwise(b, condition, Subtract(b, column, row),
                                 b.Scalar(static_cast<double>(k), DType::kInt32));
  return Select(b, keep, x, b.Scalar(0, x.dtype()));
}
Argument TrilOp(Builder& b, Arguments& a) {
  return Triangle(b, a, BuiltinOperator::LESS_EQUAL);
}
Argument TriuOp(Builder& b, Arguments& a) {
  return Triangle(b, a, BuiltinOperator::GREATER_EQUAL);
}

// The diagonal of two axes, which come last as one: a GATHER of the merged axes.
Value Diagonal(Builder& b, Value x, int64_t offset, int64_t axis1, int64_t axis2) {
  if (!x.ok()) return x;
  const std::optional<int> first = NormalizeAxis(b, axis1, x.rank());
  const std::optional<int> second = NormalizeAxis(b, axis2, x.rank());
  if (!first || !second) return Value();
  if (*first == *second) return b.Fail("diagonal-1", "the two axes are the same");
  if (!x.dim(*first).is_static() || !x.dim(*second).is_static()) {
    return b.Fail("diagonal-2", "a diagonal of axes of dynamic size is not supported",
                  "Fix the axis's size: in the model's Input, or with --shape.");
  }
  std::vector<int> order;
  Shape merged;
  for (int i = 0; i < x.rank(); ++i) {
    if (i == *first || i == *second) continue;
    order.push_back(i);
    merged.Append(x.dim(i));
  }
  order.push_back(*first);
  order.push_back(*second);
  const int64_t rows = x.dim(*first).value();
  const int64_t columns = x.dim(*second).value();
  merged.Append(rows * columns);
  std::vector<int32_t> places;
  for (int64_t i = std::max<int64_t>(0, -offset); i < rows && i + offset < columns; ++i) {
    places.push_back(static_cast<int32_t>(i * columns + i + offset));
  }
  const Value flat = lrt::Reshape(b, lrt::Transpose(b, x, order), merged);
  return GatherConstant(b, flat, flat.rank() - 1, places);
}

// A vector on the k-th diagonal of a matrix of zeros.
Value DiagonalMatrix(Builder& b, Value x, int64_t k) {
  if (!x.dim(0).is_static() || k < -(1 << 20) || k > (1 << 20)) {
    return b.Fail("diag-1", "a diagonal matrix of dynamic size is not supported",
                  "Fix the axis's size: in the model's Input, or with --shape.");
  }
  const int64_t n = x.dim(0).value() + std::abs(k);
  const Value row = lrt::Reshape(b, Iota(b, n), Shape{n, 1});
  const Value column = lrt::Reshape(b, Iota(b, n), Shape{1, n});
  const Value on = Elementwise(b, BuiltinOperator::EQUAL, Subtract(b, column, row),
                               b.Scalar(static_cast<double>(k), DType::kInt32));
  // Element i stands in row i (k ≥ 0) or column i (k < 0).
  const Value padded = lrt::Pad(b, x, {{0, std::abs(k)}});
  const Value spread = lrt::Reshape(b, padded, k >= 0 ? Shape{n, 1} : Shape{1, n});
  return Select(b, on, spread, b.Scalar(0, x.dtype()));
}

Argument DiagOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const int64_t k = a.Int(1, "k", 0);
  if (!x.ok()) return x;
  if (x.rank() == 1) return DiagonalMatrix(b, x, k);
  if (x.rank() == 2) return Diagonal(b, x, k, 0, 1);
  return b.Fail("diag-2", fmt::format("diag of a tensor of rank {}", x.rank()));
}
Argument DiagFlatOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return x.ok() ? DiagonalMatrix(b, Ravel(b, x), a.Int(1, "k", 0)) : x;
}
Value ReadDiagonal(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const int64_t offset = a.Int(1, "offset", 0);
  const int64_t axis1 = a.Int(2, "axis1", 0);
  return Diagonal(b, x, offset, axis1, a.Int(3, "axis2", 1));
}
Argument DiagonalOp(Builder& b, Arguments& a) {
  return ReadDiagonal(b, a);
}
Argument TraceOp(Builder& b, Arguments& a) {
  return Sum(b, ReadDiagonal(b, a), std::vector<int>{-1});
}

// ---- Encodings ----

// Indices outside [0, classes) give zeros.
Value OneHot(Builder& b, Value x, int64_t classes, int64_t axis, DType dtype, bool sparse) {
  if (sparse) return b.Fail("one-hot-1", "LiteRT has dense tensors only", "Use sparse=False.");
  if (!x.ok()) return x;
  const std::optional<int> position = NormalizeAxis(b, axis, x.rank() + 1);
  if (!position) return Value();
  if (classes < 1 || classes > INT32_MAX) {
    return b.Fail("one-hot-2", fmt::format("{} classes", classes));
  }
  const Value indices = x.dtype() == DType::kInt64 ? x : lrt::Cast(b, x, DType::kInt32);
  return lrt::OneHot(b, indices, static_cast<int>(classes), b.Scalar(1, dtype), b.Scalar(0, dtype),
                     *position);
}

Argument OneHotOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const int64_t classes = a.Int(1, "num_classes");
  const int64_t axis = a.Int(2, "axis", -1);
  const DType dtype = a.DTypeName(3, "dtype").value_or(kFloatX);
  return OneHot(b, x, classes, axis, dtype, a.Bool(4, "sparse", false));
}

// The maximum of the one-hot vectors over axis 1 (0 of a single vector), as Keras has it.
Argument MultiHotOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "inputs");
  const int64_t classes = a.Int(1, "num_classes");
  const int64_t axis = a.Int(2, "axis", -1);
  const DType dtype = a.DTypeName(3, "dtype").value_or(kFloatX);
  const bool sparse = a.Bool(4, "sparse", false);
  const Value encoded = OneHot(b, x, classes, axis, dtype, sparse);
  return Reduce(b, BuiltinOperator::REDUCE_MAX, encoded, std::vector<int>{x.rank() > 1 ? 1 : 0},
                false);
}

// ---- Core ----

Argument IdentityOp(Builder&, Arguments& a) {
  return a.Tensor(0, "x");
}
Argument StopGradientOp(Builder&, Arguments& a) {
  return a.Tensor(0, "variable");
}
Argument ConvertOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const std::optional<DType> dtype = a.DTypeName(1, "dtype");
  a.Get(2, "sparse");
  a.Get(3, "ragged");
  return dtype ? lrt::Cast(b, x, *dtype) : x;
}

// Numbers outside the integer dtype become its least or largest.
Argument SaturateCastOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const std::optional<DType> dtype = a.DTypeName(1, "dtype");
  if (!x.ok() || !dtype) return Value();
  if (ir::IsInteger(*dtype) && (ir::IsFloat(x.dtype()) || ir::IsInteger(x.dtype()))) {
    const int bits = static_cast<int>(ir::SizeOf(*dtype)) * 8;
    const bool is_unsigned = ir::IsUnsigned(*dtype);
    double low = is_unsigned ? 0 : -std::ldexp(1.0, bits - 1);
    double high = std::ldexp(1.0, is_unsigned ? bits : bits - 1) - 1;
    if (ir::IsFloat(x.dtype()) && bits > 24) {
      // The largest float below 2ⁿ.
      high = std::nextafter(static_cast<float>(high), 0.0F);
    }
    if (ir::IsInteger(x.dtype())) {
      const int own_bits = static_cast<int>(ir::SizeOf(x.dtype())) * 8;
      const bool own_unsigned = ir::IsUnsigned(x.dtype());
      low = std::max(low, own_unsigned ? 0 : -std::ldexp(1.0, own_bits - 1));
      high = std::min(high, std::ldexp(1.0, own_unsigned ? own_bits : own_bits - 1) - 1);
    }
    x = lrt::Minimum(b, lrt::Maximum(b, x, b.Scalar(low, x.dtype())), b.Scalar(high, x.dtype()));
  }
  return lrt::Cast(b, x, *dtype);
}

}  // namespace

std::span<const OpEntry> CreationOps() {
  static constexpr OpEntry kOps[] = {
      {"core.convert_to_tensor", ConvertOp},
      {"core.saturate_cast", SaturateCastOp},
      {"core.stop_gradient", StopGradientOp},
      {"nn.multi_hot", MultiHotOp},
      {"nn.one_hot", OneHotOp},
      {"numpy.array", ConvertOp},
      {"numpy.conj", IdentityOp},
      {"numpy.conjugate", IdentityOp},
      {"numpy.copy", IdentityOp},
      {"numpy.diag", DiagOp},
      {"numpy.diagflat", DiagFlatOp},
      {"numpy.diagonal", DiagonalOp},
      {"numpy.empty_like", LikeOp<0>},
      {"numpy.full", FullOp},
      {"numpy.full_like", FullLikeOp},
      {"numpy.geomspace", GeomspaceOp},
      {"numpy.linspace", LinspaceOp},
      {"numpy.logspace", LogspaceOp},
      {"numpy.ones_like", LikeOp<1>},
      {"numpy.real", IdentityOp},
      {"numpy.trace", TraceOp},
      {"numpy.tril", TrilOp},
      {"numpy.triu", TriuOp},
      {"numpy.zeros_like", LikeOp<0>},
  };
  return kOps;
}

}  // namespace keras_litert::ops
