"""How a tensor's range follows from its values: each method against NumPy on the same values.

The range is read back from the file: an int8 tensor of scale s and zero point z spans
s · (-128 − z) to s · (127 − z), its ends rounded so that 0 is one of the steps.
"""

import pathlib

import ai_edge_litert
import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from oracle import convert, run_cli, save

RUNTIME = pathlib.Path(ai_edge_litert.__file__).parent
RNG = np.random.default_rng(3)
NORMAL = RNG.normal(0.3, 1, (40, 500))
DATA = {
    "outliers": np.where(RNG.random(NORMAL.shape) < 5e-4, 30 * NORMAL, NORMAL),
    "positive": np.maximum(RNG.standard_t(3, NORMAL.shape), 0),
    "above 0": 2 + RNG.exponential(0.2, NORMAL.shape),
    "uniform": RNG.uniform(-1, 1, NORMAL.shape),
}


def span(details, recipe="int8"):
    scale, zero = details["quantization"]
    limits = np.iinfo(np.int16 if recipe == "int16x8" else np.int8)
    return scale * (limits.min - zero), scale * (limits.max - zero), scale


def calibrated(data, method, folder, recipe="int8"):
    """The range of the input, and of what follows it: −2 · x."""
    x = keras.Input(data.shape[1:], name="x")
    y = layers.Rescaling(-2.0)(x)
    model = keras.Model(x, layers.Activation("tanh")(y))
    np.savez(folder / "samples.npz", x=data)
    arguments = ["--quantize", recipe, "--calibrate", folder / "samples.npz"]
    arguments += ["--calibrate-method", method, "--runtime", RUNTIME]
    target = folder / "m.tflite"
    integer = "int16" if recipe == "int16x8" else "int8"
    convert(save(model, folder), target, *arguments, "--input-type", integer)
    interpreter = Interpreter(str(target))
    given = interpreter.get_input_details()[0]
    (scaled,) = (
        tensor for tensor in interpreter.get_tensor_details() if "MUL" in tensor["name"][-4:]
    )
    return span(given, recipe), span(scaled, recipe)


def error(data, low, high):
    """Of rounding to 256 steps between low and high, the values beyond clipped."""
    step = (high - low) / 255
    return np.sum((np.clip(np.round(data / step) * step, low, high) - data) ** 2)


@pytest.mark.parametrize("name", DATA)
def test_minmax(name, tmp_path):
    data = DATA[name].astype("float32")
    for (low, high, step), sign in zip(calibrated(data, "minmax", tmp_path), (1, -2)):
        ends = sorted([min(data.min(), 0) * sign, max(data.max(), 0) * sign])
        np.testing.assert_allclose([low, high], ends, atol=step)


def test_moving_average(tmp_path):
    data = DATA["outliers"].astype("float32")
    low, high = data[:8].min(), data[:8].max()  # Batches of 8.
    for start in range(8, len(data), 8):
        low += 0.1 * (data[start : start + 8].min() - low)
        high += 0.1 * (data[start : start + 8].max() - high)
    found = calibrated(data, "moving_average", tmp_path)
    np.testing.assert_allclose(found[0][:2], [low, high], atol=found[0][2])
    np.testing.assert_allclose(found[1][:2], [-2 * high, -2 * low], atol=found[1][2])


@pytest.mark.parametrize("name", DATA)
def test_percentile(name, tmp_path):
    data = DATA[name].astype("float32")
    bin_width = np.ptp(data) / 2048
    for (low, high, step), sign in zip(calibrated(data, "percentile", tmp_path), (1, -2)):
        ends = np.sort(np.quantile(data, [0.0001, 0.9999]) * sign)
        ends = [min(ends[0], 0), max(ends[1], 0)]
        # Few values lie between the quantiles and the ends: NumPy interpolates in wide gaps.
        spacing = abs(sign) * max(
            np.diff(np.sort(data.ravel())[-5:]).max(), np.diff(np.sort(data.ravel())[:5]).max()
        )
        np.testing.assert_allclose(
            [low, high], ends, atol=step + 2 * bin_width * abs(sign) + spacing
        )


@pytest.mark.parametrize("name", DATA)
def test_mse(name, tmp_path):
    data = DATA[name].astype("float32")
    low, high = min(data.min(), 0), max(data.max(), 0)
    tried = [
        error(data, low * i / 40, high * j / 40)
        for i in range(1 if low < 0 else 40, 41)
        for j in range(1, 41)
    ]
    for (low, high, _), sign in zip(calibrated(data, "mse", tmp_path), (1, -2)):
        found = error(data * sign, low, high) / sign**2
        assert found < 1.1 * min(tried)
        if name == "outliers":
            assert found < 0.98 * error(data, data.min(), data.max())


def test_int16_takes_all_values(tmp_path):
    """Its steps are small enough: to clip would cost more than it brings."""
    data = DATA["outliers"].astype("float32")
    for method in ("percentile", "mse"):
        for (low, high, step), sign in zip(calibrated(data, method, tmp_path, "int16x8"), (1, 2)):
            most = sign * np.abs(data).max()
            np.testing.assert_allclose([low, high], [-most, most], atol=2 * step)


def test_unknown_method(tmp_path):
    x = keras.Input((4,))
    source = save(keras.Model(x, layers.Dense(2)(x)), tmp_path)
    arguments = ("--quantize", "int8", "--calibrate-method", "percentle")
    completed = run_cli("convert", source, "-o", tmp_path / "m.tflite", *arguments)
    assert completed.returncode == 2
    assert "Did you mean `percentile`?" in completed.stderr
