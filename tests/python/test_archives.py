"""The files that models come in: layouts of Keras 2 and 3, shards, and what must not be in them."""

import io
import json
import zipfile

import h5py
import keras
import keras2
import numpy as np
import pytest
from keras import layers, ops
from oracle import check, check_refused, convert, randomize, relative_error, save

# --- Whole-model HDF5 of Keras 3 ------------------------------------------------------------------


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


def _nested_twice():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    nested = keras.Model([a, b], [layers.Dense(4)(a), layers.Dense(3)(b)], name="nested")
    x, y = keras.Input((4,), name="p"), keras.Input((3,), name="q")
    u, v = nested([x, y])
    w, z = nested([u, v])
    return keras.Model([x, y], [w, layers.Concatenate()([z, v])])


def _sequential_twice(built):
    inner = keras.Sequential([layers.Input((4,))] if built else [], name="inner")
    inner.add(layers.Dense(4, activation="elu"))
    x = keras.Input((4,), name="x")
    y = inner(x)
    z = inner(y)
    return keras.Model(x, [z, y, layers.Add()([y, z])])


def test_hdf5_models_that_are_called_twice():
    check(_nested_twice(), extension=".h5")
    check(_sequential_twice(built=True), extension=".h5")
    check(_sequential_twice(built=False), extension=".h5")


def test_hdf5_operation_nodes():
    # Keras 3 itself cannot load such a file: it names no modules, and "Add" is a layer too.
    x = keras.Input((6, 4), name="x")
    y = ops.relu(layers.Dense(3)(x + 1) * 2.0) - ops.mean(x, axis=-1, keepdims=True)
    check(keras.Model(x, [y, layers.Add()([y, y])]), extension=".h5")


# --- HDF5 of Keras 2 ------------------------------------------------------------------------------

VERSIONS = ["2.1.6", "2.2.4", "2.15.0"]


def _written_by(version, **options):
    return lambda model, folder: keras2.write_h5(model, folder / "model.h5", version, **options)


