// Keras's dtype promotion.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/builder.h"

namespace keras_litert::ops {

using ir::Builder;
using ir::Dim;
using ir::DType;
using ir::Shape;
using ir::Value;

// What takes part in a promotion: a dtype, or a Python int or float (whose type is weak: it gives
// way to any dtype of its kind).
struct Promotable {
  enum class Weak { kNo, kInt, kFloat };
  DType dtype = DType::kFloat32;
  Weak weak = Weak::kNo;

  Promotable(DType d) : dtype(d) {}  // NOLINT(google-explicit-constructor)
  static Promotable PythonInt() { return Promotable(Weak::kInt); }
  static Promotable PythonFloat() { return Promotable(Weak::kFloat); }

 private:
  explicit Promotable(Weak w) : weak(w) {}
};

// keras.backend.result_type: the least upper bound on Keras's (JAX's) promotion lattice; 64-bit
// results become 32-bit ones, as on every backend but TensorFlow's.
DType ResultType(std::span<const Promotable> types);
DType ResultType(std::initializer_list<Promotable> types);

// keras.config.floatx() of saved models; dtypes that a file leaves open are float32.
inline constexpr DType kFloatX = DType::kFloat32;

// An operand of an operation: a tensor, or a Python number that has not got a dtype yet.
struct Operand {
  Value tensor;
  std::optional<double> number;
  bool is_int = false;  // of `number`

  Operand(Value v) : tensor(v) {}              // NOLINT(google-explicit-constructor)
  Operand(int n) : number(n), is_int(true) {}  // NOLINT(google-explicit-constructor)
  Operand(int64_t n) : number(static_cast<double>(n)), is_int(true) {}  // NOLINT
  Operand(double n) : number(n) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return number.has_value() || tensor.ok(); }
  Promotable type() const;
  // The operand as a tensor of `dtype`.
  Value As(Builder& b, DType dtype) const;
};

// The result type of the operands.
DType ResultType(std::initializer_list<Operand> operands);
// The result type of the operands and the default float, as functions such as `sqrt` have it:
// floats keep theirs, everything else becomes kFloatX.
DType FloatResultType(DType dtype);

}  // namespace keras_litert::ops
