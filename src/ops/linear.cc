#include "ops/linear.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/einsum.h"
#include "ops/elementwise.h"
#include "ops/reduction.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

// BATCH_MATMUL's rank.
constexpr int kMaxMatmulRank = 5;

bool HasMatmulKernel(DType dtype) {
  return ir::IsFloat(dtype);
}

// x·y of integers, exactly: SUM([..., m, k, 1]·[..., 1, k, n]) over k.
Value IntegerMatmul(Builder& b, Value x, Value y) {
  if (x.dtype() == DType::kBool) {
    const DType wide = DType::kInt32;
    return lrt::Cast(b, IntegerMatmul(b, lrt::Cast(b, x, wide), lrt::Cast(b, y, wide)),
                     DType::kBool);
  }
  const DType dtype = x.dtype();
  const Value products = Elementwise(b, BuiltinOperator::MUL, lrt::ExpandDims(b, x, x.rank()),
                                     lrt::ExpandDims(b, y, y.rank() - 2));
  return lrt::Cast(b, Reduce(b, BuiltinOperator::SUM, products, std::vector<int>{-2}, false),
                   dtype);
}

// int8 × int8 → int32, as Keras has it, by the kernels for floats:
//   matmul(x, y)   ⇒   CAST(matmul(CAST(x), CAST(y)))
// Exact up to sums of 2²⁴, 1040 products of the largest numbers; beyond, float32 rounds them.
Value Int8Matmul(Builder& b, Value x, Value y) {
  const DType wide = DType::kFloat32;
  return lrt::Cast(b, Matmul(b, lrt::Cast(b, x, wide), lrt::Cast(b, y, wide)), DType::kInt32);
}

// Operands with leading axes merged where there are more than the kernel takes.
Value BatchedMatmul(Builder& b, Value x, Value y) {
  if (!HasMatmulKernel(x.dtype())) return IntegerMatmul(b, x, y);
  if (std::max(x.rank(), y.rank()) <= kMaxMatmulRank) return lrt::BatchMatMul(b, x, y);
  if (x.rank() != y.rank())
    return b.Fail("matmul-1", "the operands have too many axes",
                  "Merge axes with a reshape in front, and split them behind.");
  Shape leading;
  Dim batch = 1;
  for (int i = 0; i + 2 < x.rank(); ++i) {
    if (x.dim(i) != y.dim(i))
      return b.Fail("matmul-1", "the operands have too many axes",
                    "Merge axes with a reshape in front, and split them behind.");
    leading.Append(x.dim(i));
    batch = b.symbols().Product(batch, x.dim(i));
  }
  const Value product = lrt::BatchMatMul(b, lrt::Reshape(b, x, Shape{batch, x.dim(-2), x.dim(-1)}),
                                         lrt::Reshape(b, y, Shape{batch, y.dim(-2), y.dim(-1)}));
  leading.Append(product.dim(-2));
  leading.Append(product.dim(-1));
  return lrt::Reshape(b, product, leading);
}

std::string Letters(int first, int count) {
  std::string letters;
  for (int i = 0; i < count; ++i) letters += static_cast<char>('a' + first + i);
  return letters;
}

struct Operands {
  Value x;
  Value y;
  bool ok() const { return x.ok() && y.ok(); }
};
Operands ReadOperands(Builder& b, Arguments& a) {
  const Operand x1 = a.Number(0, "x1");
  const Operand x2 = a.Number(1, "x2");
  if (!x1.ok() || !x2.ok()) return {};
  const DType dtype = ResultType({x1, x2});
  return {x1.As(b, dtype), x2.As(b, dtype)};
}

