"""From a model to a file, by a trace."""

from __future__ import annotations

from typing import Any

import keras
from keras_litert import _signature
from keras_litert.errors import raise_for
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

    Raises:
        ExportError: an operation that the model reaches cannot be lowered, or its code cannot be
            traced.
    """
    trace = Trace(options)

    shared: dict[str, int] = {}

    def make_input(leaf):
        sizes = [-1 if size is None else size for size in leaf.shape]
        for axis, name in enumerate(leaf.axes):
            if axis > 0 and leaf.shape[axis] is None:
                sizes[axis] = -2 - shared.setdefault(name, len(shared))
        handle, errors = trace.graph.input(leaf.name, leaf.dtype, sizes)
        raise_for(errors)
        return trace.wrap(handle)

    args, kwargs = _signature.map_leaves(make_input, (signature.args, signature.kwargs))
    call_kwargs = dict(kwargs)
    if getattr(model, "_call_has_training_arg", False):
        call_kwargs["training"] = False
    failure = None
    library = None if trace_layers else Library(trace)
    with recording(trace, top=model, library=library):
        try:
            outputs = model(*args, **call_kwargs)
            names = _signature.output_names(outputs)
            flat = [tensor(trace, x) for x in _signature.flatten(outputs)]
            for name, output in zip(names, flat):
                _, errors = trace.graph.output(name, output.handle)
                raise_for(errors)
        except Exception as exception:
            failure = trace.error(exception)
            failure.__cause__ = exception
    if failure is not None:
        raise failure
    report, errors = trace.graph.write(path, options, model.name)
    raise_for(errors)
    return report
