// keras.ops.numpy: arithmetic beyond the four operations, rounding, powers and logarithms.
#include <cmath>
#include <limits>

#include "ir/half.h"
#include "ir/operators.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

constexpr double kLn2 = 0.69314718055994530942;
constexpr double kLn10 = 2.30258509299404568402;
constexpr double kSqrt2 = 1.41421356237309504880;

Value Unary(Builder& b, BuiltinOperator code, Value x) {
  return lrt::Unary(b, code, x);
}

Value AsFloat(Builder& b, Value x) {
  return lrt::Cast(b, x, FloatResultType(x.dtype()));
}

// Both operands in their common type, or in the float that comes of it.
struct Pair {
  Value x;
  Value y;
};
Pair Promote(Builder& b, const Operand& x1, const Operand& x2, bool to_float = false) {
  if (!x1.ok() || !x2.ok()) return {};
  DType dtype = ResultType({x1, x2});
  if (to_float) dtype = FloatResultType(dtype);
  return {x1.As(b, dtype), x2.As(b, dtype)};
}

Value BoolToInt(Builder& b, Value x) {
  return x.dtype() == DType::kBool ? lrt::Cast(b, x, DType::kInt32) : x;
}

// Python's remainder: of the divisor's sign. (NumPy gives booleans an int type.)
Value Mod(Builder& b, const Operand& x1, const Operand& x2) {
  const auto [x, y] = Promote(b, x1, x2);
  return Elementwise(b, BuiltinOperator::FLOOR_MOD, BoolToInt(b, x), BoolToInt(b, y));
}

// floor(x / y). The quotient of floats is rounded before it is floored (1 // 0.1 would be 10, not
// 9), so
//   x // y  ⇒  ROUND((x - FLOOR_MOD(x, y)) / y)
Value FloorDivide(Builder& b, const Operand& x1, const Operand& x2) {
  const auto [x, y] = Promote(b, x1, x2);
  if (!x.ok() || !y.ok()) return Value();
  if (!ir::IsFloat(x.dtype())) {
    return Elementwise(b, BuiltinOperator::FLOOR_DIV, BoolToInt(b, x), BoolToInt(b, y));
  }
  const Value rest = Elementwise(b, BuiltinOperator::FLOOR_MOD, x, y);
  const Value whole =
      Elementwise(b, BuiltinOperator::DIV, Elementwise(b, BuiltinOperator::SUB, x, rest), y);
  return Unary(b, BuiltinOperator::ROUND, whole);
}

Value Trunc(Builder& b, Value x) {
  if (!ir::IsFloat(x.dtype())) return x;
  return Elementwise(b, BuiltinOperator::MUL, Unary(b, BuiltinOperator::SIGN, x),
                     Unary(b, BuiltinOperator::FLOOR, Unary(b, BuiltinOperator::ABS, x)));
}

// C's remainder: of the dividend's sign.   sign(x) * (|x| mod |y|)
Value Fmod(Builder& b, const Operand& x1, const Operand& x2) {
  auto [x, y] = Promote(b, x1, x2);
  x = BoolToInt(b, x);
  y = BoolToInt(b, y);
  const Value rest = Elementwise(b, BuiltinOperator::FLOOR_MOD, Unary(b, BuiltinOperator::ABS, x),
                                 Unary(b, BuiltinOperator::ABS, y));
  return Elementwise(b, BuiltinOperator::MUL, Unary(b, BuiltinOperator::SIGN, x), rest);
}

// x ** n for a small number n known now, without POW; a failed Value for others.
Value SmallPower(Builder& b, Value x, double n) {
  auto square = [&](Value v) { return lrt::Mul(b, v, v); };
  const bool is_float = ir::IsFloat(x.dtype());
  if (n == 1) return x;
  if (n == 2) return square(x);
  if (n == 3) return lrt::Mul(b, square(x), x);
  if (n == 4) return square(square(x));
  if (is_float && n == -1) return lrt::Div(b, b.Scalar(1, x.dtype()), x);
  if (is_float && n == -2) return lrt::Div(b, b.Scalar(1, x.dtype()), square(x));
  if (is_float && n == 0.5) return Unary(b, BuiltinOperator::SQRT, x);
  if (is_float && n == -0.5) return Unary(b, BuiltinOperator::RSQRT, x);
  return Value();
}

