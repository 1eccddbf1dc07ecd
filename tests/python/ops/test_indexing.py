"""Indexing of functional graphs against Keras."""

import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import shows

KEYS = {
    "int": (slice(None), 0),
    "last": (slice(None), -1),
    "range": (slice(None), slice(1, 3)),
    "inner": (slice(None), slice(1, -1)),
    "to": (slice(None), slice(None, 2)),
    "tail": (slice(None), slice(-2, None)),
    "head": (slice(None), slice(None, -1)),
    "far": (slice(None), slice(0, 99)),
    "steps": (slice(None), slice(None, None, 2)),
    "odd": (slice(None), slice(1, None, 2)),
    "thirds": (slice(None), slice(1, -1, 3)),
    "reversed": (slice(None), slice(None, None, -1)),
    "reversed_steps": (slice(None), slice(None, None, -2)),
    "reversed_part": (slice(None), slice(3, 0, -2)),
    "reversed_tail": (slice(None), slice(-1, -3, -1)),
    "ellipsis": (..., 1),
    "ellipsis_range": (..., slice(None, 2)),
    "middle": (slice(None), ..., slice(1, 2)),
    "new_axis": (slice(None), None),
    "new_axis_last": (..., None),
    "mixed": (slice(None), 1, None, slice(0, 2)),
    "mixed_ellipsis": (None, ..., -2, None),
    "batch": (slice(None, None, -1), ...),
    "first": (0,),
}


@shows("ops.numpy.get_item", "key")
@pytest.mark.parametrize(
    "shape", [(5, 4), (None, 4), (5, 4, 2, 1, 3)], ids=["static", "dynamic", "rank6"]
)
def test_get_item(shape):
    check_operations(
        {"x": (shape, "float32")},
        {name: lambda x, k=key: x[k if len(k) > 1 else k[0]] for name, key in KEYS.items()},
        size=(5, 6),
    )


@shows("ops.numpy.get_item")
@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_get_item_dtypes(dtype):
    check_operations(
        {"x": ((5, 4), dtype)},
        {
            "int": lambda x: x[:, 2],
            "range": lambda x: x[:, 1:-1, ::2],
            "reversed": lambda x: x[:, ::-1],
            "empty": lambda x: x[:, 3:3],
        },
    )


@shows("ops.numpy.take", "indices", "axis")
def test_take():
    check_operations(
        {"x": ((4, 5), "float32"), "i": ((3,), "int32"), "j": ((2, 2), "int32")},
        {
            "list": lambda x, i, j: ops.take(x, [0, 2, 2], axis=1),
            "negative": lambda x, i, j: ops.take(x, [-1, 1], axis=-1),
            "number": lambda x, i, j: ops.take(x, 1, axis=1),
            "matrix": lambda x, i, j: ops.take(x, np.array([[0, 3], [1, 1]]), axis=-1),
            "tensor": lambda x, i, j: ops.take(x, i, axis=2),
            "tensor_matrix": lambda x, i, j: ops.take(x[0], j, axis=0),
            "raveled": lambda x, i, j: ops.take(x, i),
        },
        low=-4,
        high=4,
    )


@shows("ops.numpy.take_along_axis", "indices", "axis")
def test_take_along_axis():
    check_operations(
        {
            "x": ((4, 5), "float32"),
            "i": ((2, 5), "int32"),
            "j": ((4, 3), "int64"),
            "k": ((1, 5), "int32"),
        },
        {
            "middle": lambda x, i, j, k: ops.take_along_axis(x, i, axis=1),
            "last": lambda x, i, j, k: ops.take_along_axis(x, j, axis=-1),
            "broadcast": lambda x, i, j, k: ops.take_along_axis(x, k[:, :, :2], axis=2),
            "raveled": lambda x, i, j, k: ops.take_along_axis(x[0, 0], i[0, 0], axis=None),
            "argmax": lambda x, i, j, k: ops.take_along_axis(
                x, ops.argmax(x, axis=-1, keepdims=True), axis=-1
            ),
        },
        low=-4,
        high=4,
    )


@pytest.mark.jax  # NumPy writes the updates into the operand itself.
@shows("ops.core.slice", "start_indices", "shape")
@shows("ops.core.slice_update", "start_indices", "updates")
def test_slice():
    patch = np.full((1, 2, 2), 7, "float32")
    check_operations(
        {"x": ((4, 5), "float32")},
        {
            "slice": lambda x: ops.slice(x, (0, 1, 2), (1, 2, 3)),
            "slice_tensor": lambda x: ops.slice(x, ops.argmax(x[0, :3, :4], axis=-1), (1, 1, 2)),
            "update": lambda x: ops.slice_update(x, (0, 1, 2), patch),
            "update_tensor": lambda x: ops.slice_update(x, (0, 0, 0), x[:1, :2, :2] * 2),
        },
    )


@pytest.mark.jax  # NumPy writes the updates into the operand itself.
@shows("ops.core.scatter", "indices", "values", "shape")
@shows("ops.core.scatter_update", "indices", "updates", "reduction")
def test_scatter():
    check_operations(
        {"x": ((4,), "float32"), "i": ((1,), "int32")},
        {
            "scatter": lambda x, i: ops.scatter(i, x, (6, 4)),
            "scatter_constant": lambda x, i: ops.scatter(np.array([[1], [3], [1]]), x[0, :3], (5,)),
            "update": lambda x, i: ops.scatter_update(
                x, np.array([[0, 1], [0, 3]]), np.array([9.0, 8.0], "float32")
            ),
            "update_rows": lambda x, i: ops.scatter_update(
                x, np.array([[0]]), x[0, ...][None, :] * 2
            ),
            "add": lambda x, i: ops.scatter_update(
                x, np.array([[0, 1], [0, 1]]), np.array([9.0, 8.0], "float32"), reduction="add"
            ),
        },
        low=0,
        high=6,
    )


@pytest.mark.jax  # NumPy writes the updates into the operand itself.
@shows("ops.core.scatter_update", "indices", "updates")
def test_scatter_update_at_positions_that_collide():
    """Of updates of one position the last counts, as XLA's scatter on a CPU has it."""
    check_operations(
        {"x": ((6,), "float32"), "i": ((1,), "int32"), "u": ((6,), "float32")},
        {
            "rows": lambda x, i, u: ops.scatter_update(x, i * 0, u),
            "elements": lambda x, i, u: ops.scatter_update(
                x, ops.concatenate([i * 0, i], axis=-1), u[:, 0]
            ),
        },
        low=0,
        high=2,
    )
