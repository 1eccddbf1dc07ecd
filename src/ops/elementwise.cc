#include "ops/elementwise.h"

#include "ir/operators.h"
#include "ops/broadcast.h"
#include "ops/float8.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

template <typename EmitFn>
Value Promoted(Builder& b, const Operand& x1, const Operand& x2, EmitFn emit) {
  if (!x1.ok() || !x2.ok()) return Value();
  const DType dtype = ResultType({x1, x2});
  return emit(x1.As(b, dtype), x2.As(b, dtype));
}

template <Value (*kFunction)(Builder&, const Operand&, const Operand&)>
Argument BinaryOp(Builder& b, Arguments& a) {
  const Operand x1 = a.Number(0, "x1");
  const Operand x2 = a.Number(1, "x2");
  return kFunction(b, x1, x2);
}

template <ir::BuiltinOperator kCode>
Argument FloatUnaryOp(Builder& b, Arguments& a) {
  return FloatUnary(b, kCode, a.Tensor(0, "x"));
}

Argument CastOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Argument& name = a.Get(1, "dtype");
  if (name.kind() == Argument::Kind::kString) {
    if (const std::optional<Float8> format = Float8ByName(name.string())) {
      return RoundToFloat8(b, x, *format);
    }
  }
  const std::optional<DType> dtype = a.DTypeName(1, "dtype");
  return dtype ? Cast(b, x, *dtype) : b.Fail("cast-1", "the dtype to cast to is missing");
}

}  // namespace

Value Add(Builder& b, const Operand& x1, const Operand& x2) {
  return Promoted(b, x1, x2, [&](Value x, Value y) {
    // Keras: the sum of booleans is their disjunction.
    return x.dtype() == DType::kBool ? Elementwise(b, BuiltinOperator::LOGICAL_OR, x, y)
                                     : Elementwise(b, BuiltinOperator::ADD, x, y);
  });
}
Value Subtract(Builder& b, const Operand& x1, const Operand& x2) {
  return Promoted(b, x1, x2,
                  [&](Value x, Value y) { return Elementwise(b, BuiltinOperator::SUB, x, y); });
}
Value Multiply(Builder& b, const Operand& x1, const Operand& x2) {
  return Promoted(b, x1, x2, [&](Value x, Value y) {
    return x.dtype() == DType::kBool ? Elementwise(b, BuiltinOperator::LOGICAL_AND, x, y)
                                     : Elementwise(b, BuiltinOperator::MUL, x, y);
  });
}
Value Divide(Builder& b, const Operand& x1, const Operand& x2) {
  if (!x1.ok() || !x2.ok()) return Value();
  const DType dtype = FloatResultType(ResultType({x1, x2}));
  return Elementwise(b, BuiltinOperator::DIV, x1.As(b, dtype), x2.As(b, dtype));
}
Value Maximum(Builder& b, const Operand& x1, const Operand& x2) {
  return Promoted(b, x1, x2, [&](Value x, Value y) {
    return x.dtype() == DType::kBool ? Elementwise(b, BuiltinOperator::LOGICAL_OR, x, y)
                                     : Elementwise(b, BuiltinOperator::MAXIMUM, x, y);
  });
}
Value Minimum(Builder& b, const Operand& x1, const Operand& x2) {
  return Promoted(b, x1, x2, [&](Value x, Value y) {
    return x.dtype() == DType::kBool ? Elementwise(b, BuiltinOperator::LOGICAL_AND, x, y)
                                     : Elementwise(b, BuiltinOperator::MINIMUM, x, y);
  });
}

Value FloatUnary(Builder& b, BuiltinOperator code, Value x) {
  return lrt::Unary(b, code, lrt::Cast(b, x, FloatResultType(x.dtype())));
}

Value Cast(Builder& b, Value x, DType dtype) {
  return lrt::Cast(b, x, dtype);
}

std::span<const OpEntry> ElementwiseOps() {
  static constexpr OpEntry kOps[] = {
      {"numpy.add", BinaryOp<Add>},
      {"numpy.subtract", BinaryOp<Subtract>},
      {"numpy.multiply", BinaryOp<Multiply>},
      {"numpy.divide", BinaryOp<Divide>},
      {"numpy.true_divide", BinaryOp<Divide>},
      {"numpy.maximum", BinaryOp<Maximum>},
      {"numpy.minimum", BinaryOp<Minimum>},
      {"numpy.exp", FloatUnaryOp<BuiltinOperator::EXP>},
      {"numpy.log", FloatUnaryOp<BuiltinOperator::LOG>},
      {"numpy.sqrt", FloatUnaryOp<BuiltinOperator::SQRT>},
      {"numpy.tanh", FloatUnaryOp<BuiltinOperator::TANH>},
      {"core.cast", CastOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
