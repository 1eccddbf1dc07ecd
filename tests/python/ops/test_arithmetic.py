"""Arithmetic of functional graphs against Keras."""

import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import shows

FLOATS = {"x": ((2, 5), "float32"), "y": ((2, 5), "float32")}
INTEGERS = {"x": ((3, 4), "int32"), "y": ((3, 4), "int32")}


def float_inputs(low=-3, high=3):
    """Values in a range, with exact zeros and halves among them."""
    rng = np.random.default_rng(7)
    sets = []
    for batch in (1, 3):
        x, y = rng.uniform(low, high, (2, batch, 2, 5)).astype("float32")
        x.flat[::4] = np.round(x.flat[::4] * 2) / 2
        sets.append({"x": x, "y": np.where(y == 0, 1, y).astype("float32")})
    return sets


def positive_inputs():
    return float_inputs(0.3, 4)


@shows("ops.numpy.add")
@shows("ops.numpy.subtract")
@shows("ops.numpy.multiply")
@shows("ops.numpy.divide")
@shows("ops.numpy.true_divide")
@shows("ops.numpy.negative")
@shows("ops.numpy.absolute")
@shows("ops.numpy.abs")
@shows("ops.numpy.power")
def test_operators():
    """Python's operators, with numbers and arrays on either side."""
    row = np.arange(1, 6, dtype="float32")
    check_operations(
        FLOATS,
        {
            "add": lambda x, y: x + y,
            "add_number": lambda x, y: x + 1,
            "radd": lambda x, y: 1.5 + x,
            "add_row": lambda x, y: x + row,
            "sub": lambda x, y: x - y,
            "rsub": lambda x, y: 2 - x,
            "mul": lambda x, y: x * y,
            "mul_row": lambda x, y: ops.multiply(row, x),
            "div": lambda x, y: x / y,
            "rdiv": lambda x, y: 1 / y,
            "neg": lambda x, y: -x,
            "abs": lambda x, y: abs(x),
            "square": lambda x, y: x**2,
            "cube": lambda x, y: x**3,
            "fourth": lambda x, y: x**4,
            "fifth": lambda x, y: x**5,
            "root": lambda x, y: abs(x) ** 0.5,
            "inverse": lambda x, y: y**-1,
            "inverse_square": lambda x, y: y**-2,
            "inverse_root": lambda x, y: abs(y) ** -0.5,
            "power": lambda x, y: abs(y) ** x,
            "rpow": lambda x, y: 2**x,
            "true_divide": lambda x, y: ops.true_divide(x, y),
        },
        inputs=float_inputs(),
    )


@shows("ops.numpy.floor_divide")
@shows("ops.numpy.mod")
@shows("ops.numpy.fmod")
@shows("ops.numpy.maximum")
@shows("ops.numpy.minimum")
@shows("ops.numpy.fmax")
@shows("ops.numpy.fmin")
@shows("ops.numpy.divide_no_nan")
@shows("ops.numpy.hypot")
@shows("ops.numpy.heaviside")
@shows("ops.numpy.logaddexp")
@shows("ops.numpy.logaddexp2")
@shows("ops.numpy.ldexp")
def test_binary():
    check_operations(
        FLOATS,
        {
            "floordiv": lambda x, y: x // y,
            "floordiv_tenth": lambda x, y: ops.round(x) // 0.1,
            "mod": lambda x, y: x % y,
            "rmod": lambda x, y: 5 % y,
            "fmod": lambda x, y: ops.fmod(x, y),
            "maximum": lambda x, y: ops.maximum(x, y),
            "maximum_number": lambda x, y: ops.maximum(0, x),
            "minimum": lambda x, y: ops.minimum(x, y),
            "fmax": lambda x, y: ops.fmax(x, y),
            "fmin": lambda x, y: ops.fmin(x, y),
            "divide_no_nan": lambda x, y: ops.divide_no_nan(x, y),
            "divide_by_zero": lambda x, y: ops.divide_no_nan(y, ops.round(x)),
            "hypot": lambda x, y: ops.hypot(x, y),
            "hypot_large": lambda x, y: ops.hypot(x * 1e30, y * 1e30) * 1e-30,
            "heaviside": lambda x, y: ops.heaviside(x, y),
            "logaddexp": lambda x, y: ops.logaddexp(x, y),
            "logaddexp_far": lambda x, y: ops.logaddexp(x * 100, y * 100),
            "logaddexp2": lambda x, y: ops.logaddexp2(x, y),
            "ldexp": lambda x, y: ops.ldexp(x, ops.cast(ops.round(y), "int32")),
        },
        inputs=float_inputs(),
    )


