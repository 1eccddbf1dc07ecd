#include "ops/float8.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "ir/operators.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"

namespace keras_litert::ops {

using ir::BuiltinOperator;

std::optional<Float8> Float8ByName(std::string_view name) {
  if (name == "float8_e4m3fn") return Float8{3, -6, 448, false};
  if (name == "float8_e5m2") return Float8{2, -14, 57344, true};
  return std::nullopt;
}

//   step(x) = 2^(max(floor(log2|x|), min_exponent) - mantissa_bits)
//   x   ⇒   ROUND(x / step) · step
// Next to a power of two the logarithm may fall on either side of it; both steps round to it.
Value RoundToFloat8(Builder& b, Value x, const Float8& format) {
  if (!x.ok()) return Value();
  const Value wide = lrt::Cast(b, x, ir::DType::kFloat32);
  auto number = [&](double value) { return b.Scalar(value, ir::DType::kFloat32); };
  const Value size = FloatUnary(b, BuiltinOperator::ABS, wide);
  const Value normal =
      Elementwise(b, BuiltinOperator::MAXIMUM, size, number(std::ldexp(1.0, format.min_exponent)));
  const Value exponent = FloatUnary(
      b, BuiltinOperator::FLOOR,
      Elementwise(b, BuiltinOperator::MUL, Log(b, normal), number(1 / std::numbers::ln2)));
  const Value step =
      Elementwise(b, BuiltinOperator::POW, number(2),
                  Elementwise(b, BuiltinOperator::SUB, exponent, number(format.mantissa_bits)));
  const Value rounded = Elementwise(
      b, BuiltinOperator::MUL,
      FloatUnary(b, BuiltinOperator::ROUND, Elementwise(b, BuiltinOperator::DIV, wide, step)),
      step);
  const double infinity = std::numeric_limits<double>::infinity();
  const Value beyond = Elementwise(
      b, BuiltinOperator::MUL, rounded,
      number(format.has_infinity ? infinity : std::numeric_limits<double>::quiet_NaN()));
  const Value inside =
      lrt::Compare(b, BuiltinOperator::LESS_EQUAL, FloatUnary(b, BuiltinOperator::ABS, rounded),
                   number(format.max));
  return lrt::Cast(b, Select(b, inside, rounded, beyond), x.dtype());
}

}  // namespace keras_litert::ops
