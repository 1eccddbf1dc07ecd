// keras.ops.numpy: special functions, number theory, correlations, views of bits.
#include <fmt/core.h>

#include <cmath>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/padding.h"
#include "ops/reduction.h"
#include "ops/shape.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

Value Number(Builder& b, double v, Value like) {
  return b.Scalar(v, like.dtype());
}

// 0, or π where x is negative.
Argument AngleOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  if (!x.ok()) return x;
  x = lrt::Cast(b, x, FloatResultType(x.dtype()));
  return Elementwise(b, BuiltinOperator::ATAN2, FullLike(b, x, 0, x.dtype()), x);
}

Argument ImagOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return FullLike(b, x, 0, x.dtype());
}

Value Horner(Builder& b, Value x, std::initializer_list<double> coefficients) {
  Value sum;
  for (double c : coefficients) {
    sum = sum.ok() ? Add(b, lrt::Mul(b, sum, x), c) : Number(b, c, x);
  }
  return sum;
}

// M. Abramowitz and I. Stegun, "Handbook of mathematical functions", 9.8.1 and 9.8.2: a polynomial
// of (x / 3.75)² up to 3.75, and eˣ / √x times one of 3.75 / x beyond.
Argument BesselOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  if (!x.ok()) return x;
  x = lrt::Unary(b, BuiltinOperator::ABS, lrt::Cast(b, x, FloatResultType(x.dtype())));
  const Value t = Multiply(b, Minimum(b, x, 3.75), 1 / 3.75);
  const Value near = Horner(b, lrt::Mul(b, t, t),
                            {0.0045813, 0.0360768, 0.2659732, 1.2067492, 3.0899424, 3.5156229, 1});
  const Value beyond = Maximum(b, x, 3.75);
  const Value far = Horner(b, lrt::Div(b, Number(b, 3.75, x), beyond),
                           {0.00392377, -0.01647633, 0.02635537, -0.02057706, 0.00916281,
                            -0.00157565, 0.00225319, 0.01328592, 0.39894228});
  const Value large = lrt::Mul(b, lrt::Mul(b, Exp(b, beyond), Rsqrt(b, beyond)), far);
  return Select(b, Elementwise(b, BuiltinOperator::LESS, x, Number(b, 3.75, x)), near, large);
}

// ---- Number theory ----

struct Integers {
  Value x;  // int32 [n]
  Value y;
  Shape shape;
  DType dtype = DType::kInt32;
};
std::optional<Integers> ReadIntegers(Builder& b, Arguments& a) {
  const Operand x1 = a.Number(0, "x1");
  const Operand x2 = a.Number(1, "x2");
  if (!x1.ok() || !x2.ok()) return std::nullopt;
  Integers result;
  result.dtype = ResultType({x1, x2});
  if (!ir::IsInteger(result.dtype) || ir::SizeOf(result.dtype) > 4 ||
      result.dtype == DType::kUInt32) {
    b.Fail("gcd-1",
           fmt::format("{}: {} numbers are not supported", a.function(), ir::Name(result.dtype)),
           "Use int32.");
    return std::nullopt;
  }
  const Value x = x1.As(b, DType::kInt32);
  const Value y = x2.As(b, DType::kInt32);
  if (!lrt::Broadcast(x.shape(), y.shape(), &result.shape)) {
    b.Fail("gcd-2", fmt::format("{}: the operands do not broadcast", a.function()));
    return std::nullopt;
  }
  auto flat = [&](Value v) {
    return lrt::Unary(b, BuiltinOperator::ABS, Ravel(b, BroadcastTo(b, v, result.shape)));
  };
  result.x = flat(x);
  result.y = flat(y);
  if (!result.x.ok() || !result.y.ok()) return std::nullopt;
  return result;
}

