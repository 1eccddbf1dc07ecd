"""Resizing, CenterCrop and the layers that change contrast."""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import check, check_layer, check_refused, shows

SIZES = [(7, 9), (3, 4), (11, 3), (5, 6)]


@shows("layers.Resizing", "height", "width", "interpolation")
@pytest.mark.parametrize(
    "interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]
)
def test_resizing(interpolation):
    x = keras.Input((5, 6, 2))
    outputs = [layers.Resizing(h, w, interpolation=interpolation)(x) * 1.0 for h, w in SIZES]
    check(keras.Model(x, outputs))


@shows("layers.Resizing", "antialias")
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3"])
def test_antialias(interpolation):
    layer = layers.Resizing(3, 9, interpolation=interpolation, antialias=True)
    check_layer(layer, (8, 7, 2))


@shows("layers.Resizing", "data_format")
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "lanczos5"])
def test_channels_first(interpolation):
    layer = layers.Resizing(4, 9, interpolation=interpolation, data_format="channels_first")
    check_layer(layer, (2, 6, 5))


@shows("layers.Resizing", "crop_to_aspect_ratio")
@pytest.mark.parametrize("shape", [(5, 9, 2), (9, 5, 2), (6, 9, 2), (8, 3, 2)])
def test_crop_to_aspect_ratio(shape):
    check_layer(layers.Resizing(4, 6, crop_to_aspect_ratio=True), shape)


@shows("layers.Resizing", "pad_to_aspect_ratio", "fill_value", "fill_mode")
@pytest.mark.parametrize("shape", [(5, 12, 2), (12, 5, 2), (6, 9, 2), (8, 3, 2)])
@pytest.mark.parametrize("fill_value", [0.0, 2.5])
def test_pad_to_aspect_ratio(shape, fill_value):
    layer = layers.Resizing(
        4, 6, pad_to_aspect_ratio=True, fill_mode="constant", fill_value=fill_value
    )
    check_layer(layer, shape)


UNKNOWN = [  # height, width: unknown both, or one
    ((None, None, 2), ((5, 6), (9, 4))),
    ((None, 6, 2), (5, 9)),
    ((5, None, 2), (6, 3)),
]


@shows("layers.Resizing", "interpolation", "antialias")
@pytest.mark.parametrize("shape, size", UNKNOWN)
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(
    "interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]
)
def test_unknown_sizes(interpolation, antialias, shape, size):
    layer = layers.Resizing(7, 6, interpolation=interpolation, antialias=antialias)
    check_layer(layer, shape, size=size, tolerance=2e-5)


