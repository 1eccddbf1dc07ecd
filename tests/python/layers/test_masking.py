"""Masks: where they come from and how layers carry them."""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import check, shows

STEPS = np.array(
    [
        [[1, 2], [0, 0], [3, 0], [0, 4]],
        [[0, 0], [0, 0], [0, 1], [5, -1]],
        [[-1, -1], [2, 1], [0, 0], [-1, -1]],
    ],
    "float32",
)


@shows("layers.Masking", "mask_value")
@pytest.mark.parametrize("mask_value", [0.0, -1, 0.5])
def test_masking(mask_value):
    x = keras.Input((None, 2))
    check(keras.Model(x, layers.Masking(mask_value)(x)), [STEPS, STEPS[:1, :3]])


@shows("layers.Masking", "mask_value")
def test_masking_ranks():
    """Rank 2 (the batch itself is masked) to 5."""
    shapes = [(2,), (4, 2), (2, 2, 2), (2, 2, 1, 2)]
    inputs = [keras.Input(shape, name=f"x{i}") for i, shape in enumerate(shapes)]
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 2, (3, *shape)).astype("float32") for shape in shapes]
    check(keras.Model(inputs, [layers.Masking()(x) for x in inputs]), [arrays])


@shows("layers.Masking", "mask_value")
def test_masking_tensor():
    x = keras.Input((None, 2))
    check(keras.Model(x, layers.Masking(np.array([-1.0, -1.0], "float32"))(x)), [STEPS])


@shows("layers.Dense")
@shows("layers.EinsumDense")
@shows("layers.LayerNormalization")
@shows("layers.PReLU")
def test_mask_passes():
    """What Embedding masks reaches the layer that uses it; EinsumDense drops it."""
    x = keras.Input((None,), dtype="int32")
    y = layers.Embedding(4, 5, mask_zero=True)(x)
    passed = layers.PReLU(shared_axes=[1])(layers.LayerNormalization()(layers.Dense(5)(y)))
    dropped = layers.EinsumDense("abc,cd->abd", (None, 5))(passed)
    outputs = [layers.Attention()([v, v]) for v in (passed, dropped)]
    ids = np.array([[1, 0, 2, 3], [0, 0, 1, 0], [3, 3, 3, 0]], "int32")
    check(keras.Model(x, outputs), [ids, ids[1:2, :3]])
