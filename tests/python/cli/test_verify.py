"""`keras-litert verify`: it must pass what is right and see what is wrong."""

import importlib.util
import json
import pathlib

import numpy as np
import pytest
from cli.support import FILE, MODEL, OK, RUNTIME, USAGE, check
from oracle import run_cli


def libraries():
    package = pathlib.Path(importlib.util.find_spec("ai_edge_litert").origin).parent
    return package / "libLiteRt.so"


def verify(saved, *arguments, inputs="x.npz", expected="y.npz", model="small.tflite"):
    return run_cli(
        "verify", saved / model, "--inputs", saved / inputs, "--expected", saved / expected,
        "--runtime", libraries(), *arguments,
    )  # fmt: skip


def test_verify_passes(saved):
    completed = check(verify(saved), OK)
    assert completed.stdout.startswith("PASS  ")
    assert "output_0  float32[2, 3]" in completed.stdout


def test_verify_json(saved):
    report = json.loads(check(verify(saved, "--json"), OK).stdout)
    assert report["passed"] is True
    (output,) = report["outputs"]
    assert output["name"] == "output_0"
    assert output["shape"] == [2, 3]
    assert 0 <= output["max_relative_error"] < 1e-5


def test_verify_fails(saved, tmp_path):
    expected = np.load(saved / "y.npz")["output_0"]
    wrong = expected.copy()
    wrong[1, 2] += 0.5
    np.savez(tmp_path / "wrong.npz", output_0=wrong)
    completed = check(verify(saved, expected=tmp_path / "wrong.npz"), MODEL)
    assert completed.stdout.startswith("FAIL  ")
    report = json.loads(
        check(verify(saved, "--json", expected=tmp_path / "wrong.npz"), MODEL).stdout
    )
    (output,) = report["outputs"]
    assert output["passed"] is False
    assert output["max_absolute_error"] == pytest.approx(0.5, abs=1e-4)
    # Fewer than 8 elements: relative to the larger of range and size.
    scale = max(np.ptp(wrong), np.abs(wrong).max())
    assert output["max_relative_error"] == pytest.approx(0.5 / scale, rel=1e-3)
    check(verify(saved, "--tolerance", "1", expected=tmp_path / "wrong.npz"), OK)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_verify_sees_what_is_not_finite(saved, tmp_path, value):
    wrong = np.load(saved / "y.npz")["output_0"].copy()
    wrong[0, 0] = value
    np.savez(tmp_path / "wrong.npz", output_0=wrong)
    report = json.loads(
        check(
            verify(saved, "--json", "--tolerance", "1e9", expected=tmp_path / "wrong.npz"), MODEL
        ).stdout
    )
    assert report["outputs"][0]["mismatches"] == 1


def test_verify_takes_unnamed_and_double_arrays(saved, tmp_path):
    np.savez(tmp_path / "x.npz", np.load(saved / "x.npz")["image"].astype("float64"))
    np.savez_compressed(tmp_path / "y.npz", np.load(saved / "y.npz")["output_0"])
    check(verify(saved, inputs=tmp_path / "x.npz", expected=tmp_path / "y.npz"), OK)


def test_verify_names_what_does_not_fit(saved, tmp_path):
    image = np.load(saved / "x.npz")["image"]
    cases = {
        "image": {"imge": image, "other": image},
        "integer": {"image": image.astype("int32")},
        "shape": {"image": image[:, :5]},
    }
    for name, arrays in cases.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        completed = check(verify(saved, inputs=tmp_path / f"{name}.npz"), USAGE)
        assert "image" in completed.stderr
        assert f"{name}.npz" in completed.stderr


def test_verify_bad_arrays(saved, tmp_path):
    (tmp_path / "text.npz").write_text("no arrays")
    content = (saved / "x.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    for name in ("text.npz", "cut.npz", "missing.npz"):
        completed = check(verify(saved, inputs=tmp_path / name), FILE)
        assert name in completed.stderr


def test_verify_other_file(saved):
    check(verify(saved, model="small.keras"), FILE)
    check(verify(saved, model="missing.tflite"), FILE)


def test_verify_without_runtime(saved, tmp_path):
    for runtime in (tmp_path / "none.so", saved / "x.npz"):
        completed = check(
            run_cli(
                "verify",
                saved / "small.tflite",
                "--inputs",
                saved / "x.npz",
                "--expected",
                saved / "y.npz",
                "--runtime",
                runtime,
            ),  # fmt: skip
            RUNTIME,
        )
        assert str(runtime) in completed.stderr
        assert "help: " in completed.stderr
