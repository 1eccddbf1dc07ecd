// keras.ops.numpy: comparisons, logic, bits, and choosing by them.
#include <limits>

#include "ir/operators.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/reduction.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Value AsBool(Builder& b, Value x) {
  return lrt::Cast(b, x, DType::kBool);
}
Value Not(Builder& b, Value x) {
  return lrt::Unary(b, BuiltinOperator::LOGICAL_NOT, x);
}

Value Comparison(Builder& b, BuiltinOperator code, const Operand& x1, const Operand& x2) {
  if (!x1.ok() || !x2.ok()) return Value();
  DType dtype = ResultType({x1, x2});
  // Booleans have no order in LiteRT.
  const bool is_order = code != BuiltinOperator::EQUAL && code != BuiltinOperator::NOT_EQUAL;
  if (dtype == DType::kBool && is_order) dtype = DType::kInt32;
  return Elementwise(b, code, x1.As(b, dtype), x2.As(b, dtype));
}

template <BuiltinOperator kCode>
Argument ComparisonOp(Builder& b, Arguments& a) {
  const Operand x1 = a.Number(0, "x1");
  return Comparison(b, kCode, x1, a.Number(1, "x2"));
}

template <BuiltinOperator kCode>
Argument LogicalOp(Builder& b, Arguments& a) {
  const Value x1 = AsBool(b, a.Tensor(0, "x1"));
  return Elementwise(b, kCode, x1, AsBool(b, a.Tensor(1, "x2")));
}

// ---- Kinds of floats; integers are finite ----

template <Value (*kFunction)(Builder&, Value)>
Argument KindOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return x.ok() ? kFunction(b, lrt::Cast(b, x, FloatResultType(x.dtype()))) : x;
}
Value Compare(Builder& b, BuiltinOperator code, Value x, double number) {
  return Elementwise(b, code, x, b.Scalar(number, x.dtype()));
}
Value Abs(Builder& b, Value x) {
  return lrt::Unary(b, BuiltinOperator::ABS, x);
}
Value IsFinite(Builder& b, Value x) {
  return Compare(b, BuiltinOperator::LESS, Abs(b, x), kInfinity);
}
Value IsInf(Builder& b, Value x) {
  return Compare(b, BuiltinOperator::EQUAL, Abs(b, x), kInfinity);
}
Value IsPosInf(Builder& b, Value x) {
  return Compare(b, BuiltinOperator::EQUAL, x, kInfinity);
}
Value IsNegInf(Builder& b, Value x) {
  return Compare(b, BuiltinOperator::EQUAL, x, -kInfinity);
}
Value IsNan(Builder& b, Value x) {
  return lrt::Compare(b, BuiltinOperator::NOT_EQUAL, x, x);
}
Value IsReal(Builder& b, Value x) {
  return FullLike(b, x, 1, DType::kBool);
}

// |x - y| <= atol + rtol·|y|, or both the same infinity.
Value IsClose(Builder& b, const Operand& x1, const Operand& x2, double rtol, double atol,
              bool equal_nan) {
  if (!x1.ok() || !x2.ok()) return Value();
  const DType dtype = FloatResultType(ResultType({x1, x2}));
  const Value x = x1.As(b, dtype);
  const Value y = x2.As(b, dtype);
  const Value apart = Abs(b, Elementwise(b, BuiltinOperator::SUB, x, y));
  const Value allowed = Add(b, Multiply(b, Abs(b, y), rtol), atol);
  // An infinite y would allow everything.
  Value close =
      Elementwise(b, BuiltinOperator::LOGICAL_AND,
                  Elementwise(b, BuiltinOperator::LESS_EQUAL, apart, allowed), IsFinite(b, y));
  close = Elementwise(b, BuiltinOperator::LOGICAL_OR, close,
                      Elementwise(b, BuiltinOperator::EQUAL, x, y));
  if (!equal_nan) return close;
  return Elementwise(b, BuiltinOperator::LOGICAL_OR, close,
                     Elementwise(b, BuiltinOperator::LOGICAL_AND, IsNan(b, x), IsNan(b, y)));
}

Argument IsCloseOp(Builder& b, Arguments& a) {
  const Operand x1 = a.Number(0, "x1");
  const Operand x2 = a.Number(1, "x2");
  const double rtol = a.Float(2, "rtol", 1e-5);
  const double atol = a.Float(3, "atol", 1e-8);
  return IsClose(b, x1, x2, rtol, atol, a.Bool(4, "equal_nan", false));
}

