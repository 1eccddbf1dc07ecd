"""ConvLSTM layers against Keras."""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import DEEP, check, check_layer, random_array, shows

LONG = 35  # Steps: more than are unrolled.
LAYERS = {1: layers.ConvLSTM1D, 2: layers.ConvLSTM2D, 3: layers.ConvLSTM3D}
SPATIAL = {1: (7,), 2: (6, 7), 3: (4, 5, 6)}


def shape(rank, time, data_format="channels_last", channels=3):
    spatial = SPATIAL[rank]
    image = (*spatial, channels) if data_format == "channels_last" else (channels, *spatial)
    return (time, *image)


@shows("layers.ConvLSTM1D", "filters", "kernel_size", "data_format", "return_sequences")
@shows("layers.ConvLSTM2D", "filters", "kernel_size", "data_format", "return_sequences")
@shows("layers.ConvLSTM3D", "filters", "kernel_size", "data_format", "return_sequences")
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("time", [3, LONG, None])
def test_format(rank, data_format, time):
    if rank == 3 and time == LONG:
        pytest.skip("slow in Keras")
    layer = LAYERS[rank](
        2, 3, padding="same", data_format=data_format, return_sequences=True, return_state=True
    )
    check_layer(layer, shape(rank, time, data_format), size=((2,), (5,)), tolerance=DEEP)


@shows("layers.ConvLSTM1D", "strides", "padding", "dilation_rate", "go_backwards")
@shows("layers.ConvLSTM2D", "strides", "padding", "dilation_rate", "go_backwards")
@shows("layers.ConvLSTM3D", "strides", "padding", "dilation_rate", "go_backwards")
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("window", [{"strides": 2}, {"dilation_rate": 2}, {}], ids=str)
def test_window(rank, padding, window):
    layer = LAYERS[rank](2, 2, padding=padding, go_backwards=True, **window)
    check_layer(layer, shape(rank, 3), tolerance=DEEP)


@shows("layers.ConvLSTM1D", "activation", "recurrent_activation", "use_bias", "return_state")
@shows("layers.ConvLSTM2D", "activation", "recurrent_activation", "use_bias", "return_state")
@shows("layers.ConvLSTM3D", "activation", "recurrent_activation", "use_bias", "return_state")
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("time", [3, None])
def test_arguments(rank, time):
    layer = LAYERS[rank](
        2,
        (3, 2, 1)[:rank],
        use_bias=False,
        activation="softsign",
        recurrent_activation="hard_sigmoid",
        dropout=0.2,
        return_state=True,
    )
    check_layer(layer, shape(rank, time), size=((2,), (5,)), tolerance=DEEP)


@shows("layers.ConvLSTM2D", "mask", "initial_state")
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("time", [4, LONG])
def test_mask_initial_state(data_format, time):
    x = keras.Input(shape(2, time, data_format), name="x")
    state = (6, 7, 2) if data_format == "channels_last" else (2, 6, 7)
    states = [keras.Input(state, name="h"), keras.Input(state, name="c")]
    mask = keras.Input((time,), dtype="bool", name="mask")
    layer = layers.ConvLSTM2D(
        2, 3, padding="same", data_format=data_format, return_sequences=True, return_state=True
    )
    model = keras.Model([x, *states, mask], layer(x, initial_state=states, mask=mask))
    rng = np.random.default_rng(0)
    # NumPy's and JAX's loops broadcast the mask against the image: right for one sample only.
    arrays = [random_array(rng, (1, *t.shape[1:]), "float32") for t in (x, *states)]
    steps = rng.integers(0, 2, (1, time)).astype(bool)
    check(model, [[*arrays, steps], [*arrays, ~steps]], tolerance=DEEP)


@shows("layers.ConvLSTM2D", "unroll")
def test_unrolled_mask():
    x = keras.Input(shape(2, 4), name="x")
    mask = keras.Input((4,), dtype="bool", name="mask")
    layer = layers.ConvLSTM2D(2, 3, unroll=True, return_sequences=True)
    model = keras.Model([x, mask], layer(x, mask=mask))
    rng = np.random.default_rng(0)
    steps = np.array([[1, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]], bool)
    check(model, [[random_array(rng, (3, *x.shape[1:]), "float32"), steps]], tolerance=DEEP)


@shows("layers.ConvLSTM1D", "stateful")
@shows("layers.ConvLSTM2D", "stateful")
@shows("layers.ConvLSTM3D", "stateful")
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_stateful(rank):
    layer = LAYERS[rank](2, 3, stateful=True)
    check_layer(layer, shape(rank, 3), batch=2, stateful=True, tolerance=DEEP)


def test_bidirectional():
    layer = layers.Bidirectional(layers.ConvLSTM2D(2, 3, return_sequences=True))
    check_layer(layer, shape(2, 3), tolerance=DEEP)
