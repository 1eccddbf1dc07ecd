"""Recipes that compute in integers, with ranges calibrated on samples: int8 and int16x8.

Each operator alone, between QUANTIZE and DEQUANTIZE, against Keras. Its error comes from rounding
inputs, weights and result to steps of their ranges: int8 has 255 steps, so a result may be off by a
few steps of 1/255 of its range; int16 has 65,535 steps, and its errors are those of int8 weights.
The samples are the inputs that are tested, so no value is clipped.
"""

import json
import pathlib

import ai_edge_litert
import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers, ops
from oracle import File, check, convert, randomize, run_cli, save
from quantize.compiled import run_compiled

RUNTIME = pathlib.Path(ai_edge_litert.__file__).parent
INT8 = 4 / 255
INT16 = 1e-4  # Without weights.
# Kernels for int16 that interpolate: in tables of 512 steps, or between pixels in 1/1024.
COARSE_INT16 = {"exp": 4e-3, "rsqrt": 4e-3, "resize bilinear": 2e-3}
WEIGHTS = 1.2e-2  # Products with int8 weights: 1/254 of the largest weight for each, summed.


def functional(function, *shapes, batch=None):
    xs = [keras.Input(shape, batch_size=batch, name=f"x{i}") for i, shape in enumerate(shapes)]
    return keras.Model(xs, function(*xs))