Argument AllCloseOp(Builder& b, Arguments& a) {
  const Value close = IsCloseOp(b, a).tensor();
  return Reduce(b, BuiltinOperator::REDUCE_ALL, close, std::nullopt, false);
}

// Any of x2's elements equals x1's.
Argument IsInOp(Builder& b, Arguments& a) {
  const Value x1 = a.Tensor(0, "x1");
  const Value x2 = a.Tensor(1, "x2");
  a.Bool(2, "assume_unique", false);
  const bool invert = a.Bool(3, "invert", false);
  if (!x1.ok() || !x2.ok()) return Value();
  Shape column = x1.shape();
  column.Append(1);
  Dim size = 1;
  for (Dim dim : x2.shape()) size = b.symbols().Product(size, dim);
  const Value equal = Comparison(b, BuiltinOperator::EQUAL, lrt::Reshape(b, x1, column),
                                 lrt::Reshape(b, x2, Shape{size}));
  const Value found = Reduce(b, BuiltinOperator::REDUCE_ANY, equal, std::vector<int>{-1}, false);
  return invert ? Not(b, found) : found;
}

// The sign bit, of -0 and NaN too.
Value SignBit(Builder& b, Value x) {
  if (!x.ok()) return x;
  if (!ir::IsFloat(x.dtype())) return Comparison(b, BuiltinOperator::LESS, x, 0);
  const Value bits = b.Emit(BuiltinOperator::BITCAST, {lrt::Cast(b, x, DType::kFloat32)},
                            {DType::kInt32, x.shape()});
  return Comparison(b, BuiltinOperator::LESS, bits, 0);
}

// ---- Bits ----

struct BitOperands {
  Value x;
  Value y;
  bool ok() const { return x.ok() && y.ok(); }
};
BitOperands ReadBits(Builder& b, Arguments& a) {
  const Operand x = a.Number(0, "x");
  const Operand y = a.Number(1, "y");
  if (!x.ok() || !y.ok()) return {};
  const DType dtype = ResultType({x, y});
  if (ir::IsFloat(dtype)) {
    b.Fail("bits-1", "floats have no bits to operate on");
    return {};
  }
  return {x.As(b, dtype), y.As(b, dtype)};
}
Value Xor(Builder& b, Value x, Value y) {
  return Elementwise(
      b, x.dtype() == DType::kBool ? BuiltinOperator::NOT_EQUAL : BuiltinOperator::BITWISE_XOR, x,
      y);
}
Argument XorOp(Builder& b, Arguments& a) {
  const auto [x, y] = ReadBits(b, a);
  return x.ok() && y.ok() ? Xor(b, x, y) : Value();
}
Value InvertBits(Builder& b, Value x) {
  if (!x.ok()) return x;
  if (x.dtype() == DType::kBool) return Not(b, x);
  if (ir::IsFloat(x.dtype())) return b.Fail("bits-1", "floats have no bits to operate on");
  const double ones = x.dtype() == DType::kUInt8    ? 255
                      : x.dtype() == DType::kUInt16 ? 65535
                      : x.dtype() == DType::kUInt32 ? 4294967295.0
                                                    : -1;
  return Xor(b, x, b.Scalar(ones, x.dtype()));
}
Argument InvertOp(Builder& b, Arguments& a) {
  return InvertBits(b, a.Tensor(0, "x"));
}
Value And(Builder& b, Value x, Value y) {
  return Elementwise(
      b, x.dtype() == DType::kBool ? BuiltinOperator::LOGICAL_AND : BuiltinOperator::STABLEHLO_AND,
      x, y);
}
Argument AndOp(Builder& b, Arguments& a) {
  const auto [x, y] = ReadBits(b, a);
  return x.ok() && y.ok() ? And(b, x, y) : Value();
}
// x | y = (x ^ y) ^ (x & y)
Argument OrOp(Builder& b, Arguments& a) {
  const auto [x, y] = ReadBits(b, a);
  if (!x.ok() || !y.ok()) return Value();
  if (x.dtype() == DType::kBool) return Elementwise(b, BuiltinOperator::LOGICAL_OR, x, y);
  return Xor(b, Xor(b, x, y), And(b, x, y));
}
template <BuiltinOperator kCode>
Argument ShiftOp(Builder& b, Arguments& a) {
  auto [x, y] = ReadBits(b, a);
  if (!x.ok() || !y.ok()) return Value();
  if (x.dtype() == DType::kBool) {
    x = lrt::Cast(b, x, DType::kInt32);
    y = lrt::Cast(b, y, DType::kInt32);
  }
  return Elementwise(b, kCode, x, y);
}