@shows("ops.numpy.floor")
@shows("ops.numpy.ceil")
@shows("ops.numpy.round", "decimals")
@shows("ops.numpy.trunc")
@shows("ops.numpy.sign")
@shows("ops.numpy.square")
@shows("ops.numpy.fabs")
@shows("ops.numpy.reciprocal")
@shows("ops.numpy.cbrt")
@shows("ops.numpy.exp")
@shows("ops.numpy.exp2")
@shows("ops.numpy.expm1")
@shows("ops.numpy.clip", "x_min", "x_max")
@shows("ops.math.erf")
@shows("ops.math.erfc")
@shows("ops.numpy.nan_to_num", "nan", "posinf", "neginf")
def test_unary():
    check_operations(
        FLOATS,
        {
            "floor": lambda x, y: ops.floor(x),
            "ceil": lambda x, y: ops.ceil(x),
            "round": lambda x, y: ops.round(x),
            "round_1": lambda x, y: ops.round(x, 1),
            "round_tens": lambda x, y: ops.round(x * 20, -1),
            "trunc": lambda x, y: ops.trunc(x),
            "sign": lambda x, y: ops.sign(x),
            "square": lambda x, y: ops.square(x),
            "fabs": lambda x, y: ops.fabs(x),
            "reciprocal": lambda x, y: ops.reciprocal(y),
            "cbrt": lambda x, y: ops.cbrt(x),
            "exp": lambda x, y: ops.exp(x),
            "exp2": lambda x, y: ops.exp2(x),
            "expm1": lambda x, y: ops.expm1(x),
            "expm1_small": lambda x, y: ops.expm1(x * 1e-6),
            "clip": lambda x, y: ops.clip(x, -1, 1.5),
            "erf": lambda x, y: ops.erf(x),
            "erfc": lambda x, y: ops.erfc(x),
            "nan_to_num": lambda x, y: ops.nan_to_num(ops.log(x)),
            "nan_to_num_given": lambda x, y: ops.nan_to_num(
                ops.log(ops.round(x)), nan=1, posinf=2, neginf=-3
            ),
        },
        inputs=float_inputs(),
    )


@shows("ops.numpy.log")
@shows("ops.numpy.log1p")
@shows("ops.numpy.log2")
@shows("ops.numpy.log10")
@shows("ops.numpy.sqrt")
@shows("ops.math.rsqrt")
@shows("ops.math.erfinv")
def test_unary_of_positive():
    check_operations(
        FLOATS,
        {
            "log": lambda x, y: ops.log(x),
            "log1p": lambda x, y: ops.log1p(x),
            "log1p_small": lambda x, y: ops.log1p(x * 1e-6),
            "log1p_negative": lambda x, y: ops.log1p(x * -0.24),
            "log2": lambda x, y: ops.log2(x),
            "log10": lambda x, y: ops.log10(x),
            "sqrt": lambda x, y: ops.sqrt(x),
            "rsqrt": lambda x, y: ops.rsqrt(x),
            "erfinv": lambda x, y: ops.erfinv(x / 2 - 1),
        },
        inputs=positive_inputs(),
    )


@shows("ops.numpy.log1p")
@shows("ops.math.erfinv")
def test_ends_of_domains():
    """With the delegate only: the plain kernels saturate at the largest float."""
    ends = np.array([[-1, 1, 0, np.inf, np.nan]], "float32")
    check_operations(
        {"x": ((5,), "float32")},
        {
            "log": lambda x: ops.log(x),
            "log1p": lambda x: ops.log1p(x),
            "erfinv": lambda x: ops.erfinv(x),
            "expm1": lambda x: ops.expm1(x),
            "sinh": lambda x: ops.sinh(x),
            "arcsinh": lambda x: ops.arcsinh(x),
            "arccosh": lambda x: ops.arccosh(x),
            "arctanh": lambda x: ops.arctanh(x),
        },
        inputs=[{"x": ends}],
        delegates=(True,),
    )


