"""Recurrent layers against Keras."""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import DEEP, check, check_layer, random_array, shows

LONG = 43  # Steps: more than are unrolled, and no multiple of what a loop takes at once.
SIZES = ((1,), (2,), (30,), (LONG,))  # Of dynamic time axes.


def sequences(*times, features=3, batches=(1, 3, 2, 1), seed=0):
    rng = np.random.default_rng(seed)
    return [
        random_array(rng, (batch, time, features), "float32")
        for batch, time in zip(batches, times)
    ]


@shows("layers.SimpleRNN", "units", "return_sequences")
@shows("layers.LSTM", "units", "return_sequences")
@shows("layers.GRU", "units", "return_sequences")
@pytest.mark.parametrize("layer", [layers.SimpleRNN, layers.LSTM, layers.GRU])
@pytest.mark.parametrize("time", [1, 2, 7, LONG, None])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_time(layer, time, return_sequences):
    check_layer(
        layer(5, return_sequences=return_sequences, bias_initializer="normal"),
        (time, 3),
        inputs=sequences(*[s for (s,) in SIZES]) if time is None else None,
        tolerance=DEEP,
    )
