// keras.ops.numpy: trigonometric and hyperbolic functions. LiteRT has SIN, COS, TANH and ATAN2.
#include "ir/operators.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

constexpr double kPi = 3.14159265358979323846;

Value Unary(Builder& b, BuiltinOperator code, Value x) {
  return lrt::Unary(b, code, x);
}
Value Abs(Builder& b, Value x) {
  return Unary(b, BuiltinOperator::ABS, x);
}
Value Sin(Builder& b, Value x) {
  return Unary(b, BuiltinOperator::SIN, x);
}
Value Cos(Builder& b, Value x) {
  return Unary(b, BuiltinOperator::COS, x);
}

Value Tan(Builder& b, Value x) {
  return lrt::Div(b, Sin(b, x), Cos(b, x));
}

// √(1 - x²), as √((1 - x)·(1 + x)), which keeps its digits near ±1.
Value Cathetus(Builder& b, Value x) {
  return Sqrt(b, lrt::Mul(b, Subtract(b, 1.0, x), Add(b, x, 1.0)));
}

Value ArcTan2(Builder& b, const Operand& x1, const Operand& x2) {
  if (!x1.ok() || !x2.ok()) return Value();
  const DType dtype = FloatResultType(ResultType({x1, x2}));
  return Elementwise(b, BuiltinOperator::ATAN2, x1.As(b, dtype), x2.As(b, dtype));
}
Value ArcSin(Builder& b, Value x) {
  return lrt::Binary(b, BuiltinOperator::ATAN2, x, Cathetus(b, x));
}
Value ArcCos(Builder& b, Value x) {
  return lrt::Binary(b, BuiltinOperator::ATAN2, Cathetus(b, x), x);
}
// ATAN2 does not broadcast.
Value ArcTan(Builder& b, Value x) {
  const Value ones = Add(b, Unary(b, BuiltinOperator::ZEROS_LIKE, x), 1.0);
  return lrt::Binary(b, BuiltinOperator::ATAN2, x, ones);
}

// (eˣ + e⁻ˣ) / 2 from e = exp(x / 2), which overflows no sooner than the result.
Value Cosh(Builder& b, Value x) {
  const Value e = Exp(b, Multiply(b, x, 0.5));
  const Value half_e = Multiply(b, e, 0.5);
  return lrt::Add(b, lrt::Mul(b, half_e, e),
                  lrt::Div(b, lrt::Div(b, b.Scalar(0.5, x.dtype()), e), e));
}
// tanh(x / 2)·(cosh(x) + 1), which keeps its digits near 0.
Value Sinh(Builder& b, Value x) {
  return lrt::Mul(b, Tanh(b, Multiply(b, x, 0.5)), Add(b, Cosh(b, x), 1.0));
}

// sign(x)·log(a + √(a² + 1)) with a = |x|, in terms of m = max(a, 1) and r = min(a, 1), so that
// nothing overflows:
//   log(m) + log(r + √(r² + 1 / m²))
Value ArcSinh(Builder& b, Value x) {
  const Value a = Abs(b, x);
  const Value m = Maximum(b, a, 1.0);
  const Value r = Minimum(b, a, 1.0);
  const Value q = lrt::Div(b, b.Scalar(1, x.dtype()), m);
  const Value root = Sqrt(b, lrt::Add(b, lrt::Mul(b, r, r), lrt::Mul(b, q, q)));
  return lrt::Mul(b, Unary(b, BuiltinOperator::SIGN, x),
                  lrt::Add(b, Log(b, m), Log(b, lrt::Add(b, r, root))));
}
// log(x + √(x - 1)·√(x + 1))
Value ArcCosh(Builder& b, Value x) {
  const Value root = lrt::Mul(b, Sqrt(b, Subtract(b, x, 1.0)), Sqrt(b, Add(b, x, 1.0)));
  return Log(b, lrt::Add(b, x, root));
}
// log((1 + x) / (1 - x)) / 2
Value ArcTanh(Builder& b, Value x) {
  return Multiply(b, Log(b, lrt::Div(b, Add(b, x, 1.0), Subtract(b, 1.0, x))), 0.5);
}

Value Deg2Rad(Builder& b, Value x) {
  return Multiply(b, x, kPi / 180);
}
Value Rad2Deg(Builder& b, Value x) {
  return Multiply(b, x, 180 / kPi);
}

// sin(πx) / (πx), 1 at 0.
Value Sinc(Builder& b, Value x) {
  const Value y = Multiply(b, Maximum(b, Abs(b, x), 1e-20), kPi);
  return lrt::Div(b, Sin(b, y), y);
}

template <Value (*kFunction)(Builder&, Value)>
Argument FloatOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return x.ok() ? kFunction(b, lrt::Cast(b, x, FloatResultType(x.dtype()))) : x;
}

Argument ArcTan2Op(Builder& b, Arguments& a) {
  const Operand x1 = a.Number(0, "x1");
  return ArcTan2(b, x1, a.Number(1, "x2"));
}

}  // namespace

std::span<const OpEntry> TrigonometryOps() {
  static constexpr OpEntry kOps[] = {
      {"numpy.arccos", FloatOp<ArcCos>},   {"numpy.arccosh", FloatOp<ArcCosh>},
      {"numpy.arcsin", FloatOp<ArcSin>},   {"numpy.arcsinh", FloatOp<ArcSinh>},
      {"numpy.arctan", FloatOp<ArcTan>},   {"numpy.arctan2", ArcTan2Op},
      {"numpy.arctanh", FloatOp<ArcTanh>}, {"numpy.cos", FloatOp<Cos>},
      {"numpy.cosh", FloatOp<Cosh>},       {"numpy.deg2rad", FloatOp<Deg2Rad>},
      {"numpy.rad2deg", FloatOp<Rad2Deg>}, {"numpy.sin", FloatOp<Sin>},
      {"numpy.sinc", FloatOp<Sinc>},       {"numpy.sinh", FloatOp<Sinh>},
      {"numpy.tan", FloatOp<Tan>},
  };
  return kOps;
}

}  // namespace keras_litert::ops
