"""The oracle: a converted file, run in the LiteRT runtime, against Keras's own output.

    from oracle import check, check_layer, check_refused, shows

    @shows("layers.Dense", "units", "use_bias")
    def test_dense():
        check_layer(layers.Dense(5, use_bias=False), (7,))

`check(model)` saves the model as `.keras`, converts it with the command line tool, and asserts that

  * the file holds builtin operators only, and one signature `serving_default`;
  * its inputs have the model's names, order, dtypes and shapes, unknown dimensions as -1 in
    `shape_signature`; its outputs have the model's names, order and dtypes;
  * for each set of inputs, after resizing, the outputs equal what Keras computes for
    `training=False`, on the first invocation and on the second (state must not leak from one call
    into the next), with the runtime's default delegate and without any.

Equality: floating point within `tolerance` × the range of Keras's output (design: 1e-5 for one
operation, 1e-4 for a deep network), NaN and infinities at the same places; integers and bools
exactly.

Expected values come from Keras alone. The tool is found by KERAS_LITERT_CLI, else the newest build.
KERAS_LITERT_KEEP=DIR keeps every .keras and .tflite file there.
"""

import collections
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import zlib

import ml_dtypes
import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "numpy")

import keras
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DEEP = 1e-4  # Tolerance for a deep network, of the output's range.

# What each tensor type of the file is in NumPy.
_NUMPY_TYPES = {
    schema.TensorType.FLOAT32: "float32",
    schema.TensorType.FLOAT16: "float16",
    schema.TensorType.BFLOAT16: "bfloat16",
    schema.TensorType.FLOAT64: "float64",
    schema.TensorType.BOOL: "bool",
    schema.TensorType.INT4: "int4",
    schema.TensorType.INT8: "int8",
    schema.TensorType.INT16: "int16",
    schema.TensorType.INT32: "int32",
    schema.TensorType.INT64: "int64",
    schema.TensorType.UINT8: "uint8",
    schema.TensorType.UINT16: "uint16",
    schema.TensorType.UINT32: "uint32",
    schema.TensorType.UINT64: "uint64",
    schema.TensorType.STRING: "string",
    schema.TensorType.COMPLEX64: "complex64",
}
_OPERATOR_NAMES = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
}


# --- What a test shows ----------------------------------------------------------------------------


def not_on_jax(reason):
    """Marks what Keras's own JAX backend cannot compute: there is nothing to compare with."""
    return pytest.mark.skipif(keras.backend.backend() == "jax", reason=f"Keras on JAX: {reason}")


def shows(name, *arguments):
    """Marks a test as showing that `name` works, with the constructor arguments that it varies.

    `name` is a public Keras name without `keras.`: "layers.Conv2D", "activations.gelu",
    "ops.numpy.add". As a decorator, or in `pytest.param(..., marks=shows(...))`. The support table
    (scripts/support_table.py) is made from these marks, and fails for names that Keras does not
    have.
    """
    return pytest.mark.shows(name, *arguments)


def refused(name, reason):
    """Marks a test as showing that `name` is refused with a clear error, and why."""
    return pytest.mark.refused(name, reason)


# --- The command line tool ------------------------------------------------------------------------


class ConversionFailed(AssertionError):
    """The tool ended with an exit code other than 0; the message has its first errors."""

    def __init__(self, completed):
        self.completed = completed
        output = completed.stderr + completed.stdout
        errors = (_parse_json(completed.stdout) or _parse_json(completed.stderr) or {}).get(
            "errors"
        )
        if errors:
            lines = [f"{e['path']}: {e['code']}: {e['message']}" for e in errors[:8]]
            output = "; ".join(lines) + (f"; and {len(errors) - 8} more" if len(errors) > 8 else "")
        super().__init__(f"exit code {completed.returncode}: {output}")


@functools.cache
def cli():
    """Path of the command line tool: KERAS_LITERT_CLI, else the newest one built."""
    given = os.environ.get("KERAS_LITERT_CLI")
    if given:
        return str(pathlib.Path(given).resolve())
    built = list(REPOSITORY.glob("build/*/tools/keras-litert/keras-litert"))
    if not built:
        pytest.fail(
            "no keras-litert: build it (cmake --preset dev; ninja -C build/dev), "
            "or set KERAS_LITERT_CLI"
        )
    return str(max(built, key=lambda path: path.stat().st_mtime))


