"""Keras's own serialization, for the time of an export: of configs, weights and assets."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator

from keras.src.saving import saving_lib
from keras.src.utils import module_utils

_skipped_attributes = functools.cache(saving_lib.get_attr_skipset)


@contextlib.contextmanager
def serializing() -> Iterator[None]:
    """Makes Keras's serialization as cheap as it can be, and puts everything back.

    It asks each object whether it is TensorFlow's, which imports TensorFlow where it is installed:
    seconds and hundreds of megabytes. Nothing is TensorFlow's where TensorFlow was not imported.
    And it makes a layer for each layer, to look at its attributes: here one for all.
    """
    tensorflow = module_utils.tensorflow
    known = tensorflow._available
    original = saving_lib.get_attr_skipset
    if known is None and "tensorflow" not in sys.modules:
        tensorflow._available = False
    saving_lib.get_attr_skipset = _skipped_attributes
    try:
        yield
    finally:
        tensorflow._available = known
        saving_lib.get_attr_skipset = original
