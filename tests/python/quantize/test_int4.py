"""Weights in 4 bits, a scale for each row or for each block of one: against NumPy.

NumPy computes with the same fake quantization, w ≈ scale · round(w / scale) with
scale = max|w| / 7, or without blocks the part of it, 1, 0.94 … 0.46, that has the least squared
error. So what is left is what the kernels round as they run: the inputs of products in 8 bits
(half a step is 1/510 of a row's range), nothing in embeddings.
"""

import json

import keras
import numpy as np
import pytest
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from keras import layers
from oracle import check, convert, randomize, save

RECIPES = {
    "dynamic_wi4_afp32": 0,
    "dynamic_wi4b32_afp32": 32,
    "dynamic_wi4b64_afp32": 64,
    "dynamic_wi4b128_afp32": 128,
}


def fake_quantized(rows, block):
    """Rows of weights as int4 with a scale for `block` of them (0: all) has them, and the steps."""
    parts = rows.reshape(len(rows), -1, block or rows.shape[1]).astype("float64")
    scale = np.abs(parts).max(-1, keepdims=True) / 7
    if block:
        # Rounded up to 8 binary digits, which bfloat16 and float16 have.
        digits, exponent = np.frexp(np.maximum(scale, 2.0**-14))
        scale = np.ldexp(np.ceil(digits * 256) / 256, exponent)
    else:  # The part of it that has the least error.
        parts_of_it = (1 - 0.06 * np.arange(10)) * scale
        steps = parts_of_it[..., None, :] * np.ones((1, 1, parts.shape[-1], 1))
        q = np.clip(np.round(parts[..., None] / steps), -7, 7)
        errors = np.sum((q * steps - parts[..., None]) ** 2, axis=2, keepdims=True)
        best = np.argmin(errors, axis=-1)
        scale = np.take_along_axis(parts_of_it[..., None, :], best[..., None], -1)[..., 0]
        scale = scale.astype("float32")
    q = np.clip(np.sign(parts) * np.floor(np.abs(parts / scale) + 0.5), -7, 7)
    return (q * scale).reshape(rows.shape), np.broadcast_to(scale, parts.shape).reshape(rows.shape)


