"""Numeric preprocessing: Rescaling, Normalization, categories and lookups."""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import check, check_layer, check_refused, refused, shows

RNG = np.random.default_rng(7)


@shows("layers.Rescaling", "scale", "offset")
@pytest.mark.parametrize(
    "scale, offset",
    [(1 / 255, 0.0), (2.0, -1.0), ([0.5, 2.0, 3.0], [1, 2, 3]), (np.array([0.5, 2.0, -1.0]), 0.1)],
)
def test_rescaling(scale, offset):
    check_layer(layers.Rescaling(scale, offset), (4, 5, 3))


@shows("layers.Rescaling")
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16"])
def test_rescaling_casts(dtype):
    check_layer(layers.Rescaling(1 / 127.5, -1.0), (4, 3), dtype=dtype, high=127)


@shows("layers.Normalization", "axis", "invert")
@pytest.mark.parametrize("axis", [-1, 1, (1, 3), (1, -1, 2), None])
@pytest.mark.parametrize("invert", [False, True])
def test_normalization_adapted(axis, invert):
    layer = layers.Normalization(axis=axis, invert=invert)
    layer.adapt(RNG.normal(2, 3, (20, 4, 5, 3)).astype("float32"))
    check_layer(layer, (4, 5, 3), randomized=False)


@shows("layers.Normalization", "mean", "variance")
@shows("layers.Rescaling", "scale", "offset")
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("width", [65, None])
def test_normalized_images_in_front_of_convolutions(padding, width):
    """The factors are the convolution's; offsets stay in front of padding."""
    inputs = keras.Input((67, width, 3), name="x")
    x = layers.Rescaling([0.2, -0.1, 0.5], [1, -2, 3])(inputs)
    x = layers.Normalization(mean=[1000.0, 2.0, -3.0], variance=[4.0, 1.0, 2.0])(x)
    y = layers.Conv2D(4, 3, strides=2, padding=padding)(x)
    z = layers.DepthwiseConv2D(3, padding="same")(x)
    images = RNG.uniform(4900, 5100, (2, 67, 65, 3)).astype("float32")
    result = check(keras.Model(inputs, [y, z]), [[images]])
    assert "MUL" not in result.operators


@shows("layers.Normalization", "mean", "variance")
@pytest.mark.parametrize(
    "axis, mean, variance",
    [
        (-1, 2.0, 4.0),
        (None, 2.0, 4.0),
        (-1, [1.0, 2.0, 3.0], [4.0, 0.0, 1e-20]),
        ((1, 3), [[1.0, 2.0, 3.0]] * 4, [[4.0, 1.0, 2.0]] * 4),
        ((1, 3), [1.0, 2.0, 3.0], [4.0, 1.0, 2.0]),
    ],
)
def test_normalization_given(axis, mean, variance):
    check_layer(layers.Normalization(axis=axis, mean=mean, variance=variance), (4, 5, 3))


@shows("layers.Normalization")
@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_normalization_of_integers(dtype):
    check_layer(layers.Normalization(mean=3.0, variance=2.0), (4, 3), dtype=dtype, high=100)


@shows("layers.Normalization")
def test_normalization_in_legacy_files():
    layer = layers.Normalization()
    layer.adapt(RNG.normal(2, 3, (20, 3)).astype("float32"))
    check_layer(layer, (3,), randomized=False, extension=".h5")


@shows("layers.CategoryEncoding", "num_tokens", "output_mode")
@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(1,), (4,), ()])
@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_category_encoding(mode, shape, dtype):
    batch = 3 if shape == () else None  # A vector is one sample.
    check_layer(layers.CategoryEncoding(6, mode), shape, dtype=dtype, high=6, batch=batch)


@pytest.mark.jax  # NumPy refuses floats as indices.
@shows("layers.CategoryEncoding")
@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_category_encoding_of_floats(mode):
    x = np.array([[0.0, 1.0, 2.5, 5.0]], "float32")
    check_layer(layers.CategoryEncoding(6, mode), (4,), inputs=[x])


@shows("layers.CategoryEncoding", "output_mode")
def test_category_encoding_with_weights():
    layer = layers.CategoryEncoding(6, "count")
    check_layer(
        layer,
        (4,),
        (4,),
        dtype=["int32", "float32"],
        call=lambda layer, xs: layer(xs[0], count_weights=xs[1]),
        high=6,
        low=0,
    )


@shows("layers.Discretization", "bin_boundaries", "output_mode")
@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_discretization(mode, dtype):
    layer = layers.Discretization(bin_boundaries=[-1.0, 0.0, 0.5, 3.0], output_mode=mode)
    x = np.array([[-2.0, -1.0, 0.0], [0.5, 3.0, 7.0]]).astype(dtype)
    check_layer(layer, (3,), dtype=dtype, inputs=[x])