def samples(model, seed=0, batch=4, low=None, high=None, integers=8):
    """Inputs by name, and as the list that the model takes."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for x in model.inputs:
        shape = [batch if axis == 0 else (6 if n is None else n) for axis, n in enumerate(x.shape)]
        if "int" in x.dtype:
            arrays[x.name] = rng.integers(0, integers, shape).astype(x.dtype)
        elif low is None:
            arrays[x.name] = rng.normal(size=shape).astype("float32")
        else:
            arrays[x.name] = rng.uniform(low, high, shape).astype("float32")
    return arrays


def quantized(model, recipe, folder, tolerance, arguments=(), delegates=(True, False), **options):
    randomize(model)
    arrays = samples(model, **options)
    np.savez(folder / "samples.npz", **arrays)
    return check(
        model,
        [list(arrays.values())],
        randomized=False,
        arguments=(
            "--quantize",
            recipe,
            "--calibrate",
            folder / "samples.npz",
            "--runtime",
            RUNTIME,
            *arguments,
        ),
        tolerance=tolerance,
        delegates=delegates,
    )


def is_float_free(result):
    """All operators that were to compute in integers do."""
    return all(op["recipe"].startswith("static") for op in result.report["quantized"])


def unary(function, *shape):
    return lambda: functional(function, shape or (7, 12))


def dense_like(layer, *shape):
    return lambda: functional(layer, shape)


CHOICE = np.arange(24).reshape(1, 3, 4, 2) % 3 == 0

# name → (model, LiteRT's operator, options); int8 tolerance WEIGHTS with weights.
WEIGHTED = {
    "Dense": (dense_like(layers.Dense(20, activation="relu"), 30), "FULLY_CONNECTED"),
    "Dense without bias": (dense_like(layers.Dense(20, use_bias=False), 30), "FULLY_CONNECTED"),
    "Dense of rank 3": (dense_like(layers.Dense(20), 5, 30), "FULLY_CONNECTED"),
    "Conv1D": (dense_like(layers.Conv1D(12, 3, padding="same"), 9, 10), "CONV_2D"),
    "Conv2D": (dense_like(layers.Conv2D(8, 3, strides=2, activation="relu"), 9, 8, 5), "CONV_2D"),
    "Conv2D, dilated": (dense_like(layers.Conv2D(8, 3, dilation_rate=2), 9, 8, 5), "CONV_2D"),
    "Conv2D, groups": (dense_like(layers.Conv2D(8, 3, groups=2), 9, 8, 6), "CONV_2D"),
    "Conv2D without bias": (dense_like(layers.Conv2D(8, 3, use_bias=False), 9, 8, 5), "CONV_2D"),
    "DepthwiseConv2D": (
        dense_like(layers.DepthwiseConv2D(3, depth_multiplier=2), 7, 8, 6),
        "DEPTHWISE_CONV_2D",
    ),
    "Conv2DTranspose": (
        lambda: functional(layers.Conv2DTranspose(6, 3, strides=2), (5, 6, 4), batch=4),
        "TRANSPOSE_CONV",
    ),
    "BatchNormalization": (dense_like(layers.BatchNormalization(), 5, 6, 4), "MUL"),
}

# name → (model, operator that the file must have, int16 too, range of the inputs).
OPERATORS = {
    "add": (lambda: functional(ops.add, (5, 6), (5, 6)), "ADD", True, None),
    "add, broadcast": (lambda: functional(ops.add, (5, 6), (1, 6)), "ADD", True, None),
    "add, constant": (unary(lambda x: x + 0.7), "ADD", True, None),
    "subtract": (lambda: functional(ops.subtract, (5, 6), (5, 6)), "SUB", True, None),
    "multiply": (lambda: functional(ops.multiply, (5, 6), (5, 6)), "MUL", True, None),
    "matmul": (lambda: functional(ops.matmul, (5, 6), (6, 7)), "BATCH_MATMUL", True, None),
    "mean": (unary(lambda x: ops.mean(x, 1)), "MEAN", True, None),
    "sum": (unary(lambda x: ops.sum(x, 1)), "SUM", True, None),
    "relu": (unary(ops.relu), "RELU", True, None),
    "relu6": (unary(ops.relu6), "RELU6", True, (-3, 9)),
    "leaky_relu": (unary(lambda x: ops.leaky_relu(x, 0.2)), "LEAKY_RELU", True, None),
    "elu": (unary(ops.elu), "ELU", False, None),
    "gelu": (unary(ops.gelu), "GELU", False, None),
    "hard_swish": (unary(ops.hard_swish), "HARD_SWISH", False, (-5, 5)),
    "sigmoid": (unary(ops.sigmoid), "LOGISTIC", True, (-5, 5)),
    "tanh": (unary(ops.tanh), "TANH", True, None),
    "softmax": (unary(ops.softmax), "SOFTMAX", True, None),
    "log_softmax": (unary(ops.log_softmax), "LOG_SOFTMAX", False, None),
    "exp": (unary(ops.exp), "EXP", True, None),
    "log": (unary(ops.log), "LOG", True, (0.5, 3)),
    "sqrt": (unary(ops.sqrt), "SQRT", True, (0.5, 3)),
    "rsqrt": (unary(ops.rsqrt), "RSQRT", True, (0.5, 3)),
    "abs": (unary(ops.abs), "ABS", True, None),
    "PReLU": (unary(lambda x: layers.PReLU()(x)), "PRELU", False, None),
}
# What only moves or chooses elements: between two operators that compute, else it stays float.
MOVING = {
    "max": (lambda x: ops.max(x, 1), "REDUCE_MAX", True),
    "min": (lambda x: ops.min(x, 1), "REDUCE_MIN", True),
    "maximum": (lambda x: ops.maximum(x, x * 2), "MAXIMUM", True),
    "minimum": (lambda x: ops.minimum(x, x * 2), "MINIMUM", True),
    "maximum, constant": (lambda x: ops.maximum(x, 0.25), "MAXIMUM", True),
    "where": (lambda x: ops.where(CHOICE, x, -1.0), "SELECT_V2", True),
    "average_pool": (lambda x: ops.average_pool(x, 2, 2), "AVERAGE_POOL_2D", True),
    "max_pool": (lambda x: ops.max_pool(x, 2, 2, "same"), "MAX_POOL_2D", True),
    "resize bilinear": (lambda x: ops.image.resize(x, (7, 5)), "RESIZE_BILINEAR", True),
    "resize nearest": (
        lambda x: ops.image.resize(x, (6, 8), interpolation="nearest"),
        "RESIZE_NEAREST_NEIGHBOR",
        True,
    ),
    "reshape": (lambda x: ops.reshape(x, (-1, 24)), "RESHAPE", True),
    "transpose": (lambda x: ops.transpose(x, (0, 3, 1, 2)), "TRANSPOSE", True),
    "concatenate": (lambda x: ops.concatenate([x, ops.tanh(x), x * 2], -1), "CONCATENATION", True),
    "stack": (lambda x: ops.stack([x, x * 0.5], 1), "PACK", True),
    "split": (lambda x: sum(ops.split(x, 2, -1)), "SPLIT", True),
    "slice": (lambda x: x[:, 1:3, ::2], "STRIDED_SLICE", True),
    "pad": (lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 0], [0, 0]]), "PAD", True),
    "pad reflected": (
        lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 0], [0, 0]], "reflect"),
        "MIRROR_PAD",
        True,
    ),
    "take": (lambda x: ops.take(x, [2, 0, 1], axis=1), "GATHER", True),
    "tile": (lambda x: ops.tile(x, [1, 2, 1, 1]), "TILE", True),
    "flip": (lambda x: ops.flip(x, 2), "REVERSE_V2", False),
    "broadcast_to": (lambda x: ops.broadcast_to(x[:, :1], (4, 3, 4, 2)), "BROADCAST_TO", True),
}


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_weights(name, recipe, tmp_path):
    build, operator = WEIGHTED[name]
    result = quantized(build(), recipe, tmp_path, WEIGHTS + (INT8 if recipe == "int8" else 0))
    assert result.operators[operator], result.operators
    assert is_float_free(result), result.report["quantized"]


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
@pytest.mark.parametrize("name", OPERATORS)
def test_operator(name, recipe, tmp_path):
    build, operator, int16, interval = OPERATORS[name]
    low, high = interval or (None, None)
    limit = INT8 if recipe == "int8" else COARSE_INT16.get(name, INT16)
    result = quantized(build(), recipe, tmp_path, limit, low=low, high=high)
    assert result.operators[operator], result.operators
    if recipe == "int8" or int16:
        assert is_float_free(result), result.report["quantized"]
        assert result.operators["QUANTIZE"]
    else:
        reasons = [op["reason"] for op in result.report["quantized"] if op["op"] == operator]
        assert reasons == ["LiteRT has no int16 kernel for it"]


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
@pytest.mark.parametrize("name", MOVING)
def test_moving(name, recipe, tmp_path):
    function, operator, int16 = MOVING[name]
    model = functional(lambda x: ops.abs(function(x + 0.5)), (3, 4, 2))
    limit = INT8 if recipe == "int8" else COARSE_INT16.get(name, INT16)
    result = quantized(model, recipe, tmp_path, limit)
    assert result.operators[operator], result.operators
    if recipe == "int8" or int16:
        assert is_float_free(result), result.report["quantized"]


def test_cnn_without_floats(tmp_path):
    """A whole network in integers, its inputs and outputs included."""
    x = keras.Input((16, 16, 3), name="image")
    y = layers.Rescaling(1 / 127.5, -1)(x)
    y = layers.Conv2D(8, 3, strides=2, use_bias=False)(y)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.SeparableConv2D(8, 3, padding="same", activation="relu")(y)
    z = layers.Conv2D(8, 1)(layers.MaxPooling2D(2, padding="same")(y))
    y = layers.Concatenate()([layers.UpSampling2D(2)(z)[:, :7, :7], y])
    y = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(y))
    model = randomize(keras.Model(x, y))
    images = np.random.default_rng(1).uniform(0, 255, (8, 16, 16, 3)).astype("float32")
    np.savez(tmp_path / "samples.npz", image=images)
    source, target = save(model, tmp_path), tmp_path / "model.tflite"
    arguments = ["--quantize", "int8", "--calibrate", tmp_path / "samples.npz"]
    arguments += ["--runtime", RUNTIME, "--input-type", "int8", "--output-type", "int8"]
    convert(source, target, *arguments)

    interpreter = Interpreter(str(target))
    dtypes = {np.dtype(tensor["dtype"]).name for tensor in interpreter.get_tensor_details()}
    assert "float32" not in dtypes, dtypes
    file = File(target.read_bytes())
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(file.operators), file.operators

    (image,), (label,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert image["dtype"] == label["dtype"] == np.int8
    scale, zero = image["quantization"]
    q = np.clip(np.round(images / scale) + zero, -128, 127).astype(np.int8)
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    runner = interpreter.get_signature_runner("serving_default")
    scale, zero = label["quantization"]
    for one, want in zip(q, expected):
        compiled = run_compiled(target, one[None], runner.get_output_details())
        for outputs in (runner(image=one[None]), compiled):
            got = (outputs["output_0"][0].astype("float32") - zero) * scale
            np.testing.assert_allclose(got, want, atol=8 / 256)


INTERFACES = [
    *[("int8", given, wanted) for given in ("uint8", "int16") for wanted in ("uint8", "int16")],
    ("int8", "float32", "uint8"),
    ("int8", "uint8", "float32"),
    ("int16x8", "int16", "int16"),
    ("int16x8", "int8", "uint8"),
    ("int16x8", "uint8", "int8"),
]


@pytest.mark.parametrize("recipe,given,wanted", INTERFACES)
def test_interfaces(recipe, given, wanted, tmp_path):
    """Other integers, in and out, than those that are computed in; in both runtimes."""
    x = keras.Input((12, 12, 3), batch_size=2, name="image")
    y = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    y = layers.Dense(6)(layers.GlobalAveragePooling2D()(layers.Conv2D(12, 3)(y)))
    model = randomize(keras.Model(x, y))
    images = np.random.default_rng(1).uniform(-1, 1, (2, 12, 12, 3)).astype("float32")
    np.savez(tmp_path / "samples.npz", image=images)
    target = tmp_path / "model.tflite"
    arguments = ["--quantize", recipe, "--calibrate", tmp_path / "samples.npz"]
    arguments += ["--runtime", RUNTIME, "--input-type", given, "--output-type", wanted]
    convert(save(model, tmp_path), target, *arguments)
    expected = keras.ops.convert_to_numpy(model(images, training=False))

    runner = Interpreter(str(target)).get_signature_runner("serving_default")
    image = runner.get_input_details()["image"]
    label = runner.get_output_details()["output_0"]
    assert (image["dtype"], label["dtype"]) == (np.dtype(given), np.dtype(wanted))
    scale, zero = image["quantization"] if given != "float32" else (1, 0)
    if given != "float32":
        limits = np.iinfo(given)
        images = np.clip(np.round(images / scale) + zero, limits.min, limits.max).astype(given)
    interpreted = runner(image=images)["output_0"]
    compiled = run_compiled(target, images, {"output_0": label})["output_0"]
    np.testing.assert_array_equal(interpreted, compiled)
    scale, zero = label["quantization"] if wanted != "float32" else (1, 0)
    got = (compiled.astype("float64") - zero) * scale
    tolerance = WEIGHTS + INT8 * ("int8" in (recipe, given) or "uint8" in (given, wanted))
    np.testing.assert_allclose(got, expected, atol=tolerance * np.ptp(expected))


def refusal(model, tmp_path, samples_, *arguments):
    if samples_ is not None:
        np.savez(tmp_path / "bad.npz", **samples_)
        arguments = (*arguments, "--calibrate", tmp_path / "bad.npz")
    source = save(randomize(model), tmp_path)
    if "--quantize" not in arguments:
        arguments = ("--quantize", "int8", *arguments)
    target = tmp_path / "m.tflite"
    completed = run_cli("convert", source, "-o", target, "--runtime", RUNTIME, *arguments)
    assert completed.returncode != 0
    assert not list(tmp_path.glob("m.tflite*"))
    return completed.stderr


def test_bad_samples(tmp_path):
    x, y = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    model = keras.Model([x, y], layers.Dense(2)(layers.Concatenate()([x, y])))
    left, right = np.ones((5, 4), "float32"), np.ones((5, 3), "float32")
    assert "samples-1: " in refusal(model, tmp_path, None)
    text = refusal(model, tmp_path, {"left": left, "rihgt": right})
    assert "no array for the input 'right'" in text and "Did you mean 'right'?" in text
    text = refusal(model, tmp_path, {"left": right, "right": right})
    assert "samples-3: the input 'left' takes float32[?, 4], the array is float32[5, 3]" in text
    text = refusal(model, tmp_path, {"left": left, "right": right[1:]})
    assert "'left' has 5 rows, 'right' 4" in text
    assert "samples-5" in refusal(model, tmp_path, {"left": left * np.nan, "right": right})
    assert "samples-4" in refusal(model, tmp_path, {"left": left + 0j, "right": right})
    text = refusal(model, tmp_path, None, "--quantize", "dynamic_int8", "--input-type", "int8")
    assert "quantize-10: the inputs' type 'int8' needs a recipe" in text
    assert "Did you mean `moving_average`?" in refusal(
        model, tmp_path, None, "--calibrate-method", "moving_averag"
    )


def test_values_of_masks_stay_float(tmp_path):
    """-1e9 beside scores would leave the scores no steps."""

    def attention(x, mask):
        scores = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
        return ops.softmax(scores + ops.where(mask > 0, 0.0, -1e9))

    # Scores have a range of 20: half of their step in the exponent changes a probability by 1 %.
    model = functional(attention, (5, 5), (5, 5))
    result = quantized(model, "int8", tmp_path, 8 / 255)
    reports = {op["op"]: op for op in result.report["quantized"]}
    assert reports["BATCH_MATMUL"]["recipe"] == "static_wi8_ai8"
    assert reports["ADD"]["recipe"] == "float32" and "reaches 1.0e+09" in reports["ADD"]["reason"]


def test_columns_of_other_sizes_stay_float_until_they_are_scaled(tmp_path):
    """Columns of 1e-3 and 1e3: one scale for all would leave the small ones no steps."""
    size = np.logspace(-3, 3, 12).astype("float32")
    x = keras.Input((12,), name="x")
    y = layers.Normalization(mean=size, variance=size**2, name="scaled")(x)
    model = keras.Model(x, layers.Dense(20, name="d")(y))
    model.get_layer("d").kernel.assign(np.random.default_rng(0).normal(size=(12, 20)))
    rows = (size * (1 + np.random.default_rng(1).normal(size=(32, 12)))).astype("float32")
    np.savez(tmp_path / "samples.npz", x=rows)
    result = check(
        model,
        [[rows]],
        randomized=False,
        arguments=(
            *("--quantize", "int8", "--calibrate", tmp_path / "samples.npz"),
            *("--runtime", RUNTIME),
        ),
        tolerance=WEIGHTS + INT8,
    )
    reports = {op["op"]: op for op in result.report["quantized"]}
    assert reports["MUL"]["recipe"] == "float32"
    assert "steps of its result of one step of its input" in reports["MUL"]["reason"]
    assert reports["FULLY_CONNECTED"]["recipe"] == "static_wi8_ai8"


def test_columns_far_from_0_stay_float_until_their_mean_is_taken_away(tmp_path):
    """1000 ± 1: one step of 0 … 1003 is more than what is to be told apart."""
    x = keras.Input((12,), name="x")
    deviation = np.linspace(1, 3, 12)
    y = layers.Normalization(mean=np.full(12, 1000.0), variance=deviation**2, name="centered")(x)
    model = keras.Model(x, layers.Dense(20, name="d")(y))
    model.get_layer("d").kernel.assign(np.random.default_rng(0).normal(size=(12, 20)))
    rows = (1000 + deviation * np.random.default_rng(1).normal(size=(32, 12))).astype("float32")
    np.savez(tmp_path / "samples.npz", x=rows)
    result = check(
        model,
        [[rows]],
        randomized=False,
        arguments=(
            *("--quantize", "int8", "--calibrate", tmp_path / "samples.npz"),
            *("--runtime", RUNTIME),
        ),
        tolerance=WEIGHTS + INT8,
    )
    reports = {op["op"]: op for op in result.report["quantized"]}
    assert reports["ADD"]["recipe"] == "float32"
    assert "its offsets make" in reports["ADD"]["reason"]
    assert reports["FULLY_CONNECTED"]["recipe"] == "static_wi8_ai8"


def test_normalized_images_are_centered_and_their_factors_are_the_convolutions(tmp_path):
    """As EfficientNet has it: 0 … 255, its mean taken away, scaled, padded, and convolved."""
    x = keras.Input((64, 64, 3), name="x")
    y = layers.Rescaling(1 / 255)(x)
    y = layers.Normalization(mean=[0.5, 0.45, 0.4], variance=[0.05, 0.06, 0.04])(y)
    y = layers.ZeroPadding2D(((0, 1), (0, 1)))(y)
    model = keras.Model(x, layers.Conv2D(8, 3, strides=2, name="c")(y))
    result = quantized(model, "int8", tmp_path, WEIGHTS + INT8, low=0, high=255)
    assert is_float_free(result)
    assert set(result.operators) == {"QUANTIZE", "ADD", "CONV_2D", "DEQUANTIZE"}


def test_mixed_precision(tmp_path):
    """Rules: one layer float, one of other weights, one with other activations."""
    x = keras.Input((12,), name="x")
    y = layers.Dense(60, name="a", activation="relu")(x)
    for name in "bcd":
        y = layers.Dense(60, name=name, activation="tanh")(y)
    model = keras.Model(x, layers.Dense(5, name="e")(y))
    rules = ("--quantize-rule", "b=float32", "--quantize-rule", "c=float16")
    result = quantized(
        model, "int8", tmp_path, 3e-2, (*rules, "--quantize-rule", "d=int16x8"), batch=16
    )
    recipes = {(op["layer"], op["op"]): op["recipe"] for op in result.report["quantized"]}
    assert recipes["a", "FULLY_CONNECTED"] == recipes["e", "FULLY_CONNECTED"] == "static_wi8_ai8"
    assert recipes["b", "FULLY_CONNECTED"] == "float32"
    assert recipes["c", "FULLY_CONNECTED"] == "float16"
    assert recipes["d", "FULLY_CONNECTED"] == recipes["d", "TANH"] == "static_wi8_ai16"


@pytest.mark.parametrize("recipe", ["int8", "dynamic_int8"])
def test_measured_errors(recipe, tmp_path):
    """The report's ratios are those of the file's outputs against Keras's on the samples."""
    x = keras.Input((12,), name="x")
    y = layers.Dense(100, name="a", activation="relu")(x)
    model = randomize(keras.Model(x, [layers.Dense(5, name="b")(y), y]))
    arrays = samples(model, batch=40)
    np.savez(tmp_path / "samples.npz", **arrays)
    target = tmp_path / "model.tflite"
    arguments = ["--quantize", recipe, "--calibrate", tmp_path / "samples.npz"]
    arguments += ["--runtime", RUNTIME, "--json"]
    report = json.loads(convert(save(model, tmp_path), target, *arguments).stdout)
    runner = Interpreter(str(target)).get_signature_runner("serving_default")
    outputs = runner(x=arrays["x"])
    for error, want in zip(report["output_errors"], model(arrays["x"])):
        want = keras.ops.convert_to_numpy(want)
        difference = outputs[error["name"]] - want
        sqnr = 10 * np.log10(np.sum(want**2) / np.sum(difference**2))
        assert 25 < sqnr < 60
        # Dynamic quantization depends on the batch, and a batch here is not that of the tool.
        tolerance = 0.1 if recipe == "int8" else 1.5
        assert abs(error["sqnr_db"] - sqnr) < tolerance
        worst = np.abs(difference).max()
        assert abs(error["max_absolute"] - worst) < 0.02 * worst + (recipe != "int8") * worst
        assert np.isclose(error["max_relative"], error["max_absolute"] / np.ptp(want), rtol=1e-4)
    by_layer = {op["layer"]: op["output_sqnr_db"] for op in report["quantized"]}
    assert by_layer == {
        "a": report["output_errors"][1]["sqnr_db"],
        "b": report["output_errors"][0]["sqnr_db"],
    }
    assert [path.name for path in tmp_path.glob("*.tflite")] == ["model.tflite"]


