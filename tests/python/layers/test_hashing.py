"""Hashing, HashedCrossing and IntegerLookup by hashes, of integers.

The expected values are TensorFlow's own: Keras computes these layers with it on every backend.
"""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import check, check_layer, check_refused, refused, shows

RNG = np.random.default_rng(11)


def numbers(dtype, count=None):
    """Every length that the type's decimal texts have, on both sides of 0, and its extremes."""
    if dtype == "bool":
        return np.array([False, True, True])
    limits = np.iinfo(dtype)
    low, high = int(limits.min), int(limits.max)
    values = {0, low, low + 1, high - 1, high}
    for exponent in range(len(str(high))):
        power = 10**exponent
        values |= {power - 1, power, *RNG.integers(power, min(10 * power, high), 3).tolist()}
    if low < 0:
        values |= {-value for value in values}
    values = np.array(sorted(v for v in values if low <= v <= high), dtype)
    return values if count is None else RNG.choice(values, count)


def check_in_graph(make, *shapes, dtype="int64", inputs, **options):
    """`check` for layers on int64, which Keras's NumPy and JAX backends narrow to int32.

    In a graph of TensorFlow's (a tf.data pipeline) a layer computes alike on every backend, and
    narrows nothing: the expected values are from there. `make` gives the layers; each is called on
    the inputs.
    """
    import tensorflow as tf

    made = make if isinstance(make, list) else [make]
    tensors = [keras.Input(shape, dtype=dtype) for shape in shapes]

    def one_or_all(values):
        return values[0] if len(values) == 1 else list(values)

    @tf.function
    def run(*arrays):
        return [layer.call(one_or_all(arrays)) for layer in made]

    sets = [x if isinstance(x, list) else [x] for x in inputs]
    expected = [[np.asarray(y) for y in run(*map(tf.constant, arrays))] for arrays in sets]
    model = keras.Model(tensors, [layer(one_or_all(tensors)) for layer in made])
    return check(model, inputs=sets, expected=expected, **options)


# Few bins, a prime, powers of two and the most that a remainder can tell.
BINS = [1, 2, 7, 1000, 2**20, 2**40 + 15, 2**62 - 57, 2**62]


@shows("layers.Hashing", "num_bins")
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint32", "int16", "uint16", "int8", "uint8"])
def test_hashing(dtype):
    layers_of_bins = [layers.Hashing(bins) for bins in BINS]
    check_in_graph(layers_of_bins, (), dtype=dtype, inputs=[numbers(dtype)])


@shows("layers.Hashing", "salt")
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint32", "int8"])
def test_hashing_with_salt(dtype):
    salts = 133, [3, 5], [-(2**63), 2**63 - 1]
    salted = [layers.Hashing(bins, salt=s) for bins, s in zip([7, 2**62, 2**62], salts)]
    check_in_graph(salted, (), dtype=dtype, inputs=[numbers(dtype)])


@shows("layers.Hashing", "salt")
def test_hashing_with_salt_of_any_shape():
    layer = layers.Hashing(97, salt=[3, 5], mask_value=7, output_mode="count")
    check_layer(layer, (4,), dtype="int64", low=-20, high=20)
    check_layer(layers.Hashing(97, salt=1), (None, 3), dtype="int32", low=-(10**9), high=10**9)
    x = np.array([[True, False, True]])
    check_layer(layers.Hashing(97, salt=1), (3,), dtype="bool", inputs=[x])


@shows("layers.Hashing", "mask_value")
@pytest.mark.parametrize("dtype, mask", [("int64", -(2**40)), ("int32", 7), ("uint8", 0)])
def test_hashing_with_masked_values(dtype, mask):
    x = np.append(numbers(dtype), np.array([mask, mask], dtype))
    masked = [layers.Hashing(bins, mask_value=mask) for bins in (1, 2, 30)]
    check_in_graph(masked, (), dtype=dtype, inputs=[x])


@shows("layers.Hashing", "output_mode")
@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("mask", [None, 3])
def test_hashing_encoded(mode, mask):
    for shape in (4,), (1,), (2, 3), (3, 1):
        layer = layers.Hashing(6, output_mode=mode, mask_value=mask)
        check_layer(layer, shape, dtype="int64", low=-5, high=2000)


@shows("layers.Hashing")
def test_hashing_of_any_shape():
    """Unknown dimensions, several axes, vectors and scalars; in int32, and in every float dtype."""
    layer = layers.Hashing(97, dtype="int32")
    check_layer(layer, (None, 3, None), dtype="int32", low=-(10**6), high=10**9)
    check_layer(layers.Hashing(97), (2, 1, 3, 2, 2), dtype="int64", low=-500, high=500)
    check_layer(layers.Hashing(5, output_mode="one_hot"), (), dtype="int32", batch=3, high=99)
    check_layer(layers.Hashing(5, output_mode="one_hot", dtype="float16"), (2,), dtype="int32")