def test_discretization_of_an_integer_dtype():
    """As Keras saves it before 3.11: the inputs are not cast to it."""
    layer = layers.Discretization(bin_boundaries=[-1.0, 0.0, 1.0], dtype="int64")
    x = np.array([[-0.5, 0.5, -1.5], [2.5, -0.1, 1.0]], "float32")
    check_layer(layer, (3,), inputs=[x])


@shows("layers.Discretization", "num_bins", "epsilon")
def test_discretization_adapted():
    layer = layers.Discretization(num_bins=5, epsilon=0.05)
    layer.adapt(RNG.normal(0, 1, (200,)))
    check_layer(layer, (9,))


def test_discretization_without_boundaries():
    x = keras.Input((3,))
    # `num_bins` alone says nothing until the layer is adapted; Keras itself does not run it.
    layer = layers.Discretization(num_bins=4)
    layer.bin_boundaries = [1.0]
    y = layer(x)
    model = keras.Model(x, y)
    layer.bin_boundaries = None
    check_refused(model, "discretization-1", "Adapt it")


TOKENS = np.array([[12, 36, 1138, 42], [42, 7, 36, 7], [0, -1, 5, 42]])


@shows(
    "layers.IntegerLookup",
    "vocabulary",
    "num_oov_indices",
    "mask_token",
    "oov_token",
    "output_mode",
)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"mask_token": 0},
        {"num_oov_indices": 3, "mask_token": 0},
        {"output_mode": "one_hot"},
        {"output_mode": "multi_hot", "num_oov_indices": 2},
        {"output_mode": "count", "mask_token": 0},
        {"output_mode": "count", "max_tokens": 9, "pad_to_max_tokens": True},
        {"output_mode": "tf_idf", "idf_weights": [0.25, 0.75, 0.6, 0.4]},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_integer_lookup(arguments, dtype):
    layer = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42], **arguments)
    check_layer(layer, (4,), dtype=dtype, inputs=[TOKENS.astype(dtype)], randomized=False)


@shows("layers.IntegerLookup", "vocabulary")
def test_integer_lookup_with_special_tokens_in_the_vocabulary():
    layer = layers.IntegerLookup(vocabulary=[0, -1, 12, 36], mask_token=0)
    check_layer(layer, (4,), dtype="int64", inputs=[TOKENS])


@shows("layers.IntegerLookup", "vocabulary")
def test_integer_lookup_of_large_numbers():
    vocabulary = [2**31 - 5, 2**25 + 1, 2**25, 2**25 + 3, -(2**30) - 1]
    x = np.array([[2**25 + 1, 2**25 + 2, 2**25, -(2**30) - 1, 2**31 - 5, 2**31 - 1, -(2**31)]])
    check_layer(layers.IntegerLookup(vocabulary=vocabulary), (7,), dtype="int64", inputs=[x])


@shows("layers.IntegerLookup", "invert")
@pytest.mark.parametrize("arguments", [{}, {"mask_token": 0}, {"num_oov_indices": 2}], ids=str)
def test_integer_lookup_inverted(arguments):
    layer = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42], invert=True, **arguments)
    x = np.array([[1, 3, 4], [0, 2, 9]])
    check_layer(layer, (3,), dtype="int64", inputs=[x])


@shows("layers.IntegerLookup", "idf_weights", "pad_to_max_tokens", "vocabulary_dtype", "oov_method")
@pytest.mark.parametrize("pad", [True, False])
def test_integer_lookup_weighted_and_padded(pad):
    layer = layers.IntegerLookup(
        vocabulary=[12, 36, 1138, 42],
        output_mode="tf_idf",
        idf_weights=[0.25, 0.75, 0.6, 0.4],
        max_tokens=8,
        pad_to_max_tokens=pad,
        vocabulary_dtype="int64",
        num_oov_indices=2,
        oov_method="floormod",
    )
    check_layer(layer, (4,), dtype="int64", inputs=[TOKENS], randomized=False)


@shows("layers.IntegerLookup")
def test_integer_lookup_adapted():
    layer = layers.IntegerLookup()
    layer.adapt(np.array([5, 5, 5, 42, 42, 7]))
    check_layer(layer, (4,), dtype="int64", inputs=[TOKENS])


@refused("layers.StringLookup", "strings: LiteRT has no operators on them")
def test_string_lookup_is_refused():
    x = keras.Input((3,), dtype="string")
    y = layers.StringLookup(vocabulary=["a", "b"])(x)
    message = check_refused(keras.Model(x, y), "string-1", ["string_lookup", "Split the model"])
    assert message.count("string-1") == 1


@refused("layers.TextVectorization", "strings: LiteRT has no operators on them")
def test_text_vectorization_is_refused():
    x = keras.Input((1,), dtype="string")
    y = layers.TextVectorization(vocabulary=["a", "b"])(x)
    y = layers.Embedding(4, 3)(y)
    check_refused(keras.Model(x, y), "string-1", ["text_vectorization", "Split the model"])
