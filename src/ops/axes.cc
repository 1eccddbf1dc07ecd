#include "ops/axes.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "ir/operators.h"

namespace keras_litert::ops {

std::optional<int> NormalizeAxis(Builder& b, int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    b.Fail("axis-1", fmt::format("axis {} is outside a tensor of rank {}", axis, rank));
    return std::nullopt;
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

std::optional<std::vector<int>> NormalizeAxes(Builder& b,
                                              const std::optional<std::vector<int>>& axes,
                                              int rank) {
  std::vector<int> all;
  if (!axes) {
    all.resize(static_cast<size_t>(rank));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }
  for (int axis : *axes) {
    const std::optional<int> positive = NormalizeAxis(b, axis, rank);
    if (!positive) return std::nullopt;
    all.push_back(*positive);
  }
  std::sort(all.begin(), all.end());
  const auto twice = std::adjacent_find(all.begin(), all.end());
  if (twice != all.end()) {
    b.Fail("axis-2", fmt::format("axis {} is given twice", *twice));
    return std::nullopt;
  }
  return all;
}

LastAxis::LastAxis(Builder& b, Value x, const std::vector<int>& axes)
    : b_(b), original_(x.shape()), axes_(axes) {
  std::vector<int> order;
  Shape merged;
  for (int i = 0; i < x.rank(); ++i) {
    if (std::binary_search(axes.begin(), axes.end(), i)) continue;
    order.push_back(i);
    merged.Append(x.dim(i));
  }
  Dim size = 1;
  for (int axis : axes) {
    order.push_back(axis);
    size = b.symbols().Product(size, x.dim(axis));
  }
  merged.Append(size);
  inverse_.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    inverse_[static_cast<size_t>(order[i])] = static_cast<int>(i);
  }
  const Value transposed = lrt::Transpose(b, x, order);
  transposed_ = transposed.shape();
  value_ = lrt::Reshape(b, transposed, merged);
}

Value LastAxis::Restore(Value y) const {
  return lrt::Transpose(b_, lrt::Reshape(b_, y, transposed_), inverse_);
}

Value LastAxis::Reduced(Value y, bool keepdims) const {
  if (!keepdims) return y;
  Shape shape = original_;
  for (int axis : axes_) shape.Set(axis, 1);
  return lrt::Reshape(b_, y, shape);
}

Value LastAxis::RestoreResized(Value y) const {
  return lrt::Transpose(b_, y, inverse_);
}

Value Ravel(Builder& b, Value x) {
  Dim size = 1;
  for (Dim dim : x.shape()) size = b.symbols().Product(size, dim);
  return lrt::Reshape(b, x, Shape{size});
}

Value Range(Builder& b, Value x, int axis, int64_t begin, int64_t end) {
  if (!x.ok()) return x;
  if (begin == 0 && x.dim(axis) == Dim(end)) return x;
  std::vector<int32_t> begins(static_cast<size_t>(x.rank()), 0);
  std::vector<int32_t> sizes(static_cast<size_t>(x.rank()), -1);
  begins[static_cast<size_t>(axis)] = static_cast<int32_t>(begin);
  sizes[static_cast<size_t>(axis)] = static_cast<int32_t>(end - begin);
  Shape shape = x.shape();
  shape.Set(axis, end - begin);
  if (x.rank() > 5) {  // SLICE's limit
    Shape folded{1, x.dim(axis), 1};
    for (int i = 0; i < axis; ++i) folded.Set(0, b.symbols().Product(folded[0], x.dim(i)));
    for (int i = axis + 1; i < x.rank(); ++i) {
      folded.Set(2, b.symbols().Product(folded[2], x.dim(i)));
    }
    return lrt::Reshape(b, Range(b, lrt::Reshape(b, x, folded), 1, begin, end), shape);
  }
  return lrt::Slice(b, x, begins, sizes, shape);
}

Value GatherConstant(Builder& b, Value x, int axis, const std::vector<int32_t>& indices) {
  if (!x.ok()) return x;
  return lrt::Gather(b, x, b.Vector(indices), axis);
}

}  // namespace keras_litert::ops
