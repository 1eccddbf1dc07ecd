"""Recipes that store weights in fewer bits, operator by operator.

Weights of three values (0 and ± a power of two times 127) lose nothing in float16 and int8, so a
file that stores them must agree with Keras as closely as a float file. Only what the runtime
quantizes as it runs (the inputs of products, in dynamic_wi8_afp32) leaves an error then.
"""

import keras
import numpy as np
import pytest
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from oracle import ConversionFailed, check, convert, randomize, save

STORED = ("float16", "weight_only_wi8_afp32")
DYNAMIC = "dynamic_wi8_afp32"
# Inputs in 8 bits: half a step is 1/510 of their range, and products sum many such errors.
DYNAMIC_TOLERANCE = 1e-2


def ternary(model, seed=0):
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        shape = tuple(variable.shape)
        if len(shape) < 2:
            variable.assign(rng.uniform(-0.5, 0.5, shape))
            continue
        size = 2.0 ** -np.round(np.log2(127 * np.sqrt(np.prod(shape[:-1]))))
        variable.assign(127 * size * rng.integers(-1, 2, shape))
    return model


def one_layer(layer, *shape, dtype="float32"):
    x = keras.Input(shape, dtype=dtype, name="x")
    return keras.Model(x, layer(x))


MODELS = {
    "Dense": lambda: one_layer(layers.Dense(40, activation="relu"), 30),
    "Dense of rank 3": lambda: one_layer(layers.Dense(40), None, 30),
    "EinsumDense": lambda: one_layer(
        layers.EinsumDense("abc,cde->abde", (None, 5, 8), bias_axes="de"), 7, 30
    ),
    "Conv1D": lambda: one_layer(layers.Conv1D(24, 3, padding="causal"), 9, 20),
    "Conv2D": lambda: one_layer(layers.Conv2D(16, 3, activation="relu"), 7, 8, 12),
    "Conv2D, groups": lambda: one_layer(layers.Conv2D(32, 3, groups=2), 7, 8, 16),
    "Conv3D": lambda: one_layer(layers.Conv3D(6, 3), 4, 5, 5, 8),
    "Conv2DTranspose": lambda: one_layer(layers.Conv2DTranspose(8, 3, strides=2), 5, 6, 20),
    "Conv3DTranspose": lambda: one_layer(layers.Conv3DTranspose(6, 3, strides=2), 3, 4, 4, 8),
    "DepthwiseConv2D": lambda: one_layer(layers.DepthwiseConv2D(3), 7, 8, 128),
    "SeparableConv2D": lambda: one_layer(layers.SeparableConv2D(40, 3), 7, 8, 30),
    "Embedding": lambda: one_layer(layers.Embedding(60, 20), None, dtype="int32"),
    "Embedding of one id": lambda: one_layer(layers.Embedding(60, 20), dtype="int32"),
    "LSTM": lambda: one_layer(layers.LSTM(20, return_sequences=True), 6, 30),
    "LSTM of any length": lambda: one_layer(layers.LSTM(20), None, 30),
}
# Operators whose kernels take int8 weights and float32 inputs.
WEIGHTS_BY_KERNEL = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "EMBEDDING_LOOKUP"}


@pytest.mark.parametrize("recipe", STORED)
@pytest.mark.parametrize("name", MODELS)
def test_exact_weights_stay_exact(name, recipe):
    result = check(
        ternary(MODELS[name]()), randomized=False, arguments=("--quantize", recipe), high=5
    )
    changed = [op for op in result.report["quantized"] if op["recipe"] != "float32"]
    assert changed and all(op["recipe"] == recipe for op in changed)
    assert all(op["weights_sqnr_db"] is None for op in changed), changed
    assert result.operators["DEQUANTIZE"] or result.operators["EMBEDDING_LOOKUP"]


@pytest.mark.parametrize("name", MODELS)
def test_dynamic_range(name):
    result = check(
        ternary(MODELS[name]()),
        randomized=False,
        arguments=("--quantize", DYNAMIC),
        tolerance=DYNAMIC_TOLERANCE,
        high=5,
    )
    for op in result.report["quantized"]:
        if op["recipe"] == DYNAMIC:
            assert WEIGHTS_BY_KERNEL & set(result.operators), op
        else:
            assert op["reason"], op
    if name.startswith("Embedding"):
        assert result.error < 1e-6  # Nothing is quantized as it runs.


@pytest.mark.parametrize("recipe", [*STORED, DYNAMIC])
def test_random_weights(recipe):
    """Rounded to the nearest of 2 · 127 + 1 values; float16 rounds to 11 bits."""
    x = keras.Input((9, 8, 16))
    y = layers.Conv2D(24, 3, activation="relu")(x)
    y = layers.DepthwiseConv2D(3, depth_multiplier=4)(y)
    y = layers.BatchNormalization()(y)
    y = layers.GlobalAveragePooling2D()(y)
    model = keras.Model(x, layers.Dense(30)(y))
    half = recipe == "float16"
    result = check(
        model, arguments=("--quantize", recipe), tolerance=2e-3 if half else DYNAMIC_TOLERANCE
    )
    for op in result.report["quantized"]:
        if op["recipe"] != "float32":
            low, high = (65, 90) if half else (35, 60)
            assert low < op["weights_sqnr_db"] < high, op