// Sums over pairs of axes; the others follow, x's before y's.
Value Contract(Builder& b, Value x, Value y, const std::vector<int>& x_axes,
               const std::vector<int>& y_axes) {
  if (!x.ok() || !y.ok()) return Value();
  if (x.rank() + y.rank() > 26)
    return b.Fail("tensordot-1", "the operands have more than 26 axes",
                  "Merge axes with a reshape in front, and split them behind.");
  std::string x_labels = Letters(0, x.rank());
  std::string y_labels = Letters(x.rank(), y.rank());
  for (size_t i = 0; i < x_axes.size(); ++i) {
    const std::optional<int> own = NormalizeAxis(b, x_axes[i], x.rank());
    const std::optional<int> other = NormalizeAxis(b, y_axes[i], y.rank());
    if (!own || !other) return Value();
    y_labels[static_cast<size_t>(*other)] = x_labels[static_cast<size_t>(*own)];
  }
  std::string result;
  for (char label : x_labels) {
    if (y_labels.find(label) == std::string::npos) result += label;
  }
  for (char label : y_labels) {
    if (x_labels.find(label) == std::string::npos) result += label;
  }
  if (ir::IsFloat(x.dtype())) return Einsum(b, x_labels + "," + y_labels + "->" + result, {x, y});
  // Integers as matrices.
  std::string summed;
  for (char label : x_labels) {
    if (y_labels.find(label) != std::string::npos) summed += label;
  }
  auto matrix = [&](Value v, const std::string& labels, bool summed_last) {
    std::vector<int> kept;
    std::vector<int> gone;
    for (size_t i = 0; i < labels.size(); ++i) {
      if (summed.find(labels[i]) == std::string::npos) kept.push_back(static_cast<int>(i));
    }
    for (char label : summed) gone.push_back(static_cast<int>(labels.find(label)));
    std::vector<int> order = summed_last ? kept : gone;
    const std::vector<int>& rest = summed_last ? gone : kept;
    order.insert(order.end(), rest.begin(), rest.end());
    auto size = [&](const std::vector<int>& axes) {
      Dim product = 1;
      for (int axis : axes) product = b.symbols().Product(product, v.dim(axis));
      return product;
    };
    return lrt::Reshape(
        b, lrt::Transpose(b, v, order),
        summed_last ? Shape{size(kept), size(gone)} : Shape{size(gone), size(kept)});
  };
  Shape shape;
  for (char label : result) {
    const size_t own = x_labels.find(label);
    shape.Append(own != std::string::npos ? x.dim(static_cast<int>(own))
                                          : y.dim(static_cast<int>(y_labels.find(label))));
  }
  return lrt::Reshape(b, IntegerMatmul(b, matrix(x, x_labels, true), matrix(y, y_labels, false)),
                      shape);
}

Argument MatmulOp(Builder& b, Arguments& a) {
  const Value x1 = a.Tensor(0, "x1");
  const Value x2 = a.Tensor(1, "x2");
  return Matmul(b, x1, x2);
}

// The last axis of x with the last but one of y (the only one of a vector).
Argument DotOp(Builder& b, Arguments& a) {
  const auto [x, y] = ReadOperands(b, a);
  if (!x.ok() || !y.ok()) return Value();
  if (x.rank() == 0 || y.rank() == 0) return Multiply(b, x, y);
  if (x.rank() == 2 && y.rank() == 2) return Matmul(b, x, y);
  return Contract(b, x, y, {-1}, {y.rank() == 1 ? 0 : -2});
}

Argument InnerOp(Builder& b, Arguments& a) {
  const auto [x, y] = ReadOperands(b, a);
  if (!x.ok() || !y.ok()) return Value();
  if (x.rank() == 0 || y.rank() == 0) return Multiply(b, x, y);
  return Contract(b, x, y, {-1}, {-1});
}

Argument VdotOp(Builder& b, Arguments& a) {
  const auto [x, y] = ReadOperands(b, a);
  if (!x.ok() || !y.ok()) return Value();
  return Reduce(b, BuiltinOperator::SUM,
                Elementwise(b, BuiltinOperator::MUL, Ravel(b, x), Ravel(b, y)), std::nullopt,
                false);
}

