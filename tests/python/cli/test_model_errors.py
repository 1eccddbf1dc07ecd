"""What `keras-litert convert` says of models that it cannot convert, word for word."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from cli.support import MODEL, OK, USAGE, check, in_folder
from keras import layers
from oracle import run_cli

THEIR_CODE = (
    "  help: Their code is not in the file. Export the model from Python, where it is, with the "
    'keras_litert package: keras_litert.export(model, "model.tflite").\n'
)
USUAL = "  help: Keras refuses such a model, too. If it loads this one, please report this error.\n"


def refused(path, *arguments, exit_code=MODEL):
    """The message; nothing is left behind."""
    before = in_folder(path.parent)
    completed = check(run_cli("convert", path, *arguments), exit_code)
    assert in_folder(path.parent) == before
    assert completed.stdout == ""
    return completed.stderr


def change_config(path, change):
    """Rewrites the archive with what `change` makes of its config, in place or as a new object."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    config = change(config) or config
    files["config.json"] = json.dumps(config)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def change_layer(path, name, **values):
    def change(config):
        for layer in config["config"]["layers"]:
            if layer["config"]["name"] == name:
                layer.update(values)

    return change_config(path, change)


@keras.saving.register_keras_serializable("here")
class Gate(layers.Layer):
    def call(self, x):
        return x * 2


