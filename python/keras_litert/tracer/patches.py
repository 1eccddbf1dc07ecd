"""Replacing the functions of the Keras backend for a time, and putting them back."""

from __future__ import annotations

import collections
import contextlib
import functools
import heapq
import importlib
import sys
import threading
import types

from keras.src import backend
from keras.src.backend.common import variables
from keras.src.layers.layer import Layer
from keras.src.ops import math as keras_math
from keras.src.ops.function import Function, make_node_key
from keras.src.ops.operation import Operation
from keras_litert import _core
from keras_litert.tracer import control, foreign, randomness, recurrent, structural
from keras_litert.tracer.library import Library
from keras_litert.tracer.sizes import is_size
from keras_litert.tracer.trace import Trace

_MODULES = ("core", "numpy", "nn", "math", "linalg", "image", "random", "rnn")
# Functions that only pass on what they are given, or that never see a tensor of the model.
_UNTOUCHED = {
    "core.compute_output_spec",
    "core.device_scope",
    "core.random_seed_dtype",
    "core.to_torch_dtype",
    "core.get_device",
    "rnn.cudnn_ok",
}
_OPERATION_CALL = Operation.__call__
_lock = threading.RLock()


def _functions() -> dict[str, types.FunctionType]:
    """The public functions of the active backend, by name."""
    found = {}
    for module_name in _MODULES:
        module = importlib.import_module(f"keras.src.backend.{backend.backend()}.{module_name}")
        for name, function in vars(module).items():
            key = f"{module_name}.{name}"
            if name.startswith("_") or key in _UNTOUCHED:
                continue
            if not callable(function) or isinstance(function, type):
                continue
            defined_in = getattr(function, "__module__", None) or ""
            if defined_in == module.__name__ or key == "core.custom_gradient":
                found[key] = function
    return found


def _compositions() -> dict[str, types.FunctionType]:
    """Functions of keras.ops that no backend has, but the core."""
    found = {}
    for module_name in ("core", "numpy", "nn", "math", "linalg", "image"):
        module = importlib.import_module(f"keras.src.ops.{module_name}")
        own = importlib.import_module(f"keras.src.backend.{backend.backend()}.{module_name}")
        for name, function in vars(module).items():
            if not isinstance(function, types.FunctionType) or name.startswith("_"):
                continue
            if function.__module__ == module.__name__ and not hasattr(own, name):
                if _core.knows(f"{module_name}.{name}"):
                    found[f"{module_name}.{name}"] = function
    return found


def _wrap(trace: Trace, name: str, original):
    special = structural.HANDLERS.get(name) or randomness.HANDLERS.get(name)
    always = control.HANDLERS.get(name) or recurrent.HANDLERS.get(name)
    random = name.startswith("random.")

    @functools.wraps(original)
    def recorded(*args, **kwargs):
        if trace.paused or threading.get_ident() != trace.thread:
            return original(*args, **kwargs)
        if always is not None:
            return always(trace, original, *args, **kwargs)
        if not (random or trace.is_symbolic(args) or trace.is_symbolic(kwargs)):
            return original(*args, **kwargs)
        if special is not None:
            return special(trace, original, *args, **kwargs)
        return trace.record(name, args, kwargs)

    return recorded


def _locations(originals: dict[int, str]):
    """Every (module, attribute, name) of Keras where one of the originals is found."""
    for module_name, module in list(sys.modules.items()):
        if module is None or not module_name.startswith("keras"):
            continue
        if module_name.startswith("keras_litert"):
            continue
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            name = originals.get(id(value))
            if name is not None:
                yield module, attribute, name


def _layer_call(trace: Trace, original, top: Layer, library: Library | None):
    """Layer.__call__ and Operation.__call__: their names are the path of what they compute."""

    @functools.wraps(original)
    def call(self, *args, **kwargs):
        if (
            self is top
            or trace.paused
            or threading.get_ident() != trace.thread
            or (original is _OPERATION_CALL and isinstance(self, Layer))
        ):
            return original(self, *args, **kwargs)
        if library is not None and isinstance(self, Layer):
            result = library.call(self, args, kwargs)
            if result is not NotImplemented:
                return result
        trace.graph.enter_layer(self.name)
        try:
            return original(self, *args, **kwargs)
        except Exception:
            if trace.failed_path is None:
                trace.failed_path = trace.graph.layer_path()
            raise
        finally:
            trace.graph.leave_layer()

    return call


def _run_through_graph(trace: Trace, original):
    """Function's: the calls in the order in which the core reads them from a config.

    That is Kahn's algorithm; of the calls that are ready the first in the config goes first.
    Keras's own order is another one, and both strategies are to write the same file.
    """

    @functools.wraps(original)
    def run(self, *args, **kwargs):
        if trace.paused or threading.get_ident() != trace.thread:
            return original(self, *args, **kwargs)
        known = vars(self)["_nodes_by_depth"]
        try:
            vars(self)["_nodes_by_depth"] = {0: _ordered(self)}
            return original(self, *args, **kwargs)
        finally:
            vars(self)["_nodes_by_depth"] = known

    return run


