"""Models as files hold them: structures, names, operations, masks, legacy layouts."""

import json

import h5py
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


@pytest.mark.parametrize("kind", ["sequential", "functional", "nested", "frozen"])
def test_whole_model_hdf5(kind):
    if kind == "sequential":
        model = keras.Sequential(
            [
                layers.Input((8, 8, 2)),
                layers.Conv2D(3, 3),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.Dense(4, activation="softmax"),
            ]
        )
    else:
        x = keras.Input((8, 8, 2))
        inner = keras.Sequential(
            [
                layers.Input((8, 8, 2)),
                layers.Conv2D(3, 3, name="c"),
                layers.BatchNormalization(name="n"),
                layers.Conv2D(2, 1, name="d"),
            ]
        )
        if kind == "frozen":
            inner.layers[0].trainable = False
        y = (
            inner(x)
            if kind != "functional"
            else layers.Conv2D(2, 3)(layers.BatchNormalization()(x))
        )
        model = keras.Model(x, layers.Dense(3)(layers.Flatten()(y)))
    check(model, extension=".h5")


# What Keras 2 wrote in 2018: a bare list of layers or positional inbound nodes, batch_input_shape,
# no modules, weight names with ":0", byte strings. Keras 3 does not read all of it; the oracle is
# the same model, built and given the same weights.
def _write_keras2(path, class_name, config, weights):
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = np.bytes_("2.2.4")
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["model_config"] = np.bytes_(
            json.dumps({"class_name": class_name, "config": config})
        )
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = np.array([np.bytes_(name) for name in weights])
        for layer, arrays in weights.items():
            group = root.create_group(layer)
            group.attrs["weight_names"] = np.array(
                [np.bytes_(f"{layer}/{n}:0") for n in arrays], dtype="S64"
            )
            for name, array in arrays.items():
                group[f"{layer}/{name}:0"] = array


def _initializer():
    return {
        "class_name": "VarianceScaling",
        "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
    }


def _dense(name, units, activation, **more):
    return {
        "class_name": "Dense",
        "config": {
            "name": name,
            "trainable": True,
            "units": units,
            "activation": activation,
            "use_bias": True,
            "kernel_initializer": _initializer(),
            "bias_initializer": {"class_name": "Zeros", "config": {}},
            "kernel_regularizer": None,
            "bias_regularizer": None,
            "activity_regularizer": None,
            "kernel_constraint": None,
            "bias_constraint": None,
            **more,
        },
    }


def _conv(name, filters, **more):
    return {
        "class_name": "Conv2D",
        "config": {
            "name": name,
            "trainable": True,
            "filters": filters,
            "kernel_size": [3, 3],
            "strides": [1, 1],
            "padding": "same",
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "activation": "relu",
            "use_bias": True,
            "kernel_initializer": _initializer(),
            "bias_initializer": {"class_name": "Zeros", "config": {}},
            "kernel_regularizer": None,
            "bias_regularizer": None,
            "activity_regularizer": None,
            "kernel_constraint": None,
            "bias_constraint": None,
            **more,
        },
    }


def _check_file(path, reference, weights, shape, tmp_path):
    from oracle import convert, relative_error

    target = tmp_path / "model.tflite"
    convert(path, target)
    for layer, arrays in weights.items():
        if arrays:
            reference.get_layer(layer).set_weights(list(arrays.values()))
    x = np.random.default_rng(3).normal(size=shape).astype("float32")
    expected = np.asarray(reference(x, training=False))
    from ai_edge_litert.interpreter import Interpreter

    runtime = Interpreter(str(target))
    detail = runtime.get_input_details()[0]
    runtime.resize_tensor_input(detail["index"], x.shape)
    runtime.allocate_tensors()
    for _ in range(2):
        runtime.set_tensor(detail["index"], x)
        runtime.invoke()
        actual = runtime.get_tensor(runtime.get_output_details()[0]["index"])
        assert relative_error(actual, expected) < 1e-5