@keras.saving.register_keras_serializable("here")
class Two(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def test_custom_layers(tmp_path):
    inner = keras.Sequential([keras.Input((4,)), Gate(name="deep")], name="inner")
    x = keras.Input((4,))
    y = Gate(name="second")(inner(Gate(name="first")(x)))
    keras.Model(x, Two(name="end")(y), name="outer").save(tmp_path / "model.keras")
    assert refused(tmp_path / "model.keras") == (
        "model-2: the file uses classes that are not Keras's own: "
        "'Gate' (first, inner/deep, second), 'Two' (end)\n" + THEIR_CODE
    )


def test_subclassed_model(tmp_path):
    model = Two(name="two")
    model(np.zeros((1, 3), "float32"))
    model.save(tmp_path / "model.keras")
    assert refused(tmp_path / "model.keras") == (
        "model-2: the file uses classes that are not Keras's own: 'Two' (the model itself)\n"
        + THEIR_CODE
    )


def test_lambda(tmp_path):
    x = keras.Input((4,))
    keras.Model(x, layers.Lambda(lambda t: t + 1, name="plus")(x)).save(tmp_path / "model.keras")
    assert refused(tmp_path / "model.keras") == (
        "plus: lambda-1: a Lambda layer holds Python code, which a converter of files cannot run\n"
        "  help: Write it with layers or functions of keras.ops, or export the model from Python "
        'with the keras_litert package: keras_litert.export(model, "model.tflite").\n'
    )


def test_class_that_is_not_there(keras_file):
    change_layer(keras_file, "scores", class_name="Dens", module="keras.layers")
    assert refused(keras_file) == (
        "scores: layer-4: Keras's layer class 'Dens' is not supported\n"
        "  help: Replace it by layers that docs/support.md lists, or leave it out of the model "
        "that is saved.\n"
    )


def old_file(saved, path, class_name):
    """small.h5 as Keras 2 would have written it, its convolution of the given class."""
    path.write_bytes((saved / "small.h5").read_bytes())
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            for key in ("module", "registered_name"):
                layer.pop(key, None)
            if layer["class_name"] == "Conv2D":
                layer["class_name"] = class_name
        file.attrs["model_config"] = json.dumps(config)
    return path


def test_class_of_an_old_file(saved, tmp_path):
    """Files of Keras 2 name no modules, so a class may be anybody's."""
    assert refused(old_file(saved, tmp_path / "old.h5", "Conv2d")) == (
        "convolution: layer-2: the layer class 'Conv2d' is not known\n"
        "  help: Did you mean 'Conv2D'? Otherwise: its code is not in the file. Export the model "
        "from Python, where it is, with the keras_litert package: keras_litert.export(model, "
        '"model.tflite").\n'
    )


@pytest.mark.parametrize(
    ("class_name", "advice"),
    [
        (
            "TFOpLambda",
            "It is a TensorFlow function that Keras 2 recorded in the graph. Write that step with "
            "keras.ops or a layer in Keras 3, load the weights into that model, and save it as "
            "'.keras'.",
        ),
        (
            "CuDNNGRU",
            "It runs on GPUs of Nvidia only. Build the model with LSTM or GRU(reset_after=True), "
            "which take its weights: load_weights of Keras 2 converts them; then save it.",
        ),
    ],
)
def test_class_that_only_keras_2_had(saved, tmp_path, class_name, advice):
    assert refused(old_file(saved, tmp_path / "old.h5", class_name)) == (
        f"convolution: layer-5: the layer class '{class_name}' is of Keras 2 alone\n"
        f"  help: {advice}\n"
    )


def test_one_problem_of_many_layers(tmp_path):
    x = y = keras.Input((4,))
    for i in range(12):
        y = layers.Dense(4, name=f"dense_{i}")(y)
    keras.Model(x, y).save(tmp_path / "model.keras")

    def quantize(config):
        for layer in config["config"]["layers"][1:]:
            layer["config"]["dtype"]["config"]["name"] = "int8_from_float32"

    change_config(tmp_path / "model.keras", quantize)
    assert refused(tmp_path / "model.keras") == (
        "dense_0, dense_1, dense_2, dense_3, dense_4, dense_5, dense_6, dense_7 and 4 more: "
        "dtype-1: the dtype policy 'int8_from_float32' is not supported\n"
        "  help: Save the model before it is quantized, with a float policy, or export it from "
        "Python with the keras_litert package, which follows what quantized layers compute.\n"
    )
    completed = check(run_cli("convert", tmp_path / "model.keras", "--json"), MODEL)
    (told,) = json.loads(completed.stdout)["errors"]
    assert told["path"] == "dense_0"
    assert told["paths"] == [f"dense_{i}" for i in range(12)]


def test_every_problem_at_once(keras_file):
    """What a layer's result would have been is not asked for, but the layers behind it are told."""

    def change(config):
        convolution, flat = config["config"]["layers"][1:3]
        convolution["config"]["filters"] = -1
        flat["class_name"] = "Flat"

    change_config(keras_file, change)
    assert refused(keras_file) == (
        "convolution: conv-6: 'filters' must be positive, got -1\n"
        + USUAL
        + "flat: layer-4: Keras's layer class 'Flat' is not supported\n"
        "  help: Replace it by layers that docs/support.md lists, or leave it out of the model "
        "that is saved.\n"
        "2 problems\n"
    )


def test_kernel_that_reaches_beyond_every_size(keras_file):
    def change(config):
        config["config"]["layers"][1]["config"]["dilation_rate"] = 2**31 - 1

    change_config(keras_file, change)
    assert refused(keras_file) == (
        "convolution: conv-8: conv: a kernel of 3 taps at a dilation rate of 2147483647 reaches "
        "further than LiteRT's sizes of 32 bits\n" + USUAL
    )


def test_pooling_into_more_than_is_computed(tmp_path):
    path = tmp_path / "model.keras"
    x = keras.Input((5, 5, 2))
    keras.Model(x, layers.AdaptiveMaxPooling2D((2, 3), name="pool")(x)).save(path)

    def change(config):
        config["config"]["layers"][1]["config"]["output_size"] = [2, 2**31 - 1]

    change_config(path, change)
    assert refused(path) == (
        "pool: adaptive-pool-3: adaptive_max_pool: an output_size of 2147483647 is beyond the "
        "65536 whose windows are computed while converting\n" + USUAL
    )


def test_weight_of_another_shape(keras_file):
    def change(config):
        config["config"]["layers"][3]["config"]["units"] = 5

    change_config(keras_file, change)
    assert refused(keras_file) == (
        "scores: weights-2: weight 'kernel' must have the shape [48, 5], the file's "
        "'layers/dense/vars/0' has [48, 3]\n"
        "  help: The weights are not those of this config: save the model again as a whole.\n"
        "scores: weights-2: weight 'bias' must have the shape [5], the file's "
        "'layers/dense/vars/1' has [3]\n"
        "  help: The weights are not those of this config: save the model again as a whole.\n"
        "2 problems\n"
    )


def test_missing_weights(keras_file, tmp_path):
    keras.Sequential([keras.Input((3,)), layers.ReLU()]).save(tmp_path / "none.keras")
    with zipfile.ZipFile(keras_file) as archive, zipfile.ZipFile(tmp_path / "none.keras") as none:
        files = {name: archive.read(name) for name in archive.namelist()}
        files["model.weights.h5"] = none.read("model.weights.h5")
    with zipfile.ZipFile(keras_file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    (tmp_path / "none.keras").unlink()
    lines = refused(keras_file).splitlines()
    assert lines[:2] == [
        "convolution: weights-1: weight 'kernel' is missing: "
        "the file has no 'layers/conv2d/vars/0'",
        "  help: Save the model again, after it has been built.",
    ]
    # The layer behind it is not lowered, so its weights are not asked for.
    assert lines[-1] == "2 problems"


def test_cycle(keras_file):
    def change(config):
        convolution, flat = config["config"]["layers"][1:3]
        source = flat["inbound_nodes"][0]["args"][0]["config"]
        convolution["inbound_nodes"][0]["args"][0]["config"] = {
            **source,
            "keras_history": ["flat", 0, 0],
        }

    change_config(keras_file, change)
    assert refused(keras_file) == (
        "functional-7: the calls of the config form a cycle through 'convolution'\n" + USUAL
    )


def test_models_nested_too_deep(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.ReLU()], name="core")
    model.save(tmp_path / "model.keras")

    def nest(config):
        for i in range(150):
            config = {
                "module": "keras",
                "class_name": "Sequential",
                "config": {
                    "name": f"s{i}",
                    "trainable": True,
                    "layers": [config["config"]["layers"][0], config] if i == 0 else [config],
                    "build_input_shape": [None, 3],
                },
                "registered_name": None,
            }
        return config

    change_config(tmp_path / "model.keras", nest)
    error = refused(tmp_path / "model.keras")
    assert "layer-3: layers are nested more than 100 deep\n" + USUAL in error


@pytest.mark.parametrize(
    "shape, code, message, hint",
    [
        ("imge=1,6,5,2", "option-3", "the model has no input 'imge'", "Did you mean 'image'?"),
        ("x=1,6,5,2", "option-3", "the model has no input 'x'", "Its inputs are 'image'."),
        (
            "image=1,6,5",
            "option-1",
            "input 'image' has rank 4, the given shape has 3",
            "Give it --shape image=?,6,5,2.",
        ),
        (
            "image=1,6,9,2",
            "option-2",
            "input 'image': size 5 of axis 2 is fixed by the model, 9 was asked for",
            "Give it --shape image=?,6,5,2.",
        ),
    ],
)
def test_shapes_that_do_not_fit(keras_file, shape, code, message, hint):
    error = refused(keras_file, "--shape", shape, exit_code=USAGE)
    assert error == f"{code}: {message}\n  help: {hint}\n"


def test_an_older_file_stays(keras_file):
    output = keras_file.with_suffix(".tflite")
    output.write_text("old")
    change_layer(keras_file, "scores", class_name="Dens")
    refused(keras_file)
    assert output.read_text() == "old"


def test_output_that_is_no_file(keras_file, tmp_path):
    """A device or pipe is never replaced by a file."""
    link = tmp_path / "link.tflite"
    link.symlink_to("/dev/null")
    completed = run_cli("convert", keras_file, "-o", link)
    assert link.is_symlink() == (completed.returncode != OK)
    assert in_folder(tmp_path) == ["link.tflite", "small.keras"]


def test_one_cause_is_one_problem(tmp_path):
    first = layers.Lambda(lambda x: x * 2, output_shape=(8, 8, 3), name="double")
    behind = [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]
    keras.Sequential([keras.Input((8, 8, 3)), first, *behind]).save(tmp_path / "m.keras")
    assert refused(tmp_path / "m.keras") == (
        "double: lambda-1: a Lambda layer holds Python code, which a converter of files cannot "
        "run\n"
        "  help: Write it with layers or functions of keras.ops, or export the model from Python "
        'with the keras_litert package: keras_litert.export(model, "model.tflite").\n'
    )
