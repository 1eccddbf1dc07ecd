"""TimeDistributed against Keras."""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import DEEP, check, check_layer, random_array, shows


@shows("layers.TimeDistributed", "layer")
@pytest.mark.parametrize("time", [4, None])
@pytest.mark.parametrize(
    "inner,shape",
    [
        (lambda: layers.Dense(5, activation="relu"), (3,)),
        (lambda: layers.Dense(5), (2, 3)),
        (lambda: layers.Conv2D(2, 3, padding="same"), (5, 6, 3)),
        (lambda: layers.Flatten(), (2, 3)),
        (lambda: layers.BatchNormalization(), (3,)),
        (lambda: layers.Dropout(0.5), (3,)),
        (lambda: layers.LSTM(4), (5, 3)),
        (lambda: layers.Bidirectional(layers.GRU(4, return_sequences=True)), (5, 3)),
        (lambda: layers.TimeDistributed(layers.Dense(2)), (5, 3)),
        (lambda: keras.Sequential([layers.Dense(4, "relu"), layers.Dense(2)]), (3,)),
    ],
)
def test_inner(inner, shape, time):
    check_layer(layers.TimeDistributed(inner()), (time, *shape), size=((2,), (5,)), tolerance=DEEP)


def test_dense_is_one_operator():
    result = check_layer(layers.TimeDistributed(layers.Dense(5)), (None, 3))
    assert result.operators == {"FULLY_CONNECTED": 1}


@shows("layers.TimeDistributed", "mask")
@pytest.mark.parametrize("inner", [lambda: layers.LSTM(4), lambda: layers.Dense(4)])
def test_mask(inner):
    """The inner layer gets its part of the mask; the next one gets the steps' mask."""
    recurrent = isinstance(inner(), layers.LSTM)
    x = keras.Input((3, 5, 2) if recurrent else (3, 2), name="x")
    mask = keras.Input((3, 5) if recurrent else (3,), dtype="bool", name="mask")
    y = layers.TimeDistributed(inner())(x, mask=mask)
    if not recurrent:
        y = layers.GRU(4, return_sequences=True)(y)
    model = keras.Model([x, mask], y)
    rng = np.random.default_rng(0)
    inputs = [
        [
            random_array(rng, (b, *x.shape[1:]), "float32"),
            random_array(rng, (b, *mask.shape[1:]), "bool"),
        ]
        for b in (1, 3)
    ]
    check(model, inputs, tolerance=DEEP)
