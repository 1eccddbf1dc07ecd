"""One trace: from calls of backend functions to a graph."""

from __future__ import annotations

import functools
import inspect
import threading
from typing import Any

import keras
import numpy as np
from keras.src import backend
from keras.src.backend.common.variables import Variable as KerasVariable
from keras.src.backend.common.variables import get_autocast_scope
from keras_litert import _core
from keras_litert._arrays import host_array, raw
from keras_litert.errors import Diagnostic, ExportError
from keras_litert.tracer.guess import Uses
from keras_litert.tracer.sizes import Size, is_size
from keras_litert.tracer.tensors import Tensor

_active: Trace | None = None


def active() -> Trace:
    """The trace that runs in this thread.

    Raises:
        RuntimeError: there is none: a traced tensor was kept beyond its export.
    """
    if _active is None or _active.thread != threading.get_ident():
        raise RuntimeError("a traced tensor is used outside of the export that made it")
    return _active


class TraceError(Exception):
    """An operation that the core refused."""

    _keras_call_info_injected = True  # Keras leaves the message as it is.

    def __init__(self, diagnostics: list[Diagnostic]):
        self.diagnostics = diagnostics
        super().__init__("\n".join(map(str, diagnostics)))


def fail(trace: Trace, code: str, message: str, hint: str = "") -> TraceError:
    return TraceError([Diagnostic(trace.graph.layer_path(), code, message, hint)])