// ---- Choosing ----

Argument WhereOp(Builder& b, Arguments& a) {
  const Value condition = AsBool(b, a.Tensor(0, "condition"));
  if (!a.Has(1, "x1") || !a.Has(2, "x2")) {
    return b.Fail("where-1", "where(condition) alone gives a result of unknown size",
                  "Give it the two tensors to choose from.");
  }
  const Operand x1 = a.Number(1, "x1");
  const Operand x2 = a.Number(2, "x2");
  if (!x1.ok() || !x2.ok()) return Value();
  const DType dtype = ResultType({x1, x2});
  return Select(b, condition, x1.As(b, dtype), x2.As(b, dtype));
}

// The choice of the first condition that holds.
Argument SelectOp(Builder& b, Arguments& a) {
  const std::vector<Value> conditions = a.Tensors(0, "condlist");
  const std::vector<Value> choices = a.Tensors(1, "choicelist");
  const Operand otherwise = a.Has(2, "default") ? a.Number(2, "default") : Operand(0);
  if (conditions.size() != choices.size() || conditions.empty()) {
    return b.Fail("select-1", "condlist and choicelist differ in length, or are empty");
  }
  const DType dtype = choices[0].dtype();  // as Keras declares it
  Value result = otherwise.As(b, dtype);
  for (size_t i = conditions.size(); i-- > 0;) {
    result = Select(b, AsBool(b, conditions[i]), lrt::Cast(b, choices[i], dtype), result);
  }
  return result;
}

}  // namespace

std::span<const OpEntry> ComparisonOps() {
  static constexpr OpEntry kOps[] = {
      {"numpy.all_close", AllCloseOp},
      {"numpy.bitwise_and", AndOp},
      {"numpy.bitwise_invert", InvertOp},
      {"numpy.bitwise_left_shift", ShiftOp<BuiltinOperator::STABLEHLO_SHIFT_LEFT>},
      {"numpy.bitwise_not", InvertOp},
      {"numpy.bitwise_or", OrOp},
      {"numpy.bitwise_right_shift", ShiftOp<BuiltinOperator::RIGHT_SHIFT>},
      {"numpy.bitwise_xor", XorOp},
      {"numpy.equal", ComparisonOp<BuiltinOperator::EQUAL>},
      {"numpy.greater", ComparisonOp<BuiltinOperator::GREATER>},
      {"numpy.greater_equal", ComparisonOp<BuiltinOperator::GREATER_EQUAL>},
      {"numpy.is_in", IsInOp},
      {"numpy.isclose", IsCloseOp},
      {"numpy.isfinite", KindOp<IsFinite>},
      {"numpy.isin", IsInOp},
      {"numpy.isinf", KindOp<IsInf>},
      {"numpy.isnan", KindOp<IsNan>},
      {"numpy.isneginf", KindOp<IsNegInf>},
      {"numpy.isposinf", KindOp<IsPosInf>},
      {"numpy.isreal", KindOp<IsReal>},
      {"numpy.left_shift", ShiftOp<BuiltinOperator::STABLEHLO_SHIFT_LEFT>},
      {"numpy.less", ComparisonOp<BuiltinOperator::LESS>},
      {"numpy.less_equal", ComparisonOp<BuiltinOperator::LESS_EQUAL>},
      {"numpy.logical_and", LogicalOp<BuiltinOperator::LOGICAL_AND>},
      {"numpy.logical_not",
       [](Builder& b, Arguments& a) -> Argument { return Not(b, AsBool(b, a.Tensor(0, "x"))); }},
      {"numpy.logical_or", LogicalOp<BuiltinOperator::LOGICAL_OR>},
      {"numpy.logical_xor", LogicalOp<BuiltinOperator::NOT_EQUAL>},
      {"numpy.not_equal", ComparisonOp<BuiltinOperator::NOT_EQUAL>},
      {"numpy.right_shift", ShiftOp<BuiltinOperator::RIGHT_SHIFT>},
      {"numpy.select", SelectOp},
      {"numpy.signbit",
       [](Builder& b, Arguments& a) -> Argument { return SignBit(b, a.Tensor(0, "x")); }},
      {"numpy.where", WhereOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
