"""Reshaping layers against Keras.

Most tests put several variants of a layer into one model, an output each: `output_3` is variant 3.
"""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import check, check_layer, check_refused, shows

CHANNELS = ("channels_last", "channels_first")
DYNAMIC = pytest.mark.parametrize("dynamic", [False, True])
SIZES = ((5, 7, 6), (6, 5, 8))


def shape(data_format, rank, dynamic, channels=3):
    spatial = (None,) * rank if dynamic else SIZES[0][:rank]
    return (*spatial, channels) if data_format == "channels_last" else (channels, *spatial)


def check_variants(layer_class, variants, shape, dtype="float32"):
    """One model: each variant (a dict of constructor arguments) on the same input."""
    x = keras.Input(shape, dtype=dtype)
    return check(keras.Model(x, [layer_class(**v)(x) for v in variants]), size=SIZES)


@shows("layers.Cropping1D", "cropping")
@DYNAMIC
def test_cropping1d(dynamic):
    variants = [dict(cropping=c) for c in (1, (0, 2), (3, 0), (0, 0), (1, 2))]
    check_variants(layers.Cropping1D, variants, shape("channels_last", 1, dynamic))


@shows("layers.Cropping2D", "cropping", "data_format")
@pytest.mark.parametrize("data_format", CHANNELS)
@DYNAMIC
def test_cropping2d(data_format, dynamic):
    croppings = (1, (2, 1), ((1, 0), (0, 3)), ((0, 2), (1, 1)), ((0, 0), (0, 0)))
    variants = [dict(cropping=c, data_format=data_format) for c in croppings]
    check_variants(layers.Cropping2D, variants, shape(data_format, 2, dynamic))


@shows("layers.Cropping3D", "cropping", "data_format")
@pytest.mark.parametrize("data_format", CHANNELS)
@DYNAMIC
def test_cropping3d(data_format, dynamic):
    croppings = (1, (2, 1, 0), ((1, 0), (0, 3), (1, 1)), ((0, 2), (1, 1), (2, 0)))
    variants = [dict(cropping=c, data_format=data_format) for c in croppings]
    check_variants(layers.Cropping3D, variants, shape(data_format, 3, dynamic))


@shows("layers.ZeroPadding1D", "padding", "data_format")
@pytest.mark.parametrize("data_format", CHANNELS)
@DYNAMIC
def test_zero_padding1d(data_format, dynamic):
    variants = [dict(padding=p, data_format=data_format) for p in (2, (0, 1), (3, 2), 0)]
    check_variants(layers.ZeroPadding1D, variants, shape(data_format, 1, dynamic))


@shows("layers.ZeroPadding2D", "padding", "data_format")
@pytest.mark.parametrize("data_format", CHANNELS)
@DYNAMIC
def test_zero_padding2d(data_format, dynamic):
    variants = [dict(padding=p, data_format=data_format) for p in (1, (2, 3), ((0, 1), (2, 0)))]
    check_variants(layers.ZeroPadding2D, variants, shape(data_format, 2, dynamic))


@shows("layers.ZeroPadding3D", "padding", "data_format")
@pytest.mark.parametrize("data_format", CHANNELS)
@DYNAMIC
def test_zero_padding3d(data_format, dynamic):
    variants = [
        dict(padding=p, data_format=data_format) for p in (1, (2, 0, 3), ((0, 1), (2, 0), (1, 3)))
    ]
    check_variants(layers.ZeroPadding3D, variants, shape(data_format, 3, dynamic))


@shows("layers.ZeroPadding2D", "dtype")
@shows("layers.Cropping2D", "dtype")
@shows("layers.UpSampling2D", "dtype")
@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_integers(dtype):
    x = keras.Input((5, 4, 2), dtype=dtype)
    outputs = [
        layers.ZeroPadding2D(((1, 0), (0, 2)), dtype=dtype)(x),
        layers.Cropping2D(((1, 0), (0, 2)), dtype=dtype)(x),
        layers.UpSampling2D((2, 3), dtype=dtype)(x),
        layers.Permute((3, 1, 2), dtype=dtype)(x),
    ]
    check(keras.Model(x, outputs))


@shows("layers.UpSampling1D", "size")
@DYNAMIC
def test_up_sampling1d(dynamic):
    variants = [dict(size=s) for s in (1, 2, 3)]
    check_variants(layers.UpSampling1D, variants, shape("channels_last", 1, dynamic))


@shows("layers.UpSampling2D", "size", "data_format", "interpolation")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@DYNAMIC
def test_up_sampling2d(data_format, interpolation, dynamic):
    variants = [
        dict(size=s, data_format=data_format, interpolation=interpolation)
        for s in (2, 3, (2, 3), (1, 5), 1)
    ]
    check_variants(layers.UpSampling2D, variants, shape(data_format, 2, dynamic))


