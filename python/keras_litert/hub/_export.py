"""export(): a KerasHub model, or a folder with a preset, to a file."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys
from typing import Any

import keras
from keras_litert import _export as plain
from keras_litert import _signature
from keras_litert.errors import ExportError
from keras_litert.hub._configs import OVERRIDES, Overrides, problem
from keras_litert.hub._registry import _registered, get_exporter_config


def is_hub_model(model) -> bool:
    """True for KerasHub's tasks and backbones, and for classes that users registered."""
    if any(isinstance(model, kind) for kind, _ in _registered):
        return True
    hub = sys.modules.get("keras_hub")
    models = getattr(hub, "models", None)
    return models is not None and isinstance(model, (models.Task, models.Backbone))


def export(
    model: keras.Model | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    batch_size: int | None = None,
    max_sequence_length: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    audio_length: int | None = None,
    decoder_sequence_length: int | None = None,
    **options: Any,
) -> plain.ExportReport:
    """Writes a KerasHub model as a LiteRT file.

    Sizes are, in this order: what the caller gives here, what the model's own inputs say. The rest
    stays open in the file: batch, sequence lengths, image sizes. Where the model's code does not
    allow that, they are what the preprocessor makes, or else 128 tokens, 224 pixels, 3000 frames of
    audio with 448 tokens of the decoder; the report says so.

    Args:
        model: A task or backbone, or the folder of a preset.
        path: The file to write; ends in `.tflite`.
        batch_size, max_sequence_length, image_size, audio_length, decoder_sequence_length: Fix
            sizes; each model takes those that it has inputs for.
        options: As for keras_litert.export().

    Returns:
        What was written.

    Raises:
        ValueError: The model's class is not supported.
        ExportError: The model is not built, a size does not fit it, or it cannot be expressed.
    """
    preprocessor = None
    if options.get("strategy", "auto") == "auto":
        options["strategy"] = "tracer"  # Their classes are KerasHub's own.
    if not isinstance(model, keras.Model):
        model, preprocessor = load_preset(model)
    config = get_exporter_config(model)
    overrides = Overrides(
        batch_size=batch_size,
        max_sequence_length=max_sequence_length,
        image_size=tuple(image_size) if isinstance(image_size, list) else image_size,
        audio_length=audio_length,
        decoder_sequence_length=decoder_sequence_length,
    )
    signature = config.signature(overrides, preprocessor=preprocessor)
    values = [f"{leaf.name} is {_text(leaf.value)} in the file" for leaf in signature.values()]
    try:
        report = plain.export_signature(model, path, signature, **options)
        return dataclasses.replace(report, notes=[*report.notes, *values])
    except ExportError as error:
        fixed = config.signature(overrides, preprocessor=preprocessor, static=True)
        if fixed.leaves() == signature.leaves() or plain.is_of_the_request(error):
            raise
        try:
            report = plain.export_signature(model, path, fixed, **options)
        except ExportError as last:
            raise last from error
        sizes = _sizes(signature, fixed)
        reason = error.diagnostics[-1]
        note = (
            f"sizes fixed, which the model's code needs: {sizes} ({reason.path}: {reason.message})"
        )
        return dataclasses.replace(report, notes=[*report.notes, *values, note])


def _text(value) -> str:
    return f"[{', '.join(map(_text, value))}]" if isinstance(value, tuple) else str(value)


def _sizes(dynamic: _signature.Signature, fixed: _signature.Signature) -> str:
    found = {}
    for before, after in zip(dynamic.leaves(), fixed.leaves()):
        for axis, old, new in zip(after.axes, before.shape, after.shape):
            if old is None and new is not None:
                found[axis] = new
    return ", ".join(f"{axis} {size}" for axis, size in found.items())


def load_preset(folder: str | os.PathLike[str]) -> tuple[keras.Model, dict[str, Any]]:
    """The model of a preset's folder, and the config of its preprocessor.

    The task where the folder has one (task.json), else the backbone. No tokenizer is made: the
    file takes tokens.

    Raises:
        ExportError: the folder is none of a preset.
    """
    folder = pathlib.Path(folder)
    if not (folder / "config.json").is_file():
        raise problem(
            "hub-4",
            f"'{folder}' is no folder of a preset: it has no config.json",
            "Save one with model.save_to_preset(folder), or give a model.",
        )
    import keras_hub

    preprocessor = {}
    if (folder / "preprocessor.json").is_file():
        preprocessor = json.loads((folder / "preprocessor.json").read_text()).get("config", {})
    if (folder / "task.json").is_file():
        name = json.loads((folder / "task.json").read_text()).get("registered_name")
        kind = keras.saving.get_registered_object(name)
        if not (isinstance(kind, type) and issubclass(kind, keras_hub.models.Task)):
            raise problem("hub-4", f"the task of '{folder}' is '{name}', no class of KerasHub")
        model = kind.from_preset(str(folder), preprocessor=None)
    else:
        model = keras_hub.models.Backbone.from_preset(str(folder))
    return model, preprocessor


__all__ = ["OVERRIDES", "export", "is_hub_model", "load_preset"]
