#include "ops/linear.h"

#include "ir/operators.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

Argument MatmulOp(Builder& b, Arguments& a) {
  const Value x1 = a.Tensor(0, "x1");
  const Value x2 = a.Tensor(1, "x2");
  return Matmul(b, x1, x2);
}

}  // namespace

Value Matmul(Builder& b, Value x1, Value x2) {
  if (!x1.ok() || !x2.ok()) return Value();
  const DType dtype = ResultType({Operand(x1), Operand(x2)});
  x1 = lrt::Cast(b, x1, dtype);
  x2 = lrt::Cast(b, x2, dtype);
  if (x2.is_constant() && x2.rank() == 2 && x1.rank() >= 2) return Dense(b, x1, x2, Value());
  return lrt::BatchMatMul(b, x1, x2);
}

// matmul(x, W) + b ⇒ FULLY_CONNECTED(x, Wᵀ, b)      W [in, out] is constant
Value Dense(Builder& b, Value x, Value kernel, Value bias) {
  if (!x.ok() || !kernel.ok()) return Value();
  return lrt::FullyConnected(b, x, lrt::Transpose(b, kernel, {1, 0}), bias);
}

std::span<const OpEntry> LinearOps() {
  static constexpr OpEntry kOps[] = {{"numpy.matmul", MatmulOp}};
  return kOps;
}

}  // namespace keras_litert::ops