def run_cli(*arguments, timeout=120):
    """Runs the tool; returns subprocess.CompletedProcess with text output."""
    return subprocess.run(
        [cli(), *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False
    )


@contextlib.contextmanager
def workplace():
    """A folder for one case's files: temporary, or a new one under KERAS_LITERT_KEEP."""
    keep = os.environ.get("KERAS_LITERT_KEEP")
    if keep:
        test = os.environ.get("PYTEST_CURRENT_TEST", "case").split("::")[-1].split(" ")[0]
        pathlib.Path(keep).mkdir(parents=True, exist_ok=True)
        safe = re.sub(r"[^\w.=-]+", "_", test)[:80]
        yield pathlib.Path(tempfile.mkdtemp(prefix=f"{safe}-", dir=keep))
        return
    with tempfile.TemporaryDirectory(prefix="keras-litert-") as folder:
        yield pathlib.Path(folder)


def convert(source, target, *arguments):
    """Converts a saved model; raises ConversionFailed unless it worked."""
    completed = run_cli("convert", source, "-o", target, *arguments)
    if completed.returncode != 0:
        raise ConversionFailed(completed)
    assert target.exists(), "exit code 0, but no file"
    return completed


def save(model, folder, extension=".keras"):
    path = folder / f"model{extension}"
    model.save(path)
    return path


# --- Weights and inputs ---------------------------------------------------------------------------


def randomize(model, seed=0):
    """Sets every floating-point weight from a seeded generator, at scales a trained model has.

    Kernels keep the variance of what passes through them (1 / fan-in), variances are in [0.5, 2],
    scales around 1 on either side, shifts and means around 0. Integer weights (tables, counts,
    quantized kernels, random seeds) stay. Returns the model.
    """
    count = collections.Counter()
    for variable in model.variables:
        dtype = keras.backend.standardize_dtype(variable.dtype)
        if "float" not in dtype or "seed_generator" in variable.path:
            continue
        # One generator for each weight, so that a weight's values depend on its role, its shape and
        # how many such there are before it: no two are equal, or exchanging them would not show.
        key = (zlib.crc32(_role(variable).encode()), *variable.shape)
        rng = np.random.default_rng([seed, count[key], *key])
        count[key] += 1
        variable.assign(_plausible(variable, rng).astype(_numpy_dtype(dtype)))
    return finalize_statistics(model)


def finalize_statistics(model):
    """Normalization computes with copies of its weights, made here and when a file is loaded."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


def _role(variable):
    """Where a weight belongs, without the counters that Keras puts behind names of its own."""
    return re.sub(r"_\d+", "", variable.path)


def _plausible(variable, rng):
    name, shape = variable.name, tuple(variable.shape)
    if "variance" in name:
        return rng.uniform(0.5, 2.0, shape)
    if name in ("gamma", "scale"):
        return rng.uniform(0.6, 1.4, shape) * rng.choice([1.0, 1.0, 1.0, -1.0], shape)
    if name in ("alpha", "lambda"):
        return rng.uniform(0.05, 0.6, shape)
    if name == "embeddings":
        return rng.standard_normal(shape, "float32")
    if len(shape) < 2:
        return 0.3 * rng.standard_normal(shape, "float32")
    fan_in = np.prod(shape[:-2] if "depthwise" in variable.path else shape[:-1])
    return rng.standard_normal(shape, "float32") / np.float32(np.sqrt(max(1, fan_in)))


def _numpy_dtype(dtype):
    return np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)


def random_array(rng, shape, dtype, low=None, high=None):
    """Floats from N(0, 1), or uniform in [low, high); integers in [low or 0, high or 8); bools."""
    dtype = _numpy_dtype(dtype)
    if dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        return rng.integers(0 if low is None else low, 8 if high is None else high, shape).astype(
            dtype
        )
    if low is None and high is None:
        return rng.normal(0.0, 1.0, shape).astype(dtype)
    return rng.uniform(
        low if low is not None else 0.0, high if high is not None else 1.0, shape
    ).astype(dtype)


def random_inputs(model, batch=1, size=5, seed=0, low=None, high=None):
    """Arrays in the model's input structure. Unknown dimensions: `batch` first, then `size`.

    `size` may be a list, taken in turn by the unknown dimensions of each input after its first.
    """
    rng = np.random.default_rng([seed, batch])
    sizes = size if isinstance(size, (list, tuple)) else [size]

    def draw(tensor):
        shape, unknown = [], 0
        for axis, dimension in enumerate(tensor.shape):
            if dimension is not None:
                shape.append(dimension)
            elif axis == 0:
                shape.append(batch)
            else:
                shape.append(sizes[unknown % len(sizes)])
                unknown += 1
        return random_array(rng, shape, keras.backend.standardize_dtype(tensor.dtype), low, high)

    return keras.tree.map_structure(draw, input_structure(model))


# --- Structures and names -------------------------------------------------------------------------


def input_structure(model):
    """The structure of KerasTensors that the model was built with."""
    functional = getattr(model, "_functional", None) or model  # Sequential holds a Functional.
    structure = functional._inputs_struct
    if isinstance(structure, (list, tuple)) and len(structure) == 1:
        return structure[0]
    return structure


def output_structure(model):
    functional = getattr(model, "_functional", None) or model
    return functional._outputs_struct


def signature_inputs(structure):
    """Names of the file's inputs, in order.

    Dict keys (nested structures: the path joined by `_`), else InputLayer names.
    """
    names = []
    for path, tensor in keras.tree.flatten_with_path(structure):
        if any(isinstance(part, str) for part in path):
            names.append("_".join(map(str, path)))
        else:
            names.append(tensor._keras_history.operation.name)
    return names


def signature_outputs(structure):
    """Names of the file's outputs, in order: dict keys (nested: joined by `_`), else `output_0`…"""
    paths = [path for path, _ in keras.tree.flatten_with_path(structure)]
    return [
        "_".join(map(str, path))
        if any(isinstance(part, str) for part in path)
        else f"output_{index}"
        for index, path in enumerate(paths)
    ]


# --- The file -------------------------------------------------------------------------------------


@dataclasses.dataclass
class TensorInfo:
    """An input or output of the signature. `signature` has -1 for a dynamic dimension."""

    name: str
    index: int
    dtype: str
    shape: tuple
    signature: tuple


class File:
    """A .tflite file as the format's own reader sees it."""

    def __init__(self, content):
        self.size = len(content)
        self.model = schema.Model.GetRootAs(content, 0)
        self.inputs, self.outputs = [], []
        self.signature_keys = [
            self.model.SignatureDefs(i).SignatureKey().decode()
            for i in range(self.model.SignatureDefsLength())
        ]
        self.operators = collections.Counter()
        self.custom_operators = []
        codes = []
        for i in range(self.model.OperatorCodesLength()):
            code = self.model.OperatorCodes(i)
            number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            codes.append(_OPERATOR_NAMES.get(number, str(number)))
            if code.CustomCode() is not None or number == schema.BuiltinOperator.CUSTOM:
                self.custom_operators.append((code.CustomCode() or b"CUSTOM").decode())
        for i in range(self.model.SubgraphsLength()):
            graph = self.model.Subgraphs(i)
            for j in range(graph.OperatorsLength()):
                self.operators[codes[graph.Operators(j).OpcodeIndex()]] += 1
        if self.signature_keys:
            definition = self.model.SignatureDefs(0)
            graph = self.model.Subgraphs(definition.SubgraphIndex())
            self.inputs = [
                self._info(graph, definition.Inputs(i)) for i in range(definition.InputsLength())
            ]
            self.outputs = [
                self._info(graph, definition.Outputs(i)) for i in range(definition.OutputsLength())
            ]
            self.graph_inputs = [graph.Inputs(i) for i in range(graph.InputsLength())]
            self.graph_outputs = [graph.Outputs(i) for i in range(graph.OutputsLength())]

    @staticmethod
    def _info(graph, entry):
        tensor = graph.Tensors(entry.TensorIndex())
        shape = tuple(tensor.Shape(i) for i in range(tensor.ShapeLength()))
        dynamic = tuple(tensor.ShapeSignature(i) for i in range(tensor.ShapeSignatureLength()))
        dtype = _NUMPY_TYPES.get(tensor.Type(), str(tensor.Type()))
        return TensorInfo(
            entry.Name().decode(), entry.TensorIndex(), dtype, shape, dynamic or shape
        )


@dataclasses.dataclass
class Result:
    """What `check` found: the operators of the file (name → count), sizes and the largest error."""

    operators: collections.Counter
    size: int  # Bytes.
    error: float  # Largest absolute difference as a fraction of its output's range.
    seconds: float  # Wall time of the tool's whole process.
    report: dict | None  # The tool's --json output.


# --- The comparison -------------------------------------------------------------------------------


def relative_error(actual, expected, label="output"):
    """Largest |actual - expected| over the range of `expected`; 0 where both are exact alike.

    Asserts shapes, exact integers and bools, and NaN and infinities at the same places.
    """
    assert actual.shape == expected.shape, f"{label}: shape {actual.shape}, Keras {expected.shape}"
    if expected.size == 0:
        return 0.0
    if expected.dtype == np.bool_ or expected.dtype.kind in "iu":
        wrong = np.flatnonzero(np.asarray(actual != expected).ravel())
        assert wrong.size == 0, (
            f"{label}: {wrong.size} of {expected.size} differ, first at {wrong[0]}: "
            f"{actual.ravel()[wrong[0]]}, Keras {expected.ravel()[wrong[0]]}"
        )
        return 0.0
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    epsilon = float(ml_dtypes.finfo(expected.dtype).eps)
    actual, expected = actual.astype(wide), expected.astype(wide)
    finite = np.isfinite(expected)
    assert np.array_equal(np.isnan(actual), np.isnan(expected)), (
        f"{label}: NaN at other places than Keras"
    )
    same = np.isnan(expected) | (actual == expected)
    assert same[~finite].all(), f"{label}: infinities at other places than Keras"
    assert np.isfinite(actual[finite]).all(), f"{label}: infinite where Keras is finite"
    if not finite.any():
        return 0.0
    difference = np.abs(actual[finite] - expected[finite])
    largest = np.max(np.abs(expected[finite]))
    scale = np.ptp(expected[finite].real)
    if wide is np.complex128:
        scale = max(scale, np.ptp(expected[finite].imag))
    # Few values, or all alike, have no range to speak of: measure against their size instead.
    if expected.size < 8 or scale == 0.0:
        scale = max(scale, largest) or 1.0
    # Two roundings of the largest value are no error, however small the range is beside it.
    worst = float(np.max(difference))
    return 0.0 if worst <= 2 * epsilon * largest else worst / float(scale)


def _as_numpy(tensor):
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def keras_outputs(model, inputs):
    """Keras's outputs for `training=False`, flattened in order, as arrays."""
    flat = [
        None if x is None else keras.ops.convert_to_tensor(x) for x in keras.tree.flatten(inputs)
    ]
    structured = keras.tree.pack_sequence_as(inputs, flat)
    return [_as_numpy(y) for y in keras.tree.flatten(model(structured, training=False))]


class Runtime:
    """One LiteRT interpreter on a file's bytes."""

    def __init__(self, file, content, delegate):
        self.file = file
        self.interpreter = Interpreter(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=(
                OpResolverType.AUTO
                if delegate
                else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            ),
        )
        self.shapes = None

    def set(self, arrays):
        """Resizes if needed, and hands over the inputs."""
        shapes = [array.shape for array in arrays]
        if shapes != self.shapes:
            for info, array in zip(self.file.inputs, arrays):
                if -1 in info.signature:
                    self.interpreter.resize_tensor_input(info.index, array.shape, strict=True)
            self.interpreter.allocate_tensors()
            self.shapes = shapes
        for info, array in zip(self.file.inputs, arrays):
            self.interpreter.set_tensor(info.index, array)

    def invoke(self):
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(info.index) for info in self.file.outputs]


