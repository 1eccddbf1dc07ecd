"""Convolution layers against Keras.

Most tests put several variants of a layer into one model, an output each: `output_3` is variant 3.
"""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import check, check_layer, check_refused, shows

CHANNELS = ("channels_last", "channels_first")


def image(data_format, *spatial, channels=4):
    """Shape without batch: odd, unequal spatial sizes show swapped axes."""
    return (*spatial, channels) if data_format == "channels_last" else (channels, *spatial)


def check_variants(layer_class, variants, shape, batch=None, **options):
    """One model: each variant (a dict of constructor arguments) on the same input."""
    x = keras.Input(shape, batch_size=batch, name="x")
    outputs = [layer_class(**variant)(x) for variant in variants]
    return check(keras.Model(x, outputs), **options)


# --- Conv1D … Conv3D ------------------------------------------------------------------------------

WINDOWS_1D = [
    dict(filters=5, kernel_size=1),
    dict(filters=5, kernel_size=4, strides=2),
    dict(filters=3, kernel_size=3, padding="same"),
    dict(filters=3, kernel_size=4, padding="same", strides=3),
    dict(filters=3, kernel_size=3, dilation_rate=2),
    dict(filters=3, kernel_size=4, dilation_rate=3, padding="same"),
    dict(filters=3, kernel_size=3, padding="causal"),
    dict(filters=3, kernel_size=2, padding="causal", strides=2),
    dict(filters=3, kernel_size=3, padding="causal", dilation_rate=4),
    dict(filters=6, kernel_size=3, groups=2),
    dict(filters=8, kernel_size=3, groups=4, padding="causal"),
    dict(filters=5, kernel_size=3, use_bias=False, activation="relu"),
]


@shows("layers.Conv1D", "filters", "kernel_size", "data_format", "padding", "strides")
@shows("layers.Conv1D", "dilation_rate", "groups", "use_bias", "activation")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("length", [13, None])
def test_conv1d(data_format, length):
    variants = [dict(v, data_format=data_format) for v in WINDOWS_1D]
    if data_format == "channels_first":
        # Keras refuses causal padding there.
        variants = [v for v in variants if v.get("padding") != "causal"]
    check_variants(layers.Conv1D, variants, image(data_format, length), size=((13,), (17,)))


@shows("layers.Conv2D", "filters", "kernel_size", "data_format", "padding", "strides")
@shows("layers.Conv2D", "dilation_rate", "groups")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(11, 8), (None, None)], ids=str)
def test_conv2d(data_format, padding, size):
    variants = [
        dict(filters=5, kernel_size=1),
        dict(filters=5, kernel_size=(3, 2), strides=2),
        dict(filters=5, kernel_size=4, strides=(2, 3)),
        dict(filters=5, kernel_size=(3, 2), dilation_rate=2),
        dict(filters=5, kernel_size=(2, 3), dilation_rate=(1, 3)),
        dict(filters=5, kernel_size=3, dilation_rate=(3, 2)),
        dict(filters=6, kernel_size=3, groups=2),
        dict(filters=6, kernel_size=3, groups=2, strides=2),
        dict(filters=4, kernel_size=3, groups=4),
        dict(filters=8, kernel_size=(2, 3), groups=4, strides=2),
    ]
    variants = [dict(v, data_format=data_format, padding=padding) for v in variants]
    check_variants(layers.Conv2D, variants, image(data_format, *size), size=((9, 11), (12, 10)))


@shows("layers.Conv2D", "use_bias", "activation")
def test_conv2d_bias_activation():
    variants = [
        dict(filters=5, kernel_size=3, use_bias=use_bias, activation=activation)
        for use_bias in [True, False]
        for activation in [None, "relu", "relu6", "tanh", "gelu", "softmax"]
    ]
    check_variants(layers.Conv2D, variants, (7, 8, 3))


def test_conv2d_static_batch():
    model = keras.Sequential([keras.Input((6, 7, 3), batch_size=2), layers.Conv2D(4, 3)])
    check(model)


@shows("layers.Conv2D", "lora_rank", "lora_alpha")
def test_conv2d_lora():
    """Keras saves the kernel with the update merged in."""
    layer = layers.Conv2D(4, 3, lora_rank=2, lora_alpha=3)
    check_layer(layer, (6, 7, 3))


@pytest.mark.parametrize("use_bias", [True, False])
def test_conv2d_relu_is_one_operator(use_bias):
    layer = layers.Conv2D(4, 3, padding="same", activation="relu", use_bias=use_bias)
    assert check_layer(layer, (6, 7, 3)).operators == {"CONV_2D": 1}