def test_keras2_sequential(tmp_path):
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.normal(size=shape).astype("float32")  # noqa: E731
    config = [
        _conv("conv2d_1", 4, batch_input_shape=[None, 6, 6, 1], dtype="float32"),
        {
            "class_name": "MaxPooling2D",
            "config": {
                "name": "max_pooling2d_1",
                "trainable": True,
                "pool_size": [2, 2],
                "padding": "valid",
                "strides": [2, 2],
                "data_format": "channels_last",
            },
        },
        {
            "class_name": "Dropout",
            "config": {
                "name": "dropout_1",
                "trainable": True,
                "rate": 0.25,
                "noise_shape": None,
                "seed": None,
            },
        },
        {
            "class_name": "Flatten",
            "config": {"name": "flatten_1", "trainable": True, "data_format": "channels_last"},
        },
        _dense("dense_1", 3, "softmax"),
    ]
    weights = {
        "conv2d_1": {"kernel": normal(3, 3, 1, 4), "bias": normal(4)},
        "max_pooling2d_1": {},
        "dropout_1": {},
        "flatten_1": {},
        "dense_1": {"kernel": normal(36, 3), "bias": normal(3)},
    }
    path = tmp_path / "model.h5"
    _write_keras2(path, "Sequential", {"name": "sequential_1", "layers": config}, weights)
    reference = keras.Sequential(
        [
            layers.Input((6, 6, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="conv2d_1"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="dense_1"),
        ]
    )
    _check_file(path, reference, weights, (3, 6, 6, 1), tmp_path)


def test_keras2_functional(tmp_path):
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.normal(size=shape).astype("float32")  # noqa: E731
    batch_norm = {
        "class_name": "BatchNormalization",
        "config": {
            "name": "bn",
            "trainable": True,
            "axis": -1,
            "momentum": 0.99,
            "epsilon": 0.001,
            "center": True,
            "scale": True,
            "beta_initializer": {"class_name": "Zeros", "config": {}},
            "gamma_initializer": {"class_name": "Ones", "config": {}},
            "moving_mean_initializer": {"class_name": "Zeros", "config": {}},
            "moving_variance_initializer": {"class_name": "Ones", "config": {}},
            "beta_regularizer": None,
            "gamma_regularizer": None,
            "beta_constraint": None,
            "gamma_constraint": None,
        },
    }

    def node(layer, *inputs):
        return {
            **layer,
            "name": layer["config"]["name"],
            "inbound_nodes": [[[i, 0, 0, {}] for i in inputs]],
        }

    first = {
        "class_name": "InputLayer",
        "name": "input_1",
        "inbound_nodes": [],
        "config": {
            "batch_input_shape": [None, 5],
            "dtype": "float32",
            "sparse": False,
            "name": "input_1",
        },
    }
    config = {
        "name": "model_1",
        "layers": [
            first,
            node(_dense("a", 4, "relu"), "input_1"),
            node(_dense("b", 4, "tanh"), "input_1"),
            node(batch_norm, "a"),
            node(
                {
                    "class_name": "Concatenate",
                    "config": {"name": "join", "trainable": True, "axis": -1},
                },
                "bn",
                "b",
            ),
            node(_dense("out", 2, "linear"), "join"),
        ],
        "input_layers": [["input_1", 0, 0]],
        "output_layers": [["out", 0, 0]],
    }
    weights = {
        "input_1": {},
        "a": {"kernel": normal(5, 4), "bias": normal(4)},
        "b": {"kernel": normal(5, 4), "bias": normal(4)},
        "bn": {
            "gamma": normal(4),
            "beta": normal(4),
            "moving_mean": normal(4),
            "moving_variance": rng.uniform(0.5, 2, 4).astype("float32"),
        },
        "join": {},
        "out": {"kernel": normal(8, 2), "bias": normal(2)},
    }
    path = tmp_path / "model.h5"
    _write_keras2(path, "Model", config, weights)
    x = keras.Input((5,))
    joined = layers.Concatenate()(
        [
            layers.BatchNormalization(name="bn")(layers.Dense(4, activation="relu", name="a")(x)),
            layers.Dense(4, activation="tanh", name="b")(x),
        ]
    )
    reference = keras.Model(x, layers.Dense(2, name="out")(joined))
    _check_file(path, reference, weights, (3, 5), tmp_path)


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
