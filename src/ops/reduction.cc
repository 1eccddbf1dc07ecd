#include "ops/reduction.h"

#include <fmt/core.h>

#include <numeric>

#include "ir/operators.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;

Value ReduceOver(Builder& b, BuiltinOperator code, Value x,
                 const std::optional<std::vector<int>>& axis, bool keepdims) {
  if (!x.ok()) return x;
  std::vector<int> axes = axis.value_or(std::vector<int>(static_cast<size_t>(x.rank())));
  if (!axis) std::iota(axes.begin(), axes.end(), 0);
  for (int a : axes) {
    if (a < -x.rank() || a >= x.rank()) {
      return b.Fail("reduce-1",
                    fmt::format("axis {} is outside a tensor of rank {}", a, x.rank()));
    }
  }
  return axes.empty() ? x : lrt::Reduce(b, code, x, axes, keepdims);
}

template <Value (*kFunction)(Builder&, Value, const std::optional<std::vector<int>>&, bool)>
Argument ReduceOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const std::optional<std::vector<int>> axis = a.Ints(1, "axis");
  return kFunction(b, x, axis, a.Bool(2, "keepdims", false));
}

}  // namespace

Value Mean(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims) {
  return ReduceOver(b, BuiltinOperator::MEAN, lrt::Cast(b, x, FloatResultType(x.dtype())), axis,
                    keepdims);
}

Value Sum(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims) {
  if (x.dtype() == DType::kBool) x = lrt::Cast(b, x, DType::kInt32);
  return ReduceOver(b, BuiltinOperator::SUM, x, axis, keepdims);
}

Value Max(Builder& b, Value x, const std::optional<std::vector<int>>& axis, bool keepdims) {
  return ReduceOver(b, BuiltinOperator::REDUCE_MAX, x, axis, keepdims);
}

std::span<const OpEntry> ReductionOps() {
  static constexpr OpEntry kOps[] = {
      {"numpy.mean", ReduceOp<Mean>},
      {"numpy.sum", ReduceOp<Sum>},
      {"numpy.max", ReduceOp<Max>},
  };
  return kOps;
}

}  // namespace keras_litert::ops