def _convolutional():
    return keras.Sequential(
        [
            layers.Input((12, 10, 3), name="conv_input"),
            layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.2),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.PReLU(shared_axes=[1, 2]),
            layers.SeparableConv2D(6, 3, activation="elu"),
            layers.MaxPooling2D(2, padding="same"),
            layers.ZeroPadding2D(1),
            layers.Conv2DTranspose(3, 2, strides=2),
            layers.Dropout(0.3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_keras2_convolutional(version):
    check(_convolutional(), write=_written_by(version))


def test_names_too_long_for_one_attribute():
    check(_convolutional(), write=_written_by("2.2.4", chunks=True))


@pytest.mark.parametrize("version", VERSIONS)
def test_keras2_nested_models(version):
    check(_nested_twice(), write=_written_by(version))
    check(_sequential_twice(built=True), write=_written_by(version))
    inner = keras.Sequential(
        [layers.Input((4,), name="a_input"), layers.Dense(4, name="a"), layers.BatchNormalization()]
    )
    outer = keras.Sequential([layers.Input((4,), name="a_input"), inner, layers.Dense(2)])
    check(outer, write=_written_by(version))


@pytest.mark.parametrize("version", VERSIONS)
def test_keras2_frozen_layers(version):
    inner = keras.Sequential(
        [
            layers.Input((8, 8, 2)),
            layers.Conv2D(3, 3, name="c"),
            layers.BatchNormalization(name="n"),
            layers.Conv2D(2, 1, name="d"),
        ]
    )
    inner.layers[0].trainable = False
    x = keras.Input((8, 8, 2))
    check(keras.Model(x, layers.Flatten()(inner(x))), write=_written_by(version))


@pytest.mark.parametrize("version", VERSIONS)
def test_keras2_recurrent(version):
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(9, 5, mask_zero=True)(tokens)
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    y = layers.TimeDistributed(layers.Dense(3))(y)
    z = layers.GRU(4, reset_after=False, go_backwards=True)(y)
    check(
        keras.Model(tokens, [y, z, layers.SimpleRNN(3, unroll=True)(x)]), write=_written_by(version)
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_keras2_initial_state(version):
    x = keras.Input((5, 3), name="x")
    _, *state = layers.LSTM(4, return_state=True)(x)
    y = layers.LSTM(4, return_sequences=True)(x, initial_state=state)

    def move_states(config):
        """Into the list of inputs, where Keras 2 has them."""
        for one in config["config"]["layers"]:
            for call in one["inbound_nodes"]:
                states = call[0][3].pop("initial_state", []) if call else []
                call.extend([*state, {}] for state in states)
        return config

    check(keras.Model(x, y), write=_written_by(version, edit=move_states))
    # tf.keras has tensors in keyword arguments too.
    check(keras.Model(x, y), write=_written_by(version))


def test_gru_of_versions_before_reset_after():
    def leave_out(config):
        config["config"]["layers"][0]["config"].pop("reset_after")
        return config

    model = keras.Sequential(
        [layers.Input((5, 3), name="gru_input"), layers.GRU(4, reset_after=False, name="gru")]
    )
    check(model, write=_written_by("2.2.4", edit=leave_out))


@pytest.mark.parametrize("version", ["2.2.4", "2.15.0"])
def test_hard_sigmoid_of_keras2(version):
    """What is called so there has the slope 0.2, Keras 3's has 1/6."""

    def old(x):
        return ops.clip(0.2 * x + 0.5, 0.0, 1.0)

    def model(function):
        x = keras.Input((6, 3), name="x")
        y = layers.LSTM(4, recurrent_activation=function, return_sequences=True)(x)
        z = layers.Activation(function)(layers.Dense(5)(y))
        return keras.Model(x, [y, z, layers.Dense(2, activation=function)(z)])

    named, reference = model("hard_sigmoid"), randomize(model(old))
    named.set_weights(reference.get_weights())
    check(
        reference,
        randomized=False,
        write=lambda _, folder: keras2.write_h5(named, folder / "model.h5", version),
    )
    # The two functions differ by more than the tolerance.
    check(named)


# Configs as such files have them, written down by hand.


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


def _named(weights):
    return {
        layer: {f"{layer}/{name}:0": array for name, array in arrays.items()}
        for layer, arrays in weights.items()
    }


def _check_file(path, reference, weights, shape, tmp_path):
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
    keras2.write_config_and_weights(
        path,
        {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": config}},
        _named(weights),
    )
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
    keras2.write_config_and_weights(
        path, {"class_name": "Model", "config": config}, _named(weights)
    )
    x = keras.Input((5,))
    joined = layers.Concatenate()(
        [
            layers.BatchNormalization(name="bn")(layers.Dense(4, activation="relu", name="a")(x)),
            layers.Dense(4, activation="tanh", name="b")(x),
        ]
    )
    reference = keras.Model(x, layers.Dense(2, name="out")(joined))
    _check_file(path, reference, weights, (3, 5), tmp_path)


# --- .keras ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "version, old_names", [("2.12.0", True), ("2.13.1", False), ("2.15.0", False)]
)
def test_keras_archives_of_keras2(version, old_names):
    def write(model, folder):
        return keras2.write_keras(model, folder / "model.keras", version, old_names)

    check(_convolutional(), write=write)
    check(_nested_twice(), write=write)
    check(_sequential_twice(built=True), write=write)
    x = keras.Input((6, 3))
    y = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
    check(keras.Model(x, layers.TimeDistributed(layers.Dense(2))(y)), write=write)


def test_sharded_weights():
    def write(model, folder):
        """As keras.saving stores weights that are split into files of a size."""
        weights = folder / "model.weights.json"
        model.save_weights(weights, max_shard_size=5e-7)
        shards = sorted(folder.glob("*.weights.h5"))
        assert len(shards) > 1
        path = save(model, folder)
        sharded = folder / "sharded.keras"
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(sharded, "w") as target:
            for name in ("metadata.json", "config.json"):
                target.writestr(name, source.read(name))
            for file in [weights, *shards]:
                target.write(file, file.name)
        return sharded

    check(_convolutional(), write=write)


def _with_weight(path, name, rename=None):
    """Adds a weight `name` to the weights of a .keras file."""
    with zipfile.ZipFile(path) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    content = io.BytesIO(files["model.weights.h5"])
    with h5py.File(content, "r+") as weights:
        weights[name] = np.ones(3, "float32")
    files["model.weights.h5"] = content.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in files.items():
            archive.writestr(entry, data)
    return path


def test_weights_that_nobody_reads(tmp_path):
    model = keras.Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(2)])
    path = _with_weight(save(model, tmp_path), "layers/dense_7/vars/0")
    check_refused(path, "weights-5", ["'layers/dense_7/vars/0'"])
    path = _with_weight(save(model, tmp_path), "layers/dense/vars/2")
    check_refused(path, "weights-5", ["'layers/dense/vars/2'"])
    # A config that leaves a layer out.
    path = save(model, tmp_path)
    with zipfile.ZipFile(path) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    config = json.loads(files["config.json"])
    del config["config"]["layers"][-1]
    files["config.json"] = json.dumps(config)
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in files.items():
            archive.writestr(entry, data)
    check_refused(path, "weights-5", ["'layers/dense_1/vars/0'", "'layers/dense_1/vars/1'"])


def test_weights_that_nobody_reads_in_hdf5(tmp_path):
    model = keras.Sequential([layers.Input((4,)), layers.Dense(3, name="a")])
    path = save(model, tmp_path, ".h5")
    with h5py.File(path, "r+") as file:
        root = file["model_weights"]
        root.attrs["layer_names"] = [*root.attrs["layer_names"], "b"]
        group = root.create_group("b")
        group.attrs["weight_names"] = ["b/kernel"]
        group["b/kernel"] = np.ones(3, "float32")
    check_refused(path, "weights-5", ["'b/kernel'"])


def test_states_of_random_generators_are_no_weights(tmp_path):
    # Keras 3.0 to 3.5 stored them.
    model = keras.Sequential([layers.Input((4,)), layers.Dropout(0.5), layers.Dense(3)])
    path = _with_weight(save(model, tmp_path), "layers/dropout/seed_generator/vars/0")
    convert(path, tmp_path / "model.tflite")
