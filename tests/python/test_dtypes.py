"""Dtype policies and the dtypes of inputs and outputs (docs/dtypes.md).

`check` asserts that the file's inputs and outputs have the model's dtypes.
"""

import keras
import numpy as np
import pytest
from keras import layers, ops
from oracle import check

# Keras rounds after each operation; the file does not.
HALF = {"float16": 4e-3, "bfloat16": 4e-2}


def network(policy, dtype):
    """A convolutional network under one policy."""
    with_policy = {"dtype": policy}
    image = keras.Input((6, 6, 3), dtype=dtype, name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", **with_policy)(image)
    x = layers.BatchNormalization(**with_policy)(x)
    x = layers.Flatten(**with_policy)(x)
    return keras.Model(image, layers.Dense(5, **with_policy)(x))


ON_JAX = pytest.mark.jax  # Keras's NumPy backend cannot compute it.


@pytest.mark.parametrize(
    "policy, dtype, casts",
    [
        ("float32", "float32", 0),
        ("mixed_float16", "float32", 1),
        ("mixed_float16", "float16", 2),
        pytest.param("mixed_bfloat16", "float32", 1, marks=ON_JAX),
        ("float16", "float16", 2),
        ("float16", "float32", 1),
        pytest.param("bfloat16", "bfloat16", 2, marks=ON_JAX),
        ("float64", "float64", 2),
        ("float64", "float32", 1),
    ],
)
def test_policies(policy, dtype, casts):
    model = network(policy, dtype)
    compute = model.outputs[0].dtype
    assert compute == policy.removeprefix("mixed_")
    result = check(model, tolerance=HALF.get(compute, 1e-4))
    # Casts stand at the borders only, and nothing else is added to what float32 needs.
    needed = {"CONV_2D": 1, "MUL": 1, "ADD": 1, "RESHAPE": 1, "FULLY_CONNECTED": 1}
    assert result.operators == ({**needed, "CAST": casts} if casts else needed)


POLICIES = ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64"]


def sequence_network(policy):
    """Tokens, attention, recurrence and normalization under one policy."""
    keras.config.set_dtype_policy(policy)
    plain = {"recurrent_initializer": "glorot_uniform"}  # JAX has no orthogonal one in 16 bits.
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(9, 8, mask_zero=True)(tokens)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    x = layers.EinsumDense("abc,cd->abd", (None, 8), bias_axes="d", activation="gelu")(x)
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True, **plain))(x)
    z = layers.GRU(5, **plain)(layers.RMSNormalization()(y))
    return keras.Model(tokens, [z, layers.Dense(3)(layers.Dense(8, activation="softmax")(z))])


def image_network(policy):
    """Convolutions, pooling and normalization other than those of `network`."""
    keras.config.set_dtype_policy(policy)
    image = keras.Input((9, 8, 4), name="image", dtype="uint8")
    x = layers.Rescaling(1 / 127.5, -1)(image)
    x = layers.SeparableConv2D(6, 3, activation="silu")(x)
    x = layers.GroupNormalization(3)(x)
    x = layers.concatenate([layers.MaxPooling2D()(x), layers.AveragePooling2D(2)(x)])
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="hard_swish")(x)
    x = layers.Conv2DTranspose(4, 2, strides=2)(x)
    x = layers.GlobalAveragePooling2D()(layers.PReLU()(x))
    return keras.Model(image, layers.Dense(5)(x))


def _cases():
    for make in (sequence_network, image_network):
        for policy in POLICIES:
            # NumPy's einsum has no float16, its convolution no bfloat16.
            narrow = "bfloat16" in policy if make is image_network else policy == "float16"
            yield pytest.param(policy, make, marks=[ON_JAX] if narrow else [])


@pytest.mark.parametrize("policy, make", _cases())
def test_policies_of_other_layers(policy, make):
    model = make(policy)
    compute = policy.removeprefix("mixed_")
    assert {str(y.dtype) for y in model.outputs} == {compute}
    # Roundings of a deep network add up: four times that of one layer.
    check(model, tolerance=4 * HALF.get(compute, 2.5e-5), high=255 if make is image_network else 9)


def test_a_float32_head_on_a_mixed_model_needs_no_cast():
    x = keras.Input((4,))
    y = layers.Dense(8, dtype="mixed_float16", activation="relu")(x)
    y = layers.Dense(3, dtype="float32", activation="softmax")(y)
    result = check(keras.Model(x, y), tolerance=2e-3)
    assert "CAST" not in result.operators


def test_inputs_and_outputs_of_different_dtypes():
    half = keras.Input((4,), dtype="float16", name="half")
    double = keras.Input((4,), dtype="float64", name="double")
    count = keras.Input((4,), dtype="uint8", name="count")
    outputs = {
        "a": layers.Dense(3, dtype="float16")(half),
        "b": layers.Dense(3, dtype="float64")(double),
        "c": layers.Rescaling(0.5)(count),
        "d": count,
        "e": double,
    }
    check(keras.Model([half, double, count], outputs), tolerance=HALF["float16"])


INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"]


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
def test_arithmetic_of_integers(dtype):
    x = keras.Input((4,), dtype=dtype, name="x")
    y = keras.Input((4,), dtype=dtype, name="y")
    outputs = [ops.add(x, y), ops.multiply(x, y), ops.maximum(x, y), ops.minimum(x, y)]
    if dtype != "bool":
        outputs.append(ops.subtract(x, y))
    rng = np.random.default_rng(0)
    top = 2 if dtype == "bool" else min(np.iinfo(dtype).max, 2**20)
    # Products and sums wrap around, as NumPy's do.
    inputs = [[rng.integers(0, top, (3, 4)).astype(dtype) for _ in range(2)]]
    check(keras.Model([x, y], outputs), inputs)


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool", "float16", "float64"])
def test_moving_elements(dtype):
    x = keras.Input((4, 3), dtype=dtype)
    outputs = [
        layers.Reshape((3, 4))(x) if dtype in ("float16", "float64") else ops.reshape(x, (-1, 12)),
        ops.transpose(x, (0, 2, 1)),
        ops.concatenate([x, x], 1),
    ]
    check(keras.Model(x, outputs))
