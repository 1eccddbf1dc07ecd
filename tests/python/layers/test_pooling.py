"""Pooling layers against Keras.

Most tests put several variants of a layer into one model, an output each: `output_3` is variant 3.
"""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import check, check_layer, check_refused, not_on_jax, shows

CHANNELS = ("channels_last", "channels_first")
SIZES = {1: ((13,), (10,)), 2: ((9, 12), (11, 8)), 3: ((7, 6, 9), (6, 8, 7))}


def shape(data_format, spatial, channels=3):
    return (*spatial, channels) if data_format == "channels_last" else (channels, *spatial)


def shows_ranks(names, *arguments):
    """Marks a test as showing the 1-D, 2-D and 3-D layers of these names."""

    def mark(test):
        for name in names:
            for rank in (1, 2, 3):
                test = shows(f"layers.{name}{rank}D", *arguments)(test)
        return test

    return mark


def layer_of(name, rank):
    return getattr(layers, f"{name}{rank}D")


WINDOWS = {
    1: [(2, None), (3, 2), (2, 3), (4, 1), (1, 2)],
    2: [(2, None), ((3, 2), 2), (3, 1), ((2, 4), (3, 1)), (1, 2)],
    3: [(2, None), ((3, 2, 4), 2), ((1, 3, 2), (1, 2, 1)), ((3, 1, 1), 1), (1, 2)],
}


@shows_ranks(["MaxPooling", "AveragePooling"], "pool_size", "strides", "padding", "data_format")
@pytest.mark.parametrize("name", ["MaxPooling", "AveragePooling"])
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pooling(name, rank, data_format, dynamic):
    spatial = (None,) * rank if dynamic else SIZES[rank][0]
    x = keras.Input(shape(data_format, spatial))
    outputs = [
        layer_of(name, rank)(pool_size, strides, padding, data_format=data_format)(x)
        for pool_size, strides in WINDOWS[rank]
        for padding in ("valid", "same")
    ]
    check(keras.Model(x, outputs), size=SIZES[rank])


@shows_ranks(["GlobalMaxPooling", "GlobalAveragePooling"], "keepdims", "data_format")
@pytest.mark.parametrize("name", ["GlobalMaxPooling", "GlobalAveragePooling"])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_global_pooling(name, rank, dynamic):
    spatial = (None,) * rank if dynamic else SIZES[rank][0]
    # Both data formats read the same tensor: its axes are just numbers to them.
    x = keras.Input((*spatial, 3))
    y = keras.Input((3, *spatial))
    outputs = [
        layer_of(name, rank)(keepdims=keepdims, data_format=data_format)(tensor)
        for keepdims in (False, True)
        for data_format, tensor in (("channels_last", x), ("channels_first", y))
    ]
    check(keras.Model([x, y], outputs), size=SIZES[rank])


@shows("layers.GlobalAveragePooling1D", "data_format", "keepdims")
@pytest.mark.parametrize("keepdims", [False, True])
def test_global_average_pooling1d_masked(keepdims):
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(8, 4, mask_zero=True)(tokens)
    y = layers.GlobalAveragePooling1D(keepdims=keepdims)(x)
    inputs = [
        np.array([[3, 1, 0, 2, 0]], "int32"),
        np.array([[0, 7], [4, 4], [5, 0]], "int32"),
    ]
    check(keras.Model(tokens, y), inputs)


def test_global_average_pooling1d_mask_argument():
    x, mask = keras.Input((5, 3)), keras.Input((5,), dtype="bool")
    y = layers.GlobalAveragePooling1D()(x, mask=mask)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 5, 3)).astype("float32")
    kept = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 1, 0]], bool)
    check(keras.Model([x, mask], y), [[values, kept]])


@shows_ranks(["AdaptiveMaxPooling", "AdaptiveAveragePooling"], "output_size", "data_format")
@pytest.mark.parametrize("name", ["AdaptiveMaxPooling", "AdaptiveAveragePooling"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_pooling(name, rank):
    sizes = {
        1: [1, 4, 5, 3],
        2: [1, (3, 4), (4, 5)],
        3: [1, (4, 4, 2)],
    }[rank]
    adaptive_pooling(name, rank, sizes)


@not_on_jax("pooling of an axis into as many elements gives NaN")
@shows_ranks(["AdaptiveMaxPooling", "AdaptiveAveragePooling"], "output_size")
@pytest.mark.parametrize("name", ["AdaptiveMaxPooling", "AdaptiveAveragePooling"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_pooling_into_as_many(name, rank):
    sizes = {1: [13], 2: [(9, 7), (2, 12)], 3: [(7, 3, 3), (2, 6, 5)]}[rank]
    adaptive_pooling(name, rank, sizes)


def adaptive_pooling(name, rank, sizes):
    spatial = SIZES[rank][0]
    x, y = keras.Input((*spatial, 3)), keras.Input((3, *spatial))
    outputs = [
        layer_of(name, rank)(size, data_format=data_format)(tensor)
        for size in sizes
        for data_format, tensor in (("channels_last", x), ("channels_first", y))
    ]
    check(keras.Model([x, y], outputs))


def test_pooling_is_one_operator():
    assert check_layer(layers.MaxPooling2D(), (6, 8, 3)).operators == {"MAX_POOL_2D": 1}
    regular = layers.AdaptiveAveragePooling2D((2, 4))
    assert check_layer(regular, (6, 8, 3)).operators == {"AVERAGE_POOL_2D": 1}


@shows("ops.nn.max_pool", "strides", "padding", "data_format")
@shows("ops.nn.average_pool", "strides", "padding", "data_format")
@shows("ops.nn.adaptive_max_pool", "data_format")
@shows("ops.nn.adaptive_average_pool", "data_format")
def test_operations():
    x = keras.Input((9, 12, 3))
    outputs = [
        keras.ops.max_pool(x, 2, 2),
        keras.ops.max_pool(x, (3, 2), strides=(1, 2), padding="same"),
        keras.ops.average_pool(x, (3, 2), 2, "same"),
        keras.ops.adaptive_max_pool(x, (4, 5)),
        keras.ops.adaptive_average_pool(x, (3, 12)),
        keras.ops.max_pool(x, (3, 2), (2, 1), "same", data_format="channels_first"),
        keras.ops.average_pool(x, 2, 3, data_format="channels_first"),
        keras.ops.adaptive_max_pool(x, (5, 2), data_format="channels_first"),
        keras.ops.adaptive_average_pool(x, (6, 3), data_format="channels_first"),
    ]
    check(keras.Model(x, outputs))


def test_adaptive_pooling_of_unknown_size_is_refused():
    model = keras.Sequential([keras.Input((None, 3)), layers.AdaptiveMaxPooling1D(4)])
    check_refused(model, "adaptive-pool-2", "--shape")
