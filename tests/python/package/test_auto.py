"""quantize="auto" from Python: a metric of the caller's, and the recipe file."""

import pathlib

import keras
import keras_litert
import numpy as np
import oracle
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

ROWS = np.random.default_rng(0).normal(size=(32, 16)).astype("float32")


def network():
    x = keras.Input((16,), name="x")
    y = layers.Dense(80, activation="relu", name="a")(x)
    y = layers.Dense(80, activation="relu", name="b")(y)
    return oracle.randomize(keras.Model(x, layers.Dense(20, name="c")(y)))


def run(path):
    interpreter = Interpreter(str(path))
    (x,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(x["index"], ROWS.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(x["index"], ROWS)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def export(folder, **options):
    return keras_litert.export(
        network(), folder / "m.tflite", quantize="auto", representative_dataset=ROWS, **options
    )


def test_a_metric_decides(tmp_path):
    """The loss is the metric's: minus the largest difference, in the outputs' own units."""
    exact = np.asarray(network()(ROWS))
    seen = []

    def metric(path):
        seen.append(path)
        return -float(np.max(np.abs(run(path) - exact)))

    report = export(tmp_path, metric=metric, max_loss=0.05)
    assert -metric(tmp_path / "m.tflite") <= 0.05 + 1e-5
    chosen = [trial for trial in report.trials if trial["rules"] == report.rules]
    assert any(trial["metric"] >= -0.05 - 1e-5 for trial in chosen)
    for trial in report.trials:
        assert trial["fits"] == (trial["metric"] >= -0.05 - 1e-5), trial
    assert report.file_bytes == min(t["file_bytes"] for t in report.trials if t["fits"])
    assert report.file_bytes < max(trial["file_bytes"] for trial in report.trials)
    assert not any(pathlib.Path(path).exists() for path in seen[:-1]), "scratch files are left"


def test_the_saved_recipe_gives_the_same_bytes(tmp_path):
    recipe = tmp_path / "recipe.json"
    report = export(tmp_path, min_sqnr=50, save_recipe=recipe)
    assert report.output_errors[0]["sqnr_db"] is None or report.output_errors[0]["sqnr_db"] >= 50
    again = tmp_path / "again.tflite"
    keras_litert.export(network(), again, quantize=recipe, representative_dataset=ROWS)
    assert again.read_bytes() == (tmp_path / "m.tflite").read_bytes()
    # The tracer finds the same.
    traced = export(tmp_path, min_sqnr=50, strategy="tracer")
    assert (traced.recipe, traced.rules) == (report.recipe, report.rules)


def test_what_a_metric_raises_is_raised(tmp_path):
    def metric(path):
        raise KeyError("no labels")

    with pytest.raises(KeyError, match="no labels"):
        export(tmp_path, metric=metric, max_loss=0.1)
    with pytest.raises(TypeError, match="the metric gave no number"):
        export(tmp_path, metric=lambda path: "good", max_loss=0.1)
    assert not list(tmp_path.iterdir())


def test_refusals(tmp_path):
    with pytest.raises(keras_litert.ExportError, match="auto-2"):
        export(tmp_path)
    with pytest.raises(keras_litert.ExportError, match="auto-1.*the smallest that was found"):
        export(tmp_path, max_size=100)
    with pytest.raises(ValueError, match="'min_sqnr' has no effect without quantize='auto'"):
        keras_litert.export(network(), tmp_path / "m.tflite", quantize="int8", min_sqnr=40)
    with pytest.raises(ValueError, match="'max_loss' must be a number"):
        export(tmp_path, max_loss="little")
    with pytest.raises(ValueError, match="'max_loss' says how much"):
        export(tmp_path, metric=len)
    with pytest.raises(TypeError, match="'metric' must be a function"):
        export(tmp_path, metric=3, max_loss=0.1)


def test_report_and_advice(tmp_path):
    page = tmp_path / "report.html"
    report = keras_litert.export(
        network(),
        tmp_path / "m.tflite",
        quantize="dynamic_int8",
        representative_dataset=ROWS,
        advise=True,
        report=page,
    )
    text = page.read_text(encoding="utf-8")
    assert report.advice and [one["gain_db"] for one in report.advice][0] > 0.1
    for one in report.advice:
        assert f'data-value="{one["gain_db"]!r}"' in text
    assert f'data-value="{report.output_errors[0]["sqnr_db"]!r}"' in text
    one = report.advice[0]
    assert f"advice: {one['layer']} in {one['recipe']}: {one['sqnr_db']:.1f} dB then" in str(report)
    with pytest.raises(ValueError, match="'advise' has no effect without quantize="):
        keras_litert.export(network(), tmp_path / "m.tflite", advise=True)