// Euclid:  while any y ≠ 0:  (x, y) ⇐ (y, x mod y) where y ≠ 0
Value CommonDivisor(Builder& b, Value x, Value y) {
  ir::Graph& condition = b.module().AddGraph("gcd_condition");
  ir::Graph& body = b.module().AddGraph("gcd_body");
  Builder c = b.In(condition);
  Builder d = b.In(body);
  condition.AddInput(x.type(), "");
  const Value rest(condition.AddInput(y.type(), ""));
  const Value open = lrt::Compare(c, BuiltinOperator::NOT_EQUAL, rest, Number(c, 0, rest));
  condition.outputs() = {lrt::Reduce(c, BuiltinOperator::REDUCE_ANY, open, {0}, false).tensor()};
  const Value p(body.AddInput(x.type(), ""));
  const Value q(body.AddInput(y.type(), ""));
  const Value done = lrt::Compare(d, BuiltinOperator::EQUAL, q, Number(d, 0, q));
  const Value divisor = lrt::Select(d, done, Number(d, 1, q), q);
  const Value next = lrt::Select(d, done, p, q);
  const Value left = lrt::Select(d, done, q, lrt::FloorMod(d, p, divisor));
  body.outputs() = {next.tensor(), left.tensor()};
  return lrt::While(b, condition, body, {x, y})[0];
}
template <bool kMultiple>
Argument DivisorOp(Builder& b, Arguments& a) {
  const std::optional<Integers> n = ReadIntegers(b, a);
  if (!n) return Value();
  Value y = CommonDivisor(b, n->x, n->y);
  if (kMultiple) y = lrt::Mul(b, lrt::FloorDiv(b, n->x, Maximum(b, y, 1)), n->y);
  return lrt::Cast(b, lrt::Reshape(b, y, n->shape), n->dtype);
}

// ---- Products of vectors with themselves and each other ----

// Rows less their means and of length 1, times each other.
Argument CorrcoefOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  if (!x.ok()) return x;
  if (x.rank() < 1 || x.rank() > 2) {
    return b.Fail("corrcoef-1", fmt::format("corrcoef of {}", x.shape().ToString()));
  }
  const bool single = x.rank() == 1;
  x = lrt::Cast(b, x, FloatResultType(x.dtype()));
  if (single) x = lrt::ExpandDims(b, x, 0);
  const std::vector<int> rows{1};
  const Value apart = lrt::Sub(b, x, Mean(b, x, rows, true));
  const Value length = Sqrt(b, Sum(b, lrt::Mul(b, apart, apart), rows, true));
  const Value unit = lrt::Div(b, apart, length);
  const Value y = Minimum(b, Maximum(b, lrt::BatchMatMul(b, unit, unit, false, true), -1.0), 1.0);
  return single ? lrt::Reshape(b, y, Shape()) : y;
}

// y[i] = Σ x1[i + n - offset]·x2[n]: a product of the windows of x1 with x2.
Argument CorrelateOp(Builder& b, Arguments& a) {
  const Operand x1 = a.Number(0, "x1");
  const Operand x2 = a.Number(1, "x2");
  const std::string mode = a.String(2, "mode", "valid");
  if (!x1.ok() || !x2.ok()) return Value();
  DType dtype = ResultType({x1, x2});
  if (!ir::IsFloat(dtype)) dtype = kFloatX;
  Value x = x1.As(b, dtype);
  Value y = x2.As(b, dtype);
  if (x.rank() != 1 || y.rank() != 1 || !x.dim(0).is_static() || !y.dim(0).is_static() ||
      x.dim(0).value() < 1 || y.dim(0).value() < 1) {
    return b.Fail("correlate-1", fmt::format("correlate: {} and {} are no vectors of static size",
                                             x.shape().ToString(), y.shape().ToString()));
  }
  if (mode != "valid" && mode != "same" && mode != "full") {
    return b.Fail("correlate-2", fmt::format("correlate: the mode '{}' is not known", mode));
  }
  const bool swapped = x.dim(0).value() < y.dim(0).value();
  if (swapped) std::swap(x, y);
  const int64_t n = x.dim(0).value();
  const int64_t m = y.dim(0).value();
  const int64_t size = mode == "full" ? n + m - 1 : mode == "same" ? n : n - m + 1;
  const int64_t before = mode == "full" ? m - 1 : mode == "same" ? m / 2 : 0;
  if (size > (1 << 24) / m) {
    return b.Fail("correlate-3", fmt::format("correlate: vectors of {} and {} are too long", n, m));
  }
  x = ops::Pad(b, x, {{before, size + m - 1 - n - before}});
  std::vector<int32_t> places;
  for (int64_t i = 0; i < size; ++i) {
    // Of exchanged vectors the result runs backwards.
    const int64_t first = swapped ? size - 1 - i : i;
    for (int64_t k = 0; k < m; ++k) places.push_back(static_cast<int32_t>(first + k));
  }
  const Value windows = lrt::Gather(b, x, b.Constant(DType::kInt32, Shape{size, m}, places), 0);
  return Matmul(b, windows, y);
}