Value Power(Builder& b, const Operand& x1, const Operand& x2) {
  const auto [x, y] = Promote(b, x1, x2);
  if (!x.ok() || !y.ok()) return Value();
  if (x2.number && x.dtype() != DType::kBool) {
    if (const Value small = SmallPower(b, x, *x2.number); small.ok()) return small;
    if (ir::IsInteger(x.dtype()) && *x2.number < 0) {
      return b.Fail("power-1", "an integer tensor has no negative powers", "Cast it to float.");
    }
  }
  return Elementwise(b, BuiltinOperator::POW, BoolToInt(b, x), BoolToInt(b, y));
}

Value Absolute(Builder& b, Value x) {
  const bool signed_type = x.dtype() != DType::kBool && !ir::IsUnsigned(x.dtype());
  return signed_type ? Unary(b, BuiltinOperator::ABS, x) : x;
}

Value Fabs(Builder& b, Value x) {
  return Absolute(b, AsFloat(b, x));
}

Value Negative(Builder& b, Value x) {
  return Unary(b, BuiltinOperator::NEG, x);
}

Value Square(Builder& b, Value x) {
  x = BoolToInt(b, x);
  return lrt::Mul(b, x, x);
}

Value Sign(Builder& b, Value x) {
  x = BoolToInt(b, x);
  return ir::IsUnsigned(x.dtype()) ? lrt::Minimum(b, x, b.Scalar(1, x.dtype()))
                                   : Unary(b, BuiltinOperator::SIGN, x);
}

Value Reciprocal(Builder& b, Value x) {
  if (!x.ok()) return x;
  if (!ir::IsFloat(x.dtype())) {
    // Integer division: 1 / x is 0 beyond ±1.
    return b.Fail("reciprocal-1", "the reciprocal of integers is 0 or undefined",
                  "Cast it to float.");
  }
  return lrt::Div(b, b.Scalar(1, x.dtype()), x);
}

Value DivideNoNan(Builder& b, const Operand& x1, const Operand& x2) {
  const auto [x, y] = Promote(b, x1, x2, true);
  if (!x.ok() || !y.ok()) return Value();
  const Value zero = b.Scalar(0, x.dtype());
  const Value is_zero = Elementwise(b, BuiltinOperator::EQUAL, y, zero);
  return Select(b, is_zero, zero, Elementwise(b, BuiltinOperator::DIV, x, y));
}

// m·√(1 + (n / m)²) with m ≥ n ≥ 0 the absolute values: squares would overflow.
Value Hypot(Builder& b, const Operand& x1, const Operand& x2) {
  auto [x, y] = Promote(b, x1, x2, true);
  x = Unary(b, BuiltinOperator::ABS, x);
  y = Unary(b, BuiltinOperator::ABS, y);
  const Value m = Elementwise(b, BuiltinOperator::MAXIMUM, x, y);
  const Value n = Elementwise(b, BuiltinOperator::MINIMUM, x, y);
  const Value ratio = lrt::Div(b, n, Maximum(b, m, 1e-30));
  return lrt::Mul(b, m, Unary(b, BuiltinOperator::SQRT, Add(b, lrt::Mul(b, ratio, ratio), 1.0)));
}

Value Cbrt(Builder& b, Value x) {
  x = AsFloat(b, x);
  const Value root = Elementwise(b, BuiltinOperator::POW, Unary(b, BuiltinOperator::ABS, x),
                                 b.Scalar(1.0 / 3, x.dtype()));
  return lrt::Mul(b, Unary(b, BuiltinOperator::SIGN, x), root);
}

Value IsNan(Builder& b, Value x) {
  return lrt::Compare(b, BuiltinOperator::NOT_EQUAL, x, x);
}

