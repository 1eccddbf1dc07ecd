"""Comparisons, logic and bits of functional graphs against Keras."""

import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import shows


@shows("ops.numpy.equal")
@shows("ops.numpy.not_equal")
@shows("ops.numpy.less")
@shows("ops.numpy.less_equal")
@shows("ops.numpy.greater")
@shows("ops.numpy.greater_equal")
@shows("ops.numpy.where", "x1", "x2")
@shows("ops.numpy.select", "default")
@shows("ops.numpy.isin", "assume_unique", "invert")
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64", "bool"])
def test_comparison(dtype):
    check_operations(
        {"x": ((3, 4), dtype), "y": ((3, 4), dtype)},
        {
            "equal": lambda x, y: ops.equal(x, y),
            "not_equal": lambda x, y: x != y,
            "less": lambda x, y: x < y,
            "less_equal": lambda x, y: x <= y,
            "greater": lambda x, y: x > 1,
            "greater_equal": lambda x, y: 1 >= x,
            "greater_float": lambda x, y: x > 0.5,
            "where": lambda x, y: ops.where(x > y, x, y),
            "where_number": lambda x, y: ops.where(x == y, 1.5, x),
            "select": lambda x, y: ops.select([x > y, x == y], [x, y], default=0),
            "select_default": lambda x, y: ops.select([x > y], [x], default=y),
            "isin": lambda x, y: ops.isin(x, [1, 3]),
            "isin_unique": lambda x, y: ops.isin(x, [1, 3], assume_unique=True),
            "isin_invert": lambda x, y: ops.isin(x, np.array([2, 0]), invert=True),
        },
        low=0,
        high=4,
    )


@shows("ops.numpy.logical_and")
@shows("ops.numpy.logical_or")
@shows("ops.numpy.logical_xor")
@shows("ops.numpy.logical_not")
def test_logic():
    check_operations(
        {"x": ((3, 4), "bool"), "y": ((4,), "bool"), "z": ((4,), "int32")},
        {
            "and": lambda x, y, z: ops.logical_and(x[:, 0], y),
            "or": lambda x, y, z: ops.logical_or(y, z),
            "xor": lambda x, y, z: ops.logical_xor(y, z),
            "not": lambda x, y, z: ops.logical_not(x),
            "not_int": lambda x, y, z: ops.logical_not(z),
            "invert": lambda x, y, z: ~x,
            "operators": lambda x, y, z: (x[:, 0] & y) | (x[:, 1] ^ y),
            "sum_of_bools": lambda x, y, z: x[:, 0] + y,
        },
        high=2,
    )


@shows("ops.numpy.isfinite")
@shows("ops.numpy.isinf")
@shows("ops.numpy.isnan")
@shows("ops.numpy.isposinf")
@shows("ops.numpy.isneginf")
@shows("ops.numpy.isreal")
@shows("ops.numpy.signbit")
@shows("ops.numpy.isclose", "rtol", "atol", "equal_nan")
def test_kinds_of_floats():
    special = np.array([[0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 1e-30]], "float32")
    other = np.array([[1e-9, 0.0, 1.000001, -2.6, np.inf, np.inf, np.nan, np.inf]], "float32")
    check_operations(
        {"x": ((8,), "float32"), "y": ((8,), "float32")},
        {
            "isfinite": lambda x, y: ops.isfinite(x),
            "isinf": lambda x, y: ops.isinf(x),
            "isnan": lambda x, y: ops.isnan(x),
            "isposinf": lambda x, y: ops.isposinf(x),
            "isneginf": lambda x, y: ops.isneginf(x),
            "isreal": lambda x, y: ops.isreal(x),
            "signbit": lambda x, y: ops.signbit(x),
            "isclose": lambda x, y: ops.isclose(x, y),
            "isclose_far": lambda x, y: ops.isclose(x, y, rtol=0.1, atol=0.01),
            "isclose_nan": lambda x, y: ops.isclose(x, y, equal_nan=True),
            "isfinite_int": lambda x, y: ops.isfinite(ops.cast(ops.isnan(x), "int32")),
        },
        inputs=[{"x": special, "y": other}],
    )


@shows("ops.numpy.bitwise_and")
@shows("ops.numpy.bitwise_or")
@shows("ops.numpy.bitwise_xor")
@shows("ops.numpy.bitwise_not")
@shows("ops.numpy.bitwise_invert")
@shows("ops.numpy.bitwise_right_shift")
@shows("ops.numpy.bitwise_left_shift")
@shows("ops.numpy.right_shift")
@shows("ops.numpy.left_shift")
def test_bits():
    check_operations(
        {"x": ((3, 4), "int32"), "y": ((3, 4), "int32")},
        {
            "and": lambda x, y: ops.bitwise_and(x, y),
            "and_mask": lambda x, y: x & 12,
            "or": lambda x, y: ops.bitwise_or(x, y),
            "xor": lambda x, y: ops.bitwise_xor(x, y),
            "not": lambda x, y: ops.bitwise_not(x),
            "invert": lambda x, y: ops.bitwise_invert(x),
            "right": lambda x, y: ops.right_shift(x, 2),
            "bitwise_right": lambda x, y: ops.bitwise_right_shift(x, y),
            "left": lambda x, y: ops.left_shift(x, 3),
            "bitwise_left": lambda x, y: ops.bitwise_left_shift(x, y),
        },
        inputs=[
            {
                "x": np.random.default_rng(n).integers(-99, 99, (n, 3, 4)).astype("int32"),
                "y": np.random.default_rng(n).integers(0, 9, (n, 3, 4)).astype("int32"),
            }
            for n in (1, 3)
        ],
    )
