"""Functions of a backend that the tracer knows (tracer/foreign.py), on the backend that has them.

KERAS_BACKEND=jax, tensorflow or torch; there is nothing to test on NumPy.
"""

import keras
import numpy as np
import pytest
from keras import layers
from package.support import check_export

BACKEND = keras.backend.backend()
# scripts/test runs what is marked so on JAX; the mark would keep the tests from other backends.
pytestmark = [pytest.mark.jax] if BACKEND in ("numpy", "jax") else []


class Foreign(keras.Model):
    """Calls a function on [batch, 6, 5, 2], behind a layer of its own."""

    def __init__(self, function):
        super().__init__(name="model")
        self.function, self.dense = function, layers.Dense(2)
        self.dense.build((None, 6, 5, 2))
        self.built = True

    def call(self, x):
        return self.function(self.dense(x))


def resizes():
    if BACKEND == "jax":
        import jax

        for method in ("bilinear", "nearest", "cubic", "lanczos3"):
            yield method, lambda x, m=method: jax.image.resize(x, (x.shape[0], 9, 4, 2), m)
        yield (
            "scale_and_translate",
            lambda x: jax.image.scale_and_translate(
                x,
                (x.shape[0], 8, 8, 2),
                (1, 2),
                keras.ops.convert_to_tensor([1.3, 0.7]),
                keras.ops.convert_to_tensor([0.5, -0.25]),
                "linear",
            ),
        )
    if BACKEND == "tensorflow":
        import tensorflow as tf

        for method in ("bilinear", "nearest", "bicubic", "area", "lanczos3"):
            yield method, lambda x, m=method: tf.image.resize(x, (9, 4), m)
        yield "antialias", lambda x: tf.image.resize(x, [3, 4], antialias=True)
        yield (
            "align_corners",
            lambda x: tf.compat.v1.image.resize(x, size=(9, 4), align_corners=True),
        )
    if BACKEND == "torch":
        import torch

        def resize(x, size, **options):
            x = keras.ops.transpose(x, (0, 3, 1, 2))
            return torch.nn.functional.interpolate(x, size, **options)

        for mode in ("bilinear", "nearest", "nearest-exact", "bicubic", "area"):
            yield mode, lambda x, m=mode: resize(x, (9, 4), mode=m)
        yield "align_corners", lambda x: resize(x, 7, mode="bilinear", align_corners=True)
        yield "antialias", lambda x: resize(x, (3, 4), mode="bilinear", antialias=True)


@pytest.mark.parametrize("name", dict(resizes()))
def test_resize(name):
    rng = np.random.default_rng(0)
    check_export(
        Foreign(dict(resizes())[name]),
        [(rng.normal(size=(batch, 6, 5, 2)).astype("float32"),) for batch in (1, 3)],
        input_signature=[((None, 6, 5, 2), "float32")],
        expect="tracer",
    )
