"""From a model to a file, by a trace."""

from __future__ import annotations

from typing import Any

import keras
from keras.src.backend.common.variables import Variable as KerasVariable
from keras_litert import _signature
from keras_litert.errors import ExportError, raise_for
from keras_litert.tracer.control import tensor
from keras_litert.tracer.library import Library
from keras_litert.tracer.patches import recording
from keras_litert.tracer.trace import Trace


def convert(
    model: keras.Model,
    path: str,
    signature: _signature.Signature,
    options: dict[str, Any],
    trace_layers: bool = False,
) -> dict[str, Any]:
    """Writes `path` from a run of the model on symbolic tensors; gives the core's report.

    `trace_layers`: trace the code of Keras's own layers too, which the core knows.

    Code that asks which backend it runs on, and has a way for this one that cannot be traced, takes
    its way for others; the report's notes say so. An input of which Keras kept no dtype is an
    integer if the model uses it for nothing but looking things up; a note says that, too.

    Raises:
        ExportError: an operation that the model reaches cannot be lowered, or its code cannot be
            traced.
    """
    trace, failure = _trace(model, signature, options, trace_layers)
    notes = []
    if integers := trace.uses.integers():
        retyped, failed_too = _trace(
            model, _signature.with_integers(signature, integers), options, trace_layers
        )
        if failed_too is None or failure is not None:
            signature = _signature.with_integers(signature, integers)
            trace, failure = retyped, failed_too
            notes.append(
                f"{', '.join(sorted(integers))}: int32, as the model looks things up by it and "
                "Keras kept no dtype; input_signature tells another"
            )
    if failure is not None and trace.asked_for_backend:
        other, failed_too = _trace(model, signature, options, trace_layers, on_any_backend=True)
        if failed_too is None:
            trace, first, failure = other, failure.diagnostics[0], None
            where = f"{first.path}: " if first.path else ""
            notes.append(
                f"the model's code for other backends was traced, as that for "
                f"{keras.backend.backend()} cannot be ({where}{first.message})"
            )
    if failure is not None:
        raise failure
    report, errors = trace.graph.write(path, options, model.name)
    raise_for(errors)
    return {**report, "notes": [*report["notes"], *notes]}


def _trace(
    model, signature, options, trace_layers, on_any_backend=False
) -> tuple[Trace, ExportError | None]:
    """The finished trace of the model's call, or an unfinished one and what went wrong."""
    states: dict[int, KerasVariable] = {}
    while True:
        trace = Trace(options, on_any_backend)
        failure = _run(trace, model, signature, states, trace_layers)
        if set(trace.assigned) <= set(states):
            return trace, failure
        # What was read before it was assigned must be read as state: once more.
        states = {**states, **trace.assigned}


def _run(trace, model, signature, states, trace_layers) -> ExportError | None:
    """Records the model's call, with the variables `states` as state. Gives what went wrong."""
    shared: dict[str, int] = {}

    def make_input(leaf):
        if leaf.value is not None:
            return keras.ops.convert_to_tensor(leaf.value, dtype=leaf.dtype)
        sizes = [-1 if size is None else size for size in leaf.shape]
        for axis, name in enumerate(leaf.axes):
            if axis > 0 and leaf.shape[axis] is None:
                sizes[axis] = -2 - shared.setdefault(name, len(shared))
        handle, errors = trace.graph.input(leaf.name, leaf.dtype, sizes)
        raise_for(errors)
        tensor = trace.wrap(handle)
        if leaf.guessed:
            trace.uses.add(leaf.name, tensor)
        return tensor

    args, kwargs = _signature.map_leaves(make_input, (signature.args, signature.kwargs))
    call_kwargs = {**kwargs, **_signature.for_inference(model)}
    library = None if trace_layers else Library(trace)
    resets = _recurrent_states(model)
    with recording(trace, top=model, library=library), _signature.own_calls():
        try:
            for variable in states.values():
                trace.add_state(variable, model.name, zero=id(variable) in resets)
            outputs = _signature.outputs_of(model(*args, **call_kwargs))
            for name, output in [(name, tensor(trace, x)) for name, x in outputs]:
                _, errors = trace.graph.output(name, output.handle)
                raise_for(errors)
            trace.finish_states()
        except Exception as exception:
            failure = trace.error(exception)
            failure.__cause__ = exception
            return failure
    return None


def _recurrent_states(model) -> set[int]:
    """ids of the variables in which stateful recurrent layers keep their state between batches."""
    layers = model._flatten_layers() if isinstance(model, keras.Model) else []
    return {
        id(variable)
        for layer in layers
        if getattr(layer, "stateful", False)
        for variable in keras.tree.flatten(getattr(layer, "states", None) or [])
    }
