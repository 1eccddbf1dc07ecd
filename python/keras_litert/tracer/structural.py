"""Backend functions that are answered instead of recorded.

Each handler has the signature of the backend's function behind the trace and the original.
"""

from __future__ import annotations

import numpy as np
from keras.src import backend
from keras.src.backend.common.variables import Variable as KerasVariable
from keras_litert.tracer.sizes import is_size
from keras_litert.tracer.tensors import Tensor
from keras_litert.tracer.trace import fail

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
    if is_size(x):
        return x.tensor(dtype)
    if not isinstance(x, Tensor):
        x = convert_to_tensor(trace, trace.originals["core.convert_to_tensor"], x)
    return trace.record("core.cast", (x, dtype), {})


@handler("core.convert_to_numpy")
def convert_to_numpy(trace, original, x):
    if isinstance(x, KerasVariable):
        if trace.is_constant(x):
            return original(x._value)
        x = trace.variable(x)
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


@handler("numpy.tile")
def tile(trace, original, x, repeats):
    """Where a count is a size: every axis behind one that counts, broadcast, both merged."""
    x = convert_to_tensor(trace, trace.originals["core.convert_to_tensor"], x)
    repeats = list(repeats) if isinstance(repeats, (list, tuple)) else [repeats]
    if not any(map(is_size, repeats)):
        return trace.record("numpy.tile", (x, repeats), {})
    repeats = [1] * (len(x.shape) - len(repeats)) + repeats
    shape = [1] * (len(repeats) - len(x.shape)) + list(x.shape)
    split, spread, merged = [], [], []
    for size, count in zip(shape, repeats):
        if not is_size(count) and count == 1:
            split.append(size)
            spread.append(size)
        elif not is_size(size) and size == 1:
            split.append(1)
            spread.append(count)
        else:
            split += [1, size]
            spread += [count, size]
        merged.append(size * count)
    x = trace.record("numpy.reshape", (x, tuple(split)), {})
    x = trace.record("numpy.broadcast_to", (x, tuple(spread)), {})
    return trace.record("numpy.reshape", (x, tuple(merged)), {})


@handler("numpy.repeat")
def repeat(trace, original, x, repeats, axis=None):
    """Where the count is a size: an axis of that size behind the repeated one, merged with it."""
    if not is_size(repeats):
        return trace.record("numpy.repeat", (x, repeats), {"axis": axis})
    x = convert_to_tensor(trace, trace.originals["core.convert_to_tensor"], x)
    if axis is None:
        x, axis = trace.record("numpy.reshape", (x, (-1,)), {}), 0
    axis %= len(x.shape)
    before, size, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    x = trace.record("numpy.reshape", (x, (*before, size, 1, *after)), {})
    x = trace.record("numpy.broadcast_to", (x, (*before, size, repeats, *after)), {})
    return trace.record("numpy.reshape", (x, (*before, size * repeats, *after)), {})


@handler("numpy.pad")
def pad(trace, original, x, pad_width, mode="constant", constant_values=None):
    """Where a width is a size: constants are concatenated."""
    keywords = {"mode": mode, "constant_values": constant_values}
    if mode != "constant" or not _has_size(pad_width):
        return trace.record("numpy.pad", (x, pad_width), keywords)
    x = convert_to_tensor(trace, trace.originals["core.convert_to_tensor"], x)
    value = 0 if constant_values is None else constant_values
    for axis, (before, after) in enumerate(pad_width):
        parts = []
        for width in (before, x, after):
            if width is x:
                parts.append(x)
            elif is_size(width) or width > 0:
                shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
                parts.append(full(trace, original, shape, value, x.dtype))
        if len(parts) > 1:
            x = trace.record("numpy.concatenate", (parts,), {"axis": axis})
    return x


def _has_size(x) -> bool:
    return is_size(x) or isinstance(x, (list, tuple)) and any(map(_has_size, x))


def _filled(value):
    def make(trace, original, shape, dtype=None):
        return full(trace, original, shape, value, dtype)

    return make


@handler("numpy.expand_dims")
def expand_dims(trace, original, x, axis):
    """Of a size too, as code makes a tensor's repeats of it."""
    if is_size(x):
        x = convert_to_tensor(trace, trace.originals["core.convert_to_tensor"], x)
    return trace.record("numpy.expand_dims", (x, axis), {})


HANDLERS["numpy.zeros"] = _filled(0)
HANDLERS["numpy.ones"] = _filled(1)
HANDLERS["numpy.empty"] = _filled(0)


@handler("numpy.full")
def full(trace, original, shape, fill_value, dtype=None):
    """A scalar, broadcast: the core knows every size of the shape by its expression."""
    shape = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
    dtype = backend.standardize_dtype(dtype or backend.floatx())
    if trace.is_symbolic(fill_value):
        value = cast(trace, trace.originals["core.cast"], fill_value, dtype)
    else:
        to_tensor = trace.originals["core.convert_to_tensor"]
        value = trace.constant(to_tensor(fill_value, dtype=dtype))
    return trace.record("numpy.broadcast_to", (value, shape), {})


@handler("numpy.arange")
def arange(trace, original, start, stop=None, step=None, dtype=None):
    """start + step * (0, 1, … n - 1), where the sizes say n."""
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    parts = (start, stop, step)
    if any(isinstance(part, (Tensor, KerasVariable)) for part in parts) or not all(
        isinstance(part, int) for part in parts
    ):
        raise fail(
            trace,
            "arange-1",
            "arange() from a tensor or a float to a dynamic size is not supported",
            "Give it sizes (keras.ops.shape) or numbers.",
        )
    dtype = backend.standardize_dtype(dtype or "int32")
    count = stop - start
    if step != 1:
        count = -(-count // step)
    ones = full(trace, original, (count,), 1, "int32")
    indices = trace.record("numpy.cumsum", (ones,), {"axis": 0})
    # cumsum counts from 1.
    if step != 1:
        indices = trace.record("numpy.multiply", (indices, step), {})
    offset = start - step
    if is_size(offset) or offset != 0:
        indices = trace.record("numpy.add", (indices, offset), {})
    return cast(trace, trace.originals["core.cast"], indices, dtype)