@shows("ops.numpy.add")
@shows("ops.numpy.floor_divide")
@shows("ops.numpy.mod")
@shows("ops.numpy.power")
@shows("ops.numpy.sign")
@shows("ops.core.cast", "dtype")
def test_integers():
    """Integers stay integers where Keras keeps them, and become floats where it makes them so."""
    rng = np.random.default_rng(3)
    inputs = [
        {
            "x": rng.integers(-20, 20, (n, 3, 4)).astype("int32"),
            "y": rng.choice([-7, -3, -1, 1, 2, 5], (n, 3, 4)).astype("int32"),
        }
        for n in (1, 3)
    ]
    check_operations(
        INTEGERS,
        {
            "add": lambda x, y: x + y,
            "add_int": lambda x, y: x + 1,
            "add_float": lambda x, y: x + 0.5,
            "mul": lambda x, y: 3 * x,
            "div": lambda x, y: x / y,
            "floordiv": lambda x, y: x // y,
            "floordiv_number": lambda x, y: x // 3,
            "mod": lambda x, y: x % y,
            "fmod": lambda x, y: ops.fmod(x, y),
            "power": lambda x, y: x**2,
            "power_tensor": lambda x, y: y ** abs(y),
            "neg": lambda x, y: -x,
            "abs": lambda x, y: abs(x),
            "sign": lambda x, y: ops.sign(x),
            "square": lambda x, y: ops.square(x),
            "maximum": lambda x, y: ops.maximum(x, y),
            "clip": lambda x, y: ops.clip(x, -3, 7),
            "floor": lambda x, y: ops.floor(x),
            "round": lambda x, y: ops.round(x),
            "trunc": lambda x, y: ops.trunc(x),
            "exp": lambda x, y: ops.exp(y),
            "sqrt": lambda x, y: ops.sqrt(abs(x)),
            "arctan2": lambda x, y: ops.arctan2(x, y),
            "cast": lambda x, y: ops.cast(x, "float32"),
            "cast_bool": lambda x, y: ops.cast(x, "bool"),
            "cast_truncates": lambda x, y: ops.cast(x / 3, "int32"),
            "nan_to_num": lambda x, y: ops.nan_to_num(x),
            "mixed": lambda x, y: x + ops.cast(y, "float32"),
        },
        inputs=inputs,
    )


@pytest.mark.parametrize("rank", [1, 3, 5, 6])
@shows("ops.numpy.add")
@shows("ops.numpy.where")
def test_broadcasting(rank):
    """Kernels broadcast up to rank 4, 5 or 6, each its own."""
    shape = (2, 3, 1, 4, 2)[: rank - 1]
    column = tuple(1 if i % 2 else n for i, n in enumerate(shape))
    tensors = {"x": (shape, "float32"), "y": (column, "float32")}
    check_operations(
        tensors,
        {
            "number": lambda x, y: x + 1,
            "greater": lambda x, y: x > 0.5,
            "mod": lambda x, y: x % 2,
            "add": lambda x, y: x + y,
            "sub": lambda x, y: y - x,
            "div": lambda x, y: x / (y + 10),
            "max": lambda x, y: ops.maximum(x, y),
            "less": lambda x, y: x < y,
            "power": lambda x, y: abs(x) ** y,
            "where": lambda x, y: ops.where(y > 0, x, y),
            "both": lambda x, y: ops.logical_and(x > 0, y > 0),
            "arctan2": lambda x, y: ops.arctan2(x, y),
        },
        low=-2,
        high=2,
    )


@shows("ops.numpy.add")
def test_broadcasting_of_vectors():
    """Tensors of other ranks; the batch is broadcast with what has none."""
    table = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
    check_operations(
        {"x": ((4, 3), "float32"), "y": ((1, 3), "float32"), "z": ((4, 1), "float32")},
        {
            "outer": lambda x, y, z: y * z,
            "table": lambda x, y, z: x - table,
            "greater": lambda x, y, z: ops.greater(table, x),
            "unbatched": lambda x, y, z: x + ops.convert_to_tensor(table[0]),
        },
    )
