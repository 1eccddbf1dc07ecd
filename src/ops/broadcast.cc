#include "ops/broadcast.h"

#include <algorithm>
#include <vector>

#include "ir/kernel_types.h"
#include "ir/operators.h"

namespace keras_litert::ops {
namespace {

// The largest rank at which the kernel broadcasts; without broadcasting all take any rank.
int MaxBroadcastRank(BuiltinOperator code) {
  switch (code) {
    case BuiltinOperator::ADD:
    case BuiltinOperator::MUL:
      return 6;
    case BuiltinOperator::SUB:
    case BuiltinOperator::DIV:
    case BuiltinOperator::MAXIMUM:
    case BuiltinOperator::MINIMUM:
    case BuiltinOperator::SELECT_V2:
      return 5;
    case BuiltinOperator::ATAN2:
    case BuiltinOperator::STABLEHLO_AND:
    case BuiltinOperator::STABLEHLO_SHIFT_LEFT:
      return 0;
    default:
      return 4;
  }
}

Value EmitBinary(Builder& b, BuiltinOperator code, Value x, Value y) {
  switch (code) {
    case BuiltinOperator::ADD:
      return lrt::Add(b, x, y);
    case BuiltinOperator::SUB:
      return lrt::Sub(b, x, y);
    case BuiltinOperator::MUL:
      return lrt::Mul(b, x, y);
    case BuiltinOperator::DIV:
      return lrt::Div(b, x, y);
    default:
      return ir::IsPredicate(code) ? lrt::Compare(b, code, x, y) : lrt::Binary(b, code, x, y);
  }
}

// Runs `emit` on operands whose common rank is at most `limit`, or whose shapes are all the same.
template <typename EmitFn>
Value WithinRank(Builder& b, std::vector<Value> xs, int limit, EmitFn emit) {
  Shape out;
  bool same = true;
  for (Value x : xs) {
    if (!x.ok()) return x;
    same &= x.shape() == xs[0].shape();
    if (!lrt::Broadcast(out, x.shape(), &out)) return emit(xs);  // reports it
  }
  const int rank = out.rank();
  if (same || rank <= limit) return emit(xs);
  // Which operands have size 1 where the result has not, axis by axis; axes that agree in it merge.
  auto size = [&](Value x, int axis) {
    const int own = axis - (rank - x.rank());
    return own < 0 ? Dim(1) : x.dim(own);
  };
  std::vector<Shape> merged(xs.size());
  std::vector<bool> previous;
  for (int axis = 0; axis < rank; ++axis) {
    if (out[axis] == Dim(1)) continue;
    std::vector<bool> stretched;
    for (Value x : xs) stretched.push_back(size(x, axis) == Dim(1));
    const bool joins = !previous.empty() && stretched == previous;
    for (size_t i = 0; i < xs.size(); ++i) {
      if (joins) {
        merged[i].Set(-1, b.symbols().Product(merged[i][-1], size(xs[i], axis)));
      } else {
        merged[i].Append(size(xs[i], axis));
      }
    }
    previous = stretched;
  }
  for (size_t i = 0; i < xs.size(); ++i) {
    xs[i] =
        merged[0].rank() <= limit ? lrt::Reshape(b, xs[i], merged[i]) : BroadcastTo(b, xs[i], out);
  }
  return lrt::Reshape(b, emit(xs), out);
}

}  // namespace

Value Elementwise(Builder& b, BuiltinOperator code, Value x, Value y) {
  return WithinRank(b, {x, y}, MaxBroadcastRank(code), [&](const std::vector<Value>& xs) {
    return EmitBinary(b, code, xs[0], xs[1]);
  });
}

Value Select(Builder& b, Value condition, Value x, Value y) {
  return WithinRank(
      b, {condition, x, y}, MaxBroadcastRank(BuiltinOperator::SELECT_V2),
      [&](const std::vector<Value>& xs) { return lrt::Select(b, xs[0], xs[1], xs[2]); });
}

Value BroadcastTo(Builder& b, Value x, const Shape& shape) {
  if (!x.ok()) return x;
  Shape common;
  if (!lrt::Broadcast(x.shape(), shape, &common) || common.rank() != shape.rank()) {
    return b.Fail("broadcast-2",
                  x.shape().ToString() + " does not broadcast to " + shape.ToString());
  }
  return lrt::BroadcastTo(b, x, shape);
}

Value FullLike(Builder& b, Value x, double number, DType dtype) {
  if (!x.ok()) return x;
  const Value scalar = b.Scalar(number, dtype);
  return x.rank() == 0 ? scalar : lrt::Fill(b, x.shape(), scalar);
}

}  // namespace keras_litert::ops
