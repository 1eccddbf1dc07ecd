"""Systems of equations and decompositions of matrices against Keras.

Sizes on both sides of the one up to which steps are unrolled. Decompositions whose signs or bases
are free are compared by what does not depend on them.
"""

import keras
import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import check, check_refused, refused, shows

SIZES = [1, 3, 7]


def matrices(n, columns=2):
    """Random ones, positive definite ones and right-hand sides."""
    rng = np.random.default_rng(n)
    sets = []
    for batch in (1, 3):
        x = rng.normal(size=(batch, n, n)).astype("float32")
        sets.append(
            {
                "x": x,
                "p": (x @ x.transpose(0, 2, 1) + 2 * np.eye(n)).astype("float32"),
                "y": rng.normal(size=(batch, n, columns)).astype("float32"),
            }
        )
    return {
        "tensors": {
            "x": ((n, n), "float32"),
            "p": ((n, n), "float32"),
            "y": ((n, columns), "float32"),
        },
        "inputs": sets,
    }


@shows("ops.linalg.det")
@shows("ops.numpy.slogdet")
@shows("ops.math.logdet")
@shows("ops.linalg.lu_factor")
@pytest.mark.parametrize("n", SIZES)
def test_factors(n):
    check_operations(
        **matrices(n),
        operations={
            "det": lambda x, p, y: ops.det(x),
            "slogdet": lambda x, p, y: ops.slogdet(x),
            "logdet": lambda x, p, y: ops.logdet(p),
            "lu": lambda x, p, y: ops.lu_factor(x)[0],
            # Keras's graphs take the pivots for floats.
            "pivots": lambda x, p, y: ops.cast(ops.lu_factor(x)[1], "int32"),
        },
        tolerance=5e-5,
    )


@shows("ops.linalg.inv")
@shows("ops.linalg.solve")
@shows("ops.linalg.solve_triangular", "lower")
@pytest.mark.parametrize("n", SIZES)
def test_solve(n):
    check_operations(
        **matrices(n),
        operations={
            "inv": lambda x, p, y: ops.inv(p),
            "solve": lambda x, p, y: ops.solve(p, y),
            "needs_pivots": lambda x, p, y: ops.solve(ops.flip(p, axis=1), y),
            "upper": lambda x, p, y: ops.solve_triangular(ops.triu(p), y),
            "lower": lambda x, p, y: ops.solve_triangular(p, y, lower=True),
        },
        tolerance=5e-5,
    )


@shows("ops.linalg.cholesky", "upper")
@shows("ops.linalg.cholesky_inverse", "upper")
@pytest.mark.parametrize("n", SIZES)
def test_cholesky(n):
    check_operations(
        **matrices(n),
        operations={
            "cholesky": lambda x, p, y: ops.cholesky(p),
            "upper": lambda x, p, y: ops.cholesky(p, upper=True),
        },
        tolerance=5e-5,
    )
    # NumPy's backend inverts single matrices only.
    p = keras.Input(batch_shape=(n, n), name="p")
    outputs = {
        "inverse": ops.cholesky_inverse(p),
        "upper": ops.cholesky_inverse(p, upper=True),
    }
    both = np.tril(matrices(n)["inputs"][0]["p"][0])
    both = (both + both.T - np.diag(np.diag(both))).astype("float32")
    check(keras.Model({"p": p}, outputs), inputs=[{"p": both}], tolerance=5e-5)


@shows("ops.linalg.qr", "mode")
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (6, 3), (3, 6), (7, 7)])
def test_qr(shape):
    check_operations(
        {"x": (shape, "float32")},
        {
            "qr": lambda x: ops.qr(x),
            "complete": lambda x: ops.qr(x, mode="complete"),
        },
        tolerance=5e-5,
    )


def rebuilt(w, v):
    return ops.matmul(v * ops.expand_dims(w, -2), ops.swapaxes(v, -1, -2))


@shows("ops.linalg.eigh")
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_eigh(n):
    def symmetric(x):
        return x + ops.swapaxes(x, -1, -2)

    check_operations(
        {"x": ((n, n), "float32"), "z": ((2, n, n), "float32")},
        {
            "values": lambda x, z: ops.eigh(symmetric(x))[0],
            "vectors": lambda x, z: ops.abs(ops.eigh(symmetric(x))[1]),
            "rebuilt": lambda x, z: rebuilt(*ops.eigh(symmetric(x))),
            "rank": lambda x, z: ops.eigh(symmetric(z))[0],
        },
        tolerance=1e-4,
    )


@shows("ops.linalg.svd", "full_matrices", "compute_uv")
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (6, 3), (3, 7)])
def test_svd(shape):
    k = min(shape)

    def product(x, full):
        u, s, v = ops.svd(x, full_matrices=full)
        return ops.matmul(u[..., :k] * ops.expand_dims(s, -2), v[..., :k, :])

    def orthogonal(x):
        u, _, v = ops.svd(x)
        return ops.matmul(u, ops.swapaxes(u, -1, -2)), ops.matmul(v, ops.swapaxes(v, -1, -2))

    check_operations(
        {"x": (shape, "float32")},
        {
            "values": lambda x: ops.svd(x, compute_uv=False),
            "values_too": lambda x: ops.svd(x)[1],
            "vectors": lambda x: ops.abs(ops.svd(x, full_matrices=False)[0]),
            "product": lambda x: product(x, False),
            "full": lambda x: product(x, True),
            "orthogonal": orthogonal,
        },
        tolerance=1e-4,
    )


@shows("ops.linalg.pinv", "rcond")
@shows("ops.linalg.lstsq", "rcond")
@shows("ops.linalg.matrix_rank", "tol")
def test_least_squares():
    check_operations(
        {"x": ((6, 3), "float32"), "y": ((3, 5), "float32")},
        {
            "pinv": lambda x, y: ops.pinv(x),
            "pinv_wide": lambda x, y: ops.pinv(y),
            "pinv_rcond": lambda x, y: ops.pinv(x, rcond=0.6),
            "rank": lambda x, y: ops.matrix_rank(x),
            "rank_deficient": lambda x, y: ops.matrix_rank(ops.matmul(x, y)),
            "rank_tol": lambda x, y: ops.matrix_rank(x, tol=1.5),
        },
        tolerance=1e-4,
    )
    a = keras.Input(batch_shape=(6, 3), name="a")
    c = keras.Input(batch_shape=(6, 2), name="c")
    d = keras.Input(batch_shape=(6,), name="d")
    outputs = {"lstsq": ops.lstsq(a, c), "vector": ops.lstsq(a, d), "rcond": ops.lstsq(a, d, 0.6)}
    check(keras.Model({"a": a, "c": c, "d": d}, outputs), tolerance=1e-4)


@refused("ops.linalg.eig", "complex eigenvalues; LiteRT has no complex arithmetic")
def test_eig_refused():
    x = keras.Input((3, 3), name="x")
    check_refused(keras.Model(x, ops.eig(x)), "eig-1", "eigh")
