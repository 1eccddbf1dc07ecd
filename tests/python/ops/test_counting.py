"""What counts elements, or finds them, against Keras; some results' sizes only a run tells."""

import keras
import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import check, check_refused, refused, shows


@shows("ops.numpy.nonzero")
@pytest.mark.parametrize("shape", [(None,), (None, 4)], ids=["rank1", "rank2"])
def test_nonzero(shape):
    x = keras.Input(batch_shape=shape, name="x")
    i = keras.Input(batch_shape=shape, dtype="int32", name="i")
    rng = np.random.default_rng(0)
    inputs = [
        {
            "x": (rng.normal(size=(n, *shape[1:])) * rng.integers(0, 2, (n, *shape[1:]))).astype(
                "float32"
            ),
            "i": rng.integers(-1, 2, (n, *shape[1:])).astype("int32"),
        }
        for n in (3, 8)
    ]
    outputs = {"x": ops.nonzero(x), "i": ops.nonzero(i), "b": ops.nonzero(x > 0)}
    check(keras.Model({"x": x, "i": i}, outputs), inputs=inputs)


@shows("ops.numpy.bincount", "weights", "minlength")
def test_bincount():
    x = keras.Input(batch_shape=(None,), dtype="int32", name="x")
    y = keras.Input(batch_shape=(None, 5), dtype="int32", name="y")
    z = keras.Input(batch_shape=(4,), dtype="int32", name="z")
    outputs = {
        "counts": ops.bincount(x),
        "minlength": ops.bincount(x, minlength=9),
        "rows": ops.bincount(y),
    }
    if keras.backend.backend() != "jax":  # Which takes no list.
        outputs["weights"] = ops.bincount(z, weights=[0.5, -1.0, 2.0, 0.25])
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 6, (3, 5)).astype("int32")
    rows[:, 0] = 6  # NumPy's backend takes rows of one length only.
    inputs = [
        {"x": rng.integers(0, 7, n).astype("int32"), "y": rows, "z": np.arange(n, n + 4) % 5}
        for n in (2, 9)
    ]
    check(keras.Model({"x": x, "y": y, "z": z}, outputs), inputs=inputs)


@shows(
    "ops.numpy.unique",
    *("sorted", "return_index", "return_inverse", "return_counts", "axis", "size", "fill_value"),
)
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_unique(dtype):
    x = keras.Input(batch_shape=(None,), dtype=dtype, name="x")
    y = keras.Input(batch_shape=(3, 4), dtype=dtype, name="y")
    everything = {"return_index": True, "return_inverse": True, "return_counts": True}
    outputs = {
        "unique": ops.unique(x),
        "axis": ops.unique(x, axis=0),
        "everything": ops.unique(x, **everything),
        "flat": ops.unique(y, **everything),
        "cut": ops.unique(y, size=2, return_counts=True),
        "filled": ops.unique(x, size=12, fill_value=-3, return_counts=True),
    }
    if keras.backend.backend() != "jax":  # Which fills up with other indices.
        outputs["indices"] = ops.unique(x, size=12, fill_value=-3, return_index=True)
    rng = np.random.default_rng(0)
    inputs = [
        {"x": rng.integers(-2, 3, n).astype(dtype), "y": rng.integers(0, 9, (3, 4)).astype(dtype)}
        for n in (2, 11)
    ]
    check(keras.Model({"x": x, "y": y}, outputs), inputs=inputs)


@refused("ops.numpy.unique", "rows or columns (an axis of a matrix)")
def test_unique_refused():
    x = keras.Input(batch_shape=(3, 4), name="x")
    check_refused(keras.Model(x, ops.unique(x, axis=0)), "unique-1", "axis=None")


@shows("ops.nn.ctc_decode", "merge_repeated", "mask_index")
def test_ctc_decode():
    rng = np.random.default_rng(0)
    inputs = [
        {
            "x": np.round(rng.normal(size=(n, 7, 4)) * 2).astype("float32")
            + np.linspace(0, 0.3, 4, dtype="float32"),
            "n": rng.integers(1, 8, n).astype("int32"),
        }
        for n in (1, 5)
    ]
    check_operations(
        {"x": ((7, 4), "float32"), "n": ((), "int32")},
        {
            "decode": lambda x, n: ops.ctc_decode(x, n),
            "repeated": lambda x, n: ops.ctc_decode(x, n, merge_repeated=False),
            "mask": lambda x, n: ops.ctc_decode(x, n, mask_index=3),
        },
        inputs=inputs,
    )


@refused("ops.nn.ctc_decode", "strategy='beam_search'")
def test_beam_search_refused():
    x = keras.Input((7, 4), name="x")
    n = keras.Input((), dtype="int32", name="n")
    y = ops.ctc_decode(x, n, strategy="beam_search")
    check_refused(keras.Model([x, n], y), "ctc-1", "greedy")
