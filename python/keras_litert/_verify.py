"""verify(): the file, run by the LiteRT runtime, against the live model."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import Any

import keras
import numpy as np
from keras_litert import _divergence, _signature

_INTEGERS = 8  # random integers are below


@dataclasses.dataclass(frozen=True)
class OutputComparison:
    """One output of one set of inputs.

    Attributes:
        name: Of the output.
        error: Largest difference, as a fraction of the range of the model's output (of its largest
            magnitude where it has fewer than 8 elements or all are alike). Integers and bools: the
            fraction of elements that differ.
        max_absolute: Largest difference.
        passed: The error is within the tolerance, and shapes, NaNs and infinities agree.
    """

    name: str
    error: float
    max_absolute: float
    passed: bool


@dataclasses.dataclass(frozen=True)
class VerifyReport:
    """What verify() found. True where every output passed.

    Attributes:
        outputs: One for each of the file's outputs, in its order.
        tolerance: The largest error allowed.
        first_difference: The path of the first layer, in the order of the file, that gives
            something else while what it gets agrees with the model. Layers that are one operator in
            the file (a convolution, its normalization, its activation) go by the name of one of
            them. None where all passed, or where no layer can be told.
    """

    outputs: list[OutputComparison]
    tolerance: float
    first_difference: str | None = None

    @property
    def passed(self) -> bool:
        return all(output.passed for output in self.outputs)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        lines = [
            f"  {output.name}: error {output.error:.1e} of the range, "
            f"{'passed' if output.passed else f'allowed {self.tolerance:.0e}'}"
            for output in self.outputs
        ]
        head = "verified"
        if not self.passed:
            where = f", first at '{self.first_difference}'" if self.first_difference else ""
            head = f"differs from the model{where}"
        return "\n".join([head, *lines])


def verify(
    model: keras.Model,
    path: str | os.PathLike[str],
    inputs: Any = None,
    *,
    tolerance: float = 1e-4,
    batch: int = 2,
    size: int = 8,
    seed: int = 0,
    input_signature: Any = None,
) -> VerifyReport:
    """Runs a file in the LiteRT runtime and compares its outputs with the model's.

    Every input is run twice: nothing must leak from one call into the next. A file with state
    (stateful recurrent layers, variables that the model assigns) runs once, from its first state.
    Where an output differs, both run once more to find the first layer that does.

    Args:
        model: The model that the file was exported from.
        path: The `.tflite` file.
        inputs: Arrays in the model's structure; None: random ones (floats from N(0, 1); ints, and
            floats that the file casts to ints, from 0 to 7, or what a table that they index has).
        tolerance: The largest error allowed; see OutputComparison.
        batch, size: What dynamic sizes are for random inputs: the first one, the others.
        seed: Of the random inputs.
        input_signature: As for export(), for a model that does not know its inputs.

    Raises:
        ImportError: `ai-edge-litert` is not installed (`pip install keras-litert[verify]`).
    """
    require_runtime()
    path = os.fspath(path)
    signature = _typed(_signature.infer(model, input_signature), _inputs_of(path))
    if inputs is None:
        arrays = _random(signature.leaves(), batch, size, seed, vocabularies=_vocabularies(path))
    else:
        arrays = [np.asarray(x) for x in _signature.flatten(inputs)]
    return compare(model, path, signature, arrays, tolerance)


def require_runtime() -> None:
    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "verify() needs the LiteRT runtime: pip install ai-edge-litert"
        ) from error


def check_export(model, path, signature, tolerance) -> VerifyReport:
    """compare() of a file just written, on random inputs in the sizes that it takes."""
    details = _inputs_of(path)
    signature = _typed(signature, details)
    leaves = [
        dataclasses.replace(
            leaf,
            shape=tuple(None if n < 0 else int(n) for n in details[leaf.name]["shape_signature"]),
        )
        for leaf in signature.leaves()
    ]
    # 0 and 1 are in every vocabulary, and are segments and masks.
    arrays = _random(leaves, 2, 8, 0, integers=2, vocabularies=_vocabularies(path))
    return compare(model, path, signature, arrays, tolerance)


def _inputs_of(path) -> dict[str, Any]:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(path).get_signature_runner("serving_default").get_input_details()


# What hands numbers on, or some of them.
_MOVES = {
    "CAST", "CONCATENATION", "EXPAND_DIMS", "RESHAPE", "SLICE", "SPLIT", "SQUEEZE",
    "STRIDED_SLICE", "TRANSPOSE", "UNPACK",
}  # fmt: skip


def _vocabularies(path) -> dict[str, int]:
    """The inputs that the file looks up in tables, with the rows of the smallest of them.

    Those of floats among them only where nothing else is done with them; the rows count as
    _INTEGERS where they are not known.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    used: dict[int, list[dict[str, Any]]] = {}
    for operator in interpreter._get_ops_details():
        for tensor in operator["inputs"]:
            used.setdefault(int(tensor), []).append(operator)

    def of(tensor):
        return interpreter._get_tensor_details(tensor, 0)

    def is_index(operator):
        (result,) = operator["outputs"] if operator["op_name"] == "CAST" else (None,)
        return result is not None and np.dtype(of(int(result))["dtype"]).kind in "iu"

    def rows(tensor):
        least, pending, seen = _INTEGERS, [tensor], {tensor}
        while pending:
            at = pending.pop()
            for operator in used.get(at, []):
                inputs = [int(t) for t in operator["inputs"]]
                if operator["op_name"] == "GATHER" and inputs[1] == at:
                    least = min(least, *(int(n) for n in of(inputs[0])["shape"][:1]))
                elif operator["op_name"] in _MOVES:
                    results = [int(t) for t in operator["outputs"] if int(t) not in seen]
                    seen.update(results)
                    pending += results
        return max(least, 1)

    details = interpreter.get_signature_runner("serving_default").get_input_details()
    found = {}
    for name, detail in details.items():
        consumers = used.get(detail["index"], [])
        is_integer = np.dtype(detail["dtype"]).kind in "iu"
        if is_integer or (consumers and all(map(is_index, consumers))):
            found[name] = rows(detail["index"])
    return found