def _ordered(function) -> list:
    nodes = [
        node
        for operation in function.operations
        for index, node in enumerate(operation._inbound_nodes)
        if make_node_key(operation, index) in function._nodes
    ]
    number = {id(node): i for i, node in enumerate(nodes)}
    users = collections.defaultdict(list)
    missing = []
    for i, node in enumerate(nodes):
        parents = {} if node.is_input else {id(parent) for parent in node.parent_nodes}
        parents = [number[parent] for parent in parents if parent in number]
        missing.append(len(parents))
        for parent in parents:
            users[parent].append(i)
    ready = [i for i, count in enumerate(missing) if count == 0]
    order = []
    while ready:  # A list in ascending order is a heap.
        i = heapq.heappop(ready)
        order.append(nodes[i])
        for user in users[i]:
            missing[user] -= 1
            if missing[user] == 0:
                heapq.heappush(ready, user)
    return order


def _backend(trace: Trace, original):
    """keras.backend.backend: Keras's own code hears the truth, the model's what the trace says."""

    @functools.wraps(original)
    def backend_name():
        caller = sys._getframe(1).f_globals.get("__name__", "").partition(".")[0]
        if (
            caller in ("keras", "keras_litert")
            or trace.paused
            or threading.get_ident() != trace.thread
        ):
            return original()
        trace.asked_for_backend = True
        if not trace.on_any_backend:
            return original()
        return "numpy" if original() != "numpy" else "any"

    return backend_name


def _standardize_shape(original):
    """Keras says None for sizes that it does not know."""

    @functools.wraps(original)
    def standardize_shape(shape):
        if isinstance(shape, (tuple, list)):
            shape = tuple(None if is_size(size) else size for size in shape)
        return original(shape)

    return standardize_shape


def _segment_reduce_validation(original):
    """Compares leading sizes where Keras knows both."""

    @functools.wraps(original)
    def validation(data, segment_ids):
        if not any(is_size(size) for x in (data, segment_ids) for size in x.shape[:1]):
            original(data, segment_ids)

    return validation


def _variable_value(trace: Trace):
    original = backend.Variable.value

    def value(self):
        if trace.paused or threading.get_ident() != trace.thread or self._value is None:
            return original.fget(self)
        return trace.variable(self)

    return property(value)


def _variable_assign(trace: Trace, original):
    @functools.wraps(original)
    def assign(self, value):
        if trace.paused or threading.get_ident() != trace.thread:
            return original(self, value)
        return trace.assign(self, value)

    return assign


@contextlib.contextmanager
def recording(trace: Trace, top: Layer, library: Library | None):
    """Records backend functions into the trace; exports in other threads wait.

    `top` is the model: its own name is part of no layer's path. `library` lowers layers that the
    core knows; None: their code is traced. Everything is as before when this
    ends, however it ends.
    """
    with _lock:
        functions = {**_functions(), **_compositions()}
        trace.originals = functions
        by_id = {id(function): name for name, function in functions.items()}
        replacements = {name: _wrap(trace, name, function) for name, function in functions.items()}
        by_id[id(variables.standardize_shape)] = "standardize_shape"
        replacements["standardize_shape"] = _standardize_shape(variables.standardize_shape)
        by_id[id(backend.backend)] = "backend"
        replacements["backend"] = _backend(trace, backend.backend)
        undo = []

        def replace(owner, attribute, value):
            missing = attribute not in vars(owner)
            undo.append((owner, attribute, None if missing else vars(owner)[attribute], missing))
            setattr(owner, attribute, value)

        try:
            for module, attribute, name in list(_locations(by_id)):
                replace(module, attribute, replacements[name])
            replace(Layer, "__call__", _layer_call(trace, Layer.__call__, top, library))
            replace(Operation, "__call__", _layer_call(trace, _OPERATION_CALL, top, None))
            replace(
                Function,
                "_run_through_graph",
                _run_through_graph(trace, Function._run_through_graph),
            )
            name = "_segment_reduce_validation"
            if validation := getattr(keras_math, name, None):
                replace(keras_math, name, _segment_reduce_validation(validation))
            replace(backend.Variable, "value", _variable_value(trace))
            replace(backend.Variable, "assign", _variable_assign(trace, backend.Variable.assign))
            for module, attribute, function in foreign.replacements():
                replace(module, attribute, function)
            with trace:
                yield
        finally:
            for owner, attribute, value, missing in reversed(undo):
                if missing:
                    delattr(owner, attribute)
                else:
                    setattr(owner, attribute, value)
