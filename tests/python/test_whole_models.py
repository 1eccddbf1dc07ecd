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


def test_masks_are_nodes_of_the_graph():
    """Keras writes what computes a mask beside the layers, and hands it over by keyword."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    features = keras.Input((None, 4), name="features")
    x = layers.Embedding(9, 4, mask_zero=True)(tokens)
    y = layers.Masking(mask_value=1.0)(features)
    joined = layers.Concatenate(axis=1)([x, y])
    outputs = [
        layers.LSTM(3)(layers.Add()([x, y])),
        layers.GlobalAveragePooling1D()(joined),
        layers.MultiHeadAttention(2, 3)(x, y),
        layers.Softmax()(ops.sum(joined, axis=-1)),
    ]
    model = keras.Model([tokens, features], outputs)
    assert any(type(one).__name__ == "NotEqual" for one in model.operations)
    rng = np.random.default_rng(0)
    sets = []
    for batch, time in ((1, 5), (3, 7)):
        ids = rng.integers(0, 9, (batch, time)).astype("int32")
        ids[:, -2:] = 0
        ids[:, 0] = 3
        values = rng.normal(size=(batch, time, 4)).astype("float32")
        values[:, -1:] = 1.0
        sets.append([ids, values])
    check(model, sets, tolerance=1e-4)


def test_operations_between_shared_layers():
    """Operators of tensors, slices, comparisons and functions, around a layer called thrice."""
    x, y = keras.Input((6, 4), name="x"), keras.Input((6, 4), name="y")
    shared = layers.Dense(4, activation="relu")
    a, b = shared(x), shared(y)
    c = shared(ops.where(a > b, a - 1, 2 * b))
    first, *_ = ops.split(c, 3, axis=1)
    outputs = {
        "slices": c[:, 0] + c[:, -1, ::-1],
        "ellipsis": c[..., 1:3] ** 2,
        "matmul": ops.softmax(x @ ops.transpose(y, (0, 2, 1))),
        "any": ops.any(c > 0.5, axis=-1),
        "first": ops.expand_dims(first, 1) / (1 + ops.abs(c[:, None, :2])),
        "einsum": ops.einsum("bij,bkj->bik", a, b),
    }
    check(keras.Model([x, y], outputs))


def test_models_in_models_in_models():
    """Three levels, each called more than once."""
    x = keras.Input((5,))
    inner = keras.Model(x, layers.Dense(5, activation="tanh")(x), name="inner")
    y = keras.Input((5,))
    middle = keras.Model(y, {"once": inner(y), "twice": inner(inner(y))}, name="middle")
    block = keras.Sequential([layers.Dense(3), layers.BatchNormalization()], name="block")
    z = keras.Input((5,), name="z")
    results = middle(z)
    again = middle(results["twice"])
    model = keras.Model(z, [results["twice"], block(again["once"]), block(again["twice"])])
    check(model)
    check(model, extension=".h5")


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
