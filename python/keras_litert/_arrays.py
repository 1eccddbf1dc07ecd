"""Arrays of any backend as NumPy arrays, without a copy where the backend allows it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from keras.src import backend
from keras.src.backend.common.variables import Variable as KerasVariable


def host_array(value) -> np.ndarray:
    """A C-contiguous array with the value of a variable, a backend tensor or an array.

    A view where the backend keeps the value in host memory. It is not to be written to.
    """
    if isinstance(value, KerasVariable):
        value = value._value if value._value is not None else value.value
    kind = backend.backend()
    if kind == "torch" and hasattr(value, "detach"):
        value = _from_torch(value)
    elif kind == "tensorflow" and not isinstance(value, np.ndarray):
        value = _from_tensorflow(value)
    elif kind == "jax" and hasattr(value, "__array__"):
        value = np.asarray(value)  # Keras's convert_to_numpy() copies.
    elif not isinstance(value, np.ndarray):
        value = np.asarray(backend.convert_to_numpy(value))
    return np.ascontiguousarray(value).reshape(value.shape)


def _from_tensorflow(value) -> np.ndarray:
    tensor = value.read_value() if hasattr(value, "read_value") else value
    try:
        return np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError):  # Of no dtype that Python's buffers have.
        return np.asarray(backend.convert_to_numpy(value))


def _from_torch(tensor) -> np.ndarray:
    import torch

    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype == torch.bfloat16:  # NumPy has none of its own.
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def raw(array: np.ndarray) -> tuple[str, tuple[int, ...], np.ndarray]:
    """(dtype, shape, bytes) as the core takes an array; the bytes are a view.

    Raises:
        TypeError: the dtype is none that a tensor can have.
    """
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "biufcV" or dtype.hasobject:
        raise TypeError(f"an array of dtype {dtype} is no tensor")
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    if dtype.byteorder == ">":
        array = array.astype(dtype.newbyteorder("<"))
    return dtype.name, array.shape, array.reshape(-1).view(np.uint8)
