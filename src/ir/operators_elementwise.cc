#include "ir/operators.h"

namespace keras_litert::lrt {
namespace {

// Operands of an element-wise operator must agree in dtype: that is the lowering's business, so a
// mismatch is a defect of this compiler and is reported as one.
template <typename EmitFn>
Value Broadcasting(Builder& b, BuiltinOperator code, Value x, Value y, EmitFn emit) {
  if (!x.ok() || !y.ok()) return Value();
  Shape shape;
  if (!Broadcast(x.shape(), y.shape(), &shape)) {
    return b.Fail("broadcast-1", std::string(tflite::EnumNameBuiltinOperator(code)) + ": shapes " +
                                     x.shape().ToString() + " and " + y.shape().ToString() +
                                     " do not broadcast");
  }
  if (x.dtype() != y.dtype()) {
    return b.Fail("internal-dtype", std::string(tflite::EnumNameBuiltinOperator(code)) +
                                        ": operands are " + std::string(ir::Name(x.dtype())) +
                                        " and " + std::string(ir::Name(y.dtype())));
  }
  return emit(shape);
}

template <typename Options>
Value Arithmetic(Builder& b, BuiltinOperator code, Value x, Value y, Activation activation) {
  return Broadcasting(b, code, x, y, [&](const Shape& shape) {
    Options options;
    options.fused_activation_function = activation;
    if constexpr (requires { options.pot_scale_int16; }) options.pot_scale_int16 = false;
    return b.Emit(code, std::move(options), {x, y}, {x.dtype(), shape});
  });
}

}  // namespace

bool Broadcast(const Shape& a, const Shape& b, Shape* result) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<Dim> dims(static_cast<size_t>(rank), Dim(1));
  for (int i = 1; i <= rank; ++i) {
    const Dim x = i <= a.rank() ? a[-i] : Dim(1);
    const Dim y = i <= b.rank() ? b[-i] : Dim(1);
    Dim& out = dims[static_cast<size_t>(rank - i)];
    if (x == y || y == Dim(1)) {
      out = x;
    } else if (x == Dim(1)) {
      out = y;
    } else if (x.is_static() && y.is_static()) {
      return false;
    } else {
      out = x.is_static() ? x : y.is_static() ? y : x;
    }
  }
  *result = Shape(std::move(dims));
  return true;
}

Value Add(Builder& b, Value x, Value y, Activation activation) {
  return Arithmetic<tflite::AddOptionsT>(b, BuiltinOperator::ADD, x, y, activation);
}
Value Sub(Builder& b, Value x, Value y, Activation activation) {
  return Arithmetic<tflite::SubOptionsT>(b, BuiltinOperator::SUB, x, y, activation);
}
Value Mul(Builder& b, Value x, Value y, Activation activation) {
  return Arithmetic<tflite::MulOptionsT>(b, BuiltinOperator::MUL, x, y, activation);
}
Value Div(Builder& b, Value x, Value y, Activation activation) {
  return Arithmetic<tflite::DivOptionsT>(b, BuiltinOperator::DIV, x, y, activation);
}

Value Binary(Builder& b, BuiltinOperator code, Value x, Value y) {
  return Broadcasting(b, code, x, y,
                      [&](const Shape& shape) { return b.Emit(code, {x, y}, {x.dtype(), shape}); });
}
Value FloorDiv(Builder& b, Value x, Value y) {
  return Binary(b, BuiltinOperator::FLOOR_DIV, x, y);
}
Value FloorMod(Builder& b, Value x, Value y) {
  return Binary(b, BuiltinOperator::FLOOR_MOD, x, y);
}
Value Maximum(Builder& b, Value x, Value y) {
  return Binary(b, BuiltinOperator::MAXIMUM, x, y);
}
Value Minimum(Builder& b, Value x, Value y) {
  return Binary(b, BuiltinOperator::MINIMUM, x, y);
}

Value Compare(Builder& b, BuiltinOperator code, Value x, Value y) {
  return Broadcasting(b, code, x, y, [&](const Shape& shape) {
    return b.Emit(code, {x, y}, {DType::kBool, shape});
  });
}

Value Unary(Builder& b, BuiltinOperator code, Value x) {
  return b.Emit(code, {x}, x.type());
}

Value Gelu(Builder& b, Value x, bool approximate) {
  tflite::GeluOptionsT options;
  options.approximate = approximate;
  return b.Emit(BuiltinOperator::GELU, std::move(options), {x}, x.type());
}

Value LeakyRelu(Builder& b, Value x, float alpha) {
  tflite::LeakyReluOptionsT options;
  options.alpha = alpha;
  return b.Emit(BuiltinOperator::LEAKY_RELU, std::move(options), {x}, x.type());
}

Value PRelu(Builder& b, Value x, Value alpha) {
  return b.Emit(BuiltinOperator::PRELU, {x, alpha}, x.type());
}

Value Softmax(Builder& b, Value x, float beta) {
  tflite::SoftmaxOptionsT options;
  options.beta = beta;
  return b.Emit(BuiltinOperator::SOFTMAX, std::move(options), {x}, x.type());
}

Value Cast(Builder& b, Value x, DType dtype) {
  if (!x.ok() || x.dtype() == dtype) return x;
  if (x.is_constant()) {
    return b.Derived(x.constant(), "cast " + std::string(ir::Name(dtype)),
                     [&](const ir::ConstantPtr& c) { return ir::Casted(c, dtype); });
  }
  tflite::CastOptionsT options;  // the writer fills in the two types
  return b.Emit(BuiltinOperator::CAST, std::move(options), {x}, {dtype, x.shape()});
}

Value Select(Builder& b, Value condition, Value x, Value y) {
  if (!condition.ok()) return Value();
  return Broadcasting(b, BuiltinOperator::SELECT_V2, x, y, [&](const Shape& values) {
    Shape shape;
    if (!Broadcast(condition.shape(), values, &shape)) {
      return b.Fail("broadcast-1", "SELECT_V2: condition " + condition.shape().ToString() +
                                       " does not broadcast with " + values.ToString());
    }
    return b.Emit(BuiltinOperator::SELECT_V2, {condition, x, y}, {x.dtype(), shape});
  });
}

Value ApplyActivation(Builder& b, Value x, Activation activation) {
  switch (activation) {
    case Activation::NONE:
      return x;
    case Activation::RELU:
      return Unary(b, BuiltinOperator::RELU, x);
    case Activation::RELU6:
      return Unary(b, BuiltinOperator::RELU6, x);
    case Activation::RELU_N1_TO_1:
      return Unary(b, BuiltinOperator::RELU_N1_TO_1, x);
    case Activation::TANH:
      return Unary(b, BuiltinOperator::TANH, x);
    default:
      return b.Fail("internal-activation", "no operator for this fused activation");
  }
}

}  // namespace keras_litert::lrt
