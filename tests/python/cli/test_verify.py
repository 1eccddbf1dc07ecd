"""`keras-litert verify`: it must pass what is right and see what is wrong."""

import importlib.util
import json
import pathlib

import keras
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


# --- Arrays, as NumPy writes them -----------------------------------------------------------------


def verify_pair(folder, inputs, expected, *arguments):
    return run_cli(
        "verify", folder / "pair.tflite", "--inputs", inputs, "--expected", expected,
        "--runtime", libraries(), "--json", *arguments,
    )  # fmt: skip


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """A folder with pair.tflite, and values for its inputs.

    Inputs `a` float32 [?, 3] and `b` int32 [?, 3]; outputs a·b and b + 1.
    """
    folder = tmp_path_factory.mktemp("pair")
    a = keras.Input((3,), name="a")
    b = keras.Input((3,), name="b", dtype="int32")
    keras.Model([a, b], [a * b, b + 1]).save(folder / "pair.keras")
    check(run_cli("convert", folder / "pair.keras"), OK)
    rng = np.random.default_rng(0)
    return folder, rng.normal(size=(4, 3)).astype("float32"), rng.integers(-9, 9, (4, 3), "int32")


def save_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_arrays_by_name_and_by_order(pair, tmp_path):
    folder, a, b = pair
    named = save_npz(tmp_path / "named.npz", b=b, a=a)
    unnamed = tmp_path / "unnamed.npz"
    np.savez(unnamed, a, b)
    both = save_npz(tmp_path / "both.npz", output_1=b + 1, output_0=a * b)
    for inputs in (named, unnamed):
        report = json.loads(check(verify_pair(folder, inputs, both), OK).stdout)
        assert [output["name"] for output in report["outputs"]] == ["output_0", "output_1"]
        assert [output["dtype"] for output in report["outputs"]] == ["float32", "int32"]


def test_some_outputs_only(pair, tmp_path):
    folder, a, b = pair
    inputs = save_npz(tmp_path / "x.npz", a=a, b=b)
    second = save_npz(tmp_path / "y.npz", output_1=b + 1)
    report = json.loads(check(verify_pair(folder, inputs, second), OK).stdout)
    assert [output["name"] for output in report["outputs"]] == ["output_1"]


def test_integers_must_be_equal(pair, tmp_path):
    folder, a, b = pair
    inputs = save_npz(tmp_path / "x.npz", a=a, b=b)
    wrong = b + 1
    wrong[2, 1] += 1
    wrong[3, 0] -= 5
    expected = save_npz(tmp_path / "y.npz", output_1=wrong)
    report = json.loads(
        check(verify_pair(folder, inputs, expected, "--tolerance", "9"), MODEL).stdout
    )
    (output,) = report["outputs"]
    assert output["mismatches"] == 2
    assert output["reason"] == f"[2, 1]: {b[2, 1] + 1}, expected {wrong[2, 1]}"


@pytest.mark.parametrize(
    "form",
    [
        np.asfortranarray,
        lambda x: x[::-1][::-1],
        lambda x: x.astype("int64") if x.dtype == "int32" else x.astype("float64"),
    ],
    ids=["fortran order", "view", "64 bits"],
)
def test_forms_of_arrays(pair, tmp_path, form):
    folder, a, b = pair
    inputs = save_npz(tmp_path / "x.npz", a=form(a), b=form(b))
    expected = save_npz(tmp_path / "y.npz", output_0=form(a * b), output_1=form(b + 1))
    check(verify_pair(folder, inputs, expected), OK)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions_of_the_format(saved, tmp_path, version):
    """And .npy files, which hold one array."""
    with open(tmp_path / "x.npy", "wb") as file:
        np.lib.format.write_array(file, np.load(saved / "x.npz")["image"], version=version)
    check(verify(saved, inputs=tmp_path / "x.npy"), OK)


