"""Layers of Keras's own are lowered by the core, as in a model that is read from a file.

They are the same layers, so they become the same operators, and the core knows forms that no trace
of their code would give: recurrences as loops, state in variables, lookups as tables. What the core
does not know, or refuses, is traced through.
"""

from __future__ import annotations

import json

import keras
from keras.src.layers.layer import Layer
from keras.src.saving import saving_lib, serialization_lib
from keras_litert import _core
from keras_litert._direct import _AssetStore, _WeightStore
from keras_litert._saving import serializing
from keras_litert.tracer.tensors import Tensor
from keras_litert.tracer.trace import Trace


class _Variables(_WeightStore):
    """Variables as they are, not their values."""

    def __setitem__(self, key, value):
        self.arrays[self._prefix + key] = value


class Library:
    """The layers of one trace that the core lowers."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self._numbers: dict[int, int | None] = {}
        self._kept: list[Layer] = []

    def call(self, layer: Layer, args: tuple, kwargs: dict):
        """The layer's result, or NotImplemented where it is to be traced through."""
        if not self._is_known(layer) or kwargs.get("training"):
            return NotImplemented
        if not self.trace.is_symbolic((args, kwargs)):
            return NotImplemented
        number = self._number(layer)
        if number is None:
            return NotImplemented
        trace = self.trace
        tensors: dict[int, Tensor] = {}

        def encode(x):
            if isinstance(x, (list, tuple)):
                return [encode(item) for item in x]
            if isinstance(x, dict):
                return {str(key): encode(item) for key, item in x.items()}
            encoded = trace.encode(x)
            if isinstance(x, Tensor):
                tensors[encoded.id] = x
            return encoded

        given = {key: value for key, value in kwargs.items() if key != "training"}
        positional = tuple(encode(arg) for arg in args)
        keyword = {key: encode(arg) for key, arg in given.items()}
        masks = [
            (x.handle, trace.encode(mask))
            for x in tensors.values()
            if (mask := getattr(x, "_keras_mask", None)) is not None
        ]
        result, errors = trace.graph.call_layer(number, positional, keyword, masks)
        if errors:
            self._numbers[id(layer)] = None
            return NotImplemented
        trace.uses.layer(type(layer).__name__, args, kwargs)
        value, result_masks = result
        return self._decode(value, result_masks, tensors)

    def _decode(self, x, masks, tensors):
        if isinstance(x, list):
            return [self._decode(item, masks, tensors) for item in x]
        if isinstance(x, dict):
            return {key: self._decode(item, masks, tensors) for key, item in x.items()}
        if type(x) is not _core.Tensor:
            return self.trace.decode(x)
        # A layer that passes its input through gives the same tensor without the same mask.
        tensor = self.trace.wrap(x)
        if x.id in masks:
            tensor._keras_mask = self.trace.wrap(masks[x.id])
        return tensor

    def _is_known(self, layer: Layer) -> bool:
        kind = type(layer)
        return (
            kind.__module__.startswith("keras.src.layers.")
            and "call" not in vars(layer)
            and layer.built
            and _core.knows_layer(kind.__name__)
        )

    def _number(self, layer: Layer) -> int | None:
        if id(layer) not in self._numbers:
            self._kept.append(layer)
            self._numbers[id(layer)] = self._add(layer)
        return self._numbers[id(layer)]

    def _add(self, layer: Layer) -> int | None:
        trace = self.trace
        trace.paused += 1
        assets = None
        try:
            variables = _Variables()
            assets = _AssetStore() if hasattr(layer, "save_assets") else None
            with serializing(), serialization_lib.ObjectSharingScope():
                config = json.dumps(keras.saving.serialize_keras_object(layer))
                saving_lib._save_state(
                    layer,
                    weights_store=variables,
                    assets_store=assets,
                    inner_path="layer",
                    visited_saveables=set(),
                )
            weights = {path: trace.weight(value).handle for path, value in variables.arrays.items()}
            files = assets.read() if assets else {}
        except Exception:  # A config that cannot be made: the layer's code is traced.
            return None
        finally:
            trace.paused -= 1
            if assets:
                assets.close()
        number, errors = trace.graph.add_layer(config, weights, files)
        return None if errors else number
