"""Tensors made from others' shapes, parts of matrices and encodings against Keras."""

import pytest
from keras import ops
from operations import check_operations
from oracle import shows


@shows("ops.numpy.zeros_like", "dtype")
@shows("ops.numpy.ones_like", "dtype")
@shows("ops.numpy.full_like", "fill_value", "dtype")
@shows("ops.numpy.linspace", "num", "endpoint", "dtype", "axis")
@shows("ops.numpy.copy")
@shows("ops.numpy.array")
@shows("ops.core.stop_gradient")
@shows("ops.core.convert_to_tensor", "dtype")
@shows("ops.core.saturate_cast", "dtype")
@pytest.mark.parametrize("length", [4, None], ids=["static", "dynamic"])
def test_like(length):
    check_operations(
        {"x": ((length, 3), "float32"), "i": ((length,), "int32")},
        {
            "zeros_like": lambda x, i: ops.zeros_like(x),
            "zeros_like_int": lambda x, i: ops.zeros_like(x, dtype="int32"),
            "ones_like": lambda x, i: ops.ones_like(x) + x,
            "ones_like_own": lambda x, i: ops.ones_like(i),
            "full_like": lambda x, i: ops.full_like(x, 2.5),
            "full_like_int": lambda x, i: ops.full_like(x, 2, dtype="int32"),
            "linspace": lambda x, i: ops.linspace(x, x + 1, num=5),
            "linspace_open": lambda x, i: ops.linspace(0.0, x, num=4, endpoint=False, axis=-1),
            "copy": lambda x, i: ops.copy(x) * 2,
            "array": lambda x, i: ops.array(x),
            "stop_gradient": lambda x, i: ops.stop_gradient(x),
            "convert": lambda x, i: ops.convert_to_tensor(x, dtype="int32"),
            "saturate": lambda x, i: ops.saturate_cast(x * 300, "uint8"),
            "saturate_int": lambda x, i: ops.saturate_cast(i * 100 - 300, "int8"),
        },
    )


@shows("ops.numpy.tril", "k")
@shows("ops.numpy.triu", "k")
@shows("ops.numpy.diag", "k")
@shows("ops.numpy.diagflat", "k")
@shows("ops.numpy.diagonal", "offset", "axis1", "axis2")
@shows("ops.numpy.trace", "offset", "axis1", "axis2")
def test_matrices():
    check_operations(
        {"x": ((4, 5), "float32"), "i": ((3, 3), "int32")},
        {
            "tril": lambda x, i: ops.tril(x),
            "tril_above": lambda x, i: ops.tril(x, k=1),
            "triu": lambda x, i: ops.triu(i),
            "triu_below": lambda x, i: ops.triu(x, k=-2),
            "diag": lambda x, i: ops.diag(x[0]),
            "diag_of_vector": lambda x, i: ops.diag(x[0, 0], k=1),
            "diag_below": lambda x, i: ops.diag(x[0, :, 0], k=-2),
            "diagflat": lambda x, i: ops.diagflat(x[0, :2, :2]),
            "diagonal": lambda x, i: ops.diagonal(x, axis1=1, axis2=2),
            "diagonal_offset": lambda x, i: ops.diagonal(x, offset=2, axis1=1, axis2=2),
            "diagonal_below": lambda x, i: ops.diagonal(x, offset=-1, axis1=-2, axis2=-1),
            "diagonal_swapped": lambda x, i: ops.diagonal(i, offset=1, axis1=2, axis2=1),
            "trace": lambda x, i: ops.trace(x, axis1=1, axis2=2),
            "trace_offset": lambda x, i: ops.trace(i, offset=1, axis1=1, axis2=2),
        },
    )


@shows("ops.numpy.tril")
def test_triangle_of_dynamic_size():
    check_operations(
        {"x": ((None, None), "float32")},
        {"tril": lambda x: ops.tril(x), "triu": lambda x: ops.triu(x, k=1)},
    )


@shows("ops.nn.one_hot", "num_classes", "axis", "dtype")
@shows("ops.nn.multi_hot", "num_classes", "axis", "dtype")
def test_encodings():
    check_operations(
        {"i": ((4,), "int32"), "j": ((2, 3), "int64")},
        {
            "one_hot": lambda i, j: ops.one_hot(i, 5),
            "one_hot_axis": lambda i, j: ops.one_hot(j, 6, axis=1),
            "one_hot_int": lambda i, j: ops.one_hot(i, 5, dtype="int32"),
            "one_hot_bool": lambda i, j: ops.one_hot(i, 7, axis=0, dtype="bool"),
            "multi_hot": lambda i, j: ops.cast(ops.multi_hot(i, 5), "float32"),
            "multi_hot_matrix": lambda i, j: ops.cast(ops.multi_hot(j, 5, dtype="int32"), "int32"),
        },
        low=0,
        high=5,
    )


@shows("ops.numpy.logspace", "num", "endpoint", "base", "dtype", "axis")
@shows("ops.numpy.geomspace", "num", "endpoint", "dtype", "axis")
def test_spaces():
    check_operations(
        {"x": ((3,), "float32"), "y": ((3,), "float32")},
        {
            "logspace": lambda x, y: ops.logspace(x, y, num=5),
            "logspace_open": lambda x, y: ops.logspace(x, 1.5, num=4, endpoint=False, base=2),
            "logspace_axis": lambda x, y: ops.logspace(x, y, num=3, axis=-1, dtype="float32"),
            "geomspace": lambda x, y: ops.geomspace(x, y, num=5),
            "geomspace_open": lambda x, y: ops.geomspace(-x, -y, num=4, endpoint=False),
            "geomspace_axis": lambda x, y: ops.geomspace(x, 9.0, num=3, axis=1, dtype="float32"),
        },
        low=0.1,
        high=2,
        tolerance=2e-5,
    )