def test_conv1d_dilated_is_a_dilated_conv2d():
    result = check_layer(layers.Conv1D(4, 3, dilation_rate=2, activation="relu"), (9, 3))
    assert result.operators == {"CONV_2D": 1, "RESHAPE": 2}


@shows("layers.Conv3D", "filters", "kernel_size", "data_format", "padding", "strides")
@shows("layers.Conv3D", "dilation_rate", "groups", "use_bias", "activation")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(7, 6, 5), (None, None, None)], ids=str)
def test_conv3d(data_format, padding, size):
    variants = [
        dict(filters=3, kernel_size=1),
        dict(filters=3, kernel_size=(2, 3, 2), strides=(1, 2, 2)),
        dict(filters=3, kernel_size=3, strides=2, use_bias=False),
        dict(filters=3, kernel_size=2, dilation_rate=(2, 1, 3), activation="relu"),
        dict(filters=3, kernel_size=2, dilation_rate=2),
        dict(filters=3, kernel_size=(1, 2, 3), strides=(1, 2, 1)),
        dict(filters=6, kernel_size=2, groups=2),
        dict(filters=4, kernel_size=2, groups=4, use_bias=False, strides=2),
    ]
    variants = [dict(v, data_format=data_format, padding=padding) for v in variants]
    sizes = ((7, 5, 6), (5, 6, 7))
    check_variants(layers.Conv3D, variants, image(data_format, *size), size=sizes)


@shows("layers.Conv1D", "dtype")
@shows("layers.Conv2D", "dtype")
@shows("layers.DepthwiseConv2D", "dtype")
@shows("layers.Conv2DTranspose", "dtype")
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    x = keras.Input((8, 6, 3))
    y = layers.Conv2D(4, 3, activation="relu")(x)
    outputs = [
        layers.DepthwiseConv2D(3)(y),
        layers.Conv2DTranspose(3, 3, strides=2)(y),
        layers.Conv1D(3, 2)(layers.Reshape((-1, 4))(y)),
    ]
    outputs = [layers.Activation("linear", dtype="float32")(z) for z in outputs]
    check(keras.Model(x, outputs), tolerance=5e-3 if policy == "mixed_float16" else 3e-2)


# --- Depthwise and separable ----------------------------------------------------------------------


@shows("layers.DepthwiseConv1D", "kernel_size", "strides", "padding", "depth_multiplier")
@shows("layers.DepthwiseConv1D", "data_format", "dilation_rate", "activation", "use_bias")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("length", [13, None])
def test_depthwise_conv1d(data_format, length):
    variants = [
        dict(kernel_size=3),
        dict(kernel_size=4, strides=2, depth_multiplier=2),
        dict(kernel_size=4, strides=3, padding="same", activation="relu"),
        dict(kernel_size=3, dilation_rate=2, use_bias=False),
        dict(kernel_size=3, dilation_rate=3, padding="same", depth_multiplier=3),
    ]
    variants = [dict(v, data_format=data_format) for v in variants]
    sizes = ((13,), (17,))
    check_variants(layers.DepthwiseConv1D, variants, image(data_format, length), size=sizes)


@shows("layers.DepthwiseConv2D", "kernel_size", "strides", "padding", "depth_multiplier")
@shows("layers.DepthwiseConv2D", "data_format", "dilation_rate", "activation", "use_bias")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(11, 8), (None, None)], ids=str)
def test_depthwise_conv2d(data_format, padding, size):
    variants = [
        dict(kernel_size=1),
        dict(kernel_size=3, depth_multiplier=2),
        dict(kernel_size=(3, 2), strides=2, activation="relu6"),
        dict(kernel_size=(2, 3), strides=(1, 2), use_bias=False),
        dict(kernel_size=3, strides=(3, 2), depth_multiplier=3),
        dict(kernel_size=3, dilation_rate=2),
        dict(kernel_size=(2, 3), dilation_rate=(1, 3), depth_multiplier=2),
    ]
    variants = [dict(v, data_format=data_format, padding=padding) for v in variants]
    sizes = ((9, 11), (12, 10))
    check_variants(layers.DepthwiseConv2D, variants, image(data_format, *size), size=sizes)


@shows("layers.DepthwiseConv2D")
def test_depthwise_conv2d_one_channel():
    check_layer(layers.DepthwiseConv2D(3, depth_multiplier=5), (7, 6, 1))


