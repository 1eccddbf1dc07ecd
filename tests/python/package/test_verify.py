"""Files against the live model: verify(), export(verify=…), the first layer that differs."""

import keras
import keras_litert
import numpy as np
import oracle
import pytest
from keras import layers, ops
from keras_litert import ExportError


def network():
    x = keras.Input((9, 8, 3))
    y = layers.Conv2D(4, 3, name="first")(x)
    y = layers.BatchNormalization(name="first_norm")(y)
    y = layers.ReLU(name="first_relu")(y)
    y = layers.Conv2D(5, 3, data_format="channels_last", name="second")(y)
    y = layers.Flatten(name="flat")(y)
    left = layers.Dense(6, activation="gelu", name="left")(y)
    right = layers.Dense(6, name="right")(y)
    z = layers.Add(name="sum")([left, right])
    model = keras.Model(x, layers.Dense(3, name="scores")(z))
    oracle.randomize(model)
    return model


@keras.saving.register_keras_serializable()
class Decoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.embed = layers.Embedding(9, 4, name="embed")
        self.attend = layers.MultiHeadAttention(2, 3, name="attend")
        self.read = layers.LSTM(5, name="read")
        self.score = layers.Dense(2, name="score")

    def call(self, ids):
        x = self.embed(ids)
        return self.score(self.read(x + self.attend(x, x)))


def change(weight):
    weight.assign(keras.ops.convert_to_numpy(weight.value) * 1.5 + 0.3)


def test_verify(tmp_path):
    model = network()
    path = tmp_path / "m.tflite"
    keras_litert.export(model, path)
    report = keras_litert.verify(model, path)
    assert report and report.outputs[0].error < 1e-5 and report.first_difference is None
    assert str(report).startswith("verified\n  output_0: error ")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("first", "first"),
        ("first_norm", "first"),  # One operator in the file.
        ("second", "second"),
        ("left", "left"),
        ("right", "right"),
        ("scores", "scores"),
    ],
)
def test_first_layer_that_differs(tmp_path, changed, told):
    model = network()
    keras_litert.export(model, tmp_path / "m.tflite")
    change(model.get_layer(changed).weights[0])
    report = keras_litert.verify(model, tmp_path / "m.tflite")
    assert not report
    assert report.first_difference == told
    assert str(report).startswith(f"differs from the model, first at '{told}'\n")


@pytest.mark.parametrize("changed", ["embed", "read", "score"])
def test_first_layer_of_a_subclassed_model(tmp_path, changed):
    model = Decoder()
    model(np.ones((2, 6), "int32"))
    oracle.randomize(model)
    keras_litert.export(model, tmp_path / "m.tflite")
    change(getattr(model, changed).weights[0])
    report = keras_litert.verify(model, tmp_path / "m.tflite")
    assert not report and report.first_difference == changed


def test_layers_are_as_before_a_search(tmp_path):
    model = network()
    keras_litert.export(model, tmp_path / "m.tflite")
    change(model.get_layer("first").weights[0])
    call = layers.Layer.__call__
    keras_litert.verify(model, tmp_path / "m.tflite")
    assert layers.Layer.__call__ is call


def test_export_verifies(tmp_path):
    model = network()
    report = keras_litert.export(model, tmp_path / "m.tflite", verify=True)
    assert report.path == str(tmp_path / "m.tflite")
    keras_litert.export(model, tmp_path / "plain.tflite")
    assert (tmp_path / "m.tflite").read_bytes() == (tmp_path / "plain.tflite").read_bytes()
    keras_litert.export(model, tmp_path / "m8.tflite", quantize="dynamic_int8", verify=0.1)
    keras_litert.export(model, tmp_path / "fixed.tflite", static_batch=3, verify=1e-5)
    model.export(tmp_path / "hook.tflite", format="litert", verify=True, verbose=False)
    names = ["fixed.tflite", "hook.tflite", "m.tflite", "m8.tflite", "plain.tflite"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


class Counter(layers.Layer):
    """Computes something else at each call, so that no file can be the same."""

    calls = 0

    def call(self, x):
        self.calls += 1
        return ops.sin(x) + self.calls


def test_export_of_what_differs(tmp_path):
    inputs = keras.Input((4,), name="x")
    hidden = layers.Dense(4, name="dense")(inputs)
    model = keras.Model(inputs, Counter(name="counter")(hidden), name="counting")
    target = tmp_path / "m.tflite"
    target.write_bytes(b"the one before")
    with pytest.raises(ExportError) as error:
        keras_litert.export(model, target, verify=True)
    (diagnostic,) = error.value.diagnostics
    assert (diagnostic.path, diagnostic.code) == ("counter", "verify-1")
    assert diagnostic.message.startswith(
        "what was written differs from the model: output_0 by "
    ) and diagnostic.message.endswith(" of its range (allowed: 1e-04)")
    assert target.read_bytes() == b"the one before"
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


def test_options_of_verify(tmp_path):
    with pytest.raises(ValueError) as error:
        keras_litert.export(network(), tmp_path / "m.tflite", verify=True, quantize="float16")
    assert str(error.value) == (
        "verify=True allows an error of 1e-4, which no quantized file meets: say how much, "
        "verify=0.05"
    )
    for value in (-1, "yes", 0):
        with pytest.raises(ValueError) as error:
            keras_litert.export(network(), tmp_path / "m.tflite", verify=value)
        assert str(error.value) == (
            f"verify must be True, False or a positive number, got {value!r}"
        )
    assert not list(tmp_path.iterdir())


def test_floats_that_are_indices(tmp_path):
    """Embeddings of an Input without a dtype, of two words, and one of numbers beside it."""
    ids, numbers = keras.Input((5,), name="ids"), keras.Input((4,), name="numbers")
    y = layers.LSTM(3)(layers.Embedding(2, 4)(ids))
    model = keras.Model([ids, numbers], layers.Dense(2)(layers.Concatenate()([y, numbers])))
    assert keras_litert.export(model, tmp_path / "m.tflite", verify=True).inputs[0][1] == "float32"
    assert keras_litert.verify(model, tmp_path / "m.tflite")


def test_states(tmp_path):
    """The file starts from zeros, whatever the model's states are, which stay as they are."""
    x = keras.Input((5, 4), batch_size=2)
    model = keras.Model(
        x, layers.GRU(3, stateful=True)(layers.LSTM(6, return_sequences=True, stateful=True)(x))
    )
    model(np.ones((2, 5, 4)))
    before = [np.array(variable) for variable in model.variables]
    keras_litert.export(model, tmp_path / "m.tflite", verify=True)
    for variable, value in zip(model.variables, before):
        np.testing.assert_array_equal(variable, value)
    model.layers[1].cell.recurrent_kernel.assign(np.ones((6, 24)))
    report = keras_litert.verify(model, tmp_path / "m.tflite")
    assert not report
    assert report.first_difference
