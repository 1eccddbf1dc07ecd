"""What went wrong in a model's code, and what its author can do."""

from __future__ import annotations

import linecache
import pathlib
import re
import traceback

import keras
from keras_litert.errors import Diagnostic
from keras_litert.tracer.sizes import UnknownSize
from keras_litert.tracer.trace import Trace, TraceError

_BACKENDS = {"jax": "jax", "jaxlib": "jax", "torch": "torch", "tensorflow": "tf", "numpy": "np"}


def explain(trace: Trace, exception: BaseException) -> list[Diagnostic]:
    """The diagnostics of an exception that ended a trace, where it was raised."""
    if isinstance(exception, TraceError):
        return exception.diagnostics
    path = trace.failed_path or ""
    where, line = _user_code(exception)
    at = f" ({where}: {line})" if where else ""
    message = re.sub(r"\x1b\[\d*m", "", str(exception))
    message = message.split("\n\nArguments received by")[0].strip()
    message = re.sub(r"^Exception encountered when calling [^\n]*\n\n", "", message)
    if isinstance(exception, UnknownSize):
        return [
            Diagnostic(
                path,
                "trace-3",
                message + at,
                "Fix the size in input_signature, or compute with keras.ops.",
            )
        ]
    call = _backend_call(exception, line)
    if call:
        return [
            Diagnostic(
                path,
                "trace-4",
                f"{call} is called on a tensor of the model{at}",
                f"Call {_suggestion(call)} instead: keras.ops works on every backend and can be "
                "exported.",
            )
        ]
    return [
        Diagnostic(
            path,
            "trace-5",
            f"{type(exception).__name__}: {message.splitlines()[0] if message else ''}{at}",
            "Functions of a backend do not take tensors of the model: keras.ops works on every "
            "backend and can be exported."
            if "keras_litert.tracer" in message
            else "",
        )
    ]


def _user_code(exception: BaseException) -> tuple[str, str]:
    """The innermost line that is neither Keras's nor this package's nor a backend's."""
    keras_root = str(pathlib.Path(keras.__file__).parent)
    own = str(pathlib.Path(__file__).parents[1])
    found = ("", "")
    for frame, number in traceback.walk_tb(exception.__traceback__):
        file = frame.f_code.co_filename
        if file.startswith((keras_root, own, "<")) or "site-packages" in file:
            continue
        line = linecache.getline(file, number).strip()
        if line:
            found = (f"{pathlib.Path(file).name}, line {number}", line)
    return found


def _backend_call(exception: BaseException, line: str) -> str:
    """`jnp.sin` where the exception comes from a call of a backend's own function."""
    if not isinstance(exception, (TypeError, AttributeError, ValueError)):
        return ""
    if not re.search(r"traced tensor|Tensor|__array_ufunc__|ufunc", str(exception)):
        return ""
    calls = re.findall(r"\b((?:jnp|jax|lax|np|numpy|torch|tf|F)(?:\.\w+)+)\s*\(", line)
    return calls[0] if calls else ""


def _suggestion(call: str) -> str:
    name = call.rsplit(".", 1)[-1]
    for candidate in (
        name,
        {
            "concat": "concatenate",
            "cat": "concatenate",
            "pow": "power",
            "abs": "absolute",
            "reduce_sum": "sum",
            "reduce_mean": "mean",
            "reduce_max": "max",
            "reduce_min": "min",
        }.get(name, name),
    ):
        if hasattr(keras.ops, candidate):
            return f"keras.ops.{candidate}"
    return "a function of keras.ops"