@shows("layers.SeparableConv1D", "filters", "kernel_size", "strides", "padding", "data_format")
@shows("layers.SeparableConv1D", "dilation_rate", "depth_multiplier", "activation", "use_bias")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("length", [13, None])
def test_separable_conv1d(data_format, length):
    variants = [
        dict(filters=5, kernel_size=3),
        dict(filters=5, kernel_size=4, strides=2, depth_multiplier=2, use_bias=False),
        dict(filters=3, kernel_size=4, strides=3, padding="same", activation="relu"),
        dict(filters=3, kernel_size=3, dilation_rate=2, padding="same"),
    ]
    variants = [dict(v, data_format=data_format) for v in variants]
    sizes = ((13,), (17,))
    check_variants(layers.SeparableConv1D, variants, image(data_format, length), size=sizes)


@shows("layers.SeparableConv2D", "filters", "kernel_size", "strides", "padding", "data_format")
@shows("layers.SeparableConv2D", "dilation_rate", "depth_multiplier", "activation", "use_bias")
@pytest.mark.parametrize("data_format", CHANNELS)
@pytest.mark.parametrize("size", [(11, 8), (None, None)], ids=str)
def test_separable_conv2d(data_format, size):
    variants = [
        dict(filters=5, kernel_size=3),
        dict(filters=5, kernel_size=(4, 3), strides=2, depth_multiplier=2, use_bias=False),
        dict(filters=3, kernel_size=3, strides=(2, 2), padding="same", activation="relu"),
        dict(filters=3, kernel_size=3, dilation_rate=2, padding="same"),
    ]
    variants = [dict(v, data_format=data_format) for v in variants]
    sizes = ((9, 11), (12, 10))
    check_variants(layers.SeparableConv2D, variants, image(data_format, *size), size=sizes)


def test_separable_conv2d_is_two_operators():
    result = check_layer(layers.SeparableConv2D(4, 3, activation="relu"), (6, 7, 3))
    assert result.operators == {"DEPTHWISE_CONV_2D": 1, "CONV_2D": 1}


# --- Transposed -----------------------------------------------------------------------------------


