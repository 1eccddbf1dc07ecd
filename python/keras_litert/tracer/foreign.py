"""Functions of a backend that models call on tensors without Keras.

Resizing images is linear along each axis, and one axis does not know of the others: run on unit
vectors, the functions of `jax.image`, `tf.image` (also TensorFlow 1's) and `torch.nn.functional`
give a matrix for each axis, by which the traced tensor is multiplied. What they compute need not be
known here.

`tf.gather` and `tf.linalg.band_part` are spelled with Keras's operations.
"""

from __future__ import annotations

import functools
import sys

import keras
import numpy as np
from keras_litert.tracer.tensors import Tensor


def replacements() -> list[tuple[object, str, object]]:
    """(module, name, function) of what is replaced during a trace; originals inside."""
    backend = keras.backend.backend()
    module = sys.modules.get(backend)
    if module is None or backend not in _REPLACEMENTS:
        return []
    return [
        (owner, name, replacement(getattr(owner, name)))
        for owner, name, replacement in _REPLACEMENTS[backend](module)
    ]


def _gather(original):
    @functools.wraps(original)
    def gather(params, indices, validate_indices=None, axis=None, batch_dims=0, name=None):
        if isinstance(params, Tensor) or isinstance(indices, Tensor):
            rank = len(params.shape)
            if batch_dims == 0:
                return keras.ops.take(params, indices, axis=axis or 0)
            if batch_dims == rank - 1 == len(indices.shape) - 1 and axis in (None, rank - 1, -1):
                return keras.ops.take_along_axis(params, indices, axis=-1)
        return original(params, indices, axis=axis, batch_dims=batch_dims, name=name)

    return gather


def _band_part(original):
    @functools.wraps(original)
    def band_part(input, num_lower, num_upper, name=None):
        if not any(isinstance(x, Tensor) for x in (input, num_lower, num_upper)):
            return original(input, num_lower, num_upper, name=name)
        ops = keras.ops
        rows, columns = ops.shape(input)[-2:]
        i = ops.expand_dims(ops.arange(rows, dtype="int32"), 1)
        j = ops.expand_dims(ops.arange(columns, dtype="int32"), 0)

        def within(distance, limit):  # A negative limit keeps all.
            return ops.logical_or(ops.less(limit, 0), ops.less_equal(distance, limit))

        kept = ops.logical_and(
            within(ops.subtract(i, j), num_lower), within(ops.subtract(j, i), num_upper)
        )
        return ops.where(kept, input, ops.zeros_like(input))

    return band_part


def _resize_tensorflow(original):
    @functools.wraps(original)
    def resize(images, size, *args, **kwargs):
        if not isinstance(images, Tensor):
            return original(images, size, *args, **kwargs)

        def along(k, axis, identity, matrix_shape):
            picture = identity[None, :, :, None]
            return original(picture, matrix_shape, *args, **kwargs)[0, :, :, 0]

        rank = len(images.shape)
        shape = (*images.shape[:-3], *size, images.shape[-1])
        return _separably(images, shape, (rank - 3, rank - 2), along)

    return resize


def _interpolate(original):
    @functools.wraps(original)
    def interpolate(input, size=None, scale_factor=None, **kwargs):
        if not isinstance(input, Tensor) or size is None:
            return original(input, size, scale_factor, **kwargs)
        size = (size,) * (len(input.shape) - 2) if isinstance(size, int) else size

        def along(k, axis, identity, matrix_shape):
            return original(identity[None, None], matrix_shape, **kwargs)[0, 0]

        shape = (*input.shape[:2], *size)
        return _separably(input, shape, range(2, len(shape)), along)

    return interpolate


def _scale_and_translate(original):
    @functools.wraps(original)
    def scale_and_translate(image, shape, spatial_dims, scale, translation, *args, **kwargs):
        if not isinstance(image, Tensor):
            return original(image, shape, spatial_dims, scale, translation, *args, **kwargs)

        def along(k, axis, identity, matrix_shape):
            part = slice(k, k + 1)
            return original(
                identity, matrix_shape, (0,), scale[part], translation[part], *args, **kwargs
            )

        return _separably(image, shape, spatial_dims, along)

    return scale_and_translate


def _resize(original):
    @functools.wraps(original)
    def resize(image, shape, *args, **kwargs):
        if not isinstance(image, Tensor):
            return original(image, shape, *args, **kwargs)
        axes = [i for i, (a, b) in enumerate(zip(image.shape, shape)) if a is not b and a != b]

        def along(k, axis, identity, matrix_shape):
            return original(identity, matrix_shape, *args, **kwargs)

        return _separably(image, shape, axes, along)

    return resize


def _separably(image, shape, axes, along):
    """image times, for each axis, the matrix [new, old] that `along` makes of an identity."""
    for k, axis in enumerate(axes):
        old, new = image.shape[axis], int(shape[axis])
        identity = keras.ops.convert_to_tensor(np.eye(old, dtype="float32"))
        matrix = keras.ops.convert_to_numpy(along(k, axis, identity, (new, old)))
        last = keras.ops.moveaxis(image, axis, -1)
        image = keras.ops.moveaxis(keras.ops.matmul(last, matrix.T), -1, axis)
    return image


# (owner, name, how it is replaced) by backend.
_REPLACEMENTS = {
    "jax": lambda jax: (
        (jax.image, "scale_and_translate", _scale_and_translate),
        (jax.image, "resize", _resize),
    ),
    "tensorflow": lambda tf: (
        (tf, "gather", _gather),
        (tf.linalg, "band_part", _band_part),
        (tf.image, "resize", _resize_tensorflow),
        (tf.compat.v1.image, "resize", _resize_tensorflow),
    ),
    "torch": lambda torch: ((torch.nn.functional, "interpolate", _interpolate),),
}
