"""Compilation of a written file for NPUs, by ai_edge_litert.aot and its vendors' plugins."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import importlib
import importlib.util
import io
import mmap
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

from keras_litert.errors import Diagnostic, ExportError

# The vendors of ai_edge_litert.aot, by what they are called here.
VENDORS = ("google_tensor", "intel_openvino", "mediatek", "qualcomm", "samsung")
_INSTALL = "pip install ai-edge-litert"
# Where ai_edge_litert.aot looks for a vendor's compiler.
_SDK = {
    "google_tensor": "ai_edge_litert_sdk_google_tensor",
    "intel_openvino": "openvino",
    "mediatek": "ai_edge_litert_sdk_mediatek",
    "qualcomm": "ai_edge_litert_sdk_qualcomm",
    "samsung": "ai_edge_litert_sdk_samsung",
}
_ROOT = "ai_edge_litert.aot"
_LOST = (
    "the compiled file would lack CALL_ONCE, which gives the model's variables their first "
    "values: LiteRT's compiler drops it",
    "Export a model that takes its state as inputs and gives it as outputs.",
)


@dataclasses.dataclass(frozen=True)
class CompiledFile:
    """A file compiled for one NPU.

    Attributes:
        target: The NPU, "Qualcomm_SM8750".
        path: The file.
        partitions: For each subgraph that has operators for the NPU: (subgraph, operators that the
            NPU runs, operators in all, partitions).
    """

    target: str
    path: str
    partitions: list[tuple[int, int, int, int]]


def is_installed() -> bool:
    """True where the compiler's front end is there. Imports nothing large."""
    try:
        return importlib.util.find_spec(_ROOT) is not None
    except ModuleNotFoundError:
        return False


def check_targets(targets: Any) -> None:
    """Looks at the targets before anything is done.

    Raises:
        TypeError: `targets` is no list, or an entry neither a string nor a Target.
        ValueError: a string names no vendor or NPU that ai_edge_litert knows.
    """
    if isinstance(targets, (str, bytes)) or not isinstance(targets, Sequence):
        raise TypeError(
            "'aot_compile_targets' must be a list of targets such as 'qualcomm:SM8750', got "
            f"{type(targets).__name__}"
        )
    for target in targets:
        if isinstance(target, str):
            _check_vendor(target)
        elif not hasattr(target, "flatten") or not hasattr(target, "backend_id"):
            raise TypeError(
                "a target is 'vendor:model' or a Target of ai_edge_litert.aot, got "
                f"{type(target).__name__}"
            )
    if is_installed():
        for target in targets:
            _target(target)


