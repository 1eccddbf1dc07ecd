"""Where a file's values leave the model's: the first layer that differs."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras.src.layers.layer import Layer


@contextlib.contextmanager
def layer_outputs(model: keras.Model) -> Iterator[list[np.ndarray]]:
    """What the model's layers give while it runs in this thread, in the order in which they end."""
    found: list[np.ndarray] = []
    original = Layer.__call__
    thread = threading.get_ident()

    @functools.wraps(original)
    def call(self, *args, **kwargs):
        outputs = original(self, *args, **kwargs)
        if threading.get_ident() == thread and self is not model:
            for x in keras.tree.flatten(outputs):
                # Within loops that the backend compiles a tensor has no value: errors of any kind.
                with contextlib.suppress(Exception):
                    if keras.ops.is_tensor(x):
                        found.append(np.asarray(keras.ops.convert_to_numpy(x)))
        return outputs

    Layer.__call__ = call
    try:
        yield found
    finally:
        Layer.__call__ = original


def first_layer(
    path: str,
    run: Callable[[Any], Any],
    wrong: list[int],
    outputs: list[np.ndarray],
    agree: Callable[[np.ndarray, np.ndarray], bool],
) -> str | None:
    """The layer of the file's first operator that is needed for what is wrong, and may be wrong.

    A tensor of the file that agrees with what some layer gives is right, and so is all that it is
    computed of. Of the operators that are left between such tensors and the wrong outputs, the
    first one is where the file departs. Layers that the compiler joined have one tensor, so the
    layer may be a neighbour of the one that is to blame.

    Args:
        path: The file.
        run: Runs the interpreter that it is given on the inputs in question.
        wrong: Numbers of the output tensors that differ.
        outputs: What the model's layers gave on these inputs.
        agree: Whether two arrays of equally many elements are the same to the tolerance.

    Returns:
        Its path as the file's tensors have it; None where that is not known.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        path,
        experimental_preserve_all_tensors=True,
        # Delegates keep what is between their operators to themselves.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    run(interpreter)
    by_size: dict[int, list[np.ndarray]] = {}
    for array in outputs:
        for known in _layouts(array):
            by_size.setdefault(known.size, []).append(known)
    operators = interpreter._get_ops_details()
    producer = {int(t): n for n, op in enumerate(operators) for t in op["outputs"]}
    names = {detail["index"]: detail["name"] for detail in interpreter.get_tensor_details()}
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}

    def is_right(tensor: int) -> bool:
        if operators[producer[tensor]]["op_name"] == "VAR_HANDLE":
            return True  # has no numbers; asked for them, the interpreter crashes
        value = _value(interpreter, details[tensor])
        return value is not None and any(
            agree(value.reshape(-1), known.reshape(-1)) for known in by_size.get(value.size, [])
        )

    suspects: set[int] = set()
    pending = [t for t in wrong if t in producer]
    while pending:
        number = producer[pending.pop()]
        if number in suspects:
            continue
        suspects.add(number)
        for tensor in map(int, operators[number]["inputs"]):
            if tensor in producer and producer[tensor] not in suspects and not is_right(tensor):
                pending.append(tensor)
    for number in sorted(suspects):
        operator = operators[number]
        # Outputs of the file have names of their own; the constants beside them tell the layer.
        for tensor in (*operator["outputs"], *operator["inputs"]):
            layer = _layer_of(names.get(int(tensor), ""), operator["op_name"])
            if layer:
                return layer
    return None


def _layouts(array: np.ndarray) -> Iterator[np.ndarray]:
    """The array, and with its channels last where they may be first."""
    if array.dtype.kind in "fiub" and array.size > 1:
        yield array
        if array.ndim > 2:
            yield np.moveaxis(array, 1, -1)


def _value(interpreter, detail) -> np.ndarray | None:
    """The tensor's numbers, dequantized; None where it has none."""
    try:
        value = interpreter.get_tensor(detail["index"])
    except ValueError:
        return None
    parameters = detail["quantization_parameters"]
    if len(parameters["scales"]) == 1:
        value = (value.astype("float32") - parameters["zero_points"][0]) * parameters["scales"][0]
    return value


def _layer_of(name: str, operator: str) -> str | None:
    """The layer's path in a tensor's name, 'block/dense/FULLY_CONNECTED' or '…/const'."""
    path, found, _ = name.partition(f"/{operator}")
    return path if found else None