// The other operand where one is NaN.
template <BuiltinOperator kCode>
Value FExtreme(Builder& b, const Operand& x1, const Operand& x2) {
  const auto [x, y] = Promote(b, x1, x2);
  if (!x.ok() || !y.ok()) return Value();
  const Value extreme = Elementwise(b, kCode, x, y);
  if (!ir::IsFloat(x.dtype())) return extreme;
  return Select(b, IsNan(b, x), y, Select(b, IsNan(b, y), x, extreme));
}

// 0, x2 or 1 where x1 is negative, 0 or positive.
Value Heaviside(Builder& b, const Operand& x1, const Operand& x2) {
  const auto [x, y] = Promote(b, x1, x2, true);
  if (!x.ok() || !y.ok()) return Value();
  const Value zero = b.Scalar(0, x.dtype());
  const Value step = lrt::Cast(b, Elementwise(b, BuiltinOperator::GREATER, x, zero), x.dtype());
  return Select(b, Elementwise(b, BuiltinOperator::EQUAL, x, zero), y, step);
}

Value Clip(Builder& b, const Operand& x, const Operand& low, const Operand& high) {
  return Minimum(b, Maximum(b, x, low), high);
}

// To `decimals` places, ties to even: ROUND(x · 10ᵈ) / 10ᵈ.
Value Round(Builder& b, Value x, int64_t decimals) {
  if (!x.ok()) return x;
  if (!ir::IsFloat(x.dtype())) {
    if (decimals >= 0) return BoolToInt(b, x);
    return b.Fail("round-1", "integers are not rounded to tens", "Cast them to float.");
  }
  if (decimals == 0) return Unary(b, BuiltinOperator::ROUND, x);
  if (decimals < -30 || decimals > 30) return b.Fail("round-2", "decimals beyond ±30");
  // As an operand of DIV: the reciprocal of a power of ten is not exact.
  const Value scale = b.Scalar(std::pow(10.0, std::abs(static_cast<double>(decimals))), x.dtype());
  return decimals > 0 ? lrt::Div(b, Unary(b, BuiltinOperator::ROUND, lrt::Mul(b, x, scale)), scale)
                      : lrt::Mul(b, Unary(b, BuiltinOperator::ROUND, lrt::Div(b, x, scale)), scale);
}

// exp(x) - 1 = tanh(x / 2)·(exp(x) + 1), which keeps its digits near 0.
Value Expm1(Builder& b, Value x) {
  x = AsFloat(b, x);
  return lrt::Mul(b, Unary(b, BuiltinOperator::TANH, Multiply(b, x, 0.5)),
                  Add(b, Unary(b, BuiltinOperator::EXP, x), 1.0));
}

Value Horner(Builder& b, Value x, std::initializer_list<double> coefficients) {
  Value sum;
  for (double c : coefficients) {
    sum = sum.ok() ? Add(b, lrt::Mul(b, sum, x), c) : b.Scalar(c, x.dtype());
  }
  return sum;
}

// With n = clip(x, -¼, ¼):  log(1 + x) = log((1 + x) / (1 + n)) + log(1 + n). Near 0 the first is
// log(1) = 0, and the second keeps its digits as 2·atanh(s), s = n / (2 + n), |s| ≤ 1/7, of which
// four terms are enough for float32.
Value Log1p(Builder& b, Value x) {
  x = AsFloat(b, x);
  const Value n = Minimum(b, Maximum(b, x, -0.25), 0.25);
  const Value far = Log(b, lrt::Div(b, Add(b, x, 1.0), Add(b, n, 1.0)));
  const Value s = lrt::Div(b, n, Add(b, n, 2.0));
  const Value near = Horner(b, lrt::Mul(b, s, s), {2.0 / 7, 2.0 / 5, 2.0 / 3, 2.0});
  return lrt::Add(b, far, lrt::Mul(b, near, s));
}

Value Log2(Builder& b, Value x) {
  return Multiply(b, Log(b, x), 1 / kLn2);
}
Value Log10(Builder& b, Value x) {
  return Multiply(b, Log(b, x), 1 / kLn10);
}

