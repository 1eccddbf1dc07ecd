// keras.ops.linalg by name: what the arguments mean; matrix_factors.h computes.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/matrix_factors.h"
#include "ops/reduction.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

constexpr int64_t kMaxSize = 1024;  // of a matrix

// The last two axes of a tensor as [batch, m, n] floats; the other axes come back with Restore.
class Matrices {
 public:
  Matrices(Builder& b, std::string_view function, Value x, bool square) : b_(b) {
    if (!x.ok()) return;
    const bool fits = x.rank() >= 2 && x.dim(-1).is_static() && x.dim(-2).is_static() &&
                      x.dim(-1).value() >= 1 && x.dim(-2).value() >= 1 &&
                      x.dim(-1).value() <= kMaxSize && x.dim(-2).value() <= kMaxSize;
    if (!fits || (square && x.dim(-1) != x.dim(-2))) {
      b.Fail("linalg-1",
             fmt::format("{}: {} are no {} matrices of a static size up to {}", function,
                         x.shape().ToString(), square ? "square" : "", kMaxSize),
             "Fix the sizes: in the model's Input, or with --shape.");
      return;
    }
    for (int i = 0; i + 2 < x.rank(); ++i) leading_.Append(x.dim(i));
    Dim batch = 1;
    for (Dim d : leading_) batch = b.symbols().Product(batch, d);
    const Value floats = lrt::Cast(b, x, FloatResultType(x.dtype()));
    value_ = lrt::Reshape(b, floats, {batch, x.dim(-2), x.dim(-1)});
  }

  Value value() const { return value_; }
  bool ok() const { return value_.ok(); }
  // y [batch, …]
  Value Restore(Value y) const {
    if (!y.ok()) return y;
    Shape shape = leading_;
    for (int i = 1; i < y.rank(); ++i) shape.Append(y.dim(i));
    return lrt::Reshape(b_, y, shape);
  }

 private:
  Builder& b_;
  Shape leading_;
  Value value_;
};

Argument CholeskyOp(Builder& b, Arguments& a) {
  const Matrices x(b, "cholesky", a.Tensor(0, "x"), true);
  const bool upper = a.Bool(1, "upper", false);
  const Value l = Cholesky(b, x.value());
  return x.Restore(upper && l.ok() ? Transposed(b, l) : l);
}

// (L Lᵀ)⁻¹ = L⁻ᵀ L⁻¹,  (UᵀU)⁻¹ = U⁻¹ U⁻ᵀ
Argument CholeskyInverseOp(Builder& b, Arguments& a) {
  const Matrices x(b, "cholesky_inverse", a.Tensor(0, "x"), true);
  const bool upper = a.Bool(1, "upper", false);
  if (!x.ok()) return Value();
  const Value one = Identities(b, x.value(), Size(x.value(), 1));
  const Value inverse = SolveTriangular(b, x.value(), one, !upper);
  if (!inverse.ok()) return inverse;
  return x.Restore(lrt::BatchMatMul(b, inverse, inverse, !upper, upper));
}

struct Determinant {
  Value sign;  // [batch]
  Value diagonal;
};
Determinant FactorForDeterminant(Builder& b, Value x) {
  const Factors factors = Factor(b, x);
  if (!factors.lu.ok()) return {};
  const int64_t n = Size(x, 1);
  std::vector<int32_t> rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  const Value own = b.Constant(DType::kInt32, Shape{1, n}, rows);
  const Value moved = lrt::Compare(b, BuiltinOperator::NOT_EQUAL, factors.pivots, own);
  const Value signs = lrt::Select(b, moved, b.Scalar(-1, x.dtype()), b.Scalar(1, x.dtype()));
  return {lrt::Reduce(b, BuiltinOperator::REDUCE_PROD, signs, {1}, false), Diagonal(b, factors.lu)};
}
Argument DetOp(Builder& b, Arguments& a) {
  const Matrices x(b, "det", a.Tensor(0, "x"), true);
  const Determinant d = FactorForDeterminant(b, x.value());
  if (!d.sign.ok()) return Value();
  const Value product = lrt::Reduce(b, BuiltinOperator::REDUCE_PROD, d.diagonal, {1}, false);
  return x.Restore(lrt::Mul(b, d.sign, product));
}
template <bool kSign>
Argument LogDetOp(Builder& b, Arguments& a) {
  const Matrices x(b, "slogdet", a.Tensor(0, "x"), true);
  const Determinant d = FactorForDeterminant(b, x.value());
  if (!d.sign.ok()) return Value();
  const Value size = lrt::Unary(b, BuiltinOperator::ABS, d.diagonal);
  const Value log =
      x.Restore(Sum(b, lrt::Unary(b, BuiltinOperator::LOG, size), std::vector<int>{1}));
  if (!kSign) return log;
  const Value signs = lrt::Unary(b, BuiltinOperator::SIGN, d.diagonal);
  const Value sign = lrt::Reduce(b, BuiltinOperator::REDUCE_PROD, signs, {1}, false);
  return Argument::List({x.Restore(lrt::Mul(b, d.sign, sign)), log});
}