@shows("layers.Hashing")
@pytest.mark.parametrize("dtype, mask", [("float32", 2.5), ("float16", 7), ("bool", True)])
def test_hashing_of_other_types(dtype, mask):
    """Floats are cut to integers, but compared with the mask before; bools are words."""
    x = np.array([[0, 1, -1, 2.5, -2.5, 7, 1234, -1234.75]], dtype)
    for layer in layers.Hashing(1000), layers.Hashing(1000, mask_value=mask):
        check_layer(layer, (8,), dtype=dtype, inputs=[x])


@pytest.mark.parametrize("salt, dtype, most", [(None, "int64", 81), (5, "int32", 254)])
def test_hashing_is_few_operators(salt, dtype, most):
    x = keras.Input((3,), dtype=dtype)
    result = check(keras.Model(x, layers.Hashing(1000, salt=salt)(x)), low=-900, high=10**9)
    assert sum(result.operators.values()) <= most


@refused("layers.Hashing", "strings: LiteRT has no operators on them")
def test_hashing_of_strings_is_refused():
    x = keras.Input((3,), dtype="string")
    check_refused(keras.Model(x, layers.Hashing(4)(x)), "hashing-1", "Split the model")


@refused("layers.Hashing", "sparse=True")
def test_sparse_hashes_are_refused():
    x = keras.Input((3,), dtype="int64")
    y = layers.Hashing(4, output_mode="multi_hot", sparse=True)(x)
    check_refused(keras.Model(x, y), "category-3", "sparse=False")


def test_masks_of_another_type_are_refused():
    x = keras.Input((3,), dtype="int32")
    check_refused(keras.Model(x, layers.Hashing(4, mask_value="")(x)), "hashing-4", "int32")
    check_refused(keras.Model(x, layers.Hashing(4, mask_value=2**31)(x)), "hashing-4", "int32")


@shows("layers.HashedCrossing", "num_bins", "output_mode")
@pytest.mark.parametrize("shape", [(), (1,)])
def test_hashed_crossing(shape):
    x = numbers("int64", 50).reshape((-1, *shape))
    inputs = [x, numbers("int64", 50).reshape(x.shape)]
    crossings = [layers.HashedCrossing(bins) for bins in BINS]
    crossings += [layers.HashedCrossing(9, output_mode="one_hot")]
    crossings += [layers.HashedCrossing(9, output_mode="one_hot", dtype="int32")]
    check_in_graph(crossings, shape, shape, inputs=[inputs])


@shows("layers.HashedCrossing")
@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_hashed_crossing_of_other_types(dtype):
    layer = layers.HashedCrossing(1000, dtype="int32")
    check_layer(layer, (1,), (1,), dtype=dtype, high=200)


def test_sizes_out_of_range_are_refused():
    x = keras.Input((3,), dtype="int32")
    layer = layers.Hashing(4)
    model = keras.Model(x, layer(x))
    layer.num_bins = 2**62 + 1
    check_refused(model, "hashing-2", ["num_bins", "use fewer"])
    layer.num_bins, layer.salt = 4, [1, 2, 3]
    check_refused(model, "hashing-3", "salt")


@refused("layers.HashedCrossing", "strings: LiteRT has no operators on them")
def test_hashed_crossing_of_strings_is_refused():
    x = [keras.Input((1,), dtype="string"), keras.Input((1,), dtype="int64")]
    check_refused(keras.Model(x, layers.HashedCrossing(4)(x)), "hashing-1", "hashed_crossing")


@shows("layers.IntegerLookup", "num_oov_indices", "mask_token", "oov_method", "salt")
@pytest.mark.parametrize("mode", ["int", "multi_hot"])
@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_integer_lookup_by_hashes(mode, dtype):
    vocabulary = [12, 36, 10**9 + 7, -42]
    x = np.append(numbers(dtype, 18), np.array([12, 77], dtype)).reshape(5, 4)
    lookups = [
        layers.IntegerLookup(
            vocabulary=vocabulary,
            num_oov_indices=4,
            oov_method="farmhash",
            output_mode=mode,
            **arguments,
        )
        for arguments in ({}, {"mask_token": 77}, {"salt": 5}, {"salt": [2, 3], "mask_token": 77})
    ]
    check_in_graph(lookups, (4,), dtype=dtype, inputs=[x])