class Trace:
    """Records one run of a model.

    Attributes:
        graph: The graph under construction.
        originals: Backend functions as they were, by name ("numpy.add").
        paused: While above 0 nothing is recorded: functions run as they were.
        on_any_backend: The model's code is told of another backend than Keras runs on, so that it
            takes the way that it has for backends of no interest.
        asked_for_backend: The model's code asked which backend Keras runs on.
        uses: What is done with inputs whose dtype is a guess.
    """

    def __init__(self, options: dict[str, Any], on_any_backend: bool = False):
        self.on_any_backend = on_any_backend
        self.asked_for_backend = False
        self.uses = Uses()
        self.graph = _core.Graph(options)
        self.thread = threading.get_ident()
        self.originals: dict[str, Any] = {}
        self.paused = 0
        self.failed_path: str | None = None
        # Keeps what the graph reads, and what is known by id(), alive.
        self._kept: list[Any] = []
        self._constants: dict[int, Tensor] = {}
        self._variables: dict[int, Tensor] = {}
        self._casts: dict[tuple[int, str], Tensor] = {}
        # Variables that the model assigned, what they are now, and those that are state.
        self.assigned: dict[int, KerasVariable] = {}
        self._now: dict[int, Tensor] = {}
        self._states: dict[int, Tensor] = {}
        self.bodies = 0  # of control flow, around what is traced now

    def __enter__(self) -> Trace:
        global _active
        _active = self
        return self

    def __exit__(self, *exception) -> None:
        global _active
        _active = None

    # Values.

    def wrap(self, handle: _core.Tensor) -> Tensor:
        dtype, shape = self.graph.type(handle)
        return Tensor(handle, dtype, self.sizes(shape))

    def sizes(self, shape) -> tuple:
        return tuple(size if type(size) is int else Size(size, self.graph) for size in shape)

    def constant(self, value) -> Tensor:
        """The constant of an array or backend tensor; the same one for the same object."""
        known = self._constants.get(id(value))
        if known is None:
            known = self._add_constant(host_array(value))
            self._constants[id(value)] = known
            self._kept.append(value)
        return known

    def _add_constant(self, array: np.ndarray) -> Tensor:
        dtype, shape, data = raw(array)
        self._kept.append(data)
        handle, errors = self.graph.constant(dtype, shape, data)
        self._raise(errors)
        tensor = self.wrap(handle)
        tensor.array = array
        return tensor

    def weight(self, value) -> Tensor:
        """A variable's value in its own dtype, or an array, as a constant."""
        if not isinstance(value, KerasVariable):
            return self.constant(value)
        known = self._now.get(id(value), self._variables.get(id(value)))
        if known is None:
            known = self._add_constant(host_array(value))
            self._variables[id(value)] = known
            self._kept.append(value)
        return known

    def variable(self, variable: KerasVariable) -> Tensor:
        """The variable's value, cast as the autocast scope says."""
        known = self.weight(variable)
        scope = get_autocast_scope()
        if variable._autocast and scope is not None and scope.dtype is not None:
            if "float" in known.dtype and known.dtype != scope.dtype:
                if id(variable) in self._now:
                    return self.record("core.cast", (known, scope.dtype), {})
                key = (id(variable), scope.dtype)
                if key not in self._casts:
                    self._casts[key] = self.record("core.cast", (known, scope.dtype), {})
                return self._casts[key]
        return known

    def evaluate(self, tensor: Tensor, question: str) -> np.ndarray:
        """The value of a tensor that depends on constants only.

        Raises:
            TraceError: it depends on the model's inputs.
        """
        if tensor.array is None and tensor._replay is not None:
            name, args, kwargs = tensor._replay
            function = self.originals.get(name)
            if function is not None:
                concrete = functools.partial(self.concrete, question=question)
                args, kwargs = keras.tree.map_structure(concrete, (args, kwargs))
                self.paused += 1
                try:
                    tensor.array = np.asarray(
                        self.originals["core.convert_to_numpy"](function(*args, **kwargs))
                    )
                finally:
                    self.paused -= 1
        if tensor.array is None:
            raise fail(
                self,
                "trace-1",
                f"{question} depends on a tensor's value, which is known only when the file runs",
                "Use keras.ops.where, keras.ops.cond or keras.ops.while_loop instead of Python "
                "control flow.",
            )
        return tensor.array

    def concrete(self, x, question="this code"):
        """A traced constant as a backend tensor; other things as they are."""
        if isinstance(x, Tensor):
            array = self.evaluate(x, question)
            return self.originals["core.convert_to_tensor"](array)
        if isinstance(x, KerasVariable):
            if id(x) in self._now:
                return self.concrete(self._now[id(x)], question)
            return x._value
        return x

    # Arguments.

    def is_symbolic(self, x) -> bool:
        """True where a traced tensor, a dynamic size or a variable is in the arguments."""
        kind = type(x)
        if kind is Tensor or kind is Size:
            return True
        if kind is tuple or kind is list:
            return any(self.is_symbolic(item) for item in x)
        if kind is dict:
            return any(self.is_symbolic(item) for item in x.values())
        if kind is slice:
            return any(self.is_symbolic(item) for item in (x.start, x.stop, x.step))
        if isinstance(x, KerasVariable):
            return True
        if isinstance(x, (tuple, list)):
            return any(self.is_symbolic(item) for item in x)
        if isinstance(x, dict):
            return any(self.is_symbolic(item) for item in x.values())
        return False

    def is_constant(self, x) -> bool:
        """True where everything traced in the arguments depends on constants only."""
        if is_size(x):
            return False
        if isinstance(x, Tensor):
            return x.array is not None or x._replay is not None
        if isinstance(x, KerasVariable):
            return id(x) not in self._now
        if isinstance(x, (tuple, list)):
            return all(self.is_constant(item) for item in x)
        if isinstance(x, dict):
            return all(self.is_constant(item) for item in x.values())
        if isinstance(x, slice):
            return all(self.is_constant(item) for item in (x.start, x.stop, x.step))
        return True

    def encode(self, x):
        """An argument as the core takes it."""
        kind = type(x)
        if x is None or kind in (bool, int, float, str) or x is Ellipsis:
            return x
        if kind is Tensor:
            return x.handle
        if kind is Size:
            return x.dim
        if isinstance(x, KerasVariable):
            return self.variable(x).handle
        if isinstance(x, (list, tuple)):
            return [self.encode(item) for item in x]
        if isinstance(x, dict):
            return {str(key): self.encode(item) for key, item in x.items()}
        if isinstance(x, slice):
            return slice(self.encode(x.start), self.encode(x.stop), self.encode(x.step))
        if isinstance(x, np.bool_):
            return bool(x)
        if isinstance(x, np.integer):
            return int(x)
        if isinstance(x, (np.ndarray, np.generic)) or self.originals["core.is_tensor"](x):
            return self.constant(x).handle
        if isinstance(x, (bool, int, float, str)):
            return x
        dtype = _dtype_name(x)
        if dtype is not None:
            return dtype
        if hasattr(x, "__array__"):
            return self.constant(np.asarray(x)).handle
        raise fail(self, "trace-2", f"an argument of {type(x).__name__} is no tensor")

    def decode(self, x):
        if type(x) is _core.Tensor:
            return self.wrap(x)
        if type(x) is _core.Dim:
            return Size(x, self.graph)
        if isinstance(x, list):
            return [self.decode(item) for item in x]
        if isinstance(x, dict):
            return {key: self.decode(item) for key, item in x.items()}
        return x

    # Recording.

    def record(self, name: str, args: tuple, kwargs: dict) -> Any:
        """Adds a call of an operation to the graph and gives its result.

        Args:
            name: The backend function, "numpy.add".
            args, kwargs: As the backend function takes them.

        Raises:
            TraceError: the operation, or these arguments, cannot be lowered.
        """
        if name in _FOLDED or name.startswith("linalg."):
            constant = self.fold(name, args, kwargs)
            if constant is not None:
                return self.constant(constant) if _is_array(self, constant) else constant
        args, kwargs = self.named(name, args, kwargs)
        self.uses.operation(name, args, kwargs)
        operation = _ALIASES.get(name, name)
        if name in _OPTIONAL_ARGUMENTS:
            kwargs = {k: v for k, v in kwargs.items() if k not in _OPTIONAL_ARGUMENTS[name]}
        result, errors = self.graph.call(
            operation,
            tuple(self.encode(arg) for arg in args),
            {key: self.encode(arg) for key, arg in kwargs.items()},
        )
        constant = None
        if errors and name in self.originals:
            constant = self.fold(name, args, kwargs)
            if constant is not None:
                return constant
        self._raise(errors)
        decoded = self.decode(result)
        self.uses.operation(name, args, kwargs, decoded)
        if isinstance(decoded, Tensor) and self.is_constant(args) and self.is_constant(kwargs):
            decoded._replay = (name, args, kwargs)
        return decoded

    def fold(self, name: str, args: tuple, kwargs: dict):
        """The result of a function of constants, computed by the backend; None if it is not one."""
        if name not in self.originals:
            return None
        if not (self.is_constant(args) and self.is_constant(kwargs)):
            return None
        args, kwargs = keras.tree.map_structure(self.concrete, (args, kwargs))
        self.paused += 1
        try:
            return self.originals[name](*args, **kwargs)
        finally:
            self.paused -= 1

    def named(self, name: str, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Renames keyword arguments of the backend's function as keras.ops calls them."""
        if not kwargs or name not in self.originals:
            return args, kwargs
        return args, {_public_name(name, self.originals[name], k): v for k, v in kwargs.items()}

    # State: variables that the model assigns live between the file's runs.

    def add_state(self, variable: KerasVariable, model_name: str, zero: bool) -> None:
        """The variable is what the run before left; its value now, or zeros, in the first."""
        array = host_array(variable)
        if zero:
            array = np.zeros_like(array)
        if "float" in variable.dtype and variable.dtype != "float32":
            array = array.astype("float32")  # The file computes in float32.
        dtype, shape, data = raw(array)
        self._kept += [data, variable]
        name = variable.path.removeprefix(f"{model_name}/")
        handle, errors = self.graph.variable(name, dtype, shape, data)
        self._raise(errors)
        state = self.wrap(handle)
        self._states[id(variable)] = state
        if state.dtype != variable.dtype:
            state = self.record("core.cast", (state, variable.dtype), {})
        self._now[id(variable)] = state

    def assign(self, variable: KerasVariable, value) -> Any:
        """Variable.assign(): what is read from here on is the value."""
        if self.bodies:
            raise fail(
                self,
                "state-1",
                f"the variable '{variable.path}' is assigned in a branch or a loop",
                "Give the value as a result of the branch or loop, and assign it behind.",
            )
        from keras_litert.tracer.control import tensor

        value = tensor(self, value)
        if value.dtype != variable.dtype:
            value = self.record("core.cast", (value, variable.dtype), {})
        if tuple(value.shape) != tuple(variable.shape):
            value = self.record("numpy.broadcast_to", (value, tuple(variable.shape)), {})
        self.assigned[id(variable)] = variable
        self._now[id(variable)] = value
        self._kept.append(variable)
        return value

    def finish_states(self) -> None:
        """What the assigned variables are now is what the next run begins with."""
        for key, state in self._states.items():
            value = self._now[key]
            if value.dtype != state.dtype:
                value = self.record("core.cast", (value, state.dtype), {})
            _, errors = self.graph.assign(state.handle, value.handle)
            self._raise(errors)

    def _raise(self, errors) -> None:
        if errors:
            raise TraceError([Diagnostic(*error) for error in errors])

    def error(self, exception: BaseException) -> ExportError:
        """What the export raises for an exception of the model's code."""
        from keras_litert.tracer.explain import explain

        return ExportError(explain(self, exception))


# Backend functions that the core knows by the name of their keras.ops class.
_ALIASES = {
    "numpy.allclose": "numpy.all_close",
    "numpy.identity": "numpy.eye",
}

# Functions of constants that the backend computes at once. Others of constants are recorded: the
# core evaluates what is cheap, and keeps casts and transpositions of weights lazy.
_FOLDED = {"numpy.matmul", "numpy.dot", "numpy.einsum", "numpy.tensordot", "numpy.outer"}

# Arguments that say how something is computed, not what.
_OPTIONAL_ARGUMENTS: dict[str, set[str]] = {
    "nn.dot_product_attention": {"flash_attention"},
}


def _is_array(trace: Trace, x) -> bool:
    return isinstance(x, np.ndarray) or trace.originals["core.is_tensor"](x)


@functools.cache
def _public_names(module: str, function: str) -> tuple[str, ...]:
    space = keras.random if module == "random" else getattr(keras.src.ops, module, None)
    public = getattr(space, function, None)
    return tuple(inspect.signature(public).parameters) if callable(public) else ()


@functools.cache
def _public_name(name: str, function, keyword: str) -> str:
    public = _public_names(*name.split(".", 1))
    if not public or keyword in public:
        return keyword
    own = tuple(inspect.signature(function).parameters)
    at = own.index(keyword) if keyword in own else -1
    return public[at] if 0 <= at < len(public) else keyword


def _dtype_name(x) -> str | None:
    try:
        return backend.standardize_dtype(x)
    except (TypeError, ValueError, AttributeError):
        return None
