"""Special functions, number theory, correlations and bits against Keras."""

import keras
import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import check, check_refused, refused, shows


@shows("ops.numpy.angle")
@shows("ops.numpy.conjugate")
@shows("ops.numpy.empty_like", "dtype")
@shows("ops.numpy.i0")
@shows("ops.numpy.imag")
@shows("ops.numpy.real")
def test_functions():
    check_operations(
        {"x": ((3, 5), "float32"), "i": ((4,), "int32")},
        {
            "angle": lambda x, i: ops.angle(x),
            "angle_int": lambda x, i: ops.angle(i),
            "conjugate": lambda x, i: ops.conjugate(x) + 1,
            "empty_like": lambda x, i: ops.empty_like(x, dtype="int32") * 0,
            "i0": lambda x, i: ops.i0(x),
            "imag": lambda x, i: ops.imag(x),
            "real": lambda x, i: ops.real(x) + 1,
        },
        low=-9,
        high=9,
    )


@shows("ops.numpy.allclose", "rtol", "atol", "equal_nan")
def test_allclose():
    check_operations(
        {"x": ((3,), "float32")},
        {
            "same": lambda x: ops.allclose(x, x + 1e-9),
            "apart": lambda x: ops.allclose(x, x + 0.1),
            "rtol": lambda x: ops.allclose(x, x * 1.05, rtol=0.1),
            "atol": lambda x: ops.allclose(x, x + 0.1, atol=0.2),
            "nan": lambda x: ops.allclose(ops.log(x - 9), ops.log(x - 9), equal_nan=True),
        },
        low=1,
        high=2,
    )


@shows("ops.numpy.gcd")
@shows("ops.numpy.lcm")
@pytest.mark.parametrize("dtype", ["int32", "int16"])
def test_number_theory(dtype):
    check_operations(
        {"x": ((3, 4), dtype), "y": ((4,), dtype)},
        {
            "gcd": lambda x, y: ops.gcd(x, x[:1, ::-1]),
            "gcd_number": lambda x, y: ops.gcd(x, np.array(60, dtype)),
            "gcd_vectors": lambda x, y: ops.gcd(y, y[:, ::-1]),
            "lcm": lambda x, y: ops.lcm(x, x[:1, ::-1]),
            "lcm_vectors": lambda x, y: ops.lcm(y, np.array([0, 4, -6, 9], dtype)),
        },
        low=-90,
        high=90,
    )


@shows("ops.numpy.correlate", "mode")
@pytest.mark.parametrize("sizes", [(7, 3), (7, 4), (3, 6), (4, 4)])
def test_correlate(sizes):
    x = keras.Input(batch_shape=(sizes[0],), name="x")
    y = keras.Input(batch_shape=(sizes[1],), name="y")
    outputs = {mode: ops.correlate(x, y, mode=mode) for mode in ("valid", "same", "full")}
    check(keras.Model({"x": x, "y": y}, outputs))


@shows("ops.numpy.corrcoef")
@shows("ops.numpy.vander", "N", "increasing")
@shows("ops.numpy.unravel_index", "shape")
def test_matrices():
    x = keras.Input(batch_shape=(5,), name="x")
    m = keras.Input(batch_shape=(4, 6), name="m")
    i = keras.Input(batch_shape=(4,), dtype="int32", name="i")
    outputs = {
        "corrcoef": ops.corrcoef(m),
        "vander": ops.vander(x),
        "vander_n": ops.vander(x, 3),
        "vander_increasing": ops.vander(x, 4, increasing=True),
        "vander_int": ops.vander(i),
        "unravel": ops.unravel_index(i, (2, 2, 2)),
    }
    check(keras.Model({"x": x, "m": m, "i": i}, outputs))


@shows("ops.numpy.nextafter")
@shows("ops.numpy.view", "dtype")
def test_bits():
    pairs = np.array(
        [[1, 2], [1, 0], [-1, 0], [-1, -2], [3, 3], [0.5, np.inf], [np.nan, 1], [1e30, -1]],
        "float32",
    )
    check_operations(
        {"x": ((8,), "float32"), "y": ((8,), "float32"), "b": ((8,), "uint8")},
        {
            "nextafter": lambda x, y, b: ops.nextafter(x, y),
            "same_size": lambda x, y, b: ops.view(x, dtype="int32"),
            "smaller": lambda x, y, b: ops.view(x, dtype="uint8"),
            "larger": lambda x, y, b: ops.view(b, dtype="int32"),
        },
        inputs=[
            {
                "x": pairs[None, :, 0],
                "y": pairs[None, :, 1],
                "b": np.arange(17, 25, dtype="uint8")[None],
            }
        ],
        tolerance=0,
    )


@shows("ops.numpy.vsplit", "indices_or_sections")
def test_vsplit():
    x = keras.Input(batch_shape=(6, 3), name="x")
    check(keras.Model(x, [*ops.vsplit(x, 3), *ops.vsplit(x, [1, 4])]))


@refused("ops.nn.polar", "the result is complex; LiteRT has no complex arithmetic")
@refused("ops.math.view_as_complex", "the result is complex; LiteRT has no complex arithmetic")
@refused("ops.math.view_as_real", "the operand is complex; LiteRT has no complex arithmetic")
def test_complex_refused():
    x = keras.Input((3, 2), name="x")
    check_refused(keras.Model(x, ops.view_as_complex(x)), "complex-1", "as keras.ops.fft does")
    check_refused(keras.Model(x, ops.polar(x, x)), "complex-1", "complex numbers")
    y = ops.view_as_real(ops.view_as_complex(x))
    check_refused(keras.Model(x, y), "complex-1", "complex numbers")
