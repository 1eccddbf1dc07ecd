"""export() and convert_file()."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import itertools
import os
import pathlib
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras_litert import _aot, _core, _direct, _quantize, _signature, _verify
from keras_litert.errors import Diagnostic, ExportError, raise_for

STRATEGIES = ("auto", "direct", "tracer")
# Options of Keras's other LiteRT exporters that have nothing to choose here: every file has builtin
# operators only, and dynamic sizes.
_ACCEPTED = {"allow_custom_ops": False, "enable_select_tf_ops": False}
# Errors of what was asked for, whatever the model is, by code or family.
_OF_THE_REQUEST = (
    *("quantize-1", "quantize-2", "quantize-9", "quantize-10", "samples", "runtime", "auto"),
    *("option", "file", "write", "memory", "verify"),
)
# The direct strategy's errors of models whose code is not in their config.
_NEEDS_CODE = ("model-1", "model-2", "layer-2")
_OPTIONS = (
    "input_signature",
    "verbose",
    "debug",
    "strategy",
    "static_batch",
    "shapes",
    "quantize",
    "trace_layers",
    "aot_compile_targets",
    "verify",
)
_lock = threading.RLock()


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """What an export did.

    Attributes:
        path: The file.
        strategy: "direct" or "tracer".
        inputs, outputs: (name, dtype, shape) of each; -1 is a size that the caller chooses.
        operators: How often each LiteRT operator is in the file.
        file_bytes: The file's size.
        seconds: Time of the conversion, from the first read of the model to the renamed file.
        notes: What a user should know.
        quantized: What quantization did, an entry for each operator with weights: layer, op,
            recipe, reason, bytes_before, bytes_after, weights_sqnr_db, output_sqnr_db (see
            docs/quantization.md).
        output_errors: Where samples were given: how each output differs from the float model's on
            them: name, sqnr_db, max_absolute, max_relative.
        compiled: With aot_compile_targets: the files for NPUs.
        recipe, rules: Quantization as it was done, as a recipe file has it; with quantize="auto"
            what was found.
        trials: What quantize="auto" tried: name, recipe, rules, failure, file_bytes, sqnr_db,
            max_relative, metric, fits.
        advice: With advise=True, what another recipe for single layers would change, measured:
            layer, op ("": all of the layer), from, recipe, gain_db, sqnr_db, bytes (that the file
            grows by).
    """

    path: str
    strategy: str
    inputs: list[tuple[str, str, tuple[int, ...]]]
    outputs: list[tuple[str, str, tuple[int, ...]]]
    operators: dict[str, int]
    file_bytes: int
    seconds: float
    notes: list[str]
    quantized: list[dict[str, Any]]
    output_errors: list[dict[str, Any]]
    compiled: list[_aot.CompiledFile] = dataclasses.field(default_factory=list)
    recipe: str = ""
    rules: list[dict[str, str]] = dataclasses.field(default_factory=list)
    trials: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    advice: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        def tensors(entries):
            return "\n".join(
                f"    {name}: {dtype}{list(None if n < 0 else n for n in shape)}"
                for name, dtype, shape in entries
            )

        operators = ", ".join(f"{count} {name}" for name, count in self.operators.items())
        notes = "".join(
            f"\n  error of {error['name']}: {_decibels(error['sqnr_db'])}, at most "
            f"{error['max_absolute']:.2g}"
            for error in self.output_errors
        )
        notes += "".join(
            f"\n  tried {trial['name']}: "
            + (trial["failure"] or f"{trial['file_bytes']} bytes, {_decibels(trial['sqnr_db'])}")
            for trial in self.trials
        )
        for one in self.advice:
            where = f"{one['layer']}@{one['op']}" if one["op"] else one["layer"]
            ratio = _decibels(one["sqnr_db"])
            change = f"{ratio} then, {one['bytes']:+d} bytes"
            notes += f"\n  advice: {where} in {one['recipe']}: {change}"
        notes += "".join(f"\n  note: {note}" for note in self.notes)
        notes += "".join(f"\n  for {file.target}: {file.path}" for file in self.compiled)
        return (
            f"{self.path}: {self.file_bytes / 1e6:.2f} MB in {self.seconds:.2f} s "
            f"({self.strategy})\n  inputs\n{tensors(self.inputs)}\n  outputs\n"
            f"{tensors(self.outputs)}\n  {operators}{notes}"
        )


def _decibels(ratio: float | None) -> str:
    return "exact" if ratio is None else f"{ratio:.1f} dB"


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    input_signature: Any = None,
    verbose: bool | None = None,
    strategy: str = "auto",
    static_batch: int | None = None,
    shapes: dict[str, tuple[int | None, ...]] | None = None,
    quantize: str | dict[str, Any] | os.PathLike[str] | None = None,
    debug: bool = False,
    trace_layers: bool = False,
    aot_compile_targets: Sequence[Any] | None = None,
    verify: bool | float = False,
    **kwargs: Any,
) -> ExportReport:
    """Writes a Keras model as a LiteRT file.

    Args:
        model: A keras.Model of any kind, on any backend. Neither it nor Keras is changed; a model
            that was never built is built with `input_signature`.
        path: The file to write; ends in `.tflite`.
        input_signature: The inputs' shapes (batch included, None where the caller chooses) and
            dtypes, in the structure in which the model takes them: keras.InputSpec, KerasTensor,
            (shape, dtype), tf.TensorSpec, or example tensors. None: from the model.
        verbose: True prints a summary.
        strategy: "direct" reads the model's config and weights; "tracer" runs the model on
            symbolic tensors; "auto" tries the first where it can read the model, then the second.
        static_batch: Fixes the first size of every input where it is unknown.
        shapes: Fixes the shape of inputs by name; None keeps a size dynamic.
        quantize: Stores weights in fewer bits, and computes in integers: a recipe's name
            ("dynamic_int8", "float16", "weight_only_int8", "int4", "int8", "int16x8" …), a dict as
            a recipe file holds it, or the file's pathlib.Path (docs/quantization.md). "auto"
            searches what each layer gets, by representative_dataset= and a budget:
            min_sqnr= (dB), max_loss= (of the outputs' range) or max_size= (bytes of the file);
            with metric=, a function of the file's path (more is better), max_loss= is how much
            less than the float file's that may be. auto_recipes= are those to choose from.
            save_recipe= is a path to write recipe and rules to. advise=True measures on the
            samples which layers to give another recipe. report= is a path to write all that to
            as a web page.
        debug: True lets exceptions of the model's code through as they are.
        trace_layers: With the tracer: True traces the code of Keras's own layers too, instead of
            lowering them as the core knows them. The file computes the same.
        aot_compile_targets: NPUs for which the written file is compiled too, by
            ai_edge_litert.aot: "qualcomm:SM8750", "mediatek" (all of the vendor's), or its Target
            objects. The files are `model_TARGET.tflite` beside `path`.
        verify: Runs the file in the LiteRT runtime and the model, on random inputs, and raises
            where they differ by more than this, as a fraction of an output's range; True: 1e-4. A
            quantized file needs a number. Off by default: it needs `ai-edge-litert`, and two runs
            of each take longer than most exports.
        kwargs: Options of Keras's other LiteRT exporters, in their spelling:
            representative_dataset= are the samples of calibrated recipes: a callable, an iterable
            (generator, tf.data, torch DataLoader …), an array or a dict of arrays;
            inference_input_type=, inference_output_type= "int8" make the file's interface integer;
            optimizations=["DEFAULT"] is "dynamic_int8", with
            target_spec={"supported_types": ["float16"]} "float16", with samples "int8".

    Returns:
        What was written.

    Raises:
        ExportError: The model cannot be expressed in LiteRT's builtin operators; no file is
            written. Carries every reason. With the code "verify-1" what was written differed from
            the model, and is no more. With the codes "aot-…" the file is written, but was not
            compiled for every target.
        TypeError: An option is not known.
        ValueError: An option has a value that it cannot have, or the path another ending.
    """
    if input_signature is None and shapes is None and _is_hub_model(model):
        from keras_litert import hub

        return hub.export(
            model,
            path,
            batch_size=static_batch,
            verbose=verbose,
            strategy=strategy,
            quantize=quantize,
            debug=debug,
            trace_layers=trace_layers,
            aot_compile_targets=aot_compile_targets,
            verify=verify,
            **kwargs,
        )
    if not isinstance(model, (keras.Model, keras.Function)):
        _check_options(os.fspath(path), strategy, kwargs)
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}")

    def signature():
        _build(model, input_signature)
        return _signature.infer(model, input_signature)

    return export_signature(
        model,
        path,
        signature,
        verbose=verbose,
        strategy=strategy,
        static_batch=static_batch,
        shapes=shapes,
        quantize=quantize,
        debug=debug,
        trace_layers=trace_layers,
        aot_compile_targets=aot_compile_targets,
        verify=verify,
        **kwargs,
    )


def _is_hub_model(model: Any) -> bool:
    """hub.is_hub_model(), without importing what can only say no."""
    if not {"keras_hub", "keras_litert.hub"} & sys.modules.keys():
        return False
    from keras_litert import hub

    return hub.is_hub_model(model)


def export_signature(
    model: keras.Model,
    path: str | os.PathLike[str],
    signature: Any,
    *,
    verbose: bool | None = None,
    strategy: str = "auto",
    static_batch: int | None = None,
    shapes: dict[str, tuple[int | None, ...]] | None = None,
    quantize: str | dict[str, Any] | os.PathLike[str] | None = None,
    debug: bool = False,
    trace_layers: bool = False,
    aot_compile_targets: Sequence[Any] | None = None,
    verify: bool | float = False,
    **kwargs: Any,
) -> ExportReport:
    """export() of a model whose inputs are known.

    `signature` is a Signature, or a function that gives it once the options are known to be good.
    """
    target = os.fspath(path)
    _check_options(target, strategy, kwargs)
    given = {name: kwargs[name] for name in _quantize.KNOWN if name in kwargs}
    if aot_compile_targets is not None:
        _aot.check_targets(aot_compile_targets)
    tolerance = _tolerance(verify, quantized=quantize is not None or bool(given))
    with _lock:
        if callable(signature):
            signature = signature()
        options: dict[str, Any] = {
            "static_batch": static_batch,
            "quantize": _quantize.options(quantize, given, signature.leaves()),
        }
        fixed = {
            name: [-1 if n is None else n for n in sizes] for name, sizes in (shapes or {}).items()
        }
        options["shapes"] = fixed
        if tolerance is None:
            report = _run(model, target, strategy, signature, options, debug, trace_layers)
        else:
            with _verified(model, target, signature, tolerance) as file:
                report = _run(model, file, strategy, signature, options, debug, trace_layers)
                report = dataclasses.replace(report, path=target)
    if aot_compile_targets:
        report = dataclasses.replace(
            report, compiled=_aot.compile_file(target, aot_compile_targets)
        )
    if verbose:
        print(report)
    return report


def _tolerance(verify: bool | float, quantized: bool) -> float | None:
    """The error that `verify` allows; None where nothing is verified."""
    if verify is False or verify is None:
        return None
    if not isinstance(verify, (bool, int, float)) or verify <= 0:
        raise ValueError(f"verify must be True, False or a positive number, got {verify!r}")
    if verify is True and quantized:
        raise ValueError(
            "verify=True allows an error of 1e-4, which no quantized file meets: "
            "say how much, verify=0.05"
        )
    _verify.require_runtime()
    return 1e-4 if verify is True else float(verify)


@contextlib.contextmanager
def _verified(model, target, signature, tolerance) -> Iterator[str]:
    """A path beside the target; what is written there takes its place if it agrees."""
    folder, name = os.path.split(target)
    if not os.path.isdir(folder or "."):
        yield target  # Which cannot be written, and whose error says so.
        return
    with tempfile.TemporaryDirectory(dir=folder or ".", prefix=f".{name}.") as scratch:
        file = os.path.join(scratch, name)
        yield file
        found = _verify.check_export(model, file, signature, tolerance)
        if not found:
            raise ExportError(
                [
                    Diagnostic(
                        found.first_difference or "",
                        "verify-1",
                        "what was written differs from the model: "
                        + ", ".join(
                            f"{output.name} by {output.error:.1e} of its range"
                            for output in found.outputs
                            if not output.passed
                        )
                        + f" (allowed: {tolerance:.0e})",
                        "If the model computes the same each time, report this error with it.",
                    )
                ]
            )
        os.replace(file, target)


def _run(model, target, strategy, signature, options, debug, trace_layers) -> ExportReport:
    from keras_litert import tracer

    failures: list[tuple[str, ExportError]] = []
    if strategy == "auto" and not isinstance(model, keras.Model):
        strategy = "tracer"  # A keras.Function has no config.
    if strategy in ("auto", "direct"):
        try:
            direct_options = dict(options)
            if signature.given:
                given = {
                    leaf.name: [-1 if n is None else n for n in leaf.shape]
                    for leaf in signature.leaves()
                }
                direct_options["shapes"] = {**given, **options["shapes"]}
            return _report("direct", target, _direct.convert(model, target, direct_options))
        except ExportError as error:
            failures.append(("direct", error))
        except Exception as error:
            if debug and strategy == "direct":
                raise
            problem = Diagnostic(
                "", "config-1", f"the model's config cannot be made: {_first_line(error)}"
            )
            failures.append(("direct", ExportError([problem])))
    if strategy in ("auto", "tracer"):
        try:
            report = tracer.convert(model, target, signature, options, trace_layers)
            return _report("tracer", target, report)
        except ExportError as error:
            if debug and error.__cause__ is not None:
                raise error.__cause__
            failures.append(("tracer", error))
    raise _failure(model, failures)


def _failure(model, failures: list[tuple[str, ExportError]]) -> ExportError:
    """One error with the reasons of every strategy that was tried."""
    last = failures[-1][1]
    if is_of_the_request(last):
        return last
    if len(failures) == 1:
        error = failures[0][1]
        result = ExportError(error.diagnostics, f"'{model.name}' cannot be exported:")
        result.__cause__ = error.__cause__
        return result
    lines = [f"'{model.name}' cannot be exported."]
    for strategy, error in failures:
        what = "Its config" if strategy == "direct" else "Its code, run on symbolic tensors"
        lines.append(f"{what} ({strategy}):")
        for diagnostic in error.diagnostics:
            if diagnostic.code in _NEEDS_CODE:  # Its hint is to come here.
                diagnostic = dataclasses.replace(diagnostic, hint="")
            lines.append(f"  {diagnostic}")
    result = ExportError([])
    result.diagnostics = [d for _, error in failures for d in error.diagnostics]
    result.args = ("\n".join(lines),)
    result.__cause__ = failures[-1][1].__cause__
    return result


def is_of_the_request(error: ExportError) -> bool:
    """True where what was asked for is wrong, whatever the model is."""
    codes = [diagnostic.code for diagnostic in error.diagnostics]
    return bool(codes) and all(map(_is_of_the_request, codes))


def _is_of_the_request(code: str) -> bool:
    return code in _OF_THE_REQUEST or code.rpartition("-")[0] in _OF_THE_REQUEST


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _report(strategy: str, path: str, report: dict[str, Any]) -> ExportReport:
    return ExportReport(
        path=path,
        strategy=strategy,
        inputs=report["inputs"],
        outputs=report["outputs"],
        operators=report["operators"],
        file_bytes=report["file_bytes"],
        seconds=report["seconds"],
        notes=report["notes"],
        quantized=report["quantized"],
        output_errors=report["output_errors"],
        recipe=report["recipe"],
        rules=report["rules"],
        trials=report["trials"],
        advice=report["advice"],
    )


def _check_options(path: str, strategy: str, kwargs: dict[str, Any]) -> None:
    if not isinstance(path, str) or pathlib.PurePath(path).suffix != ".tflite":
        raise ValueError(f"the path must end in '.tflite', got {path!r}")
    if strategy not in STRATEGIES:
        near = difflib.get_close_matches(str(strategy), STRATEGIES, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(
            f"strategy must be one of {', '.join(map(repr, STRATEGIES))}, got {strategy!r}{hint}"
        )
    for name, value in kwargs.items():
        if name in _quantize.KNOWN:
            continue
        if name in _ACCEPTED:
            if value == _ACCEPTED[name] or value is None:
                continue
            raise ValueError(
                f"'{name}' must be {_ACCEPTED[name]}, got {value!r}: every file has "
                "builtin operators only"
            )
        known = [*_OPTIONS, *_quantize.KNOWN, *_ACCEPTED]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise TypeError(f"export() has no option '{name}'{hint}")


def _build(model: keras.Model, input_signature: Any) -> None:
    """Builds what has no weights yet, by one run of the model on zeros.

    Unknown sizes are small; where the model fails on them, larger ones are tried, and integers
    where Keras kept no dtype.
    """
    if not isinstance(model, keras.Model):
        return
    unbuilt = [
        layer
        for layer in model._flatten_layers(include_self=True, recursive=True)
        if not layer.built
    ]
    if not unbuilt or _signature.functional_of(model) is not None:
        return
    signature = _signature.infer(model, input_signature)
    guesses = [signature]
    if any(leaf.guessed for leaf in signature.leaves()):
        guesses.append(_signature.with_integers(signature, [x.name for x in signature.leaves()]))
    open_sizes = any(None in leaf.shape[1:] for leaf in signature.leaves())
    first_error = None
    for guess, size in itertools.product(guesses, (1, 8, 64) if open_sizes else (1,)):
        args, kwargs = _signature.zeros(guess, size)
        kwargs = {**kwargs, **_signature.for_inference(model)}
        known = contextlib.nullcontext() if len(guesses) == 1 else _signature.own_calls()
        try:
            with known:
                model(*args, **kwargs)
            return
        except Exception as error:
            first_error = first_error or error
    raise first_error


def convert_file(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    verbose: bool | None = None,
    static_batch: int | None = None,
    shapes: dict[str, tuple[int | None, ...]] | None = None,
    quantize: str | dict[str, Any] | os.PathLike[str] | None = None,
    **kwargs: Any,
) -> ExportReport:
    """Converts a saved `.keras`, `.h5` or `.hdf5` file, as the command line tool does.

    No Python code of the model runs, and Keras need not be able to load it.

    Args:
        source: The saved model.
        path: The file to write; ends in `.tflite`.
        verbose: True prints a summary.
        static_batch: Fixes the first size of every input where it is unknown.
        shapes: Fixes the shape of inputs by name; None keeps a size dynamic.
        quantize: As for export().
        kwargs: As for export(). Samples of a model with several inputs are dicts.

    Raises:
        ExportError: The file cannot be read or converted; nothing is written.
    """
    target = os.fspath(path)
    _check_options(target, "direct", kwargs)
    fixed = {
        name: [-1 if n is None else n for n in sizes] for name, sizes in (shapes or {}).items()
    }
    options = {
        "static_batch": static_batch,
        "shapes": fixed,
        "quantize": _quantize.options(quantize, kwargs),
    }
    report, errors = _core.convert_file(os.fspath(source), target, options)
    raise_for(errors)
    result = _report("direct", target, report)
    if verbose:
        print(result)
    return result