def _typed(signature, details):
    """The signature with the file's dtypes where the model tells none."""

    def typed(leaf):
        if not leaf.guessed or leaf.name not in details:
            return leaf
        return dataclasses.replace(leaf, dtype=np.dtype(details[leaf.name]["dtype"]).name)

    args, kwargs = _signature.map_leaves(typed, (signature.args, signature.kwargs))
    return dataclasses.replace(signature, args=args, kwargs=kwargs)


def compare(model, path, signature, arrays, tolerance) -> VerifyReport:
    """verify() of a model whose inputs are known."""
    from ai_edge_litert.interpreter import Interpreter

    iterator = iter(arrays)
    args, kwargs = _signature.map_leaves(
        lambda leaf: keras.ops.convert_to_tensor(
            next(iterator) if leaf.value is None else leaf.value, dtype=leaf.dtype
        ),
        (signature.args, signature.kwargs),
    )
    kwargs = {**kwargs, **_signature.for_inference(model)}

    interpreter = Interpreter(path)
    has_state = any(op["op_name"] == "VAR_HANDLE" for op in interpreter._get_ops_details())

    def expected():
        with _first_state(model) if has_state else contextlib.nullcontext():
            return [
                np.asarray(keras.ops.convert_to_numpy(y))
                for _, y in _signature.outputs_of(model(*args, **kwargs))
            ]

    def run(interpreter):
        runner = interpreter.get_signature_runner("serving_default")
        details = runner.get_input_details()
        names = [leaf.name for leaf in signature.leaves()]
        feed = {
            name: array.astype(details[name]["dtype"], copy=False)
            for name, array in zip(names, arrays)
        }
        first = runner(**feed)
        return first if has_state else runner(**feed)

    wanted = expected()
    results = run(interpreter)
    order = _signature.output_names_of_file(interpreter)
    comparisons = [
        _compare(name, np.asarray(results[name]), want, tolerance)
        for name, want in zip(order, wanted)
    ]
    wrong = {comparison.name for comparison in comparisons if not comparison.passed}
    first = None
    if wrong:
        runner = interpreter.get_signature_runner("serving_default")
        tensors = [
            detail["index"] for name, detail in runner.get_output_details().items() if name in wrong
        ]
        with _divergence.layer_outputs(model) as outputs:
            expected()
        first = _divergence.first_layer(
            path,
            run,
            tensors,
            outputs,
            lambda actual, known: _compare("", actual, known, tolerance).passed,
        )
    return VerifyReport(comparisons, tolerance, first)


@contextlib.contextmanager
def _first_state(model):
    """The model with the state that its file has at first: zeros in recurrent layers. It gets its
    own back behind."""
    variables = list(getattr(model, "variables", []))
    values = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
    for layer in model._flatten_layers() if hasattr(model, "_flatten_layers") else []:
        if getattr(layer, "stateful", False) and isinstance(layer, keras.layers.RNN):
            layer.reset_state()
    try:
        yield
    finally:
        for variable, value in zip(variables, values):
            variable.assign(value)


def _random(
    leaves, batch, size, seed, integers=_INTEGERS, vocabularies: dict[str, int] | None = None
) -> list[np.ndarray]:
    """`vocabularies`: inputs that take integers, whatever their dtype, and below what."""
    vocabularies = vocabularies or {}
    rng = np.random.default_rng(seed)
    arrays = []
    for leaf in leaves:
        shape = [
            n if n is not None else (batch if axis == 0 else size)
            for axis, n in enumerate(leaf.shape)
        ]
        if leaf.dtype == "bool":
            arrays.append(rng.integers(0, 2, shape).astype(bool))
        elif "int" in leaf.dtype or leaf.name in vocabularies:
            below = min(integers, vocabularies.get(leaf.name, integers))
            arrays.append(rng.integers(0, below, shape).astype(leaf.dtype))
        else:
            dtype = "float32" if leaf.dtype == "bfloat16" else leaf.dtype
            arrays.append(rng.normal(size=shape).astype(dtype))
    return arrays


def _compare(name, actual, expected, tolerance) -> OutputComparison:
    if actual.shape != expected.shape:
        return OutputComparison(name, float("inf"), float("inf"), False)
    if expected.dtype.kind in "biu":
        wrong = float(np.mean(actual != expected)) if expected.size else 0.0
        return OutputComparison(name, wrong, wrong, wrong == 0.0)
    actual, expected = actual.astype("float64"), expected.astype("float64")
    finite = np.isfinite(expected)
    if not np.array_equal(np.isnan(actual), np.isnan(expected)) or not np.array_equal(
        actual[~finite & ~np.isnan(expected)], expected[~finite & ~np.isnan(expected)]
    ):
        return OutputComparison(name, float("inf"), float("inf"), False)
    if not finite.any():
        return OutputComparison(name, 0.0, 0.0, True)
    worst = float(np.max(np.abs(actual[finite] - expected[finite])))
    largest = float(np.max(np.abs(expected[finite])))
    scale = float(np.ptp(expected[finite]))
    if expected.size < 8 or scale == 0.0:
        scale = max(scale, largest) or 1.0
    return OutputComparison(name, worst / scale, worst, worst / scale <= tolerance)