def test_shared_weights_are_stored_once():
    table = layers.Embedding(300, 32)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    others = keras.Input((None,), dtype="int32", name="others")
    model = keras.Model([tokens, others], [table(tokens), table(others) * 2.0])
    for recipe in (*STORED, DYNAMIC):
        inputs = [[np.array([[1, 2, 299]]), np.array([[7, 0]])]]
        result = check(ternary(model), inputs, randomized=False, arguments=("--quantize", recipe))
        stored = 300 * 32 * 2 if recipe == "float16" else 300 * (32 + 12)
        assert result.size < 1.5 * stored


def test_rules():
    x = keras.Input((40,))
    y = layers.Dense(40, name="first")(x)
    y = layers.Dense(40, name="second")(y)
    model = keras.Model(x, layers.Dense(40, name="head")(y))
    arguments = ("--quantize", "weight_only_int8", "--quantize-rule", "*nd=float16")
    result = check(
        ternary(model),
        randomized=False,
        arguments=(*arguments, "--quantize-rule", "head@FULLY_CONNECTED=float32"),
    )
    assert [(op["layer"], op["recipe"]) for op in result.report["quantized"]] == [
        ("first", "weight_only_wi8_afp32"),
        ("second", "float16"),
        ("head", "float32"),
    ]
    with pytest.raises(ConversionFailed, match="rule for layer 'secnd' matches no operator"):
        check(model, arguments=("--quantize-rule", "secnd=float16"))


def test_rules_of_a_file(tmp_path):
    file = tmp_path / "recipe.json"
    file.write_text('{"recipe": "float16", "rules": [{"layer": "a", "recipe": "float32"}]}')
    x = keras.Input((40,))
    model = keras.Model(x, layers.Dense(40, name="b")(layers.Dense(40, name="a")(x)))
    result = check(ternary(model), randomized=False, arguments=("--quantize-file", file))
    assert [op["recipe"] for op in result.report["quantized"]] == ["float32", "float16"]

    file.write_text('{"recipe": "float16", "rule": [], "rules": [{"layer": 3}]}')
    with pytest.raises(ConversionFailed) as failed:
        check(model, arguments=("--quantize-file", file))
    text = str(failed.value)
    assert 'unknown key "rule"' in text
    assert 'rule 1: quantize-6: the value of "layer" is no string' in text


def test_weights_that_are_no_numbers():
    model = one_layer(layers.Dense(40, name="broken"), 30)
    model.get_layer("broken").kernel.assign(np.full((30, 40), np.nan))
    with pytest.raises(ConversionFailed, match="broken: quantize-4: the weights have a NaN"):
        check(model, randomized=False, arguments=("--quantize", DYNAMIC))


@pytest.mark.parametrize("recipe", [*STORED, DYNAMIC, "int4", "int4_block32"])
def test_compiled_model(recipe, tmp_path):
    """CompiledModel runs the file as the Interpreter does, every operator with weights in it."""
    x = keras.Input((8, 9, 32), batch_size=2, name="x")
    y = layers.Conv2D(32, 3, activation="relu")(x)
    y = layers.DepthwiseConv2D(3, depth_multiplier=4)(y)
    y = layers.Conv2DTranspose(32, 2, strides=2)(y)
    y = layers.Conv2D(64, 3, groups=2)(y)
    z = layers.Dense(64, "relu")(layers.GlobalAveragePooling2D()(y))
    z = keras.ops.concatenate([z, layers.LSTM(16)(keras.ops.reshape(y, (2, -1, 64))[:, :4])], -1)
    model = randomize(keras.Model(x, layers.Dense(20)(layers.Dense(64)(z))))
    target = tmp_path / "model.tflite"
    convert(save(model, tmp_path), target, "--quantize", recipe)
    data = np.random.default_rng(0).normal(size=(2, 8, 9, 32)).astype("float32")
    interpreter = Interpreter(str(target))
    (expected,) = interpreter.get_signature_runner("serving_default")(x=data).values()
    compiled = CompiledModel.from_file(str(target))
    inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
    inputs[0].write(data)
    compiled.run_by_index(0, inputs, outputs)
    actual = outputs[0].read(expected.size, np.float32).reshape(expected.shape)
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.ptp(expected))
    want = keras.ops.convert_to_numpy(model(data))
    tolerance = 0.15 if "int4" in recipe else 0.03
    np.testing.assert_allclose(actual, want, atol=tolerance * np.ptp(want))
