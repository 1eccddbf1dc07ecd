"""Every operator that computes in integers, within the steps of its result's scale.

What goes in lies on the grid of the file's input scale, and weights on that of theirs, so both are
exact in integers; samples are the inputs that are tested, so nothing is clipped. What is left is
what the kernel rounds: half a step of its result where it is exact, some steps where it looks
values up in a table or multiplies in fixed point. Inputs and outputs are integers, too: no file has
a float tensor. Each runs in the Interpreter with XNNPACK and without, and in CompiledModel.
"""

import json
import pathlib

import ai_edge_litert
import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from keras import layers, ops
from oracle import convert, randomize, save
from quantize.compiled import run_compiled

RUNTIME = pathlib.Path(ai_edge_litert.__file__).parent
BATCH = 2
NONE = None  # No int16 kernel.

# name → (function, LiteRT's operator, steps of int8, steps of int16)
MOVING = {
    "reshape": (lambda x: ops.reshape(x, (BATCH, -1, 8)), "RESHAPE", 0, 0),
    "squeeze": (lambda x: ops.squeeze(x[:, :1], 1), "RESHAPE", 0, 0),
    "transpose": (lambda x: ops.transpose(x, (0, 3, 1, 2)), "TRANSPOSE", 0, 0),
    "slice": (lambda x: x[:, 1:5, :, 1:3], "STRIDED_SLICE", 0, 0),
    "strided": (lambda x: x[:, ::2, ::-1], "STRIDED_SLICE", 0, 0),
    "take": (lambda x: ops.take(x, [2, 0, 1], axis=1), "GATHER", 0, 0),
    "tile": (lambda x: ops.tile(x, [1, 2, 1, 1]), "TILE", 0, 0),
    "broadcast": (lambda x: ops.broadcast_to(x[:, :1], (BATCH, 5, 8, 4)), "BROADCAST_TO", 0, 0),
    "pad": (lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 0], [0, 0]]), "PAD", 0, 0),
    "pad, value": (
        lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 0], [0, 0]], constant_values=0.5),
        "PADV2",
        0.51,
        0.51,
    ),
    "mirror": (
        lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 0], [0, 0]], "reflect"),
        "MIRROR_PAD",
        0,
        0,
    ),
    "concatenate": (lambda x: ops.concatenate([x, x[:, :2]], 1), "CONCATENATION", 0, 0),
    "stack": (lambda x: ops.stack([x, ops.flip(x, 1)], 1), "PACK", 0, NONE),
    "split": (lambda x: ops.concatenate(ops.split(x, 2, -1)[::-1], -1), "SPLIT", 0, 0),
    "flip": (lambda x: ops.flip(x, 2), "REVERSE_V2", 0, NONE),
    "maximum": (lambda x: ops.maximum(x, x[:, ::-1]), "MAXIMUM", 0, 0),
    "minimum": (lambda x: ops.minimum(x, x[:, ::-1]), "MINIMUM", 0, 0),
    "max": (lambda x: ops.max(x, 1), "REDUCE_MAX", 0, 0),
    "min": (lambda x: ops.min(x, (1, 2)), "REDUCE_MIN", 0, 0),
    "where": (
        lambda x: ops.where(np.arange(8)[:, None] % 3 == 0, x, x[:, ::-1]),
        "SELECT_V2",
        0,
        0,
    ),
    "max_pool": (lambda x: ops.max_pool(x, 2, 2, "same"), "MAX_POOL_2D", 0, 0),
    "average_pool": (lambda x: ops.average_pool(x, 2, 2), "AVERAGE_POOL_2D", 0.51, 0.51),
    "nearest": (
        lambda x: ops.image.resize(x, (9, 8), interpolation="nearest"),
        "RESIZE_NEAREST_NEIGHBOR",
        0,
        0,
    ),
    "bilinear": (lambda x: ops.image.resize(x, (9, 8)), "RESIZE_BILINEAR", 1, 130),
    "argmax": (lambda x: ops.argmax(x, -1), "ARG_MAX", 0, NONE),
    "greater": (lambda x: ops.greater(x, x[:, ::-1]), "GREATER", 0, NONE),
    "equal": (lambda x: ops.equal(x, x[:, ::-1]), "EQUAL", 0, NONE),
    "top_k": (lambda x: ops.top_k(x, 2)[0], "TOPK_V2", 0, NONE),
}
COMPUTING = {
    "add": (lambda x: ops.add(x, x[:, :1]), "ADD", 1, 1),
    "add, constant": (lambda x: x + 0.75, "ADD", 1, 2),
    "subtract": (lambda x: x - x[:, ::-1], "SUB", 1, 2),
    "multiply": (lambda x: x * x[:, ::-1], "MUL", 1, 1),
    "squared_difference": (lambda x: ops.square(x - x[:, ::-1]), "MUL", 60, 2),
    "matmul": (lambda x: ops.matmul(x, ops.transpose(x, (0, 1, 3, 2))), "BATCH_MATMUL", 1, 1.5),
    "mean": (lambda x: ops.mean(x, 1), "MEAN", 1, 1),
    "sum": (lambda x: ops.sum(x, (1, 2)), "SUM", 1, 1),
    "relu": (ops.relu, "RELU", 1, 1),
    "relu6": (ops.relu6, "RELU6", 1, 1),
    "leaky_relu": (lambda x: ops.leaky_relu(x, 0.2), "LEAKY_RELU", 1, 1),
    "elu": (ops.elu, "ELU", 1, NONE),
    "gelu": (ops.gelu, "GELU", 1, NONE),
    "hard_swish": (ops.hard_swish, "HARD_SWISH", 2, NONE),
    "sigmoid": (ops.sigmoid, "LOGISTIC", 1, 8),
    "tanh": (ops.tanh, "TANH", 1, 8),
    "softmax": (ops.softmax, "SOFTMAX", 1, 8),
    "log_softmax": (ops.log_softmax, "LOG_SOFTMAX", 1, NONE),
    "abs": (ops.abs, "ABS", 1, 1),
    "exp": (ops.exp, "EXP", 1, 300),
}
POSITIVE = {
    "log": (ops.log, "LOG", 1, 60),
    "sqrt": (ops.sqrt, "SQRT", 1, 60),
    "rsqrt": (ops.rsqrt, "RSQRT", 1, 300),
}
WEIGHTED = {
    "Dense": (layers.Dense(20, activation="relu"), "FULLY_CONNECTED", 1, 1),
    "Dense without bias": (layers.Dense(20, use_bias=False), "FULLY_CONNECTED", 1, 1),
    "Conv2D": (layers.Conv2D(8, 3, strides=2, activation="relu"), "CONV_2D", 1, 1),
    "Conv2D, dilated": (layers.Conv2D(8, 3, dilation_rate=2), "CONV_2D", 1, 1),
    "Conv2D, same": (layers.Conv2D(8, 3, padding="same"), "CONV_2D", 1, 1),
    "Conv2D, groups": (layers.Conv2D(8, 3, groups=2), "CONV_2D", 1, 1),
    "DepthwiseConv2D": (layers.DepthwiseConv2D(3, depth_multiplier=2), "DEPTHWISE_CONV_2D", 1, 1),
    "Conv2DTranspose": (layers.Conv2DTranspose(6, 3, strides=2), "TRANSPOSE_CONV", 1, 1),
}
ROWS = {
    "Conv1D": (layers.Conv1D(12, 3, padding="same"), "CONV_2D", 1, 1),
    "Conv1D, causal": (layers.Conv1D(12, 3, padding="causal"), "CONV_2D", 1, 1),
    "DepthwiseConv1D": (layers.DepthwiseConv1D(3), "DEPTHWISE_CONV_2D", 1, 1),
    "Conv1DTranspose": (layers.Conv1DTranspose(6, 3, strides=2), "TRANSPOSE_CONV", 1, 1),
    "MaxPooling1D": (layers.MaxPooling1D(2), "MAX_POOL_2D", 0, 0),
    "Dense of rank 3": (layers.Dense(20), "FULLY_CONNECTED", 1, 1),
    "PReLU": (layers.PReLU(), "PRELU", 1.5, NONE),
}
GROUPS = {
    "moving": (MOVING, (6, 8, 4), (-4, 4)),
    "computing": (COMPUTING, (6, 8, 4), (-4, 4)),
    "positive": (POSITIVE, (6, 8, 4), (0.5, 3)),
    "weights": (WEIGHTED, (6, 8, 4), (-4, 4)),
    "weights of rows": (ROWS, (9, 10), (-4, 4)),
}