@pytest.mark.parametrize(
    "array, told",
    [
        (np.zeros((2, 6, 5, 2), ">f4"), "`>f4`"),
        (np.zeros((2, 6, 5, 2), "complex128"), "`<c16`"),
        (np.array([["text"]]), "`<U4`"),
        (np.array([{"a": 1}], dtype=object), "`|O`"),
        (np.zeros(3, [("x", "f4"), ("y", "i4")]), "header"),
    ],
    ids=["big-endian", "complex128", "text", "object", "structured"],
)
def test_refused_dtypes(saved, tmp_path, array, told):
    np.savez(tmp_path / "x.npz", image=array)
    completed = check(verify(saved, inputs=tmp_path / "x.npz"), FILE)
    assert f"{tmp_path / 'x.npz'}: npz-" in completed.stderr
    assert "`image`" in completed.stderr and told in completed.stderr


def test_integers_that_do_not_fit(pair, tmp_path):
    folder, a, b = pair
    inputs = save_npz(tmp_path / "x.npz", a=a, b=b.astype("int64") + 2**40)
    expected = save_npz(tmp_path / "y.npz", output_1=b)
    completed = check(verify_pair(folder, inputs, expected), USAGE)
    assert [error["code"] for error in json.loads(completed.stdout)["errors"]] == ["arrays-4"]


def test_damaged_arrays(saved, tmp_path):
    """Whatever a byte becomes, the file is read or refused."""
    content = (saved / "x.npz").read_bytes()
    rng = np.random.default_rng(1)
    path = tmp_path / "damaged.npz"
    for place in rng.integers(0, 160, 40):
        damaged = bytearray(content)
        damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        assert verify(saved, inputs=path).returncode in (OK, MODEL, USAGE, FILE)


def several_sizes():
    """Models of float32 `x` [?, ?, 6], and of images, whose outputs' sizes follow the input's."""
    x = keras.Input((None, 6), name="x")
    image = keras.Input((8, 6, 3), name="x")
    recurrent = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)
    return {
        "sequences": keras.Model(x, [layer(5, return_sequences=True)(x) for layer in recurrent]),
        "both directions": keras.Model(
            x, keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True))(x)
        ),
        "spectrum": keras.Model(x, keras.ops.rfft(x)[0]),
        "crop": keras.Model(image, keras.layers.CenterCrop(5, 4)(image)),
    }


@pytest.mark.parametrize("name", ["sequences", "both directions", "spectrum", "crop"])
def test_sizes_are_known_before_the_file_runs(name, tmp_path):
    # LiteRT writes beyond an output's buffer where it learns its size on the way only.
    model = several_sizes()[name]
    model.save(tmp_path / "m.keras")
    check(run_cli("convert", tmp_path / "m.keras"), OK)
    for batch, steps in ((1, 3), (3, 40)):
        shape = (batch, *(n or steps for n in model.inputs[0].shape[1:]))
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        outputs = {f"output_{i}": y for i, y in enumerate(keras.tree.flatten(model.predict(x)))}
        check(
            verify(
                tmp_path,
                model="m.tflite",
                inputs=save_npz(tmp_path / "x.npz", x=x),
                expected=save_npz(tmp_path / "y.npz", **outputs),
            ),
            OK,
        )


def test_sizes_that_only_the_run_tells(tmp_path):
    # TOPK_V2 gives none before it runs, so LiteRT takes all that follows for as large as one row's.
    x = keras.Input((64,), name="x")
    model = keras.Model(x, keras.ops.top_k(x, 50)[0] + 1)
    model.save(tmp_path / "m.keras")
    check(run_cli("convert", tmp_path / "m.keras"), OK)
    rows = np.random.default_rng(0).normal(size=(3000, 64)).astype("float32")
    for batch in (1, 3000):
        x = rows[:batch]
        y = np.sort(x, axis=-1)[:, :-51:-1] + 1
        inputs = save_npz(tmp_path / "x.npz", x=x)
        expected = save_npz(tmp_path / "y.npz", output_0=y)
        check(verify(tmp_path, model="m.tflite", inputs=inputs, expected=expected), OK)
