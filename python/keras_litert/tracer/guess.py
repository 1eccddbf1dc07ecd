"""Which inputs are integers, where Keras kept no dtype: told by what the model does with them."""

from __future__ import annotations

from typing import Any

from keras_litert.tracer.tensors import Tensor

# Where operations take indices: the argument's position and name.
_INDICES = {
    "core.scatter": (0, "indices"),
    "core.scatter_update": (1, "indices"),
    "math.segment_max": (1, "segment_ids"),
    "math.segment_sum": (1, "segment_ids"),
    "nn.multi_hot": (0, "inputs"),
    "nn.one_hot": (0, "x"),
    "numpy.bincount": (0, "x"),
    "numpy.take": (1, "indices"),
    "numpy.take_along_axis": (1, "indices"),
}
# Layers of Keras that look numbers up.
_LOOKUPS = {"Embedding", "HashedCrossing", "Hashing", "IntegerLookup", "ReversibleEmbedding"}
# Their results hold the same numbers.
_REARRANGED = {
    "core.unstack",
    "numpy.broadcast_to",
    "numpy.expand_dims",
    "numpy.flip",
    "numpy.get_item",
    "numpy.ravel",
    "numpy.reshape",
    "numpy.roll",
    "numpy.split",
    "numpy.squeeze",
    "numpy.swapaxes",
    "numpy.tile",
    "numpy.transpose",
}
# What is done to integers and floats alike, most of all to find where they are padded.
_OF_EITHER = {
    "numpy.equal",
    "numpy.full_like",
    "numpy.not_equal",
    "numpy.ones_like",
    "numpy.zeros_like",
}


class Uses:
    """What a trace does with the inputs whose dtype is a guess."""

    def __init__(self):
        self._input_of: dict[int, str] = {}  # by the tensor's number
        self._as_index: set[str] = set()
        self._otherwise: set[str] = set()

    def add(self, name: str, tensor: Tensor) -> None:
        self._input_of[tensor.handle.id] = name

    def integers(self) -> set[str]:
        """The inputs that are used, and only as integers."""
        return self._as_index - self._otherwise

    def operation(self, name: str, args: tuple, kwargs: dict, result: Any = None) -> None:
        """Notes an operation, before it is recorded, and after with what it gave."""
        if not self._input_of:
            return
        position, keyword = _INDICES.get(name, (None, None))
        for key, x in (*enumerate(args), *kwargs.items()):
            for used in self._inputs(x):
                if key in (position, keyword) or (
                    name == "core.cast" and _to_integer(args, kwargs)
                ):
                    self._as_index.add(used)
                elif name in _REARRANGED:
                    self._pass_on(used, result)
                elif name not in _OF_EITHER:
                    self._otherwise.add(used)

    def layer(self, class_name: str, args: tuple, kwargs: dict) -> None:
        """Notes the call of a layer that is not traced through."""
        if self._input_of:
            kind = self._as_index if class_name in _LOOKUPS else self._otherwise
            kind.update(self._inputs((args, kwargs)))

    def _inputs(self, x) -> list[str]:
        if isinstance(x, Tensor):
            name = self._input_of.get(x.handle.id)
            return [] if name is None else [name]
        if isinstance(x, dict):
            x = x.values()
        elif not isinstance(x, (list, tuple)):
            return []
        return [name for item in x for name in self._inputs(item)]

    def _pass_on(self, name: str, result) -> None:
        for x in result if isinstance(result, (list, tuple)) else [result]:
            if isinstance(x, Tensor):
                self._input_of[x.handle.id] = name


def _to_integer(args: tuple, kwargs: dict) -> bool:
    dtype = args[1] if len(args) > 1 else kwargs.get("dtype")
    return "int" in str(dtype)