def tokens_model(body):
    ids = keras.Input((6,), dtype="int32", name="ids")
    y = layers.Embedding(50, 24, name="table")(ids)
    return keras.Model(ids, layers.Dense(4, name="head")(body(y)))


def attention(y):
    z = layers.MultiHeadAttention(2, 12, name="attention")(y, y)
    return layers.GlobalAveragePooling1D()(layers.LayerNormalization()(y + z))


SEQUENCES = {
    "LSTM": lambda: tokens_model(layers.LSTM(16)),
    "LSTM, unrolled": lambda: tokens_model(layers.LSTM(16, unroll=True)),
    "GRU": lambda: tokens_model(layers.GRU(16)),
    "attention": lambda: tokens_model(attention),
}


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences(name, recipe, tmp_path):
    """Embeddings, recurrence and attention: several operators' errors add up."""
    tolerance = 0.06 if recipe == "int8" else 0.02
    result = quantized(SEQUENCES[name](), recipe, tmp_path, tolerance, batch=16, integers=50)
    recipes = {op["recipe"] for op in result.report["quantized"]}
    assert any(recipe.startswith("static") for recipe in recipes), recipes
    for op in result.report["quantized"]:
        if not op["recipe"].startswith("static"):
            assert op["reason"], op


@pytest.mark.parametrize("steps", [12, 36])
@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
@pytest.mark.parametrize("cell", [layers.GRU, layers.LSTM])
def test_recurrent_weights_are_stored_once(cell, recipe, steps, tmp_path):
    """In 12 steps one after the other, and in a loop of 8 steps at once with 4 steps beside it.

    The loop computes with floats and int8 weights, and so do the steps beside it.
    """
    x = keras.Input((steps, 20), name="x")
    model = keras.Model(x, layers.Dense(4, name="head")(cell(96, name="cell")(x)))
    result = quantized(model, recipe, tmp_path, 0.06 if recipe == "int8" else 0.02, batch=16)
    weights = sum(int(np.prod(w.shape)) for w in model.weights)
    # As int8, with what the steps need besides: 150 bytes for each operator, 12 for each channel.
    assert result.size < weights + 150 * sum(result.operators.values()) + 12 * 2 * 96 * 4 + 4000
    of_cell = [op for op in result.report["quantized"] if op["layer"] == "cell"]
    stored = sum(op["bytes_before"] for op in of_cell if op["op"] == "FULLY_CONNECTED")
    assert 0.97 * 4 * weights < stored < 1.05 * 4 * weights
    recipes = {op["recipe"] for op in of_cell if op["bytes_after"] > 1024}
    static = "static_wi8_ai8" if recipe == "int8" else "static_wi8_ai16"
    loops = [op for op in of_cell if op["op"] == "WHILE"]
    if steps == 12:
        assert recipes == {static} and not loops
    else:
        assert recipes == {static, "dynamic_wi8_afp32"} and len(loops) == 1
        assert loops[0]["recipe"] == "float32" and "is not observed" in loops[0]["reason"]
        assert result.operators["TANH"] >= 12
        assert {op["op"] for op in of_cell if op["recipe"] == static} == {"FULLY_CONNECTED"}


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
def test_activations_that_are_never_above_zero(tmp_path, recipe):
    """LiteRT counts RELU6's 6 in steps of what was observed, and refuses more than 2^31."""
    x = keras.Input((6, 6, 2))
    quiet = layers.Conv2D(3, 3, bias_initializer=keras.initializers.Constant(-1e3), name="quiet")
    y = layers.Concatenate()([layers.ReLU(6)(quiet(x)), layers.ReLU(6)(layers.Conv2D(3, 3)(x))])
    z = layers.ReLU(6)(layers.Conv2D(2, 1, bias_initializer=keras.initializers.Constant(-99))(y))
    model = keras.Model(x, [layers.Dense(2)(layers.Flatten()(y)), z])
    images = np.random.default_rng(0).normal(size=(20, 6, 6, 2)).astype("float32")
    np.savez(tmp_path / "samples.npz", arr_0=images)
    arguments = ("--quantize", recipe, "--calibrate", tmp_path / "samples.npz")
    arguments = (*arguments, "--runtime", RUNTIME)
    check(model, [[images[:3]]], randomized=False, arguments=arguments, tolerance=0.05)
