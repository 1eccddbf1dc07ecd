"""export(): a KerasHub model, or a folder with a preset, to a file."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys
import tempfile
from collections import Counter
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


@dataclasses.dataclass(frozen=True)
class PartsReport:
    """What the export of a model of several networks wrote.

    Attributes:
        parts: The report of each network's file, by the network's name, in the order in which a
            generation runs them.
    """

    parts: dict[str, plain.ExportReport]

    @property
    def operators(self) -> dict[str, int]:
        """How often each LiteRT operator is in the files together."""
        return dict(sum((Counter(part.operators) for part in self.parts.values()), Counter()))

    @property
    def file_bytes(self) -> int:
        return sum(part.file_bytes for part in self.parts.values())

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts.values())

    @property
    def notes(self) -> list[str]:
        return [f"{name}: {note}" for name, part in self.parts.items() for note in part.notes]

    def __str__(self) -> str:
        return "\n".join(map(str, self.parts.values()))


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
) -> plain.ExportReport | PartsReport:
    """Writes a KerasHub model as a LiteRT file.

    Sizes are, in this order: what the caller gives here, what the model's own inputs say. The rest
    stays open in the file: batch, sequence lengths, image sizes. Where the model's code does not
    allow that, they are what the preprocessor makes, or else 128 tokens, 224 pixels, 3000 frames of
    audio with 448 tokens of the decoder; the report says so.

    A diffusion model is several networks: each gets a file, `NAME.denoise.tflite` beside the others
    for the path `NAME.tflite`, and the report is a PartsReport.

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
    if pathlib.PurePath(path).suffix != ".tflite":  # Before anything is loaded.
        raise ValueError(f"the path must end in '.tflite', got {os.fspath(path)!r}")
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
    parts = config.parts()
    if parts:
        return _export_parts(config, parts, pathlib.Path(path), overrides, options)
    verbose = options.pop("verbose", None)
    report = _export_one(config, model, path, overrides, preprocessor, options)
    if verbose:
        print(report)
    return report


def _export_one(config, model, path, overrides, preprocessor, options) -> plain.ExportReport:
    """Writes the model with open sizes, or with fixed ones where its code needs that."""
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


def _export_parts(config, parts, path, overrides, options) -> PartsReport:
    """Writes `path` with the part's name before its suffix, for each; all of them or none."""
    overrides = config.checked(overrides)
    verbose = options.pop("verbose", None)
    signatures = [config.refine(part.signature(), overrides) for part in parts]
    reports = {}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}") as folder:
        for part, signature in zip(parts, signatures):
            file = f"{path.stem}.{part.name}.tflite"
            report = plain.export_signature(
                part.model(config.backbone), pathlib.Path(folder) / file, signature, **options
            )
            reports[part.name] = dataclasses.replace(report, path=str(path.with_name(file)))
        for report in reports.values():
            file = pathlib.Path(report.path)
            os.replace(pathlib.Path(folder) / file.name, file)
    result = PartsReport(reports)
    if verbose:
        print(result)
    return result


def _text(value) -> str:
    return f"[{', '.join(map(_text, value))}]" if isinstance(value, tuple) else str(value)


def _read(file: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise problem("hub-4", f"'{file}' cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise problem("hub-4", f"'{file}' holds no object, but {type(content).__name__}")
    return content


def _version() -> str:
    return getattr(sys.modules.get("keras_hub"), "__version__", "")


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

    config = _read(folder / "config.json")
    preprocessor = {}
    if (folder / "preprocessor.json").is_file():
        preprocessor = _read(folder / "preprocessor.json").get("config") or {}
    if (folder / "task.json").is_file():
        kind, base, arguments = _read(folder / "task.json"), "Task", {"preprocessor": None}
    else:
        kind, base, arguments = config, "Backbone", {}
    name = kind.get("registered_name")
    found = keras.saving.get_registered_object(name)
    if not (isinstance(found, type) and issubclass(found, getattr(keras_hub.models, base))):
        raise problem(
            "hub-4",
            f"'{folder}' is a preset of '{name}', no {base.lower()} of KerasHub {_version()}",
            "Its class may be of another version, or your own: import the module that registers it "
            "and call keras_litert.hub.export().",
        )
    try:
        model = found.from_preset(str(folder), **arguments)
    except Exception as error:
        raise problem(
            "hub-5",
            f"KerasHub cannot load the preset '{folder}': {type(error).__name__}: "
            f"{(str(error).strip().splitlines() or [''])[0]}",
            "Save it again with model.save_to_preset(folder).",
        ) from error
    return model, preprocessor


__all__ = ["OVERRIDES", "PartsReport", "export", "is_hub_model", "load_preset"]
