// Column by column: a step for each is unrolled for small matrices, and the body of a WHILE for
// others, so that the file does not grow with them. k is a scalar, and masks are comparisons of
// 0, 1, 2 … with it.
#include "ops/matrix_factors.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "ir/operators.h"
#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/sort.h"

namespace keras_litert::ops {
namespace {

constexpr int64_t kUnrolled = 4;  // steps
constexpr int kSweeps = 8;        // of Jacobi's rotations; they converge quadratically

using State = std::vector<Value>;
using Step = std::function<State(Builder& b, Value k, const State& state)>;

Value Int(Builder& b, int64_t value) {
  return b.Scalar(static_cast<double>(value), DType::kInt32);
}

// step(n - 1, … step(1, step(0, state))).
State For(Builder& b, int64_t n, State state, const Step& step) {
  for (Value v : state) {
    if (!v.ok()) return State(state.size());
  }
  if (n <= kUnrolled) {
    for (int64_t k = 0; k < n; ++k) state = step(b, Int(b, k), state);
    return state;
  }
  ir::Graph& condition = b.module().AddGraph("linalg_condition");
  ir::Graph& body = b.module().AddGraph("linalg_body");
  Builder in_condition = b.In(condition);
  Builder in_body = b.In(body);
  State variables{Int(b, 0)};
  variables.insert(variables.end(), state.begin(), state.end());
  State own;
  State given;
  for (Value v : variables) {
    given.emplace_back(condition.AddInput(v.type(), ""));
    own.emplace_back(body.AddInput(v.type(), ""));
  }
  condition.outputs() = {
      lrt::Compare(in_condition, BuiltinOperator::LESS, given[0], Int(in_condition, n)).tensor()};
  const State next = step(in_body, own[0], State(own.begin() + 1, own.end()));
  const Value index = lrt::Add(in_body, own[0], Int(in_body, 1));
  body.outputs().push_back(index.tensor());
  for (Value v : next) {
    if (!v.ok()) return State(state.size());
    body.outputs().push_back(v.tensor());
  }
  State result = lrt::While(b, condition, body, variables);
  if (result.size() != variables.size()) return State(state.size());
  result.erase(result.begin());
  return result;
}

// 0, 1 … n - 1, along an axis of a tensor of rank 3.
Value Iota(Builder& b, int64_t n, int axis) {
  std::vector<int32_t> values(static_cast<size_t>(n));
  std::iota(values.begin(), values.end(), 0);
  Shape shape{1, 1, 1};
  shape.Set(axis, n);
  return b.Constant(DType::kInt32, shape, values);
}
// Where the index along the axis is equal to k, or beyond it, …
Value At(Builder& b, Value x, int axis, BuiltinOperator condition, Value k) {
  return lrt::Compare(b, condition, Iota(b, Size(x, axis), axis), k);
}
Value Row(Builder& b, Value x, Value k) {  // [batch, 1, columns]
  return lrt::ExpandDims(b, lrt::Gather(b, x, k, 1), 1);
}
Value Column(Builder& b, Value x, Value k) {  // [batch, rows, 1]
  return lrt::ExpandDims(b, lrt::Gather(b, x, k, 2), 2);
}
Value Zero(Builder& b, Value like) {
  return b.Scalar(0, like.dtype());
}
Value Sum3(Builder& b, Value x, int axis) {
  return lrt::Reduce(b, BuiltinOperator::SUM, x, {axis}, true);
}
Value Identity(Builder& b, int64_t n, DType dtype) {  // [1, n, n]
  std::vector<float> values(static_cast<size_t>(n * n), 0.0F);
  for (int64_t i = 0; i < n; ++i) values[static_cast<size_t>(i * (n + 1))] = 1;
  return lrt::Cast(b, b.Constant(DType::kFloat32, Shape{1, n, n}, values), dtype);
}

// The largest element of column k, from row k on, and its row changed with row k.
struct Pivoted {
  Value x;
  Value row;    // [batch, 1, columns], now row k
  Value pivot;  // [batch, 1, 1]
  Value index;  // int32 [batch]
};
Pivoted Pivot(Builder& b, Value x, Value k) {
  const Value column = lrt::Unary(b, BuiltinOperator::ABS, Column(b, x, k));
  const Value from_k = At(b, x, 1, BuiltinOperator::GREATER_EQUAL, k);
  const Value candidates = lrt::Select(b, from_k, column, b.Scalar(-1, x.dtype()));
  Pivoted result;
  result.index = lrt::ArgReduce(b, BuiltinOperator::ARG_MAX,
                                lrt::Reshape(b, candidates, {x.dim(0), x.dim(1)}), 1);
  const Value places = lrt::ExpandDims(b, result.index, 1);
  result.row = lrt::Gather(b, x, places, 1, 1);
  const Value is_pivot = lrt::Compare(b, BuiltinOperator::EQUAL, Iota(b, Size(x, 1), 1),
                                      lrt::ExpandDims(b, places, 2));
  const Value moved = lrt::Select(b, is_pivot, Row(b, x, k), x);
  result.x = lrt::Select(b, At(b, x, 1, BuiltinOperator::EQUAL, k), result.row, moved);
  result.pivot = Column(b, result.row, k);
  return result;
}

// Whom each index is paired with in each of the rounds of a round-robin tournament, [rounds, n];
// itself where it has no partner.
std::vector<int32_t> Partners(int64_t n, int64_t* rounds) {
  const int64_t even = n + n % 2;
  *rounds = even - 1;
  std::vector<int32_t> table;
  for (int64_t round = 0; round < *rounds; ++round) {
    std::vector<int64_t> seats(static_cast<size_t>(even));
    for (int64_t i = 0; i + 1 < even; ++i) {
      seats[static_cast<size_t>(i)] = (i + round) % (even - 1);
    }
    seats.back() = even - 1;
    std::vector<int32_t> partner(static_cast<size_t>(n));
    for (int64_t i = 0; i < even / 2; ++i) {
      // The last sits opposite to the first; the others pairwise.
      const int64_t x = i == 0 ? seats[0] : seats[static_cast<size_t>(i)];
      const int64_t y = i == 0 ? seats.back() : seats[static_cast<size_t>(even - 1 - i)];
      if (x < n) partner[static_cast<size_t>(x)] = static_cast<int32_t>(y < n ? y : x);
      if (y < n) partner[static_cast<size_t>(y)] = static_cast<int32_t>(x < n ? x : y);
    }
    table.insert(table.end(), partner.begin(), partner.end());
  }
  return table;
}

// The product of the rotations of one round, which make the symmetric a's elements at (i, partner)
// 0 in Jᵀ a J: with τ = (a_jj - a_ii) / 2·a_ij, t = sign(τ) / (|τ| + √(1 + τ²)), c = 1 / √(1 + t²),
// s = c·t, i < j:  J_ii = J_jj = c, J_ij = s, J_ji = -s (G. Golub and C. van Loan, "Matrix
// computations", 8.5).
Value Rotations(Builder& b, Value a, Value step) {
  const int64_t n = Size(a, 1);
  int64_t rounds = 1;
  const std::vector<int32_t> table = Partners(n, &rounds);
  std::vector<int32_t> places;  // of (i, partner) in the matrix
  std::vector<float> order;     // 1 where the partner is behind, -1 where before, 0 where none
  for (size_t i = 0; i < table.size(); ++i) {
    const auto own = static_cast<int32_t>(i % static_cast<size_t>(n));
    places.push_back(own * static_cast<int32_t>(n) + table[i]);
    order.push_back(table[i] > own ? 1.0F : table[i] < own ? -1.0F : 0.0F);
  }
  const Value round = lrt::FloorMod(b, step, Int(b, rounds));
  auto of_round = [&](auto dtype, const auto& values) {
    return lrt::Gather(b, b.Constant(dtype, Shape{rounds, n}, values), round, 0);
  };
  const Value partner = of_round(DType::kInt32, table);
  const Value sign = lrt::Cast(b, of_round(DType::kFloat32, order), a.dtype());
  const Value zero = Zero(b, a);
  const Value one = b.Scalar(1, a.dtype());
  const Value diagonal = Diagonal(b, a);  // [batch, n]
  const Value other = lrt::Gather(b, diagonal, partner, 1);
  const Value off =
      lrt::Gather(b, lrt::Reshape(b, a, {a.dim(0), n * n}), of_round(DType::kInt32, places), 1);
  const Value is_zero = lrt::Compare(b, BuiltinOperator::EQUAL, off, zero);
  const Value doubled = lrt::Select(b, is_zero, one, lrt::Add(b, off, off));
  const Value tau = lrt::Div(b, lrt::Mul(b, sign, lrt::Sub(b, other, diagonal)), doubled);
  const Value size = lrt::Unary(b, BuiltinOperator::ABS, tau);
  const Value root = lrt::Unary(b, BuiltinOperator::SQRT, lrt::Add(b, lrt::Mul(b, tau, tau), one));
  const Value tangent = lrt::Div(b, one, lrt::Add(b, size, root));
  const Value negative = lrt::Compare(b, BuiltinOperator::LESS, tau, zero);
  const Value turned =
      lrt::Select(b, negative, lrt::Unary(b, BuiltinOperator::NEG, tangent), tangent);
  const Value t = lrt::Mul(b, lrt::Select(b, is_zero, zero, turned), sign);
  const Value c =
      lrt::Div(b, one, lrt::Unary(b, BuiltinOperator::SQRT, lrt::Add(b, lrt::Mul(b, t, t), one)));
  const Value s = lrt::Mul(b, c, t);
  const Value eye = lrt::Compare(b, BuiltinOperator::EQUAL, Iota(b, n, 1), Iota(b, n, 2));
  const Value pair =
      lrt::Compare(b, BuiltinOperator::EQUAL, lrt::Reshape(b, partner, {1, n, 1}), Iota(b, n, 2));
  return lrt::Select(b, eye, lrt::ExpandDims(b, c, 2),
                     lrt::Select(b, pair, lrt::ExpandDims(b, s, 2), zero));
}

int64_t JacobiSteps(int64_t n) {
  return n < 2 ? 0 : kSweeps * (n + n % 2 - 1);
}

Value GatherColumns(Builder& b, Value x, Value indices) {  // x[:, :, indices[batch, n]]
  return Transposed(b, lrt::Gather(b, Transposed(b, x), indices, 1, 1));
}

}  // namespace

int64_t Size(Value x, int axis) {
  return x.dim(axis).value();
}

Value Transposed(Builder& b, Value x) {
  return lrt::Transpose(b, x, {0, 2, 1});
}

// The identity for every matrix of the batch.
Value Identities(Builder& b, Value like, int64_t n) {
  return BroadcastTo(b, Identity(b, n, like.dtype()), {like.dim(0), n, n});
}

Value Diagonal(Builder& b, Value x) {  // [batch, min(rows, columns)]
  const int64_t n = std::min(Size(x, 1), Size(x, 2));
  std::vector<int32_t> places;
  for (int64_t i = 0; i < n; ++i) places.push_back(static_cast<int32_t>(i * (Size(x, 2) + 1)));
  return GatherConstant(b, lrt::Reshape(b, x, {x.dim(0), Size(x, 1) * Size(x, 2)}), 1, places);
}

// ---- Elimination ----

Factors Factor(Builder& b, Value x) {
  if (!x.ok()) return {};
  const int64_t n = std::min(Size(x, 1), Size(x, 2));
  const Value none = BroadcastTo(
      b, b.Constant(DType::kInt32, Shape{1, n}, std::vector<int32_t>(static_cast<size_t>(n), 0)),
      {x.dim(0), n});
  const State done = For(b, n, {x, none}, [n](Builder& c, Value k, const State& s) -> State {
    const Pivoted p = Pivot(c, s[0], k);
    const Value is_zero = lrt::Compare(c, BuiltinOperator::EQUAL, p.pivot, Zero(c, p.pivot));
    const Value divisor = lrt::Select(c, is_zero, c.Scalar(1, p.pivot.dtype()), p.pivot);
    const Value below = At(c, p.x, 1, BuiltinOperator::GREATER, k);
    const Value behind = At(c, p.x, 2, BuiltinOperator::GREATER, k);
    const Value factor =
        lrt::Select(c, below, lrt::Div(c, Column(c, p.x, k), divisor), Zero(c, p.x));
    const Value row = lrt::Select(c, behind, p.row, Zero(c, p.x));
    const Value rest = lrt::Sub(c, p.x, lrt::Mul(c, factor, row));
    const Value own = lrt::Compare(c, BuiltinOperator::LOGICAL_AND, below,
                                   At(c, p.x, 2, BuiltinOperator::EQUAL, k));
    const Value is_k =
        lrt::Compare(c, BuiltinOperator::EQUAL, lrt::Reshape(c, Iota(c, n, 1), Shape{1, n}), k);
    return {lrt::Select(c, own, factor, rest),
            lrt::Select(c, is_k, lrt::ExpandDims(c, p.index, 1), s[1])};
  });
  return {done[0], done[1]};
}

// a x = y of a triangular matrix.
Value SolveTriangular(Builder& b, Value a, Value y, bool lower) {
  if (!a.ok() || !y.ok()) return Value();
  const int64_t n = Size(a, 1);
  return For(b, n, {a, y}, [n, lower](Builder& c, Value i, const State& s) -> State {
    const Value k = lower ? i : lrt::Sub(c, Int(c, n - 1), i);
    const Value solved = lrt::Div(c, Row(c, s[1], k), Column(c, Row(c, s[0], k), k));
    const Value open = At(c, s[0], 1, lower ? BuiltinOperator::GREATER : BuiltinOperator::LESS, k);
    const Value factor = lrt::Select(c, open, Column(c, s[0], k), Zero(c, s[0]));
    const Value rest = lrt::Sub(c, s[1], lrt::Mul(c, factor, solved));
    return {s[0], lrt::Select(c, At(c, s[0], 1, BuiltinOperator::EQUAL, k), solved, rest)};
  })[1];
}

// L with L Lᵀ = x.
Value Cholesky(Builder& b, Value x) {
  if (!x.ok()) return x;
  const Value zeros = lrt::Mul(b, x, Zero(b, x));
  return For(b, Size(x, 1), {x, zeros}, [](Builder& c, Value k, const State& s) -> State {
    const Value from_k = At(c, s[0], 1, BuiltinOperator::GREATER_EQUAL, k);
    const Value root = lrt::Unary(c, BuiltinOperator::SQRT, Column(c, Row(c, s[0], k), k));
    const Value column =
        lrt::Select(c, from_k, lrt::Div(c, Column(c, s[0], k), root), Zero(c, s[0]));
    const Value rest = lrt::Sub(c, s[0], lrt::BatchMatMul(c, column, column, false, true));
    return {rest, lrt::Select(c, At(c, s[0], 2, BuiltinOperator::EQUAL, k), column, s[1])};
  })[1];
}

Value SolveLinear(Builder& b, Value a, Value y) {
  if (!a.ok() || !y.ok()) return Value();
  const int64_t n = Size(a, 1);
  const State done = For(
      b, n, {lrt::Concatenation(b, {a, y}, 2)}, [](Builder& c, Value k, const State& s) -> State {
        const Pivoted p = Pivot(c, s[0], k);
        const Value row = lrt::Div(c, p.row, p.pivot);
        const Value rest = lrt::Sub(c, p.x, lrt::Mul(c, Column(c, p.x, k), row));
        return {lrt::Select(c, At(c, p.x, 1, BuiltinOperator::EQUAL, k), row, rest)};
      });
  return done[0].ok() ? Range(b, done[0], 2, n, Size(done[0], 2)) : Value();
}

// ---- Householder's reflections ----

// A. Householder, "Unitary triangularization of a nonsymmetric matrix", 1958, with LAPACK's signs:
//   v = x - a·e_k,  a = -sign(x_k)·|x|;   R ⇐ R - 2/|v|² v vᵀR,   Q ⇐ Q - 2/|v|² Q v vᵀ
// of the part x of column k from row k on; nothing where there is nothing below row k.
Reflected Householder(Builder& b, Value x) {
  if (!x.ok()) return {};
  const int64_t m = Size(x, 1);
  const int64_t n = Size(x, 2);
  const State done = For(
      b, std::min(m, n), {Identities(b, x, m), x},
      [](Builder& c, Value k, const State& s) -> State {
        const Value column = Column(c, s[1], k);
        const Value zero = Zero(c, column);
        const Value own = Row(c, column, k);
        const Value part =
            lrt::Select(c, At(c, s[1], 1, BuiltinOperator::GREATER_EQUAL, k), column, zero);
        const Value below =
            lrt::Select(c, At(c, s[1], 1, BuiltinOperator::GREATER, k), column, zero);
        const Value square = Sum3(c, lrt::Mul(c, below, below), 1);
        const Value norm =
            lrt::Unary(c, BuiltinOperator::SQRT, lrt::Add(c, lrt::Mul(c, own, own), square));
        const Value negative = lrt::Compare(c, BuiltinOperator::LESS, own, zero);
        const Value a = lrt::Select(c, negative, norm, lrt::Unary(c, BuiltinOperator::NEG, norm));
        const Value v =
            lrt::Sub(c, part, lrt::Select(c, At(c, s[1], 1, BuiltinOperator::EQUAL, k), a, zero));
        const Value nothing = lrt::Compare(c, BuiltinOperator::EQUAL, square, zero);
        const Value length = Sum3(c, lrt::Mul(c, v, v), 1);
        const Value one = c.Scalar(1, column.dtype());
        const Value tau = lrt::Select(
            c, nothing, zero,
            lrt::Div(c, c.Scalar(2, column.dtype()), lrt::Select(c, nothing, one, length)));
        const Value scaled = lrt::Mul(c, tau, v);
        const Value rows = lrt::BatchMatMul(c, v, s[1], true, false);      // vᵀR
        const Value columns = lrt::BatchMatMul(c, s[0], v, false, false);  // Q v
        return {lrt::Sub(c, s[0], lrt::BatchMatMul(c, columns, scaled, false, true)),
                lrt::Sub(c, s[1], lrt::BatchMatMul(c, scaled, rows, false, false))};
      });
  if (!done[1].ok()) return {};
  // What was made 0 is 0.
  const Value upper = lrt::Compare(b, BuiltinOperator::LESS_EQUAL, Iota(b, m, 1), Iota(b, n, 2));
  return {done[0], lrt::Select(b, upper, done[1], Zero(b, x))};
}

// ---- Jacobi's rotations ----

Spectrum SymmetricEigen(Builder& b, Value x) {
  if (!x.ok()) return {};
  const int64_t n = Size(x, 1);
  x = Multiply(b, lrt::Add(b, x, Transposed(b, x)), 0.5);
  const State done = For(b, JacobiSteps(n), {x, Identities(b, x, n)},
                         [](Builder& c, Value k, const State& s) -> State {
                           const Value j = Rotations(c, s[0], k);
                           const Value left = lrt::BatchMatMul(c, j, s[0], true, false);
                           return {lrt::BatchMatMul(c, left, j), lrt::BatchMatMul(c, s[1], j)};
                         });
  if (!done[0].ok()) return {};
  const Sorted sorted = SortLast(b, Diagonal(b, done[0]), false);
  return {sorted.values, GatherColumns(b, done[1], sorted.indices)};
}

// M. Hestenes, "Inversion of matrices by biorthogonalization and related results", 1958: rotations
// of the columns until all are orthogonal; their lengths are the singular values.
Singular Svd(Builder& b, Value x) {
  if (!x.ok()) return {};
  const int64_t m = Size(x, 1);
  const int64_t n = Size(x, 2);
  if (m < n) {
    const Singular turned = Svd(b, Transposed(b, x));
    return {turned.v, turned.s, turned.u};
  }
  const State done = For(b, JacobiSteps(n), {x, Identities(b, x, n)},
                         [](Builder& c, Value k, const State& s) -> State {
                           const Value gram = lrt::BatchMatMul(c, s[0], s[0], true, false);
                           const Value j = Rotations(c, gram, k);
                           return {lrt::BatchMatMul(c, s[0], j), lrt::BatchMatMul(c, s[1], j)};
                         });
  if (!done[0].ok()) return {};
  const Value length =
      lrt::Unary(b, BuiltinOperator::SQRT, Sum3(b, lrt::Mul(b, done[0], done[0]), 1));
  const Sorted sorted = SortLast(b, lrt::Reshape(b, length, {x.dim(0), n}), true);
  const Value tiny = b.Scalar(1e-30, x.dtype());
  const Value u = lrt::Div(b, done[0], lrt::Maximum(b, length, tiny));
  return {GatherColumns(b, u, sorted.indices), sorted.values,
          GatherColumns(b, done[1], sorted.indices)};
}

}  // namespace keras_litert::ops