def _check_vendor(target: str) -> None:
    vendor = target.partition(":")[0]
    known = (*VENDORS, "fallback")
    if vendor not in known:
        near = difflib.get_close_matches(vendor.lower(), known, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(
            f"the target '{target}' names none of the vendors {', '.join(VENDORS)}{hint}"
        )


def _target(target: Any):
    """A Target of ai_edge_litert.aot; its backend is registered."""
    if not isinstance(target, str):
        return target
    vendor, _, model = target.partition(":")
    if vendor == "fallback":
        return importlib.import_module(f"{_ROOT}.vendors.fallback_backend").FallbackTarget()
    module = importlib.import_module(f"{_ROOT}.vendors.{vendor}.target")
    importlib.import_module(f"{_ROOT}.vendors.{vendor}.{vendor}_backend")
    known = [entry.value for entry in module.SocModel]
    model = model or "ALL"
    if model not in known:
        near = difflib.get_close_matches(model, known, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(
            f"the target '{target}' names none of the NPUs {', '.join(known)} of {vendor}{hint}"
        )
    return module.Target(module.SocModel(model))


def compile_file(path: str, targets: Sequence[Any]) -> list[CompiledFile]:
    """Compiles the `.tflite` file for each target, into files beside it: "model_TARGET.tflite".

    Raises:
        ExportError: the compiler or a vendor's SDK is missing, or a compilation fails. `path` and
            the files of other targets stay.
    """
    if not is_installed():
        raise ExportError(
            [
                Diagnostic(
                    "",
                    "aot-1",
                    "aot_compile_targets needs ai_edge_litert.aot, which is not installed",
                    f"{_INSTALL}, or compile later: '{path}' is written.",
                )
            ]
        )
    try:
        compiler = importlib.import_module(f"{_ROOT}.aot_compile")
    except ImportError as error:
        raise ExportError(
            [
                Diagnostic(
                    "",
                    "aot-1",
                    "aot_compile_targets needs ai_edge_litert.aot, which cannot be imported: "
                    f"{error}",
                    f"'{path}' is written.",
                )
            ]
        ) from error
    source = pathlib.Path(path)
    compiled: list[CompiledFile] = []
    problems: list[Diagnostic] = []
    with tempfile.TemporaryDirectory(prefix="keras_litert") as folder:
        for given in targets:
            target = _target(given)
            try:
                # It shows its progress.
                silent = io.StringIO()
                with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
                    result = compiler.aot_compile(
                        str(source), output_dir=folder, target=target, keep_going=True
                    )
            except Exception as error:
                problems.append(_problem(given, repr(target), str(error), path))
                continue
            for backend, model in result.models_with_backend:
                if _lost_initializers(source, model):
                    problems.append(Diagnostic(backend.target_id, "aot-3", *_LOST))
                    continue
                final = source.with_name(f"{source.stem}{backend.target_id_suffix}.tflite")
                _move(model, final)
                stats = model.partition_stats.subgraph_stats if model.partition_stats else []
                compiled.append(
                    CompiledFile(
                        backend.target_id,
                        str(final),
                        [
                            (
                                part.subgraph_index,
                                part.num_ops_offloaded,
                                part.num_total_ops,
                                part.num_partitions_offloaded,
                            )
                            for part in stats
                        ],
                    )
                )
            for backend, text in result.failed_backends:
                problems.append(_problem(given, backend.target_id, text, path))
    if problems:
        done = f"; compiled: {', '.join(file.target for file in compiled)}" if compiled else ""
        raise ExportError(problems, f"'{path}' is written, but not compiled for every NPU{done}:")
    return compiled


def _lost_initializers(source: pathlib.Path, model) -> bool:
    """True where the exported file has a CALL_ONCE that the compiled one has not.

    A partition taken out of a graph takes with it what has neither inputs nor outputs
    (ai-edge-litert 2.3.0); the variables could not be read then.
    """
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        before = _call_once_count(content)
    if not before:
        return False
    return (
        _call_once_count(model.model_bytes if model.in_memory else model.path.read_bytes()) < before
    )


def _call_once_count(content) -> int:
    schema = importlib.import_module("ai_edge_litert.schema_py_generated")
    model = schema.Model.GetRootAs(content, 0)
    codes = {
        index
        for index in range(model.OperatorCodesLength())
        if model.OperatorCodes(index).BuiltinCode() == schema.BuiltinOperator.CALL_ONCE
    }
    if not codes:
        return 0
    return sum(
        graph.Operators(index).OpcodeIndex() in codes
        for graph in map(model.Subgraphs, range(model.SubgraphsLength()))
        for index in range(graph.OperatorsLength())
    )


def _move(model, final: pathlib.Path) -> None:
    """The compiled model under its final name, complete or not at all."""
    unfinished = final.with_name(final.name + ".part")
    try:
        model.save(unfinished, export_only=True)
        os.replace(unfinished, final)
    finally:
        unfinished.unlink(missing_ok=True)


def _problem(given: Any, name: str, text: str, path: str) -> Diagnostic:
    log, reason = re.search(r"See (\S+\.error) for details", text), text.strip()
    if log:
        reason = _reason(pathlib.Path(log[1])) or reason
    vendor = given.partition(":")[0] if isinstance(given, str) else type(given).__module__
    vendor = next((known for known in VENDORS if known in vendor), "")
    hint = ""
    if vendor and importlib.util.find_spec(_SDK[vendor]) is None:
        hint = f"The vendor's compiler is not installed: Python package {_SDK[vendor]}."
    return Diagnostic(name, "aot-2", reason, hint)


def _reason(log: pathlib.Path) -> str:
    """The first error of the compiler's log; the log goes."""
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").splitlines()
        shutil.rmtree(log, ignore_errors=True) if log.is_dir() else log.unlink()
        # "└ …" is what a line before it is about. A line "ERROR: [file:line]" says nothing.
        for pattern in (r"└ (.*)", r"ERROR: \[[^\]]*\] (?!ERROR)(.*)", r"ERROR: (?!\[)(.*)"):
            for line in lines:
                if found := re.match(pattern, line):
                    return found[1].strip()
        steps = [found[1] for line in lines if (found := re.search(r"Starting (.*)\.\.\.$", line))]
        if steps:
            return f"the compiler fails at '{steps[-1]}' and gives no reason"
    return ""
