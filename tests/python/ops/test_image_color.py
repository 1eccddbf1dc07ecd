"""Colors of images in functional graphs against Keras."""

import keras
import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import check_refused, refused, shows


@shows("ops.image.rgb_to_grayscale", "data_format")
@shows("ops.image.rgb_to_hsv", "data_format")
@shows("ops.image.hsv_to_rgb", "data_format")
def test_colors():
    check_operations(
        {"x": ((4, 5, 3), "float32"), "y": ((3, 4, 5), "float32"), "one": ((4, 5, 1), "float32")},
        {
            "gray": lambda x, y, one: ops.image.rgb_to_grayscale(x),
            "gray_first": lambda x, y, one: ops.image.rgb_to_grayscale(
                y, data_format="channels_first"
            ),
            "gray_one": lambda x, y, one: ops.image.rgb_to_grayscale(one) + 1,
            "gray_single": lambda x, y, one: ops.image.rgb_to_grayscale(x[0]),
            "hsv": lambda x, y, one: ops.image.rgb_to_hsv(x),
            "hsv_first": lambda x, y, one: ops.image.rgb_to_hsv(y, data_format="channels_first"),
            "rgb": lambda x, y, one: ops.image.hsv_to_rgb(x),
            "rgb_first": lambda x, y, one: ops.image.hsv_to_rgb(y, data_format="channels_first"),
            "rgb_single": lambda x, y, one: ops.image.hsv_to_rgb(x[0]),
        },
        low=0,
        high=1,
    )


@shows("ops.image.rgb_to_grayscale")
@shows("ops.image.rgb_to_hsv")
def test_colors_dynamic():
    check_operations(
        {"x": ((None, None, 3), "float32")},
        {
            "gray": lambda x: ops.image.rgb_to_grayscale(x),
            "hsv": lambda x: ops.image.rgb_to_hsv(x),
            "rgb": lambda x: ops.image.hsv_to_rgb(x),
        },
        low=0,
        high=1,
    )


@shows("ops.image.rgb_to_grayscale")
@shows("ops.image.rgb_to_hsv")
def test_edges_of_colors():
    """Gray, black, equal largest channels, integers."""
    x = np.array(
        [[[0, 0, 0], [1, 1, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1], [-1, -2, -1]]], "float32"
    )[None]
    integers = np.array([[[[7, 200, 31], [255, 255, 255], [0, 0, 9]]]], "uint8")
    check_operations(
        {"x": ((1, 6, 3), "float32"), "i": ((1, 3, 3), "uint8")},
        {
            "hsv": lambda x, i: ops.image.rgb_to_hsv(x),
            "gray": lambda x, i: ops.image.rgb_to_grayscale(i),
        },
        inputs=[{"x": x, "i": integers}],
    )


@refused("ops.image.rgb_to_grayscale", "images of other than 1 or 3 channels: Keras refuses them")
@pytest.mark.parametrize("channels", [2, 4])
def test_channels_refused(channels):
    x = keras.Input((4, 4, 3), name="x")
    model = keras.Model(x, ops.image.rgb_to_grayscale(x))
    config = model.get_config()
    config["layers"][0]["config"]["batch_shape"] = (None, 4, 4, channels)
    with pytest.raises(ValueError):
        keras.Model.from_config(config)
    x = keras.Input((4, 4, None), name="x")
    check_refused(keras.Model(x, ops.image.rgb_to_grayscale(x)), "color-1", "1 or 3 channels")
