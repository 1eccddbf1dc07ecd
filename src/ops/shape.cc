#include "ops/shape.h"

#include <fmt/core.h>

#include <cstdint>
#include <optional>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/known_sizes.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// Sizes may be values of tensors, beside at most one -1.
Argument ReshapeOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Argument& newshape = a.Get(1, "newshape");
  if (!x.ok()) return x;
  const std::optional<std::vector<Argument>> sizes = SizesOf(b, newshape);
  if (!sizes) {
    return b.Fail("reshape-4", fmt::format("the new shape is {}", newshape.ToString()),
                  "Give integers, or a tensor of them.");
  }
  std::vector<Dim> dims;
  bool all_known = true;
  for (const Argument& size : *sizes) {
    if (size.is_tensor() && !size.tensor().ok()) return size;
    dims.push_back(size.is_tensor() ? b.symbols().NewOpaque() : size.integer());
    all_known &= !size.is_tensor();
  }
  if (all_known) return Reshape(b, x, dims);
  std::vector<Value> values;
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool open = dims[i] == Dim(-1);
    if ((*sizes)[i].is_tensor()) {
      values.push_back((*sizes)[i].tensor());
    } else {
      values.push_back(open ? b.Scalar(-1, DType::kInt32) : b.SizeOf(dims[i]));
    }
    if (open) dims[i] = b.symbols().NewOpaque();
  }
  return lrt::Reshape(b, x, lrt::Pack(b, values, 0), Shape(dims));
}

Argument TransposeOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  return Transpose(b, x, a.Ints(1, "axes"));
}

Argument ConcatenateOp(Builder& b, Arguments& a) {
  const std::vector<Value> xs = a.Tensors(0, "xs");
  const int64_t given = a.Int(1, "axis", 0);
  if (xs.empty()) return Value();
  const std::optional<int> axis = NormalizeAxis(b, given, xs[0].rank());
  return axis && CheckAlike(b, xs, *axis) ? Concatenate(b, xs, *axis) : Value();
}

}  // namespace

Value Reshape(Builder& b, Value x, const std::vector<Dim>& newshape) {
  if (!x.ok()) return x;
  ir::SymbolTable& symbols = b.symbols();
  std::vector<Dim> dims = newshape;
  int unknown = -1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] != Dim(-1)) continue;
    if (unknown >= 0) return b.Fail("reshape-1", "more than one size of the new shape is -1");
    unknown = static_cast<int>(i);
  }
  if (unknown >= 0) {
    // The missing size is elements / product of the others; symbols on both sides cancel.
    std::vector<Dim> left(x.shape().begin(), x.shape().end());
    int64_t divisor = 1;
    for (size_t i = 0; i < dims.size(); ++i) {
      if (static_cast<int>(i) == unknown) continue;
      if (dims[i].is_static()) {
        divisor *= dims[i].value();
        continue;
      }
      bool cancelled = false;
      for (Dim& dim : left) {
        if (!dim.is_static() && dim.symbol() == dims[i].symbol()) {
          divisor *= dims[i].coefficient();
          dim = dim.coefficient();
          cancelled = true;
          break;
        }
      }
      if (!cancelled) {
        dims[static_cast<size_t>(unknown)] = symbols.NewOpaque();
        return lrt::Reshape(b, x, Shape(dims));
      }
    }
    Dim elements = 1;
    for (Dim dim : left) elements = symbols.Product(elements, dim);
    if (divisor == 0) return b.Fail("reshape-2", "the new shape has a size of 0 beside -1");
    if (elements.is_static() && elements.value() % divisor != 0) {
      return b.Fail("reshape-3", fmt::format("{} elements do not divide into {}", elements.value(),
                                             Shape(newshape).ToString()));
    }
    dims[static_cast<size_t>(unknown)] = symbols.FloorDiv(elements, divisor);
  }
  const Shape shape(dims);
  if (shape.is_static() && x.shape().is_static() &&
      shape.NumElements() != x.shape().NumElements()) {
    return b.Fail("reshape-3",
                  fmt::format("{} does not reshape to {}", x.shape().ToString(), shape.ToString()));
  }
  return lrt::Reshape(b, x, shape);
}