// max(x, y) + log(1 + exp(-|x - y|)) = max(x, y) - log(sigmoid(|x - y|))
Value LogAddExp(Builder& b, const Operand& x1, const Operand& x2) {
  const auto [x, y] = Promote(b, x1, x2, true);
  const Value apart = Unary(b, BuiltinOperator::ABS, Elementwise(b, BuiltinOperator::SUB, x, y));
  return lrt::Sub(b, Elementwise(b, BuiltinOperator::MAXIMUM, x, y), Log(b, Sigmoid(b, apart)));
}
Value LogAddExp2(Builder& b, const Operand& x1, const Operand& x2) {
  const auto [x, y] = Promote(b, x1, x2, true);
  return Multiply(b, LogAddExp(b, Multiply(b, x, kLn2), Multiply(b, y, kLn2)), 1 / kLn2);
}

Value Exp2(Builder& b, Value x) {
  x = AsFloat(b, x);
  return Elementwise(b, BuiltinOperator::POW, b.Scalar(2, x.dtype()), x);
}

// x1 · 2 ** x2
Value Ldexp(Builder& b, const Operand& x1, const Operand& x2) {
  const auto [x, y] = Promote(b, x1, x2, true);
  return Elementwise(b, BuiltinOperator::MUL, x, Exp2(b, y));
}

// GELU(z) = z / 2·(1 + erf(z / √2)), so erf(|x|) = 2·GELU(z) / z - 1 with z = √2·|x|.
Value Erf(Builder& b, Value x) {
  x = AsFloat(b, x);
  const Value z = Maximum(b, Multiply(b, Unary(b, BuiltinOperator::ABS, x), kSqrt2), 1e-30);
  const Value ratio = lrt::Div(b, lrt::Gelu(b, z, false), z);
  const Value size = Subtract(b, Multiply(b, ratio, 2.0), 1.0);
  return lrt::Mul(b, Unary(b, BuiltinOperator::SIGN, x), size);
}

Value Erfc(Builder& b, Value x) {
  return Subtract(b, 1.0, Erf(b, x));
}

// x·p(w) with w = -log(1 - x²); two polynomials, for w < 5 and beyond (M. Giles, "Approximating the
// erfinv function", 2010, single precision).
Value Erfinv(Builder& b, Value x) {
  x = AsFloat(b, x);
  const Value w = Negative(b, Log(b, lrt::Mul(b, Subtract(b, 1.0, x), Add(b, x, 1.0))));
  const Value central =
      Horner(b, Subtract(b, w, 2.5),
             {2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
              -0.00125372503, -0.00417768164, 0.246640727, 1.50140941});
  const Value tail = Horner(b, Subtract(b, Sqrt(b, w), 3.0),
                            {-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844,
                             0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682});
  const Value is_central = Elementwise(b, BuiltinOperator::LESS, w, b.Scalar(5, w.dtype()));
  const Value y = lrt::Mul(b, Select(b, is_central, central, tail), x);
  // ±1 ⇒ ±∞.
  const Value one = b.Scalar(1, x.dtype());
  const Value at_end =
      Elementwise(b, BuiltinOperator::EQUAL, Unary(b, BuiltinOperator::ABS, x), one);
  return Select(b, at_end,
                lrt::Mul(b, x, b.Scalar(std::numeric_limits<double>::infinity(), x.dtype())), y);
}

// NaN ⇒ nan; infinities ⇒ the given numbers, or the dtype's largest.
Value NanToNum(Builder& b, Value x, double nan, std::optional<double> posinf,
               std::optional<double> neginf) {
  if (!x.ok() || !ir::IsFloat(x.dtype())) return x;
  const double largest = x.dtype() == DType::kFloat16    ? 65504
                         : x.dtype() == DType::kBFloat16 ? 3.3895313892515355e38
                                                         : std::numeric_limits<float>::max();
  const double infinity = std::numeric_limits<double>::infinity();
  auto number = [&](double v) { return b.Scalar(v, x.dtype()); };
  auto replace = [&](Value v, double what, std::optional<double> by, bool below) {
    if (!by) return below ? Maximum(b, v, -largest) : Minimum(b, v, largest);
    return Select(b, Elementwise(b, BuiltinOperator::EQUAL, x, number(what)), number(*by), v);
  };
  const Value y = Select(b, IsNan(b, x), number(nan), x);
  return replace(replace(y, infinity, posinf, false), -infinity, neginf, true);
}