@shows("layers.UpSampling2D", "interpolation")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("interpolation", ["bicubic", "lanczos3", "lanczos5"])
def test_up_sampling2d_resized(data_format, interpolation):
    variants = [
        dict(size=s, data_format=data_format, interpolation=interpolation) for s in (2, (1, 3))
    ]
    check_variants(layers.UpSampling2D, variants, shape(data_format, 2, False))


@shows("layers.UpSampling3D", "size", "data_format")
@pytest.mark.parametrize("data_format", CHANNELS)
@DYNAMIC
def test_up_sampling3d(data_format, dynamic):
    variants = [dict(size=s, data_format=data_format) for s in (2, (1, 3, 2), (2, 1, 1))]
    check_variants(layers.UpSampling3D, variants, shape(data_format, 3, dynamic))


@shows("layers.Permute", "dims")
@pytest.mark.parametrize(
    "size,dims",
    [((4,), [(1,)]), ((4, 3), [(1, 2), (2, 1)]), ((4, 3, 2), [(3, 1, 2), (2, 3, 1)])]
    + [((4, 3, 2, 5, 2), [(5, 3, 1, 4, 2)]), ((None, 3, None), [(3, 2, 1)])],
    ids=str,
)
def test_permute(size, dims):
    check_variants(layers.Permute, [dict(dims=d) for d in dims], size)


@shows("layers.RepeatVector", "n")
@pytest.mark.parametrize("size", [4, None])
def test_repeat_vector(size):
    check_variants(layers.RepeatVector, [dict(n=n) for n in (1, 2, 5)], (size,))


@shows("layers.Reshape", "target_shape")
@pytest.mark.parametrize(
    "size,targets",
    [
        ((6,), [(6,), (2, 3), (-1,), (3, -1), (-1, 1, 2), (1, 6, 1)]),
        ((4, 6), [(24,), (2, -1, 3), (6, 4)]),
        ((), [(1,), (1, 1), (-1,)]),
        ((None, 6), [(-1,), (-1, 3), (2, -1), (-1, 2, 3)]),
        ((None, None, 4), [(-1, 2), (-1,)]),
    ],
    ids=str,
)
def test_reshape(size, targets):
    check_variants(layers.Reshape, [dict(target_shape=t) for t in targets], size)


@shows("layers.Flatten", "data_format")
@pytest.mark.parametrize(
    "size", [(), (4,), (4, 3), (4, 3, 2), (None, 3), (None, None, 2), (4, 3, 2, 2)], ids=str
)
def test_flatten(size):
    check_variants(layers.Flatten, [dict(data_format=d) for d in CHANNELS], size)


@shows("layers.Reshape")
@shows("layers.Flatten")
def test_fixed_batch():
    x = keras.Input((4, 3), batch_size=2)
    check(keras.Model(x, [layers.Flatten()(x), layers.Reshape((-1, 2))(x)]))


def test_up_sampling_of_unknown_size_computes_no_shape():
    result = check_layer(layers.UpSampling2D(2), (None, None, 3))
    assert result.operators == {"CONCATENATION": 1, "DEPTH_TO_SPACE": 1}
    assert check_layer(layers.UpSampling2D(2), (4, 3, 2)).operators == {
        "RESIZE_NEAREST_NEIGHBOR": 1
    }


@shows("ops.numpy.pad", "mode", "constant_values")
@shows("ops.numpy.repeat", "axis")
@shows("ops.numpy.flip", "axis")
def test_operations():
    x = keras.Input((5, 4, 2))
    outputs = [
        keras.ops.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))),
        keras.ops.pad(x, 1),
        keras.ops.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0)), "constant", constant_values=1.5),
        keras.ops.pad(x, ((0, 0), (1, 2), (3, 1), (0, 0)), mode="reflect"),
        keras.ops.pad(x, ((0, 0), (1, 2), (3, 4), (0, 0)), mode="symmetric"),
        keras.ops.repeat(x, 3, axis=-2),
        keras.ops.repeat(x, 2, axis=0),
        keras.ops.repeat(x, 2),
        keras.ops.flip(x, 1),
        keras.ops.flip(x, (1, 3)),
        keras.ops.flip(x),
    ]
    check(keras.Model(x, outputs))


def test_cropping_everything_is_refused():
    model = keras.Sequential([keras.Input((6, 3)), layers.Cropping1D((1, 1))])
    model.layers[0].cropping = (3, 3)
    check_refused(model, "crop-1", "3 and 3 elements")


def test_negative_padding_is_refused():
    model = keras.Sequential([keras.Input((6, 3)), layers.ZeroPadding1D((1, 1))])
    model.layers[0].padding = (-1, 3)
    check_refused(model, "reshaping-4", "'padding' must be")


def test_nan_passes():
    """Cropping selects; it does not multiply by 0."""
    x = np.full((1, 4, 2), np.nan, "float32")
    x[:, 1] = 3
    model = keras.Sequential([keras.Input((4, 2)), layers.Cropping1D((1, 2))])
    check(model, [x])