// Powers of x by columns: descending, or ascending from 0.
Argument VanderOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const std::optional<int64_t> given = a.OptionalInt(1, "N");
  const bool increasing = a.Bool(2, "increasing", false);
  if (!x.ok()) return x;
  const DType dtype = x.dtype();
  const int64_t columns = given.value_or(x.dim(0).is_static() ? x.dim(0).value() : -1);
  if (x.rank() != 1 || columns < 1 || columns > (1 << 12)) {
    return b.Fail("vander-1",
                  fmt::format("vander: {} columns of powers of {}", columns, x.shape().ToString()),
                  "Give N where x has a dynamic size.");
  }
  if (!ir::IsFloat(dtype)) x = lrt::Cast(b, x, DType::kInt32);
  x = lrt::ExpandDims(b, x, 1);
  std::vector<Value> powers{FullLike(b, x, 1, x.dtype())};
  while (static_cast<int64_t>(powers.size()) < columns) {
    powers.push_back(powers.size() == 1 ? x : lrt::Mul(b, powers.back(), x));
  }
  if (!increasing) std::reverse(powers.begin(), powers.end());
  return lrt::Cast(b, lrt::Concatenation(b, powers, 1), dtype);
}

Argument UnravelIndexOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "indices");
  const std::optional<std::vector<int>> shape = a.Ints(1, "shape");
  if (!x.ok() || !shape) return Value();
  Value rest = lrt::Cast(b, x, DType::kInt32);
  std::vector<Argument> results(shape->size());
  for (size_t i = shape->size(); i-- > 0;) {
    if ((*shape)[i] < 1) return b.Fail("unravel-1", "unravel_index: a size is not positive");
    const Value size = b.Scalar((*shape)[i], DType::kInt32);
    const Value own = i == 0 ? rest : Elementwise(b, BuiltinOperator::FLOOR_MOD, rest, size);
    results[i] = lrt::Cast(b, own, x.dtype());
    rest = Elementwise(b, BuiltinOperator::FLOOR_DIV, rest, size);
  }
  return Argument::List(std::move(results));
}

// ---- Bits ----

// A tensor's bytes as another dtype's; the last axis grows or shrinks with its size.
Value View(Builder& b, Value x, DType dtype) {
  if (!x.ok() || x.dtype() == dtype) return x;
  auto has_bits = [](DType d) {
    return d == DType::kFloat32 || (ir::IsInteger(d) && ir::SizeOf(d) <= 4);
  };
  if (!has_bits(x.dtype()) || !has_bits(dtype)) {
    return b.Fail("view-1",
                  fmt::format("view: {} as {}: the file may hold these numbers in another form",
                              ir::Name(x.dtype()), ir::Name(dtype)),
                  "Use float32 and integers of 8, 16 and 32 bits.");
  }
  const auto from = static_cast<int64_t>(ir::SizeOf(x.dtype()));
  const auto to = static_cast<int64_t>(ir::SizeOf(dtype));
  Shape shape = x.shape();
  Shape whole = shape;
  if (from == to) return b.Emit(BuiltinOperator::BITCAST, {x}, {dtype, shape});
  if (x.rank() < 1 || !x.dim(-1).is_static() || (from < to && x.dim(-1).value() * from % to != 0)) {
    return b.Fail("view-2", fmt::format("view: {} as {}", x.shape().ToString(), ir::Name(dtype)));
  }
  const int64_t size = x.dim(-1).value() * from / to;
  whole.Set(-1, size);
  if (from > to) {
    shape.Append(from / to);
    return lrt::Reshape(b, b.Emit(BuiltinOperator::BITCAST, {x}, {dtype, shape}), whole);
  }
  shape.Set(-1, size);
  shape.Append(to / from);
  return b.Emit(BuiltinOperator::BITCAST, {lrt::Reshape(b, x, shape)}, {dtype, whole});
}
Argument ViewOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return View(b, x, a.DTypeName(1, "dtype").value_or(x.dtype()));
}