# --- The checks -----------------------------------------------------------------------------------


def check(
    model,
    inputs=None,
    *,
    expected=None,
    tolerance=1e-5,
    size=((5, 6, 7), (8, 4, 9)),
    low=None,
    high=None,
    seed=0,
    randomized=True,
    stateful=False,
    arguments=(),
    extension=".keras",
    write=None,
    dtypes=None,
    delegates=(True, False),
):
    """Converts the model and compares the file with Keras (see the top of this file).

    model       a built Functional or Sequential model; its weights are randomized unless told
                otherwise.
    inputs      a list of input sets, each in the model's own input structure (array, list or dict
                of arrays). None: random ones for batch 1 and 3 (unknown other dimensions taken from
                `size`, one entry for each set; values from `low` to `high`, see random_array).
    expected    Keras's outputs for each input set (flattened, in order), where the caller has them.
    stateful    compare call after call, from a fresh state for each input set, instead of two equal
                calls.
    arguments   more arguments for the tool; with --static-batch or --shape the inputs must have
                that shape.
    extension   ".keras" or ".h5".
    write       a function (model, folder) → path that writes the file instead of Keras.
    dtypes      what the file has instead of a Keras dtype at its inputs and outputs, where the docs
                say so: {"float64": "float32"}.
    Returns a Result; a test may assert on its operators.
    """
    if randomized:
        randomize(model, seed)
    if inputs is None:
        inputs = _default_inputs(model, size, low, high, seed)
    assert isinstance(inputs, list) and inputs, "inputs: a list of input sets"
    with workplace() as folder:
        target = folder / "model.tflite"
        source = write(model, folder) if write else save(model, folder, extension)
        started = time.perf_counter()
        completed = convert(source, target, "--json", *arguments)
        seconds = time.perf_counter() - started
        content = target.read_bytes()
    file = File(content)
    dtypes = dtypes or {}
    _check_signature(file, model, dtypes, fixed=bool(arguments))

    invocations = 2
    if expected is not None:
        wanted = [[outputs] * invocations for outputs in expected]
    elif stateful:
        wanted = []
        for one in inputs:
            _reset_recurrent_state(model)
            wanted.append([keras_outputs(model, one) for _ in range(invocations)])
    else:
        wanted = [[keras_outputs(model, one)] * invocations for one in inputs]

    worst = 0.0
    for delegate in delegates:
        runtime = Runtime(file, content, delegate)
        # With the delegate the sets come in order, without it in reverse: sizes grow and shrink.
        order = range(len(inputs)) if delegate else reversed(range(len(inputs)))
        for index in order:
            if stateful:
                runtime = Runtime(file, content, delegate)
            arrays = [
                np.asarray(x).astype(_numpy_dtype(info.dtype), copy=False)
                for x, info in zip(keras.tree.flatten(inputs[index]), file.inputs, strict=True)
            ]
            for invocation in range(invocations):
                runtime.set(arrays)
                where = f"input set {index}, invocation {invocation + 1}" + (
                    "" if delegate else ", without delegate"
                )
                actual = runtime.invoke()
                for info, got, want in zip(
                    file.outputs, actual, wanted[index][invocation], strict=True
                ):
                    label = f"{info.name} ({where})"
                    error = relative_error(got, want, label)
                    assert error <= tolerance, (
                        f"{label}: error {error:.2e} of the range, allowed {tolerance:.0e}\n"
                        f"{_describe(got, want)}\n{dict(file.operators)}"
                    )
                    worst = max(worst, error)
    return Result(file.operators, file.size, worst, seconds, _parse_json(completed.stdout))


