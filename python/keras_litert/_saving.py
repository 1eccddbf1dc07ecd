"""Keras's own serialization, for the time of an export: of configs, weights and assets."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator

import keras
import numpy as np
from keras.src import activations
from keras.src.saving import saving_lib
from keras.src.utils import module_utils

_skipped_attributes = functools.cache(saving_lib.get_attr_skipset)


_BACKENDS = ("jax", "jaxlib", "keras", "tensorflow", "torch")


def _means(name: str, function) -> bool:
    """Whether Keras's activation of that name computes what the function computes.

    Functions of keras.ops and of the backends are tried out: some differ (jax.nn.gelu
    approximates). Those of others may differ elsewhere than where one looks.
    """
    known = activations.ALL_OBJECTS_DICT.get(name)
    if function is known:
        return True
    module = str(getattr(function, "__module__", ""))
    if known is None or module.split(".")[0] not in _BACKENDS:
        return False
    x = keras.ops.convert_to_tensor(np.linspace(-9, 9, 4 * 63, dtype="float32").reshape(4, 63))
    try:
        given, own = (np.asarray(keras.ops.convert_to_numpy(f(x))) for f in (function, known))
    except Exception:
        return False
    return given.shape == own.shape and bool(np.allclose(given, own, rtol=1e-5, atol=1e-6))


def _serialized(original):
    """keras.activations.serialize, where functions that only share a name keep their own.

    Keras writes `gelu` for keras.ops.gelu, which approximates, and `relu` for a user's own `relu`;
    what it reads back is its own activation.
    """

    @functools.wraps(original)
    def serialize(activation):
        name = getattr(activation, "__name__", "").removesuffix("_v2")
        if _means(name, activation):
            return name
        config = original(activation)
        if not isinstance(config, str) or config not in activations.ALL_OBJECTS_DICT:
            return config
        name = f"{activation.__module__}.{activation.__name__}"
        return {
            "module": "builtins",
            "class_name": "function",
            "config": name,
            "registered_name": "function",
        }

    return serialize


@contextlib.contextmanager
def serializing() -> Iterator[None]:
    """Makes Keras's serialization as cheap as it can be, and puts everything back.

    It asks each object whether it is TensorFlow's, which imports TensorFlow where it is installed:
    seconds and hundreds of megabytes. Nothing is TensorFlow's where TensorFlow was not imported.
    And it makes a layer for each layer, to look at its attributes: here one for all. Activations
    are told from those whose names they share.
    """
    tensorflow = module_utils.tensorflow
    known = tensorflow._available
    original = saving_lib.get_attr_skipset
    serialize = activations.serialize
    if known is None and "tensorflow" not in sys.modules:
        tensorflow._available = False
    saving_lib.get_attr_skipset = _skipped_attributes
    activations.serialize = _serialized(serialize)
    try:
        yield
    finally:
        tensorflow._available = known
        saving_lib.get_attr_skipset = original
        activations.serialize = serialize