// ---- By name ----

template <Value (*kFunction)(Builder&, Value)>
Argument UnaryOp(Builder& b, Arguments& a) {
  return kFunction(b, a.Tensor(0, "x"));
}

template <Value (*kFunction)(Builder&, const Operand&, const Operand&)>
Argument BinaryOp(Builder& b, Arguments& a) {
  const Operand x1 = a.Number(0, "x1");
  return kFunction(b, x1, a.Number(1, "x2"));
}

template <BuiltinOperator kCode>
Value FloatOf(Builder& b, Value x) {
  return FloatUnary(b, kCode, x);
}

Argument ClipOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  if (!x.ok()) return x;
  // The bounds take x's dtype.
  const Value kept = BoolToInt(b, x);
  const Value low = a.Number(1, "x_min").As(b, kept.dtype());
  return Clip(b, kept, low, a.Number(2, "x_max").As(b, kept.dtype()));
}

Argument RoundOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return Round(b, x, a.Int(1, "decimals", 0));
}

Argument NanToNumOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  auto optional = [&](int position, const char* name) -> std::optional<double> {
    if (!a.Has(position, name)) return std::nullopt;
    return a.Float(position, name, 0);
  };
  const double nan = a.Float(1, "nan", 0);
  const std::optional<double> posinf = optional(2, "posinf");
  return NanToNum(b, x, nan, posinf, optional(3, "neginf"));
}

}  // namespace

std::span<const OpEntry> ArithmeticOps() {
  static constexpr OpEntry kOps[] = {
      {"math.erf", UnaryOp<Erf>},
      {"math.erfc", UnaryOp<Erfc>},
      {"math.erfinv", UnaryOp<Erfinv>},
      {"math.rsqrt", UnaryOp<FloatOf<BuiltinOperator::RSQRT>>},
      {"numpy.abs", UnaryOp<Absolute>},
      {"numpy.absolute", UnaryOp<Absolute>},
      {"numpy.cbrt", UnaryOp<Cbrt>},
      {"numpy.ceil", UnaryOp<FloatOf<BuiltinOperator::CEIL>>},
      {"numpy.clip", ClipOp},
      {"numpy.divide_no_nan", BinaryOp<DivideNoNan>},
      {"numpy.exp2", UnaryOp<Exp2>},
      {"numpy.expm1", UnaryOp<Expm1>},
      {"numpy.fabs", UnaryOp<Fabs>},
      {"numpy.floor", UnaryOp<FloatOf<BuiltinOperator::FLOOR>>},
      {"numpy.floor_divide", BinaryOp<FloorDivide>},
      {"numpy.fmax", BinaryOp<FExtreme<BuiltinOperator::MAXIMUM>>},
      {"numpy.fmin", BinaryOp<FExtreme<BuiltinOperator::MINIMUM>>},
      {"numpy.fmod", BinaryOp<Fmod>},
      {"numpy.heaviside", BinaryOp<Heaviside>},
      {"numpy.hypot", BinaryOp<Hypot>},
      {"numpy.ldexp", BinaryOp<Ldexp>},
      {"numpy.log10", UnaryOp<Log10>},
      {"numpy.log1p", UnaryOp<Log1p>},
      {"numpy.log2", UnaryOp<Log2>},
      {"numpy.logaddexp", BinaryOp<LogAddExp>},
      {"numpy.logaddexp2", BinaryOp<LogAddExp2>},
      {"numpy.mod", BinaryOp<Mod>},
      {"numpy.nan_to_num", NanToNumOp},
      {"numpy.negative", UnaryOp<Negative>},
      {"numpy.power", BinaryOp<Power>},
      {"numpy.reciprocal", UnaryOp<Reciprocal>},
      {"numpy.round", RoundOp},
      {"numpy.sign", UnaryOp<Sign>},
      {"numpy.square", UnaryOp<Square>},
      {"numpy.trunc", UnaryOp<Trunc>},
  };
  return kOps;
}

}  // namespace keras_litert::ops