def check_layer(layer, *shapes, dtype="float32", call=None, batch=None, **options):
    """`check` for one layer on inputs of the given shapes (without the batch; None for unknown).

    Several shapes are given to the layer as a list. `dtype`: of all inputs, or one for each.
    `call`: a function from the layer and its KerasTensors to the outputs, where `layer(x)` is not
    all. `batch`: a fixed batch size.
    """
    dtypes = [dtype] * len(shapes) if isinstance(dtype, str) else dtype
    tensors = [
        keras.Input(shape, batch_size=batch, dtype=d, name=f"input_{i}")
        for i, (shape, d) in enumerate(zip(shapes, dtypes, strict=True))
    ]
    arguments = tensors[0] if len(tensors) == 1 else tensors
    outputs = call(layer, arguments) if call else layer(arguments)
    return check(keras.Model(arguments, outputs), **options)


def check_refused(model, code=None, contains=(), exit_code=None, arguments=(), name="model.keras"):
    """Asserts that the tool refuses the model with a clear error, and leaves no file behind.

    model      a Keras model, a path, or bytes to be written to a file called `name`.
    code       the diagnostic's code, such as "dense-1".
    contains   text, or several, that the error message must have.
    exit_code  None: any failure that is no crash.
    Returns the message.
    """
    with workplace() as folder:
        if isinstance(model, bytes):
            source = folder / name
            source.write_bytes(model)
        elif isinstance(model, (str, pathlib.Path)):
            source = pathlib.Path(model)
        else:
            source = save(model, folder)
        output = folder / "output"
        output.mkdir()
        completed = run_cli("convert", source, "-o", output / "model.tflite", *arguments)
        left = sorted(path.name for path in output.iterdir())
    message = completed.stderr + completed.stdout
    if exit_code is None:
        assert 0 < completed.returncode < 126, f"exit code {completed.returncode}\n{message}"
    else:
        assert completed.returncode == exit_code, (
            f"exit code {completed.returncode}, not {exit_code}\n{message}"
        )
    if code is not None:
        assert re.search(rf"\b{re.escape(code)}\b", message), (
            f"code {code} is not in the message:\n{message}"
        )
    for text in [contains] if isinstance(contains, str) else contains:
        assert text in message, f"{text!r} is not in the message:\n{message}"
    assert not left, f"left behind: {left}"
    return message