Argument LuFactorOp(Builder& b, Arguments& a) {
  const Matrices x(b, "lu_factor", a.Tensor(0, "x"), false);
  const Factors factors = Factor(b, x.value());
  return Argument::List({x.Restore(factors.lu), x.Restore(factors.pivots)});
}

Argument InvOp(Builder& b, Arguments& a) {
  const Matrices x(b, "inv", a.Tensor(0, "x"), true);
  if (!x.ok()) return Value();
  return x.Restore(SolveLinear(b, x.value(), Identities(b, x.value(), Size(x.value(), 1))));
}

// Right-hand sides [..., n] or [..., n, c]; both with the matrices' leading axes.
template <typename Solve>
Value SolveSides(Builder& b, std::string_view function, Value a, Value y, bool square,
                 Solve solve) {
  const Matrices matrices(b, function, a, square);
  if (!matrices.ok() || !y.ok()) return Value();
  const bool vector = y.rank() == a.rank() - 1;
  const Matrices sides(b, function, vector ? lrt::ExpandDims(b, y, y.rank()) : y, false);
  if (!sides.ok()) return Value();
  if (matrices.value().dim(1) != sides.value().dim(1) || (!vector && y.rank() != a.rank())) {
    return b.Fail("linalg-2", fmt::format("{}: {} and {} do not fit", function,
                                          a.shape().ToString(), y.shape().ToString()));
  }
  const Value right = lrt::Cast(b, sides.value(), matrices.value().dtype());
  const Value x = matrices.Restore(solve(matrices.value(), right));
  return vector && x.ok() ? lrt::Squeeze(b, x, {x.rank() - 1}) : x;
}
Argument SolveOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "a");
  return SolveSides(b, "solve", x, a.Tensor(1, "b"), true,
                    [&](Value m, Value y) { return SolveLinear(b, m, y); });
}
Argument SolveTriangularOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "a");
  const Value y = a.Tensor(1, "b");
  const bool lower = a.Bool(2, "lower", false);
  return SolveSides(b, "solve_triangular", x, y, true,
                    [&](Value m, Value v) { return SolveTriangular(b, m, v, lower); });
}

Argument QrOp(Builder& b, Arguments& a) {
  const Matrices x(b, "qr", a.Tensor(0, "x"), false);
  const std::string mode = a.String(1, "mode", "reduced");
  if (mode != "reduced" && mode != "complete") {
    return b.Fail("qr-1", fmt::format("qr: the mode '{}' is not known", mode));
  }
  const Reflected done = Householder(b, x.value());
  if (!done.q.ok()) return Value();
  const int64_t n =
      mode == "reduced" ? std::min(Size(x.value(), 1), Size(x.value(), 2)) : Size(x.value(), 1);
  return Argument::List(
      {x.Restore(Range(b, done.q, 2, 0, n)), x.Restore(Range(b, done.r, 1, 0, n))});
}

Argument EighOp(Builder& b, Arguments& a) {
  const Matrices x(b, "eigh", a.Tensor(0, "x"), true);
  const Spectrum spectrum = SymmetricEigen(b, x.value());
  return Argument::List({x.Restore(spectrum.values), x.Restore(spectrum.vectors)});
}
Argument EigOp(Builder& b, Arguments& a) {
  a.Tensor(0, "x");
  return b.Fail("eig-1",
                "eig: eigenvalues of a matrix that is not symmetric are complex, and LiteRT has no "
                "complex arithmetic",
                "Use keras.ops.linalg.eigh where the matrix is symmetric.");
}

