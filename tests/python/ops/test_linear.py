"""Products of matrices, and norms, against Keras."""

import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import shows

MATRIX = np.random.default_rng(2).normal(size=(4, 3)).astype("float32")


@shows("ops.numpy.matmul")
@shows("ops.numpy.dot")
@shows("ops.numpy.inner")
@shows("ops.numpy.vdot")
@shows("ops.numpy.outer")
@shows("ops.numpy.tensordot", "axes")
@shows("ops.numpy.kron")
@shows("ops.numpy.cross", "axisa", "axisb", "axisc", "axis")
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_products(dtype):
    matrix = np.round(MATRIX * 3).astype(dtype)
    check_operations(
        {"x": ((2, 4), dtype), "y": ((4, 3), dtype), "v": ((3,), dtype)},
        {
            "matmul": lambda x, y, v: x @ y,
            "matmul_matrix": lambda x, y, v: ops.matmul(x, matrix),
            "matmul_vector": lambda x, y, v: ops.matmul(y, v[0]),
            "vector_matmul": lambda x, y, v: ops.matmul(x[0, 0], y),
            "vectors": lambda x, y, v: ops.matmul(v[0], v[0]),
            "broadcast": lambda x, y, v: ops.matmul(x[:, None], y[:, None]),
            "dot": lambda x, y, v: ops.dot(x, matrix),
            "dot_vector": lambda x, y, v: ops.dot(y, v[0]),
            "dot_tensors": lambda x, y, v: ops.dot(x[0], y),
            "inner": lambda x, y, v: ops.inner(y, v),
            "vdot": lambda x, y, v: ops.vdot(x, x),
            "outer": lambda x, y, v: ops.outer(v, x[0]),
            "tensordot": lambda x, y, v: ops.tensordot(x, matrix, axes=1),
            "tensordot_two": lambda x, y, v: ops.tensordot(x, y[0], axes=[[2], [0]]),
            "tensordot_all": lambda x, y, v: ops.tensordot(x, x, axes=[[1, 2], [1, 2]]),
            "kron": lambda x, y, v: ops.kron(x[0], y[0]),
            "cross": lambda x, y, v: ops.cross(y, v[:, None]),
            "cross_axis": lambda x, y, v: ops.cross(y[:, :3], y[:, 1:], axis=1),
            "cross_axes": lambda x, y, v: ops.cross(y[:, :3], y[:, 1:], axisa=1, axisb=2, axisc=1),
        },
    )


@shows("ops.linalg.norm", "ord", "axis", "keepdims")
@shows("ops.math.cdist")
def test_norm():
    check_operations(
        {"x": ((3, 4), "float32"), "y": ((5, 4), "float32")},
        {
            "all": lambda x, y: ops.norm(x),
            "last": lambda x, y: ops.norm(x, axis=(-1,)),
            "two": lambda x, y: ops.norm(x, ord=2, axis=(1,), keepdims=True),
            "one": lambda x, y: ops.norm(x, ord=1, axis=(-1,)),
            "three": lambda x, y: ops.norm(x, ord=3, axis=(-1,)),
            "zero": lambda x, y: ops.norm(ops.relu(x), ord=0, axis=(-1,)),
            "largest": lambda x, y: ops.norm(x, ord=np.inf, axis=(-1,)),
            "least": lambda x, y: ops.norm(x, ord=-np.inf, axis=(-1,)),
            "frobenius": lambda x, y: ops.norm(x, ord="fro", axis=(1, 2)),
            "columns": lambda x, y: ops.norm(x, ord=1, axis=(1, 2)),
            "rows": lambda x, y: ops.norm(x, ord=np.inf, axis=(1, 2), keepdims=True),
            "least_column": lambda x, y: ops.norm(x, ord=-1, axis=(2, 1)),
            "cdist": lambda x, y: ops.cdist(x, y),
        },
    )
