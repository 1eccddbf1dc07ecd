"""Convolution layers against Keras."""

import keras
import pytest
from keras import layers
from oracle import check, check_layer, shows

CHANNELS = ("channels_last", "channels_first")


def image(data_format, *spatial, channels=4):
    """Shape without batch: odd, unequal spatial sizes show swapped axes."""
    return (*spatial, channels) if data_format == "channels_last" else (channels, *spatial)


@shows("layers.Conv2D", "filters", "kernel_size", "data_format", "padding", "strides")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2, (2, 3)], ids=str)
@pytest.mark.parametrize("kernel", [1, (3, 2), 4], ids=str)
def test_conv2d(data_format, padding, strides, kernel):
    layer = layers.Conv2D(5, kernel, strides=strides, padding=padding, data_format=data_format)
    check_layer(layer, image(data_format, 11, 8))


@shows("layers.Conv2D", "dilation_rate")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("dilation", [2, (1, 3), (3, 2)], ids=str)
def test_conv2d_dilated(data_format, padding, dilation):
    layer = layers.Conv2D(
        5, (3, 2), dilation_rate=dilation, padding=padding, data_format=data_format
    )
    check_layer(layer, image(data_format, 11, 9))


@shows("layers.Conv2D", "groups")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("groups,filters", [(2, 6), (4, 4), (4, 8)])
@pytest.mark.parametrize("strides", [1, 2])
def test_conv2d_groups(data_format, groups, filters, strides):
    layer = layers.Conv2D(
        filters, 3, groups=groups, strides=strides, padding="same", data_format=data_format
    )
    check_layer(layer, image(data_format, 7, 10))


@shows("layers.Conv2D", "use_bias", "activation")
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", [None, "relu", "relu6", "tanh", "gelu", "softmax"])
def test_conv2d_bias_activation(use_bias, activation):
    check_layer(layers.Conv2D(5, 3, use_bias=use_bias, activation=activation), (7, 8, 3))


@shows("layers.Conv2D", "data_format")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2])
def test_conv2d_dynamic_size(data_format, padding, strides):
    layer = layers.Conv2D(4, 3, strides=strides, padding=padding, data_format=data_format)
    check_layer(layer, image(data_format, None, None, channels=3))


def test_conv2d_static_batch():
    model = keras.Sequential([keras.Input((6, 7, 3), batch_size=2), layers.Conv2D(4, 3)])
    check(model)


def test_conv2d_relu_is_one_operator():
    result = check_layer(layers.Conv2D(4, 3, padding="same", activation="relu"), (6, 7, 3))
    assert result.operators == {"CONV_2D": 1}
