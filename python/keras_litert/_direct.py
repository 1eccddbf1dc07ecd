"""Strategy "direct": the model's config and weights, as its `.keras` archive would hold them.

The core gets views of the weights; nothing is copied that the backend keeps in host memory.
"""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import Any

import keras
from keras.src.saving import saving_lib
from keras_litert import _core
from keras_litert._arrays import host_array, raw
from keras_litert._saving import serializing
from keras_litert._signature import has_open_batch
from keras_litert.errors import raise_for


class _WeightStore(saving_lib.H5IOStore):
    """What Keras writes weights into, kept as arrays under the paths that the archive has."""

    def __init__(self):  # Nothing of the base: there is no file.
        self.arrays = {}
        self._prefix = "vars/"

    def __bool__(self):
        return True

    def __len__(self):
        return len(self.arrays)

    def keys(self):
        return self.arrays.keys()

    def close(self):
        pass

    def make(self, path, metadata=None):
        self._prefix = f"{path}/vars/" if path else "vars/"
        return self

    def __setitem__(self, key, value):
        self.arrays[self._prefix + key] = host_array(value)

    def __getitem__(self, key):
        return self.arrays[self._prefix + key]

    def __delitem__(self, key):
        del self.arrays[self._prefix + key]


class _AssetStore(saving_lib.DiskIOStore):
    """Keras writes assets (vocabularies) into folders; they are read back from there."""

    def __init__(self):
        super().__init__("assets", mode="w")

    def read(self) -> dict[str, bytes]:
        root = pathlib.Path(self.working_dir)
        return {
            f"assets/{file.relative_to(root).as_posix()}": file.read_bytes()
            for file in sorted(root.rglob("*"))
            if file.is_file()
        }

    def close(self):
        shutil.rmtree(self.tmp_dir, ignore_errors=True)


def _has_assets(model: keras.Model) -> bool:
    return any(
        hasattr(layer, "save_assets")
        for layer in model._flatten_layers(include_self=True, recursive=True)
    )


def convert(model: keras.Model, path: str, options: dict[str, Any]) -> dict[str, Any]:
    """Writes `path` from the model's config and weights; gives the core's report.

    Raises:
        ExportError: the core cannot read the config, or an operation cannot be expressed.
        Exception: what the model's own get_config() raises.
    """
    with serializing():
        config, _ = saving_lib._serialize_model_as_json(model)
        if has_open_batch(model):
            config = _with_open_batch(config)
        weights, files = _WeightStore(), {}
        if _is_readable(model):
            files = _save(model, weights)
    listed = [(name, *raw(array)) for name, array in weights.arrays.items()]
    report, errors = _core.convert_model(config, keras.__version__, listed, files, path, options)
    raise_for(errors)
    return report


def _with_open_batch(config: str) -> str:
    """A Sequential model's config, whose input takes any batch."""
    parsed = json.loads(config)
    made = parsed["config"]["layers"][0]["config"]
    made["batch_shape"] = [None, *made["batch_shape"][1:]]
    return json.dumps(parsed)


def _is_readable(model: keras.Model) -> bool:
    """False for models whose code is not in their config: the config tells what is wrong."""
    kinds = (keras.Sequential, keras.src.models.Functional)
    return isinstance(model, kinds) or type(model).__module__.startswith("keras.")


def _save(model: keras.Model, weights: _WeightStore) -> dict[str, bytes]:
    """Fills the store; gives the assets."""
    assets = _AssetStore() if _has_assets(model) else None
    try:
        saving_lib._save_state(
            model,
            weights_store=weights,
            assets_store=assets,
            inner_path="",
            visited_saveables=_optimizer(model),
        )
        return assets.read() if assets else {}
    finally:
        if assets:
            assets.close()


def _optimizer(model: keras.Model) -> set[int]:
    """What belongs to training and is no part of the file."""
    parts = (getattr(model, "optimizer", None), getattr(model, "_compile_metrics", None))
    return {id(part) for part in parts if part is not None}