// u with orthonormal columns, continued to a whole basis.
Value Completed(Builder& b, Value u) {
  if (!u.ok() || Size(u, 1) == Size(u, 2)) return u;
  const Reflected basis = Householder(b, u);
  if (!basis.q.ok()) return Value();
  return lrt::Concatenation(b, {u, Range(b, basis.q, 2, Size(u, 2), Size(u, 1))}, 2);
}
Argument SvdOp(Builder& b, Arguments& a) {
  const Matrices x(b, "svd", a.Tensor(0, "x"), false);
  const bool full = a.Bool(1, "full_matrices", true);
  const bool vectors = a.Bool(2, "compute_uv", true);
  const Singular svd = Svd(b, x.value());
  if (!svd.s.ok()) return Value();
  if (!vectors) return x.Restore(svd.s);
  const Value u = full ? Completed(b, svd.u) : svd.u;
  const Value v = full ? Completed(b, svd.v) : svd.v;
  if (!u.ok() || !v.ok()) return Value();
  return Argument::List({x.Restore(u), x.Restore(svd.s), x.Restore(Transposed(b, v))});
}

// Singular values up to `limit` of the largest count as 0; by default what rounding leaves.
Value PseudoInverse(Builder& b, Value x, std::optional<double> limit, double times_epsilon) {
  const Singular svd = Svd(b, x);
  if (!svd.s.ok()) return Value();
  const double size = static_cast<double>(std::max(Size(x, 1), Size(x, 2)));
  const double part = limit.value_or(times_epsilon * size * std::numeric_limits<float>::epsilon());
  const Value least = Multiply(b, Range(b, svd.s, 1, 0, 1), part);
  const Value keep = Elementwise(b, BuiltinOperator::GREATER, svd.s, least);
  const Value one = b.Scalar(1, x.dtype());
  const Value inverse =
      Select(b, keep, lrt::Div(b, one, Select(b, keep, svd.s, one)), b.Scalar(0, svd.s.dtype()));
  const Value scaled = lrt::Mul(b, svd.v, lrt::ExpandDims(b, inverse, 1));
  return lrt::BatchMatMul(b, scaled, svd.u, false, true);
}
std::optional<double> OptionalNumber(Arguments& a, int position, const char* name) {
  if (!a.Has(position, name)) {
    a.Get(position, name);
    return std::nullopt;
  }
  return a.Float(position, name, 0);
}
Argument PinvOp(Builder& b, Arguments& a) {
  const Matrices x(b, "pinv", a.Tensor(0, "x"), false);
  const std::optional<double> limit = OptionalNumber(a, 1, "rcond");
  return x.Restore(PseudoInverse(b, x.value(), limit, 10));
}
Argument LstsqOp(Builder& b, Arguments& a) {
  const Value x = a.Tensor(0, "a");
  const Value y = a.Tensor(1, "b");
  const std::optional<double> limit = OptionalNumber(a, 2, "rcond");
  return SolveSides(b, "lstsq", x, y, false, [&](Value m, Value v) {
    const Value inverse = PseudoInverse(b, m, limit, 1);
    return inverse.ok() ? lrt::BatchMatMul(b, inverse, v) : Value();
  });
}
Argument MatrixRankOp(Builder& b, Arguments& a) {
  const Matrices x(b, "matrix_rank", a.Tensor(0, "x"), false);
  const std::optional<double> tolerance = OptionalNumber(a, 1, "tol");
  const Singular svd = Svd(b, x.value());
  if (!svd.s.ok()) return Value();
  const double size = static_cast<double>(std::max(Size(x.value(), 1), Size(x.value(), 2)));
  const Value least = tolerance ? b.Scalar(*tolerance, svd.s.dtype())
                                : Multiply(b, Range(b, svd.s, 1, 0, 1),
                                           size * std::numeric_limits<float>::epsilon());
  const Value some = Elementwise(b, BuiltinOperator::GREATER, svd.s, least);
  return x.Restore(
      lrt::Reduce(b, BuiltinOperator::SUM, lrt::Cast(b, some, DType::kInt32), {1}, false));
}

}  // namespace

std::span<const OpEntry> LinalgOps() {
  static constexpr OpEntry kOps[] = {
      {"linalg.cholesky", CholeskyOp},
      {"linalg.cholesky_inverse", CholeskyInverseOp},
      {"linalg.det", DetOp},
      {"linalg.eig", EigOp},
      {"linalg.eigh", EighOp},
      {"linalg.inv", InvOp},
      {"linalg.lstsq", LstsqOp},
      {"linalg.lu_factor", LuFactorOp},
      {"linalg.matrix_rank", MatrixRankOp},
      {"linalg.pinv", PinvOp},
      {"linalg.qr", QrOp},
      {"linalg.solve", SolveOp},
      {"linalg.solve_triangular", SolveTriangularOp},
      {"linalg.svd", SvdOp},
      {"math.logdet", LogDetOp<false>},
      {"numpy.slogdet", LogDetOp<true>},
  };
  return kOps;
}

}  // namespace keras_litert::ops