Argument OuterOp(Builder& b, Arguments& a) {
  const auto [x, y] = ReadOperands(b, a);
  if (!x.ok() || !y.ok()) return Value();
  const Value column = Ravel(b, x);
  return Multiply(b, lrt::Reshape(b, column, Shape{column.dim(0), 1}), Ravel(b, y));
}

// axes: n, for x's last n with y's first n; or the two lists.
Argument TensordotOp(Builder& b, Arguments& a) {
  const auto [x, y] = ReadOperands(b, a);
  const Argument& axes = a.Get(2, "axes");
  if (!x.ok() || !y.ok()) return Value();
  std::vector<int> x_axes;
  std::vector<int> y_axes;
  if (axes.is_none() || axes.kind() == Argument::Kind::kInt) {
    const int64_t n = axes.is_none() ? 2 : a.Int(2, "axes");
    if (n < 0 || n > std::min(x.rank(), y.rank()))
      return b.Fail("tensordot-2", "axes is out of range");
    for (int i = 0; i < n; ++i) {
      x_axes.push_back(x.rank() - static_cast<int>(n) + i);
      y_axes.push_back(i);
    }
    return Contract(b, x, y, x_axes, y_axes);
  }
  auto read = [&](const Argument& list, std::vector<int>& out) {
    const std::vector<Argument> items = list.is_list() ? list.items() : std::vector<Argument>{list};
    for (const Argument& item : items) {
      if (item.kind() != Argument::Kind::kInt || !item.integer().is_static()) return false;
      out.push_back(static_cast<int>(item.integer().value()));
    }
    return true;
  };
  if (!axes.is_list() || axes.items().size() != 2 || !read(axes.items()[0], x_axes) ||
      !read(axes.items()[1], y_axes) || x_axes.size() != y_axes.size()) {
    return b.Fail("tensordot-3", fmt::format("axes is {}", axes.ToString()));
  }
  return Contract(b, x, y, x_axes, y_axes);
}

// (x₁y₂ - x₂y₁, x₂y₀ - x₀y₂, x₀y₁ - x₁y₀) along the axes.
Argument CrossOp(Builder& b, Arguments& a) {
  auto [x, y] = ReadOperands(b, a);
  int64_t axis_x = a.Int(2, "axisa", -1);
  int64_t axis_y = a.Int(3, "axisb", -1);
  int64_t axis_z = a.Int(4, "axisc", -1);
  if (const std::optional<int64_t> axis = a.OptionalInt(5, "axis"))
    axis_x = axis_y = axis_z = *axis;
  if (!x.ok() || !y.ok()) return Value();
  const std::optional<int> own = NormalizeAxis(b, axis_x, x.rank());
  const std::optional<int> other = NormalizeAxis(b, axis_y, y.rank());
  if (!own || !other) return Value();
  x = LastAxis(b, x, {*own}).value();
  y = LastAxis(b, y, {*other}).value();
  if (x.dim(-1) != Dim(3) || y.dim(-1) != Dim(3)) {
    return b.Fail("cross-1",
                  "the cross product of vectors that have not 3 elements is not supported",
                  "Pad vectors of two elements with a zero.");
  }
  auto turned = [&](Value v, std::vector<int32_t> order) {
    return GatherConstant(b, v, v.rank() - 1, order);
  };
  const Value z = Subtract(b, Multiply(b, turned(x, {1, 2, 0}), turned(y, {2, 0, 1})),
                           Multiply(b, turned(x, {2, 0, 1}), turned(y, {1, 2, 0})));
  const std::optional<int> target = NormalizeAxis(b, axis_z, z.rank());
  if (!z.ok() || !target) return Value();
  std::vector<int> order;
  for (int i = 0; i + 1 < z.rank(); ++i) order.push_back(i);
  order.insert(order.begin() + *target, z.rank() - 1);
  return lrt::Transpose(b, z, order);
}