Value FlattenFrom(Builder& b, Value x, int axis) {
  if (!x.ok()) return x;
  Shape shape;
  Dim rest = 1;
  for (int i = 0; i < x.rank(); ++i) {
    if (i < axis) {
      shape.Append(x.dim(i));
    } else {
      rest = b.symbols().Product(rest, x.dim(i));
    }
  }
  shape.Append(rest);
  return lrt::Reshape(b, x, shape);
}

Value Transpose(Builder& b, Value x, const std::optional<std::vector<int>>& axes) {
  if (!x.ok()) return x;
  std::vector<int> permutation;
  if (axes) {
    permutation = *axes;
  } else {
    for (int i = x.rank() - 1; i >= 0; --i) permutation.push_back(i);
  }
  if (static_cast<int>(permutation.size()) != x.rank()) {
    return b.Fail("transpose-1", fmt::format("{} axes are given for a tensor of rank {}",
                                             permutation.size(), x.rank()));
  }
  return lrt::Transpose(b, x, permutation);
}

bool CheckAlike(Builder& b, const std::vector<Value>& xs, int except_axis) {
  bool alike = true;
  std::string shapes;
  for (Value x : xs) {
    if (!x.ok()) return false;
    shapes += (shapes.empty() ? "" : ", ") + x.shape().ToString();
    alike &= x.rank() == xs[0].rank();
    for (int i = 0; alike && i < x.rank(); ++i) {
      const Dim size = x.dim(i);
      const Dim first = xs[0].dim(i);
      alike &= i == except_axis || !size.is_static() || !first.is_static() || size == first;
    }
  }
  if (!alike) b.Fail("join-1", fmt::format("tensors of shapes {} cannot be joined", shapes));
  return alike;
}

Value Concatenate(Builder& b, const std::vector<Value>& xs, int axis) {
  std::vector<Promotable> types;
  for (Value x : xs) {
    if (!x.ok()) return x;
    types.emplace_back(x.dtype());
  }
  const DType dtype = ResultType(std::span<const Promotable>(types));
  std::vector<Value> parts;
  for (Value x : xs) parts.push_back(lrt::Cast(b, x, dtype));
  return lrt::Concatenation(b, parts, axis);
}

Value Crop(Builder& b, Value x, const std::vector<lrt::AxisPadding>& crops) {
  if (!x.ok()) return x;
  Shape shape = x.shape();
  std::vector<int32_t> begin;
  std::vector<int32_t> end;
  lrt::StridedSliceMasks masks;
  bool whole = true;
  for (int i = 0; i < x.rank(); ++i) {
    const lrt::AxisPadding crop =
        i < static_cast<int>(crops.size()) ? crops[static_cast<size_t>(i)] : lrt::AxisPadding{};
    const int64_t size = x.dim(i).is_static() ? x.dim(i).value() : INT32_MAX;
    if (crop.before < 0 || crop.after < 0 || crop.before >= size || crop.after >= size ||
        crop.before + crop.after >= size) {
      return b.Fail("crop-1", fmt::format("{} and {} elements cannot be taken off axis {} of {}",
                                          crop.before, crop.after, i, x.shape().ToString()));
    }
    whole &= crop == lrt::AxisPadding{};
    begin.push_back(static_cast<int32_t>(crop.before));
    end.push_back(static_cast<int32_t>(-crop.after));
    masks.begin_mask |= crop.before == 0 ? 1 << i : 0;
    masks.end_mask |= crop.after == 0 ? 1 << i : 0;
    shape.Set(i, b.symbols().Sum(x.dim(i), -(crop.before + crop.after)));
  }
  if (whole) return x;
  const std::vector<int32_t> strides(begin.size(), 1);
  return lrt::StridedSlice(b, x, b.Vector(begin), b.Vector(end), b.Vector(strides), masks,
                           {x.dtype(), shape});
}

std::span<const OpEntry> ShapeOps() {
  static constexpr OpEntry kOps[] = {
      {"numpy.reshape", ReshapeOp},
      {"numpy.transpose", TransposeOp},
      {"numpy.concatenate", ConcatenateOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
