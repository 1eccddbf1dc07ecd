"""Backend functions that are answered instead of recorded.

Each handler has the signature of the backend's function behind the trace and the original.
"""

from __future__ import annotations

import numpy as np
from keras.src import backend
from keras.src.backend.common.variables import Variable as KerasVariable
from keras_litert.tracer.sizes import is_size
from keras_litert.tracer.tensors import Tensor

HANDLERS = {}


def handler(*names):
    def register(function):
        for name in names:
            HANDLERS[name] = function
        return function

    return register


@handler("core.shape")
def shape(trace, original, x):
    return tuple(x.shape)


@handler("numpy.ndim")
def ndim(trace, original, x):
    return len(x.shape)


@handler("numpy.size")
def size(trace, original, x):
    total = 1
    for dimension in x.shape:
        total = total * dimension
    return total


@handler("core.is_tensor")
def is_tensor(trace, original, x):
    return isinstance(x, Tensor) or original(x)


@handler("core.convert_to_tensor")
def convert_to_tensor(trace, original, x, dtype=None, sparse=None, ragged=None):
    if isinstance(x, KerasVariable):
        x = trace.variable(x)
    if isinstance(x, Tensor):
        if dtype is None or backend.standardize_dtype(dtype) == x.dtype:
            return x
        return trace.record("core.cast", (x, backend.standardize_dtype(dtype)), {})
    if is_size(x):
        return x.tensor(backend.standardize_dtype(dtype or "int32"))
    # A structure with tensors or sizes in it.
    parts = [
        convert_to_tensor(trace, original, item, dtype)
        if trace.is_symbolic(item)
        else original(item, dtype=dtype)
        for item in x
    ]
    return trace.record("numpy.stack", (parts,), {"axis": 0})


@handler("core.cast")
def cast(trace, original, x, dtype):
    dtype = backend.standardize_dtype(dtype)
    if isinstance(x, KerasVariable):
        x = trace.variable(x)
    if isinstance(x, Tensor) and x.dtype == dtype:
        return x
    if not isinstance(x, Tensor) and not is_size(x):
        x = convert_to_tensor(trace, trace.originals["core.convert_to_tensor"], x)
    return trace.record("core.cast", (x, dtype), {})


@handler("core.convert_to_numpy")
def convert_to_numpy(trace, original, x):
    if isinstance(x, KerasVariable):
        return original(x._value)
    if isinstance(x, Tensor):
        return trace.evaluate(x, "convert_to_numpy()")
    return np.asarray([convert_to_numpy(trace, original, item) for item in x])


@handler("core.stop_gradient")
def stop_gradient(trace, original, variable):
    if isinstance(variable, KerasVariable):
        return trace.variable(variable)
    return variable


@handler("numpy.copy")
def copy(trace, original, x):
    return trace.variable(x) if isinstance(x, KerasVariable) else x


@handler("core.unstack")
def unstack(trace, original, x, num=None, axis=0):
    if isinstance(x, KerasVariable):
        x = trace.variable(x)
    return list(trace.record("core.unstack", (x,), {"num": num, "axis": axis}))


@handler("numpy.array", "numpy.view_as_is")
def array(trace, original, x, dtype=None):
    return convert_to_tensor(trace, trace.originals["core.convert_to_tensor"], x, dtype)


@handler("numpy.isscalar")
def isscalar(trace, original, x):
    return False


def _filled(value):
    def make(trace, original, shape, dtype=None):
        dtype = backend.standardize_dtype(dtype or backend.floatx())
        shape = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
        return trace.record("numpy.full", (shape, value), {"dtype": dtype})

    return make


HANDLERS["numpy.zeros"] = _filled(0)
HANDLERS["numpy.ones"] = _filled(1)
HANDLERS["numpy.empty"] = _filled(0)


@handler("numpy.full")
def full(trace, original, shape, fill_value, dtype=None):
    shape = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
    dtype = backend.standardize_dtype(dtype or backend.floatx())
    return trace.record("numpy.full", (shape, fill_value), {"dtype": dtype})


@handler("numpy.arange")
def arange(trace, original, start, stop=None, step=None, dtype=None):
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    if dtype is None:
        ends = [getattr(part, "dtype", type(part)) for part in (start, stop, step)]
        dtype = backend.result_type(
            *(int if is_size(part) else end for part, end in zip((start, stop, step), ends))
        )
    return trace.record(
        "numpy.arange", (start, stop, step), {"dtype": backend.standardize_dtype(dtype)}
    )