// The bits of floats, taken for integers, are in the floats' order on either side of 0.
Argument NextAfterOp(Builder& b, Arguments& a) {
  const Operand x1 = a.Number(0, "x1");
  const Operand x2 = a.Number(1, "x2");
  if (!x1.ok() || !x2.ok()) return Value();
  if (FloatResultType(ResultType({x1, x2})) != DType::kFloat32) {
    return b.Fail("nextafter-1", "nextafter: only float32 has its neighbours in the file",
                  "Cast the operands to float32.");
  }
  const Value x = x1.As(b, DType::kFloat32);
  const Value y = x2.As(b, DType::kFloat32);
  Shape shape;
  if (!lrt::Broadcast(x.shape(), y.shape(), &shape)) {
    return b.Fail("nextafter-2", "nextafter: the operands do not broadcast");
  }
  const Value zero = Number(b, 0, x);
  const Value up = Elementwise(b, BuiltinOperator::LESS, x, y);
  const Value positive = Elementwise(b, BuiltinOperator::GREATER, x, zero);
  const Value grows = Elementwise(b, BuiltinOperator::EQUAL, up, positive);
  auto integer = [&](double v) { return b.Scalar(v, DType::kInt32); };
  const Value step = Select(b, grows, integer(1), integer(-1));
  const Value from = BroadcastTo(b, x, shape);
  const Value moved = View(
      b, Elementwise(b, BuiltinOperator::ADD, View(b, from, DType::kInt32), step), DType::kFloat32);
  // From 0 to the smallest numbers: 1, and 1 with the sign's bit.
  const Value least = View(b, Select(b, up, integer(1), integer(-2147483647.0)), DType::kFloat32);
  const Value is_zero = Elementwise(b, BuiltinOperator::EQUAL, x, zero);
  const Value is_there = Elementwise(b, BuiltinOperator::EQUAL, x, y);
  const Value sum = Elementwise(b, BuiltinOperator::ADD, x, y);
  const Value is_nan = Elementwise(b, BuiltinOperator::NOT_EQUAL, sum, sum);
  const Value next = Select(b, is_there, y, Select(b, is_zero, least, moved));
  const Value has_nan = lrt::Compare(
      b, BuiltinOperator::LOGICAL_AND, is_nan,
      lrt::Compare(b, BuiltinOperator::LOGICAL_OR, Elementwise(b, BuiltinOperator::NOT_EQUAL, x, x),
                   Elementwise(b, BuiltinOperator::NOT_EQUAL, y, y)));
  return Select(b, has_nan, sum, next);
}

Argument NoComplexOp(Builder& b, Arguments& a) {
  for (const Argument& argument : a.positional()) (void)argument;
  return b.Fail("complex-1",
                fmt::format("{}: LiteRT has hardly an operator for complex numbers", a.function()),
                "Keep real and imaginary parts in tensors of their own, as keras.ops.fft does.");
}

}  // namespace

std::span<const OpEntry> SpecialOps() {
  static constexpr OpEntry kOps[] = {
      {"math.view_as_complex", NoComplexOp},
      {"math.view_as_real", NoComplexOp},
      {"nn.polar", NoComplexOp},
      {"numpy.angle", AngleOp},
      {"numpy.corrcoef", CorrcoefOp},
      {"numpy.correlate", CorrelateOp},
      {"numpy.gcd", DivisorOp<false>},
      {"numpy.i0", BesselOp},
      {"numpy.imag", ImagOp},
      {"numpy.lcm", DivisorOp<true>},
      {"numpy.nextafter", NextAfterOp},
      {"numpy.unravel_index", UnravelIndexOp},
      {"numpy.vander", VanderOp},
      {"numpy.view", ViewOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
