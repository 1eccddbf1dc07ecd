"""Trigonometric and hyperbolic functions of functional graphs against Keras."""

import numpy as np
from keras import ops
from operations import check_operations
from oracle import shows


def inputs(low, high):
    rng = np.random.default_rng(11)
    values = [rng.uniform(low, high, (batch, 3, 5)).astype("float32") for batch in (1, 3)]
    for x in values:
        x.flat[0] = 0 if low <= 0 else 1
    return [{"x": x} for x in values]


@shows("ops.numpy.sin")
@shows("ops.numpy.cos")
@shows("ops.numpy.tan")
@shows("ops.numpy.arctan")
@shows("ops.numpy.arctan2")
@shows("ops.numpy.sinh")
@shows("ops.numpy.cosh")
@shows("ops.numpy.tanh")
@shows("ops.numpy.arcsinh")
@shows("ops.numpy.sinc")
@shows("ops.numpy.deg2rad")
@shows("ops.numpy.rad2deg")
def test_everywhere():
    check_operations(
        {"x": ((3, 5), "float32")},
        {
            "sin": lambda x: ops.sin(x),
            "cos": lambda x: ops.cos(x),
            "tan": lambda x: ops.tan(x / 4),
            "arctan": lambda x: ops.arctan(x),
            "arctan2": lambda x: ops.arctan2(x, ops.cos(x)),
            "arctan2_number": lambda x: ops.arctan2(x, -1.0),
            "sinh": lambda x: ops.sinh(x),
            "sinh_small": lambda x: ops.sinh(x * 1e-5),
            "cosh": lambda x: ops.cosh(x),
            "tanh": lambda x: ops.tanh(x),
            "arcsinh": lambda x: ops.arcsinh(x),
            "arcsinh_large": lambda x: ops.arcsinh(x * 1e25),
            "sinc": lambda x: ops.sinc(x),
            "deg2rad": lambda x: ops.deg2rad(x),
            "rad2deg": lambda x: ops.rad2deg(x),
        },
        inputs=inputs(-5, 5),
    )


@shows("ops.numpy.arcsin")
@shows("ops.numpy.arccos")
@shows("ops.numpy.arctanh")
@shows("ops.numpy.arccosh")
def test_on_domain():
    check_operations(
        {"x": ((3, 5), "float32")},
        {
            "arcsin": lambda x: ops.arcsin(x),
            "arccos": lambda x: ops.arccos(x),
            "arctanh": lambda x: ops.arctanh(x * 0.99),
            "arccosh": lambda x: ops.arccosh(x + 2.5),
        },
        inputs=inputs(-1, 1),
    )


@shows("ops.numpy.sin")
@shows("ops.numpy.arctan")
def test_of_integers():
    check_operations(
        {"x": ((4,), "int32")},
        {
            "sin": lambda x: ops.sin(x),
            "arctan": lambda x: ops.arctan(x),
            "cosh": lambda x: ops.cosh(x),
        },
        low=-5,
        high=5,
    )
