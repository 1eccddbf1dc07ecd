// Systems of equations and decompositions of matrices [batch, rows, columns] of one float dtype and
// of static sizes. Of failed values they give failed ones.
#pragma once

#include "ops/dtype.h"

namespace keras_litert::ops {

// The static size of an axis.
int64_t Size(Value x, int axis);
Value Transposed(Builder& b, Value x);
// The identity [n, n] for every matrix of the batch of `like`, of its dtype.
Value Identities(Builder& b, Value like, int64_t n);
// [batch, min(rows, columns)]
Value Diagonal(Builder& b, Value x);

struct Factors {
  Value lu;      // L below the diagonal, whose own is 1, and U
  Value pivots;  // int32 [batch, min(rows, columns)]: the row that row k was changed with
};
// L U of x with its rows changed: elimination with the largest pivot of each column.
Factors Factor(Builder& b, Value x);

// x with a x = y: a [batch, n, n], y [batch, n, c]; Gauss's and Jordan's elimination with the
// largest pivot of each column.
Value SolveLinear(Builder& b, Value a, Value y);
// The same of a triangular matrix, whose other half is not read.
Value SolveTriangular(Builder& b, Value a, Value y, bool lower);

// L with L Lᵀ = x.
Value Cholesky(Builder& b, Value x);

struct Reflected {
  Value q;  // [batch, rows, rows]
  Value r;  // [batch, rows, columns]
};
// x = q r, q orthogonal, r upper triangular.
Reflected Householder(Builder& b, Value x);

struct Spectrum {
  Value values;   // [batch, n], ascending
  Value vectors;  // [batch, n, n], columns
};
// Of (x + xᵀ) / 2, by Jacobi's rotations.
Spectrum SymmetricEigen(Builder& b, Value x);

struct Singular {
  Value u;  // [batch, m, min(m, n)]
  Value s;  // [batch, min(m, n)], descending
  Value v;  // [batch, n, min(m, n)]
};
// x = u diag(s) vᵀ.
Singular Svd(Builder& b, Value x);

}  // namespace keras_litert::ops
