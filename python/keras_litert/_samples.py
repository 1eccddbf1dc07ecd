"""Samples for calibration, in whatever form a user has them, as the core takes them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from keras_litert._arrays import raw

# Rows of one large array that run at once where the model leaves the batch open.
_BATCH = 8


def collect(dataset: Any, inputs: Sequence[Any] | None) -> list[dict[str, tuple]]:
    """One dict a batch: {input's name: (dtype, shape, bytes)}; "" is the name of an only input.

    Args:
        dataset: A callable that gives an iterable, or an iterable (a generator, tf.data.Dataset,
            torch DataLoader, list …) of samples; or the whole set at once as an array or a dict of
            arrays, first axis the samples. A sample is an array, a list of them in the inputs'
            order, a dict by name, or a tuple of those and labels, which are ignored. It has the
            batch as its first axis, or none.
        inputs: The model's inputs (name, dtype, shape), or None where they are not known: then a
            sample is a dict, or the array of an only input.

    Raises:
        TypeError, ValueError: a sample does not fit the inputs.
    """
    if dataset is None:
        return []
    if callable(dataset) and not _is_array(dataset):
        dataset = dataset()
    if isinstance(dataset, Mapping) or _is_array(dataset):
        return list(_split(_named(dataset, inputs, "representative_dataset"), inputs))
    if not isinstance(dataset, Iterable):
        raise TypeError(
            "'representative_dataset' must be a callable, an iterable of samples, an array or a "
            f"dict of arrays, got {type(dataset).__name__}"
        )
    samples = []
    for index, item in enumerate(dataset):
        arrays = _named(item, inputs, f"sample {index} of 'representative_dataset'")
        samples.append({name: raw(array) for name, array in arrays.items()})
    return samples


def runtime() -> str:
    """The folder of the installed LiteRT runtime, or "" for the core to look for it."""
    spec = importlib.util.find_spec("ai_edge_litert")
    return next(iter(spec.submodule_search_locations or ()), "") if spec else ""


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _host(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):  # PyTorch
        value = value.detach().cpu()
    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    return np.ascontiguousarray(array).reshape(array.shape)


def _named(item: Any, inputs: Sequence[Any] | None, what: str) -> dict[str, np.ndarray]:
    """A sample's arrays by input, each with a batch axis."""
    count = 1 if inputs is None else len(inputs)
    # (x, y): what a data set for training gives.
    if isinstance(item, tuple) and item and not _is_array(item):
        nested = isinstance(item[0], (Mapping, list, tuple))
        if nested or (count == 1 and len(item) <= 3):
            item = item[0]
    if isinstance(item, Mapping):
        arrays = {str(name): _host(value) for name, value in item.items()}
    else:
        values = list(item) if isinstance(item, (list, tuple)) else [item]
        if len(values) != count:
            raise ValueError(
                f"{what} has {len(values)} arrays, the model has {count} inputs; give a dict by "
                "their names"
            )
        names = [""] if inputs is None else [leaf.name for leaf in inputs]
        arrays = {name: _host(value) for name, value in zip(names, values)}
    return {name: _batched(name, array, inputs, what) for name, array in arrays.items()}


def _batched(name, array, inputs, what) -> np.ndarray:
    leaf = next((leaf for leaf in inputs or () if leaf.name == name), None)
    if leaf is None:
        return array  # The core reports a name that does not exist.
    if array.ndim == len(leaf.shape) - 1:
        array = array[None]
    fits = array.ndim == len(leaf.shape) and all(
        want is None or axis == 0 or want == have
        for axis, (want, have) in enumerate(zip(leaf.shape, array.shape))
    )
    if not fits:
        raise ValueError(
            f"{what}: the input '{name}' has the shape {leaf.shape}, the array {array.shape}"
        )
    return array


def _split(arrays: Mapping[str, np.ndarray], inputs: Sequence[Any] | None):
    """Batches of a whole set's arrays."""
    rows = {array.shape[0] if array.ndim else 0 for array in arrays.values()}
    if len(rows) != 1:
        raise ValueError(f"the arrays of 'representative_dataset' have {sorted(rows)} rows")
    sizes = [leaf.shape[0] for leaf in inputs or () if leaf.shape]
    step = next((size for size in sizes if size), _BATCH)
    for start in range(0, rows.pop(), step):
        yield {name: raw(array[start : start + step]) for name, array in arrays.items()}