// kron(x, y)[i·p + k, j·q + l] = x[i, j]·y[k, l]
Argument KronOp(Builder& b, Arguments& a) {
  auto [x, y] = ReadOperands(b, a);
  if (!x.ok() || !y.ok()) return Value();
  const int rank = std::max(x.rank(), y.rank());
  Shape x_shape;
  Shape y_shape;
  Shape result;
  for (int i = 0; i < rank; ++i) {
    const int own = i - (rank - x.rank());
    const int other = i - (rank - y.rank());
    const Dim m = own < 0 ? Dim(1) : x.dim(own);
    const Dim n = other < 0 ? Dim(1) : y.dim(other);
    for (Dim d : {m, Dim(1)}) x_shape.Append(d);
    for (Dim d : {Dim(1), n}) y_shape.Append(d);
    result.Append(b.symbols().Product(m, n));
  }
  return lrt::Reshape(b, Multiply(b, lrt::Reshape(b, x, x_shape), lrt::Reshape(b, y, y_shape)),
                      result);
}

// ---- Norms ----

Value Abs(Builder& b, Value x) {
  return lrt::Unary(b, BuiltinOperator::ABS, x);
}

// linalg.norm. Vectors: (Σ|x|ᵖ)^(1/p), the largest or least |x|, or how many are not 0. Matrices:
// Frobenius, the largest or least sum of |x| by columns (1) or rows (inf).
Argument NormOp(Builder& b, Arguments& a) {
  Value x = a.Tensor(0, "x");
  const Argument& order = a.Get(1, "ord");
  const std::optional<std::vector<int>> axis = a.Ints(2, "axis");
  const bool keepdims = a.Bool(3, "keepdims", false);
  if (!x.ok()) return x;
  x = lrt::Cast(b, x, FloatResultType(x.dtype()));
  const std::optional<std::vector<int>> axes = NormalizeAxes(b, axis, x.rank());
  if (!axes) return Value();
  auto sum = [&](Value v, const std::vector<int>& over) { return Sum(b, v, over, keepdims); };
  const bool frobenius = order.kind() == Argument::Kind::kString && order.string() == "fro";
  const double infinity = std::numeric_limits<double>::infinity();
  const std::string name = order.kind() == Argument::Kind::kString ? order.string() : "";
  // NaN: no number.
  const double p = order.is_number() ? order.number()
                   : name == "inf"   ? infinity
                   : name == "-inf"  ? -infinity
                                     : std::numeric_limits<double>::quiet_NaN();
  if (order.is_none() || (frobenius && axes->size() == 2) || (p == 2.0 && axes->size() == 1)) {
    return Sqrt(b, sum(lrt::Mul(b, x, x), *axes));
  }
  if (axes->size() == 1 && !std::isnan(p)) {
    if (p == infinity) return Max(b, Abs(b, x), axes, keepdims);
    if (p == -infinity) return Min(b, Abs(b, x), axes, keepdims);
    if (p == 1) return sum(Abs(b, x), *axes);
    if (p == 0) return lrt::Cast(b, sum(lrt::Cast(b, x, DType::kBool), *axes), x.dtype());
    const Value powers = Elementwise(b, BuiltinOperator::POW, Abs(b, x), b.Scalar(p, x.dtype()));
    return Elementwise(b, BuiltinOperator::POW, sum(powers, *axes), b.Scalar(1 / p, x.dtype()));
  }
  const bool by_columns = p == 1.0 || p == -1.0;
  if (axes->size() == 2 && (by_columns || std::abs(p) == infinity)) {
    // The axes in the order given: rows, columns.
    const int rows = axis ? ((*axis)[0] + x.rank()) % x.rank() : 0;
    const int columns = axis ? ((*axis)[1] + x.rank()) % x.rank() : 1;
    const int inner = by_columns ? rows : columns;
    const int outer = by_columns ? columns : rows;
    const Value sums = Sum(b, Abs(b, x), std::vector<int>{inner}, true);
    const Value extreme = p > 0 ? Max(b, sums, std::vector<int>{outer}, true)
                                : Min(b, sums, std::vector<int>{outer}, true);
    return keepdims ? extreme : lrt::Squeeze(b, extreme, *axes);
  }
  return b.Fail(
      "norm-1",
      fmt::format("the norm of order {} over {} axes is not supported", order.ToString(),
                  axes->size()),
      "Use the orders None, 1, 2 or infinity, or compute it with other functions of keras.ops.");
}

