"""`keras-litert inspect`: what it says of saved models."""

import json

import keras
import numpy as np
import pytest
from cli.support import OK, check, small_model
from keras import layers
from oracle import run_cli


@pytest.mark.parametrize("extension, format_name", [("keras", "keras"), ("h5", "hdf5")])
def test_inspect_keras(saved, extension, format_name):
    path = saved / f"small.{extension}"
    report = json.loads(check(run_cli("inspect", path, "--json"), OK).stdout)
    assert report["format"] == format_name
    assert report["file_bytes"] == path.stat().st_size
    assert report["model_name"] == "small"
    assert report["model_class"] == "Functional"
    assert report["keras_version"] == keras.__version__
    (signature,) = report["signatures"]
    assert signature["inputs"] == [{"name": "image", "dtype": "float32", "shape": [-1, 6, 5, 2]}]
    assert [tensor["name"] for tensor in signature["outputs"]] == ["scores"]
    assert [(layer["path"], layer["class_name"]) for layer in report["layers"]] == [
        ("image", "InputLayer"),
        ("convolution", "Conv2D"),
        ("flat", "Flatten"),
        ("scores", "Dense"),
    ]
    weights = sorted((tuple(w.shape), int(np.prod(w.shape)) * 4) for w in small_model().weights)
    assert sorted((tuple(w["shape"]), w["bytes"]) for w in report["weights"]) == weights
    assert [w["bytes"] for w in report["weights"]] == sorted(
        (w["bytes"] for w in report["weights"]), reverse=True
    )
    assert report["weight_bytes"] == sum(size for _, size in weights)
    assert report["weight_elements"] == small_model().count_params()


def test_inspect_keras_text(saved):
    text = check(run_cli("inspect", saved / "small.keras", "--top", "1"), OK).stdout
    assert text.splitlines()[0].endswith(f"Functional `small`, Keras {keras.__version__}")
    assert "    input   image   float32[?, 6, 5, 2]\n    output  scores\n" in text
    assert "  layers  4\n    1  Conv2D\n" in text
    assert "float32[48, 3]" in text
    assert "    … and 3 more (--top 4)\n" in text


def test_inspect_names_layers_of_nested_models(tmp_path):
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="d")], name="inner")
    model = keras.Sequential(
        [keras.Input((4,), name="x"), inner, layers.ReLU(name="r")], name="outer"
    )
    model.save(tmp_path / "model.keras")
    report = json.loads(check(run_cli("inspect", tmp_path / "model.keras", "--json"), OK).stdout)
    paths = [layer["path"] for layer in report["layers"]]
    assert "inner" in paths and "inner/d" in paths and "r" in paths
    assert [tensor["shape"] for tensor in report["signatures"][0]["inputs"]] == [[-1, 4]]
