"""Models as files hold them: structures, names, operations, masks. Layouts: test_archives.py."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from oracle import check, randomize


def test_sequential_without_input_layer():
    model = keras.Sequential([layers.Dense(5, activation="relu"), layers.Dense(2)])
    model.build((None, 7))
    check(model)


def test_nested_sequential_in_functional_and_shared_layers():
    inner = keras.Sequential([layers.Input((6,)), layers.Dense(5), layers.BatchNormalization()])
    shared = layers.Dense(6, activation="tanh")
    x = keras.Input((6,), name="x")
    y = shared(inner(shared(x)) @ np.eye(5, 6, dtype="float32"))
    model = keras.Model(x, [y, inner(y)])
    check(model)


def test_nested_functional_called_twice_with_several_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    nested = keras.Model([a, b], [layers.Dense(4)(a) + 1.0, layers.Dense(3)(b)], name="nested")
    x, y = keras.Input((4,), name="p"), keras.Input((3,), name="q")
    u, v = nested([x, y])
    w, z = nested([u, v])
    check(keras.Model([x, y], [w, layers.Concatenate()([z, v])]))


def test_weights_of_shared_layers_are_stored_once():
    shared = layers.Dense(64)
    x = keras.Input((64,))
    result = check(keras.Model(x, shared(ops.relu(shared(x)))))
    assert result.size < 1.5 * 64 * 64 * 4


@pytest.mark.parametrize("structure", ["dict", "list", "nested"])
def test_structures_keep_names_and_order(structure):
    b, a = keras.Input((3,), name="b_in"), keras.Input((2,), name="a_in", dtype="int32")
    y = layers.Dense(2)(b)
    z = ops.cast(a, "float32") + y
    inputs = {"dict": {"b": b, "a": a}, "list": [b, a], "nested": {"q": [b, a]}}[structure]
    outputs = {"dict": {"z": z, "y": y}, "list": [z, y], "nested": {"k": {"z": z}, "j": y}}[
        structure
    ]
    check(keras.Model(inputs, outputs))


def test_output_that_is_an_input_and_output_twice():
    x = keras.Input((3,), name="x")
    y = layers.Dense(2)(x)
    check(keras.Model(x, [x, y, y]))


def test_operation_nodes():
    x = keras.Input((6, 4), name="x")
    y = (x + 1) * 2.5 - 3
    z = ops.transpose(y, (0, 2, 1))
    z = ops.concatenate([z, z], axis=-1)
    check(keras.Model(x, [ops.mean(z, axis=1), ops.reshape(y, (-1, 8)), ops.max(y, axis=(1, 2))]))


def test_unknown_sizes_stay_dynamic():
    x = keras.Input((None, None, 3), name="image")
    y = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    y = layers.MaxPooling2D()(y)
    check(keras.Model(x, [layers.GlobalAveragePooling2D()(y), y]), size=((9, 12), (14, 11)))


def test_same_input_gives_the_same_bytes(tmp_path):
    from oracle import convert, save

    model = keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]
    )
    randomize(model)
    path = save(model, tmp_path)
    convert(path, tmp_path / "a.tflite")
    convert(path, tmp_path / "b.tflite")
    assert (tmp_path / "a.tflite").read_bytes() == (tmp_path / "b.tflite").read_bytes()