// Distances of all rows of x and y: √Σ(x - y)²
Argument DistancesOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "x");
  const Value y = a.Tensor(1, "y");
  if (!x.ok() || !y.ok()) return Value();
  if (x.rank() < 2 || y.rank() < 2) return b.Fail("cdist-1", "the operands must be matrices");
  const DType dtype = FloatResultType(ResultType({Operand(x), Operand(y)}));
  const Value apart = Elementwise(b, BuiltinOperator::SQUARED_DIFFERENCE,
                                  lrt::ExpandDims(b, lrt::Cast(b, x, dtype), x.rank() - 1),
                                  lrt::ExpandDims(b, lrt::Cast(b, y, dtype), y.rank() - 2));
  return Sqrt(b, Sum(b, apart, std::vector<int>{-1}));
}

}  // namespace

Value Matmul(Builder& b, Value x1, Value x2) {
  if (!x1.ok() || !x2.ok()) return Value();
  if (x1.dtype() == DType::kInt8 && x2.dtype() == DType::kInt8) return Int8Matmul(b, x1, x2);
  const DType dtype = ResultType({Operand(x1), Operand(x2)});
  x1 = lrt::Cast(b, x1, dtype);
  x2 = lrt::Cast(b, x2, dtype);
  if (x1.rank() == 0 || x2.rank() == 0) return b.Fail("matmul-2", "matmul of a scalar");
  const Dim inner = x2.dim(x2.rank() == 1 ? 0 : -2);
  if (x1.dim(-1).is_static() && inner.is_static() && x1.dim(-1) != inner) {
    return b.Fail("matmul-3", fmt::format("{} and {} do not multiply", x1.shape().ToString(),
                                          x2.shape().ToString()));
  }
  if (HasMatmulKernel(dtype) && x2.is_constant() && x2.rank() == 2 && x1.rank() >= 2) {
    return Dense(b, x1, x2, Value());
  }
  // A vector on the left is a row, on the right a column; its axis goes afterwards.
  const Value left = x1.rank() == 1 ? lrt::ExpandDims(b, x1, 0) : x1;
  const Value right = x2.rank() == 1 ? lrt::ExpandDims(b, x2, 1) : x2;
  const Value product = BatchedMatmul(b, left, right);
  if (!product.ok()) return product;
  Shape shape = product.shape();
  if (x2.rank() == 1) shape.Erase(shape.rank() - 1);
  if (x1.rank() == 1) shape.Erase(shape.rank() - (x2.rank() == 1 ? 1 : 2));
  return lrt::Reshape(b, product, shape);
}

// matmul(x, W) + b ⇒ FULLY_CONNECTED(x, Wᵀ, b)      W [in, out] is constant
Value Dense(Builder& b, Value x, Value kernel, Value bias) {
  if (!x.ok() || !kernel.ok()) return Value();
  return lrt::FullyConnected(b, x, lrt::Transpose(b, kernel, {1, 0}), bias);
}

std::span<const OpEntry> LinearOps() {
  static constexpr OpEntry kOps[] = {
      {"linalg.norm", NormOp},          {"math.c_dist", DistancesOp}, {"math.cdist", DistancesOp},
      {"numpy.cross", CrossOp},         {"numpy.dot", DotOp},         {"numpy.inner", InnerOp},
      {"numpy.kron", KronOp},           {"numpy.matmul", MatmulOp},   {"numpy.outer", OuterOp},
      {"numpy.tensordot", TensordotOp}, {"numpy.vdot", VdotOp},
  };
  return kOps;
}

}  // namespace keras_litert::ops