@shows("layers.Resizing", "crop_to_aspect_ratio", "pad_to_aspect_ratio")
@pytest.mark.parametrize("shape, size", UNKNOWN)
@pytest.mark.parametrize(
    "arguments", [{"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 2.0}]
)
def test_unknown_aspect_ratio(arguments, shape, size):
    check_layer(layers.Resizing(4, 9, **arguments), shape, size=size)


def test_unknown_sizes_with_channels_first():
    x = keras.Input((2, None, None))
    outputs = [
        layers.Resizing(7, 6, interpolation=i, data_format="channels_first")(x)
        for i in ("nearest", "bilinear", "bicubic")
    ]
    check(keras.Model(x, outputs), size=((5, 6), (9, 4)), tolerance=2e-5)


@shows("layers.Resizing")
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_integer_images(interpolation):
    x = np.random.default_rng(3).integers(0, 256, (2, 5, 6, 2)).astype("uint8")
    # The backends clip to different ranges: that of the image, or that of the dtype.
    x[0, 0, 0], x[0, 0, 1] = 0, 255
    # Where the mean of two values ends in .5, the last bit decides which way it is rounded.
    check_layer(
        layers.Resizing(7, 9, interpolation=interpolation),
        (5, 6, 2),
        dtype="uint8",
        call=lambda layer, x: layers.Rescaling(1.0)(layer(x)),
        inputs=[x],
        tolerance=0 if interpolation == "nearest" else 1.5 / 255,
    )


@shows("layers.Resizing")
def test_resizing_in_mixed_precision():
    layer = layers.Resizing(7, 9, dtype="mixed_float16")
    check_layer(layer, (5, 6, 2), tolerance=2e-3)


@shows("layers.CenterCrop", "height", "width")
@pytest.mark.parametrize("size", [(4, 3), (3, 6), (5, 6), (8, 3), (3, 9), (9, 11)])
def test_center_crop(size):
    check_layer(layers.CenterCrop(*size), (5, 6, 2))


@shows("layers.CenterCrop", "data_format")
@pytest.mark.parametrize("size", [(4, 3), (9, 11)])
def test_center_crop_channels_first(size):
    check_layer(layers.CenterCrop(*size, data_format="channels_first"), (2, 5, 6))


@shows("layers.CenterCrop")
def test_center_crop_of_integers():
    check_layer(layers.CenterCrop(4, 3), (5, 6, 2), dtype="uint8", high=255)


@shows("layers.CenterCrop")
@pytest.mark.parametrize("shape, size", UNKNOWN)
def test_center_crop_of_an_unknown_size(shape, size):
    check_layer(layers.CenterCrop(6, 4), shape, size=size)


@shows("layers.AutoContrast", "value_range")
@pytest.mark.parametrize("value_range", [(0, 255), (-1, 1)])
def test_auto_contrast(value_range):
    low, high = value_range
    check_layer(layers.AutoContrast(value_range=value_range), (5, 6, 2), low=low, high=high)


@shows("layers.AutoContrast")
def test_auto_contrast_leaves_constant_channels():
    # The second layer gets what the first made: values 0 and 255 in channels of one or two values.
    layer = layers.AutoContrast()
    check_layer(layer, (1, 2, 3), dtype="uint8", high=2)


@shows("ops.image.resize", "interpolation", "antialias", "data_format", "crop_to_aspect_ratio")
@shows("ops.image.resize", "pad_to_aspect_ratio", "fill_mode", "fill_value")
def test_resize_operation():
    x = keras.Input((5, 6, 2))
    outputs = [
        keras.ops.image.resize(x, (7, 4)),
        keras.ops.image.resize(x, (3, 4), interpolation="bicubic", antialias=True),
        keras.ops.image.resize(x, (5, 9), "nearest", data_format="channels_last"),
        keras.ops.image.resize(x, (4, 9), crop_to_aspect_ratio=True),
        keras.ops.image.resize(
            x, (9, 4), pad_to_aspect_ratio=True, fill_mode="constant", fill_value=1.5
        ),
    ]
    check(keras.Model(x, outputs))


@shows(
    "layers.ContrastLimitedAdaptiveHistogramEqualization",
    "value_range",
    "clip_limit",
    "tile_grid_size",
    "data_format",
)
@pytest.mark.parametrize(
    "shape, arguments",
    [
        ((16, 24, 1), {}),
        ((13, 10, 2), {"tile_grid_size": (3, 4), "clip_limit": 1.5}),
        ((8, 8, 3), {"tile_grid_size": (1, 2), "clip_limit": 0}),
        ((8, 9, 1), {"tile_grid_size": (2, 2), "value_range": (0.0, 1.0)}),
        ((2, 7, 8), {"tile_grid_size": (2, 3), "data_format": "channels_first"}),
    ],
    ids=str,
)
def test_clahe(shape, arguments):
    layer = layers.ContrastLimitedAdaptiveHistogramEqualization(**arguments)
    high = arguments.get("value_range", (0, 255))[1]
    check_layer(layer, shape, low=0, high=high)


@shows("layers.ContrastLimitedAdaptiveHistogramEqualization")
def test_clahe_of_an_unknown_size():
    x = keras.Input((None, 8, 1))
    layer = layers.ContrastLimitedAdaptiveHistogramEqualization()
    check_refused(keras.Model(x, layer(x)), "clahe-1", "--shape")
