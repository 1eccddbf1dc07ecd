"""Runs the oracle's tests through the Python package instead of the command line tool.

    pytest --exporter direct|tracer|agree

direct, tracer  the file that the oracle runs is the one that this strategy wrote of the live model
agree           both strategies must write the same bytes as the command line tool

KERAS_LITERT_AGREEMENT=PATH appends a line for each model to PATH: the test, the outcome.
"""

import os
import pathlib
import shutil
import tempfile

import oracle


def install(mode):
    """Replaces oracle.save and oracle.convert."""
    import keras_litert

    models = {}
    save, convert = oracle.save, oracle.convert

    def remember(model, folder, extension=".keras"):
        path = save(model, folder, extension)
        models[path] = model
        return path

    def options(arguments):
        given, rest = {}, [a for a in arguments if a != "--json"]
        while rest:
            flag = rest.pop(0)
            if flag == "--static-batch":
                given["static_batch"] = int(rest.pop(0))
            else:
                return None
        return given

    def export(source, target, *arguments):
        completed = convert(source, target, *arguments)
        given = options(arguments)
        model = models.pop(source, None)
        if model is None or given is None or source.suffix != ".keras":
            return completed
        if mode != "agree":
            keras_litert.export(model, target, strategy=mode, **given)
            return completed
        with tempfile.TemporaryDirectory() as folder:
            for name in ("direct", "tracer", "layers"):
                own = pathlib.Path(folder) / f"{name}.tflite"
                outcome = "same"
                strategy = "direct" if name == "direct" else "tracer"
                try:
                    keras_litert.export(
                        model, own, strategy=strategy, trace_layers=name == "layers", **given
                    )
                    if own.read_bytes() != target.read_bytes():
                        outcome = "other bytes"
                        _keep(name, target, own)
                except keras_litert.ExportError as error:
                    outcome = str(error)
                _note(name, outcome)
                if "KERAS_LITERT_AGREEMENT" not in os.environ:
                    assert outcome == "same", f"{name}: {outcome}"
        return completed

    oracle.save, oracle.convert = remember, export


def _keep(strategy, *files):
    folder = os.environ.get("KERAS_LITERT_KEEP")
    if folder:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").split("::")[-1].split(" ")[0]
        for name, file in zip(("cli", strategy), files):
            shutil.copy(file, pathlib.Path(folder) / f"{test.replace('/', '_')}.{name}.tflite")


def _note(strategy, outcome):
    path = os.environ.get("KERAS_LITERT_AGREEMENT")
    if path:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
        with open(path, "a") as file:
            file.write(f"{strategy}\t{test}\t{' '.join(outcome.split())}\n")
