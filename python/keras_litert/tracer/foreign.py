"""Functions of a backend that models call on tensors without Keras.

`jax.image.scale_and_translate` and `jax.image.resize` are linear along each axis, and one axis does
not know of the others: run on unit vectors they give a matrix for each axis, by which the traced
tensor is multiplied. What they compute need not be known here.
"""

from __future__ import annotations

import functools
import sys

import keras
from keras_litert.tracer.tensors import Tensor


def replacements() -> list[tuple[object, str, object]]:
    """(module, name, function) of what is replaced during a trace; originals inside."""
    image = getattr(sys.modules.get("jax"), "image", None)
    if image is None or keras.backend.backend() != "jax":
        return []
    return [
        (image, "scale_and_translate", _scale_and_translate(image.scale_and_translate)),
        (image, "resize", _resize(image.resize)),
    ]


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
    import jax.numpy as jnp

    for k, axis in enumerate(axes):
        old, new = image.shape[axis], shape[axis]
        matrix = along(k, axis, jnp.eye(old, dtype="float32"), (new, old))
        last = keras.ops.moveaxis(image, axis, -1)
        image = keras.ops.moveaxis(keras.ops.matmul(last, jnp.transpose(matrix)), -1, axis)
    return image
