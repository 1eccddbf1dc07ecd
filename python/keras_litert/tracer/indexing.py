"""x[key] where tensors are among the indices."""

from __future__ import annotations

import keras
import numpy as np
from keras_litert.tracer.tensors import Tensor


def has_tensor(key) -> bool:
    """True where x[key] is more than ints, slices, `...` and None."""
    keys = key if isinstance(key, tuple) else (key,)
    return any(_is_tensor(part) for part in keys)


def _is_tensor(part) -> bool:
    if isinstance(part, (Tensor, list)):
        return True
    return getattr(part, "shape", None) is not None and not isinstance(part, np.generic)


def get_item(trace, x: Tensor, key) -> Tensor:
    """NumPy's advanced indexing: the indices broadcast; their axes stand where they were, or first
    where another axis lies between them.

    The parts without tensors are applied first. Several indices become one into the merged axes.
    """
    from keras_litert.tracer.control import tensor
    from keras_litert.tracer.trace import fail

    keys = list(key) if isinstance(key, tuple) else [key]
    named = sum(part is not None and part is not Ellipsis for part in keys)
    if Ellipsis in [part for part in keys if not _is_tensor(part)]:
        at = next(i for i, part in enumerate(keys) if part is Ellipsis)
        keys[at : at + 1] = [slice(None)] * (len(x.shape) - named)
    indices = []
    axes = []
    basic = []
    axis = 0
    for part in keys:
        if _is_tensor(part):
            index = tensor(trace, np.asarray(part) if isinstance(part, list) else part)
            if index.dtype == "bool":
                raise fail(
                    trace,
                    "get-item-9",
                    "an index is a mask, whose number of elements is known when the file runs",
                    "Use keras.ops.where.",
                )
            indices.append(index)
            axes.append(axis)
            basic.append(slice(None))
            axis += 1
        else:
            basic.append(part)
            axis += isinstance(part, slice) or part is None
    if any(not (isinstance(part, slice) and part == slice(None)) for part in basic):
        x = trace.record("numpy.get_item", (x, tuple(basic)), {})
    if len(indices) == 1:
        return trace.record("numpy.take", (x, indices[0]), {"axis": axes[0]})
    if axes != list(range(axes[0], axes[0] + len(axes))):
        order = axes + [i for i in range(len(x.shape)) if i not in axes]
        x = keras.ops.transpose(x, order)
        axes = list(range(len(axes)))
    sizes = [x.shape[i] for i in axes]
    flat = None
    for index, size in zip(indices, sizes):
        index = keras.ops.where(index < 0, index + size, index)
        flat = index if flat is None else flat * size + index
    merged = 1
    for size in sizes:
        merged = merged * size
    before, after = x.shape[: axes[0]], x.shape[axes[-1] + 1 :]
    x = trace.record("numpy.reshape", (x, (*before, merged, *after)), {})
    return trace.record("numpy.take", (x, flat), {"axis": axes[0]})


__all__ = ["get_item", "has_tensor"]
