"""Compilation for NPUs by ai_edge_litert's front end; backends of our own where vendors' need an
SDK."""

import keras
import keras_litert
import numpy as np
import pytest
from keras import layers
from keras_litert import _aot
from package import npu

aot_types = pytest.importorskip("ai_edge_litert.aot.core.aot_types")


def model():
    return keras.Sequential([layers.Input((4,)), layers.Dense(3, activation="relu")])


def fails(tmp_path, kind, targets):
    with pytest.raises(kind) as error:
        keras_litert.export(model(), tmp_path / "m.tflite", aot_compile_targets=targets)
    return str(error.value)


@pytest.mark.parametrize(
    "targets, kind, message",
    [
        (
            "qualcomm:SM8750",
            TypeError,
            "'aot_compile_targets' must be a list of targets such as 'qualcomm:SM8750', got str",
        ),
        (
            [3],
            TypeError,
            "a target is 'vendor:model' or a Target of ai_edge_litert.aot, got int",
        ),
        (
            ["qualcom:SM8750"],
            ValueError,
            "the target 'qualcom:SM8750' names none of the vendors google_tensor, intel_openvino, "
            "mediatek, qualcomm, samsung; did you mean 'qualcomm'?",
        ),
        (
            ["samsung:E9966"],
            ValueError,
            "the target 'samsung:E9966' names none of the NPUs {known} of samsung; did you mean "
            "'E9965'?",
        ),
    ],
)
def test_targets_that_do_not_exist(tmp_path, targets, kind, message):
    """Said before anything is written."""
    from ai_edge_litert.aot.vendors.samsung import target

    known = ", ".join(entry.value for entry in target.SocModel)
    assert fails(tmp_path, kind, targets) == message.format(known=known)
    assert not list(tmp_path.iterdir())


def test_missing_module(tmp_path, monkeypatch):
    monkeypatch.setattr(_aot, "is_installed", lambda: False)
    path = tmp_path / "m.tflite"
    assert fails(tmp_path, keras_litert.ExportError, ["qualcomm:SM8750"]) == (
        "aot-1: aot_compile_targets needs ai_edge_litert.aot, which is not installed\n"
        f"    pip install ai-edge-litert, or compile later: '{path}' is written."
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.tflite"]


def test_fallback_keeps_the_file(tmp_path):
    path = tmp_path / "m.tflite"
    report = keras_litert.export(model(), path, aot_compile_targets=["fallback"])
    compiled = tmp_path / "m_fallback.tflite"
    assert [(file.target, file.path) for file in report.compiled] == [("fallback", str(compiled))]
    assert compiled.read_bytes() == path.read_bytes()
    assert f"for fallback: {compiled}" in str(report)


@pytest.fixture
def target():
    """A vendor whose compiler appends a byte, or fails; NPUs of the names that are given."""

    def append(name, input_model, output_model, component):
        if name == "bad":
            raise ValueError("no operator of the model fits")
        content = (
            input_model.model_bytes if input_model.in_memory else input_model.path.read_bytes()
        )
        output_model.set_bytes(content + b"!")
        stats = aot_types.SubgraphPartitionStats(0, 1, 1, 1)
        output_model.partition_stats = aot_types.PartitionStats([stats])

    with npu.vendor("keras_litert_test", "Test", append) as targets:
        yield targets


def test_targets_and_partitions(tmp_path, target):
    path = tmp_path / "m.tflite"
    report = keras_litert.export(model(), path, aot_compile_targets=[target("a"), target("b")])
    assert [file.target for file in report.compiled] == ["Test_a", "Test_b"]
    for file in report.compiled:
        assert file.partitions == [(0, 1, 1, 1)]
        assert np.array_equal(np.fromfile(file.path, "uint8"), [*path.read_bytes(), ord("!")])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "m.tflite",
        "m_Test_a.tflite",
        "m_Test_b.tflite",
    ]


def test_one_target_fails(tmp_path, target):
    path = tmp_path / "m.tflite"
    message = fails(tmp_path, keras_litert.ExportError, [target("a"), target("bad")])
    assert message == (
        f"'{path}' is written, but not compiled for every NPU; compiled: Test_a:\n"
        "Test_bad: aot-2: no operator of the model fits"
    )
    assert (tmp_path / "m_Test_a.tflite").exists() and path.exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_vendor_without_its_compiler(tmp_path):
    """The vendor's plugin runs, as far as it comes without the vendor's SDK."""
    if _aot.importlib.util.find_spec("ai_edge_litert_sdk_mediatek"):
        pytest.skip("MediaTek's compiler is installed")
    path = tmp_path / "m.tflite"
    message = fails(tmp_path, keras_litert.ExportError, ["mediatek:MT6993"])
    assert message == (
        f"'{path}' is written, but not compiled for every NPU:\n"
        "MediaTek_MT6993: aot-2: Failed to load NeuronAdapter shared library: Failed to load "
        "NeuronAdapter shared library\n"
        "    The vendor's compiler is not installed: Python package ai_edge_litert_sdk_mediatek."
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.tflite"]