def weights_on_grid(model, seed=0):
    """Kernels of multiples of a step for each output channel, 127 of them the largest."""
    rng = np.random.default_rng(seed)
    for layer in randomize(model).layers:
        for variable in layer.trainable_variables:
            if len(variable.shape) < 2 or variable.name == "alpha":
                continue
            shape = tuple(variable.shape)
            transposed = isinstance(layer, (layers.Conv1DTranspose, layers.Conv2DTranspose))
            depthwise = isinstance(layer, (layers.DepthwiseConv1D, layers.DepthwiseConv2D))
            channels = [len(shape) - 2] if transposed else [len(shape) - 1]
            channels += [len(shape) - 2] if depthwise else []
            q = rng.integers(-127, 128, shape)
            first = tuple(slice(None) if axis in channels else 0 for axis in range(len(shape)))
            q[first] = 127
            steps = [n if axis in channels else 1 for axis, n in enumerate(shape)]
            step = 2.0 ** rng.integers(-11, -8, steps)
            variable.assign(q * step)
    return model


def runs(path, given):
    """Outputs in the signature's order, by each way to run the file."""
    for resolver in (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
        interpreter = Interpreter(str(path), experimental_op_resolver_type=resolver)
        runner = interpreter.get_signature_runner("serving_default")
        yield resolver.name, runner(x=given)
    yield "CompiledModel", run_compiled(path, given, runner.get_output_details())


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
@pytest.mark.parametrize("group", GROUPS)
def test_within_steps(group, recipe, tmp_path):
    cases, shape, (low, high) = GROUPS[group]
    wide = recipe == "int16x8"
    cases = {name: case for name, case in cases.items() if not wide or case[3] is not NONE}
    x = keras.Input(shape, batch_size=BATCH, name="x")
    model = keras.Model(x, [function(x) for function, *_ in cases.values()])
    weights_on_grid(model)
    # Numbers of the scale that their own ends give: what is tested is what was calibrated.
    most, step = (32767, high / 32767) if wide else (127, (high - min(low, 0)) / 255)
    zero = 0 if wide else -128 - round(min(low, 0) / step)
    least = max(-most - (not wide), int(np.floor(low / step)) + zero)
    q = np.random.default_rng(7).integers(least, most + 1, (BATCH, *shape))
    q.flat[:2] = least, most
    data = ((q - zero) * step).astype("float32")
    np.savez(tmp_path / "samples.npz", x=data)
    target = tmp_path / "model.tflite"
    integer = "int16" if wide else "int8"
    arguments = ["--quantize", recipe, "--calibrate", tmp_path / "samples.npz"]
    arguments += ["--runtime", RUNTIME, "--input-type", integer, "--output-type", integer]
    completed = convert(save(model, tmp_path), target, *arguments, "--json")
    report = json.loads(completed.stdout)
    floats = [op for op in report["quantized"] if not op["recipe"].startswith("static")]
    assert not floats
    written = {entry["op"] for entry in report["quantized"]}
    assert {case[1] for case in cases.values()} <= written

    interpreter = Interpreter(str(target))
    dtypes = {np.dtype(tensor["dtype"]).name for tensor in interpreter.get_tensor_details()}
    assert not dtypes & {"float16", "float32"}, dtypes
    scale, zero = interpreter.get_input_details()[0]["quantization"]
    limits = np.iinfo(integer)
    given = np.clip(np.round(data / scale) + zero, limits.min, limits.max).astype(integer)
    exact = (given.astype("float64") - zero) * scale
    expected = [np.asarray(y) for y in model(exact.astype("float32"), training=False)]
    details = interpreter.get_signature_runner("serving_default").get_output_details()
    wrong = []
    for how, actual in runs(target, given):
        for i, (name, case) in enumerate(cases.items()):
            scale, zero = details[f"output_{i}"]["quantization"]
            got = actual[f"output_{i}"]
            if got.dtype != integer:
                error = np.max(got != expected[i])  # Positions and truths.
            else:
                error = np.max(np.abs((got.astype("float64") - zero) - expected[i] / scale))
            if error > case[3 if wide else 2] + 0.02:
                wrong.append(f"{how}: {name}: {error:.2f} steps")
    assert not wrong, "\n".join(wrong)
