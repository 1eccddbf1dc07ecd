"""Core layers against Keras."""

import keras
import pytest
from keras import layers
from oracle import check, check_layer, shows


@shows("layers.Dense", "units", "use_bias", "activation")
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "softmax"])
@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7)], ids=str)
def test_dense(shape, use_bias, activation):
    check_layer(layers.Dense(5, use_bias=use_bias, activation=activation), shape)


@shows("layers.Dense")
@pytest.mark.parametrize("shape", [(None, 7), (None, 2, 7), (None, None, 7)], ids=str)
def test_dense_dynamic(shape):
    check_layer(layers.Dense(5), shape)


@shows("layers.Dense", "lora_rank", "lora_alpha")
def test_dense_lora():
    check_layer(layers.Dense(5, lora_rank=2, lora_alpha=3), (7,))


@shows("layers.Dense", "units")
def test_dense_shared():
    """One layer called twice: its weights are one tensor."""
    shared = layers.Dense(6)
    x = keras.Input((6,), name="x")
    check(keras.Model(x, shared(shared(x))))


def test_dense_relu_is_one_operator():
    result = check_layer(layers.Dense(4, activation="relu"), (6,))
    assert result.operators == {"FULLY_CONNECTED": 1}


@shows("layers.InputLayer")
def test_input_dictionary():
    """Dict keys name the inputs and outputs, in Keras's (sorted) order."""
    a, b = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    outputs = {"z": layers.Dense(2)(a), "c": layers.Dense(3)(b)}
    check(keras.Model({"y": a, "b": b}, outputs))


@shows("layers.InputLayer")
def test_input_list():
    a, b = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    check(keras.Model([a, b], [layers.Dense(2)(b), layers.Dense(3)(a)]))


@shows("layers.InputLayer")
def test_input_unused():
    """An input that nothing reads is still an input of the file."""
    a, b = keras.Input((4,), name="used"), keras.Input((3,), name="unused")
    check(keras.Model([a, b], layers.Dense(2)(a)))


@shows("layers.InputLayer", "batch_size")
def test_input_fixed_batch():
    x = keras.Input((4,), batch_size=3)
    check(keras.Model(x, layers.Dense(2)(x)))


@shows("layers.Identity")
def test_identity_only():
    """An input that is an output as it is."""
    check_layer(layers.Identity(), (3, 4))


@shows("layers.Dense")
def test_dense_h5():
    x = keras.Input((4,))
    check(keras.Model(x, layers.Dense(2)(x)), extension=".h5")
