// keras.ops: element-wise arithmetic, comparison and logic (keras.src.ops.numpy).
#pragma once

#include "ops/dtype.h"

namespace keras_litert::ops {

// Operands are promoted by Keras's rules and broadcast.
Value Add(Builder& b, const Operand& x1, const Operand& x2);
Value Subtract(Builder& b, const Operand& x1, const Operand& x2);
Value Multiply(Builder& b, const Operand& x1, const Operand& x2);
// True division: integers are divided as floats.
Value Divide(Builder& b, const Operand& x1, const Operand& x2);
Value Maximum(Builder& b, const Operand& x1, const Operand& x2);
Value Minimum(Builder& b, const Operand& x1, const Operand& x2);

// One operator of LiteRT on floats; integers become float first.
Value FloatUnary(Builder& b, ir::BuiltinOperator code, Value x);
inline Value Exp(Builder& b, Value x) {
  return FloatUnary(b, ir::BuiltinOperator::EXP, x);
}
inline Value Log(Builder& b, Value x) {
  return FloatUnary(b, ir::BuiltinOperator::LOG, x);
}
inline Value Sqrt(Builder& b, Value x) {
  return FloatUnary(b, ir::BuiltinOperator::SQRT, x);
}
inline Value Rsqrt(Builder& b, Value x) {
  return FloatUnary(b, ir::BuiltinOperator::RSQRT, x);
}
inline Value Tanh(Builder& b, Value x) {
  return FloatUnary(b, ir::BuiltinOperator::TANH, x);
}
inline Value Sigmoid(Builder& b, Value x) {
  return FloatUnary(b, ir::BuiltinOperator::LOGISTIC, x);
}

// keras.ops.cast.
Value Cast(Builder& b, Value x, DType dtype);

}  // namespace keras_litert::ops