def transposed(rank):
    """Kernel sizes below, at and above the strides; every padding and output padding."""
    variants = [dict(kernel_size=3), dict(kernel_size=2, padding="same")]
    variants += [dict(kernel_size=3, dilation_rate=2), dict(kernel_size=4, padding="same")]
    variants += [dict(kernel_size=2, padding="same", dilation_rate=3, use_bias=False)]
    for kernel, stride in [(1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (2, 3), (4, 3), (5, 3)]:
        for padding in ["valid", "same"]:
            variants.append(dict(kernel_size=kernel, strides=stride, padding=padding))
    for padding in ["valid", "same"]:
        for extra in [0, 1, 2]:
            variants.append(dict(kernel_size=4, strides=3, padding=padding, output_padding=extra))
        variants.append(dict(kernel_size=3, strides=2, padding=padding, output_padding=1))
        variants.append(dict(kernel_size=1, strides=2, padding=padding, output_padding=1))
    variants[2]["activation"] = "relu"
    variants[7]["use_bias"] = False
    if rank == 2:
        variants += [
            dict(kernel_size=(3, 4), strides=(1, 2), padding="same"),
            dict(kernel_size=(4, 3), strides=(2, 1), padding="valid"),
            dict(kernel_size=(2, 5), strides=(3, 2), padding="same", output_padding=(1, 0)),
            dict(kernel_size=(3, 2), dilation_rate=(1, 2)),
        ]
    return [dict(v, filters=3) for v in variants]


@shows("layers.Conv1DTranspose", "filters", "kernel_size", "strides", "padding", "data_format")
@shows("layers.Conv1DTranspose", "dilation_rate", "output_padding", "activation", "use_bias")
@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("length", [7, None])
def test_conv1d_transpose(batch, length):
    check_variants(
        layers.Conv1DTranspose, transposed(1), (length, 4), batch=batch, size=((7,), (5,))
    )


@shows("layers.Conv2DTranspose", "filters", "kernel_size", "strides", "padding")
@shows("layers.Conv2DTranspose", "dilation_rate", "output_padding", "activation", "use_bias")
@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("size", [(5, 4), (None, None)], ids=str)
def test_conv2d_transpose(batch, size):
    check_variants(
        layers.Conv2DTranspose, transposed(2), (*size, 4), batch=batch, size=((5, 4), (3, 6))
    )


@shows("layers.Conv2DTranspose", "data_format")
def test_conv_transpose_channels_first():
    options = dict(kernel_size=3, strides=2, padding="same", data_format="channels_first")
    x, y, z = keras.Input((4, 5)), keras.Input((4, 5, 3)), keras.Input((4, 3, 4, 2))
    outputs = [
        layers.Conv1DTranspose(3, **options)(x),
        layers.Conv2DTranspose(3, **options)(y),
        layers.Conv3DTranspose(3, **options)(z),
    ]
    check(keras.Model([x, y, z], outputs))


@shows("layers.Conv3DTranspose", "filters", "kernel_size", "strides", "padding", "data_format")
@shows("layers.Conv3DTranspose", "dilation_rate", "output_padding", "activation", "use_bias")
@pytest.mark.parametrize("size", [(4, 3, 5), (None, None, None)], ids=str)
def test_conv3d_transpose(size):
    variants = [
        dict(kernel_size=2),
        dict(kernel_size=2, padding="same", use_bias=False),
        dict(kernel_size=2, dilation_rate=2),
        dict(kernel_size=(2, 3, 1), strides=(2, 1, 2), padding="same", activation="relu"),
        dict(kernel_size=3, strides=2),
        dict(kernel_size=3, strides=2, padding="same"),
        dict(kernel_size=4, strides=2, padding="same"),
        dict(kernel_size=2, strides=3, padding="valid", output_padding=1),
        dict(kernel_size=(2, 3, 4), strides=3, padding="same", output_padding=(2, 0, 1)),
    ]
    sizes = ((4, 3, 5), (2, 4, 3))
    check_variants(
        layers.Conv3DTranspose, [dict(v, filters=2) for v in variants], (*size, 3), size=sizes
    )


def test_conv2d_transpose_operators():
    """No shape computed at run time, which would keep what follows from the delegate."""
    layer = layers.Conv2DTranspose(4, 2, strides=2, activation="relu")
    result = check_layer(layer, (5, 6, 3))
    assert result.operators == {"CONV_2D": 1, "DEPTH_TO_SPACE": 1}
    layer = layers.Conv2DTranspose(4, 3, strides=2, padding="same")
    assert check_layer(layer, (5, 6, 3), batch=1).operators == {"TRANSPOSE_CONV": 1}


# --- Operations in a functional graph, and refusals -----------------------------------------------


@shows("ops.nn.conv", "strides", "padding", "data_format", "dilation_rate")
@shows("ops.nn.depthwise_conv", "strides", "padding", "data_format", "dilation_rate")
@shows("ops.nn.separable_conv", "strides", "padding", "data_format", "dilation_rate")
def test_operations():
    rng = np.random.default_rng(3)
    first = {"data_format": "channels_first"}

    def kernel(*shape):
        return rng.normal(size=shape).astype("float32")

    x = keras.Input((9, 8, 4))
    outputs = [
        keras.ops.conv(x, kernel(3, 2, 4, 5), (1, 2), "same"),
        keras.ops.depthwise_conv(x, kernel(3, 2, 4, 2), padding="same", dilation_rate=2),
        keras.ops.separable_conv(x, kernel(3, 2, 4, 2), kernel(1, 1, 8, 3)),
        keras.ops.conv(x, kernel(2, 3, 9, 5), 2, "same", **first),
        keras.ops.conv(x, kernel(2, 3, 9, 5), dilation_rate=(2, 1), **first),
        keras.ops.depthwise_conv(x, kernel(3, 3, 4, 1), 2, "same"),
        keras.ops.depthwise_conv(x, kernel(2, 3, 9, 2), 1, dilation_rate=(3, 1), **first),
        keras.ops.separable_conv(x, kernel(3, 2, 4, 2), kernel(1, 1, 8, 3), 2, "same"),
        keras.ops.separable_conv(
            x, kernel(2, 2, 9, 1), kernel(1, 1, 9, 4), dilation_rate=2, **first
        ),
    ]
    check(keras.Model(x, outputs))


@shows("ops.nn.conv")
def test_conv_of_two_tensors():
    x, w = keras.Input((9, 8, 4)), keras.Input((2, 4, 6), batch_size=3)
    check(keras.Model([x, w], keras.ops.conv(x, w)))


def test_stride_of_zero_is_refused():
    model = keras.Sequential([keras.Input((6, 7, 3)), layers.Conv2D(4, 3)])
    model.layers[0].strides = (0, 1)
    check_refused(model, "window-3", "'strides' must be 2 positive ints")