def runs(path, x):
    """The file's output in the Interpreter, with XNNPACK and without, and in CompiledModel."""
    for resolver in (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
        interpreter = Interpreter(str(path), experimental_op_resolver_type=resolver)
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        yield resolver.name, y


def compiled(path, x, shape):
    model = CompiledModel.from_file(str(path))
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    inputs[0].write(x)
    model.run_by_index(0, inputs, outputs)
    return outputs[0].read(int(np.prod(shape)), np.float32).reshape(shape)


def outliers(model, seed=0):
    """Random weights, some blocks of which are much larger than others."""
    rng = np.random.default_rng(seed)
    for variable in randomize(model).trainable_variables:
        if len(variable.shape) == 2:
            size = np.repeat(10.0 ** rng.uniform(-1, 1, (variable.shape[0] // 32, 1)), 32, 0)
            variable.assign(np.asarray(variable) * size)
    return model


@pytest.mark.parametrize("activation", ["linear", "relu", "relu6"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_fully_connected(recipe, activation, tmp_path):
    x = keras.Input((256,), batch_size=3)
    model = outliers(keras.Model(x, layers.Dense(40, activation, name="dense")(x)))
    target = tmp_path / "model.tflite"
    report = convert(save(model, tmp_path), target, "--quantize", recipe, "--json")
    (op,) = json.loads(report.stdout)["quantized"]
    block = RECIPES[recipe]
    assert (op["recipe"], op["reason"]) == (recipe, None)
    assert op["bytes_after"] == 256 * 40 // 2 + (256 * 40 // block * 2 if block else 40 * 4)

    kernel, bias = (np.asarray(v) for v in model.get_layer("dense").weights)
    weights, steps = fake_quantized(np.ascontiguousarray(kernel.T), block)
    noise = np.sum((weights - kernel.T) ** 2)
    assert np.isclose(op["weights_sqnr_db"], 10 * np.log10(np.sum(kernel**2) / noise), atol=1e-3)
    if block:
        assert np.all(np.abs(weights - kernel.T) <= steps / 2 * 1.0001)

    data = np.random.default_rng(1).normal(size=(3, 256)).astype("float32")
    clip = {"linear": (-np.inf, np.inf), "relu": (0, np.inf), "relu6": (0, 6)}[activation]
    expected = np.clip(data @ weights.T + bias, *clip)
    step = (np.maximum(data.max(1), 0) - np.minimum(data.min(1), 0)) / 255
    # Each input is off by half a step (a whole one where the range's ends are rounded, too), and
    # symmetric ones by twice that.
    bound = 1.5 * step[:, None] * np.sqrt(np.sum(weights**2, axis=1)) * 2 + 1e-5
    assert np.ptp(expected) > 8 * bound.max() or activation != "linear"
    for name, actual in runs(target, data):
        assert np.all(np.abs(actual - expected) <= bound), name
    assert np.all(np.abs(compiled(target, data, expected.shape) - expected) <= bound)


@pytest.mark.parametrize("recipe", RECIPES)
def test_embedding(recipe, tmp_path):
    """A row is unpacked when it is looked up: nothing else is rounded."""
    ids = keras.Input((5,), batch_size=2, dtype="int32")
    model = outliers(keras.Model(ids, layers.Embedding(64, 128, name="table")(ids)))
    target = tmp_path / "model.tflite"
    convert(save(model, tmp_path), target, "--quantize", recipe)
    assert target.stat().st_size < 64 * 128 / 2 + 64 * 128 / 16 + 2500
    (table,) = (np.asarray(v) for v in model.get_layer("table").weights)
    rows, _ = fake_quantized(table, RECIPES[recipe])
    data = np.array([[0, 63, 7, 7, 1], [31, 2, 3, 4, 62]], "int32")
    for name, actual in runs(target, data):
        np.testing.assert_allclose(actual, rows[data], rtol=1e-6, err_msg=name)
    shape = (*data.shape, 128)
    np.testing.assert_allclose(compiled(target, data, shape), rows[data], rtol=1e-6)


def test_others_get_int8():
    """Operators without such kernels, and rows that cannot be packed: the report says why."""
    x = keras.Input((8, 8, 32))
    y = layers.Conv2D(33, 3, activation="relu", name="conv")(x)
    y = layers.DepthwiseConv2D(3, depth_multiplier=4, name="depthwise")(y)
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(33, 1, name="point")(y))
    y = layers.Dense(96, name="odd", activation="relu")(y)
    model = keras.Model(x, layers.Dense(12, name="head")(y))
    result = check(model, arguments=("--quantize", "int4"), tolerance=0.2)
    reports = {op["layer"]: (op["recipe"], op["reason"]) for op in result.report["quantized"]}
    only = "LiteRT has quick int4 kernels for FULLY_CONNECTED and embeddings only"
    assert reports == {
        "conv": ("dynamic_wi8_afp32", only),
        "depthwise": ("dynamic_wi8_afp32", only),
        "point": ("dynamic_wi8_afp32", only),
        "odd": ("dynamic_wi8_afp32", "its rows of 33 weights are odd"),
        "head": ("dynamic_wi4_afp32", None),
    }
    result = check(model, arguments=("--quantize", "int4_block64"), tolerance=0.2)
    head = result.report["quantized"][-1]
    assert head["recipe"] == "dynamic_wi8_afp32"
    assert head["reason"] == "its rows of 96 weights cannot be divided into blocks of 64"


def test_large_rows_in_tiles():
    """Weights that are written in many tiles, of rows whose pieces begin anywhere."""
    x = keras.Input((40, 51))
    y = layers.EinsumDense("abc,bcd->ad", (700,), name="dense")(x)
    model = keras.Model(x, y)
    check(model, arguments=("--quantize", "int4"), tolerance=0.2)