def _reset_recurrent_state(model):
    for layer in model._flatten_layers():
        # Recurrent layers alone have this name too; `reset_state` of a lookup would drop its
        # vocabulary.
        if hasattr(layer, "reset_states"):
            layer.reset_states()


def _default_inputs(model, size, low, high, seed):
    dynamic_batch = any(
        len(tensor.shape) > 0 and tensor.shape[0] is None
        for tensor in keras.tree.flatten(input_structure(model))
    )
    unknown = any(None in tensor.shape[1:] for tensor in keras.tree.flatten(input_structure(model)))
    sizes = size if isinstance(size[0], (list, tuple)) else [size]
    if not dynamic_batch and not unknown:
        return [random_inputs(model, 1, seed=seed, low=low, high=high)]
    batches = [1, 3]
    return [
        random_inputs(model, batches[i % 2], sizes[i % len(sizes)], seed + i, low, high)
        for i in range(max(len(batches), len(sizes)))
    ]


def _check_signature(file, model, dtypes, fixed):
    assert not file.custom_operators, f"custom operators: {file.custom_operators}"
    flex = [name for name in file.operators if "flex" in name.lower()]
    assert not flex, f"Flex operators: {flex}"
    assert file.signature_keys == ["serving_default"], file.signature_keys
    assert [info.index for info in file.inputs] == file.graph_inputs, (
        "signature and graph order differ"
    )
    assert [info.index for info in file.outputs] == file.graph_outputs, (
        "signature and graph order differ"
    )

    inputs, outputs = input_structure(model), output_structure(model)
    assert [info.name for info in file.inputs] == signature_inputs(inputs)
    assert [info.name for info in file.outputs] == signature_outputs(outputs)
    for info, tensor in zip(file.inputs, keras.tree.flatten(inputs), strict=True):
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        assert info.dtype == dtypes.get(dtype, dtype), f"{info.name}: {info.dtype}, Keras {dtype}"
        if not fixed:
            signature = tuple(-1 if d is None else d for d in tensor.shape)
            assert info.signature == signature, f"{info.name}: {info.signature}, Keras {signature}"
            shape = tuple(1 if d is None else d for d in tensor.shape)
            assert info.shape == shape, f"{info.name}: {info.shape}, expected {shape}"
    for info, tensor in zip(file.outputs, keras.tree.flatten(outputs), strict=True):
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        assert info.dtype == dtypes.get(dtype, dtype), f"{info.name}: {info.dtype}, Keras {dtype}"


def _describe(actual, expected):
    actual, expected = np.asarray(actual).ravel(), expected.ravel()
    with np.errstate(all="ignore"):
        difference = np.nan_to_num(np.abs(actual.astype("float64") - expected.astype("float64")))
    at = int(np.argmax(difference))
    return (
        f"largest difference {difference[at]:.3e} at {at} of {expected.size}: "
        f"{actual[at]}, Keras {expected[at]}\n"
        f"LiteRT {actual[:6]}\nKeras  {expected[:6]}"
    )


def _parse_json(text):
    try:
        return json.loads(text)
    except ValueError:
        return None
