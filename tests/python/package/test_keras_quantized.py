"""Models that Keras itself quantized: model.quantize("int8"), ("int4"), ("float8")."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from package.support import KERAS, check_export

int4 = pytest.param(
    "int4", marks=pytest.mark.skipif(KERAS < (3, 11), reason="Keras has no int4 before 3.11")
)


def quantized(mode):
    keras.utils.set_random_seed(3)
    x = keras.Input((12,), name="x")
    y = layers.Dense(16, activation="relu")(x)
    y = layers.EinsumDense("ab,bc->ac", output_shape=8)(y)
    model = keras.Model(x, layers.Dense(4)(y))
    model.quantize(mode)
    return model


@pytest.mark.parametrize("mode", ["int8", int4, "float8"])
def test_dense(mode):
    rng = np.random.default_rng(1)
    inputs = [(rng.normal(size=(batch, 12)).astype("float32"),) for batch in (1, 3)]
    check_export(quantized(mode), inputs, expect="tracer", randomized=False)


@pytest.mark.parametrize("mode", ["int8", int4])
def test_embedding(mode):
    keras.utils.set_random_seed(3)
    ids = keras.Input((None,), dtype="int32", name="ids")
    model = keras.Model(ids, layers.Embedding(20, 6)(ids))
    model.quantize(mode)
    rng = np.random.default_rng(1)
    inputs = [(rng.integers(0, 20, shape).astype("int32"),) for shape in ((1, 5), (3, 2))]
    check_export(model, inputs, randomized=False)


class Rounded(layers.Layer):
    def call(self, x):
        return [ops.cast(ops.cast(x, name), "float32") for name in ("float8_e4m3fn", "float8_e5m2")]


def test_float8_rounds_as_keras_does():
    """Ties, numbers around powers of two, below the normal ones, and at the largest."""
    powers = np.ldexp(1.0, np.arange(-18, 9))
    x = np.concatenate([powers * f for f in (1, 1 - 2**-20, 1.0625, 1.1875, 1.3, 1.75)])
    x = np.concatenate([x, -x, [0.0, 448.0]]).astype("float32")[None]
    model = keras.Sequential([keras.Input((x.shape[1],)), Rounded()])
    check_export(model, [(x,)], expect="tracer", randomized=False, tolerance=0)
