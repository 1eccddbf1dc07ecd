"""`keras-litert convert`: what it prints, writes and leaves behind."""

import io
import json
import os
import re
import subprocess
import zipfile

import keras
import numpy as np
import pytest
from cli.support import FILE, MODEL, OK, USAGE, check, in_folder
from keras import layers
from oracle import cli, run_cli


def test_convert_writes_beside_the_model(keras_file):
    completed = check(run_cli("convert", keras_file), OK)
    assert in_folder(keras_file.parent) == ["small.keras", "small.tflite"]
    assert completed.stderr == ""


def test_convert_summary(keras_file, tmp_path):
    output = tmp_path / "out.tflite"
    text = check(run_cli("convert", keras_file, "-o", output), OK).stdout
    first, *rest = text.splitlines()
    assert re.fullmatch(
        rf"{re.escape(str(output))}  \d+\.\d kB, \d+ operators, "
        r"\d+(\.\d+)? [mµ]?s, \d+\.\d MB of memory",
        first,
    ), first
    assert rest[:2] == [
        "  inputs   image  float32[?, 6, 5, 2]",
        "  outputs  output_0  float32[?, 3]",
    ]
    assert "CONV_2D" in rest[2] and "FULLY_CONNECTED" in rest[2]


def test_convert_json(keras_file, tmp_path):
    output = tmp_path / "out.tflite"
    report = json.loads(check(run_cli("convert", keras_file, "-o", output, "--json"), OK).stdout)
    assert report["model"] == str(keras_file)
    assert report["output"] == str(output)
    assert report["model_name"] == "small"
    assert report["inputs"] == [{"name": "image", "dtype": "float32", "shape": [-1, 6, 5, 2]}]
    assert report["outputs"] == [{"name": "output_0", "dtype": "float32", "shape": [-1, 3]}]
    assert report["operators"]["CONV_2D"] == 1
    assert report["operator_count"] == sum(report["operators"].values())
    assert report["file_bytes"] == output.stat().st_size
    assert 0 < report["seconds"] < 60
    # Not what this interpreter holds, which Linux's getrusage() counts in a child that it starts.
    assert 1e6 < report["peak_memory_bytes"] < 100e6


def test_convert_quiet(keras_file):
    completed = check(run_cli("convert", keras_file, "-q"), OK)
    assert completed.stdout == completed.stderr == ""


def test_convert_reads_h5_as_keras(saved, tmp_path):
    for extension in ("keras", "h5"):
        check(
            run_cli(
                "convert", saved / f"small.{extension}", "-o", tmp_path / f"{extension}.tflite"
            ),
            OK,
        )
    assert (tmp_path / "keras.tflite").read_bytes() == (tmp_path / "h5.tflite").read_bytes()


def test_convert_replaces_an_older_file(keras_file):
    output = keras_file.with_suffix(".tflite")
    output.write_text("old")
    check(run_cli("convert", keras_file), OK)
    assert output.read_bytes()[4:8] == b"TFL3"


@pytest.mark.parametrize(
    "arguments, shape",
    [
        (["--static-batch", "4"], [4, 6, 5, 2]),
        (["--static-batch=4"], [4, 6, 5, 2]),
        (["--shape", "image=7,6,5,2"], [7, 6, 5, 2]),
        (["--shape", "image=?,6,-1,2"], [-1, 6, 5, 2]),
    ],
)
def test_convert_fixes_shapes(keras_file, arguments, shape):
    report = json.loads(check(run_cli("convert", keras_file, "--json", *arguments), OK).stdout)
    assert report["inputs"][0]["shape"] == shape
    assert report["outputs"][0]["shape"][0] == shape[0]


@pytest.mark.parametrize(
    "shape, told",
    [
        ("imge=1,6,5,2", "image"),  # the near match
        ("image=1,6,5", "rank"),
        ("image=1,6,9,2", "9"),
    ],
)
def test_convert_refuses_other_shapes(keras_file, shape, told):
    completed = check(run_cli("convert", keras_file, "--shape", shape), USAGE)
    assert told in completed.stderr
    assert in_folder(keras_file.parent) == ["small.keras"]


def test_convert_dumps_graphs(keras_file, tmp_path):
    completed = check(run_cli("convert", keras_file, "--dump-after", "lower"), OK)
    assert completed.stderr.startswith("; after lower\n")
    assert "CONV_2D" in completed.stderr
    check(
        run_cli("convert", keras_file, "--dump-after", "lower", "--dump-dir", tmp_path / "graphs"),
        OK,
    )
    assert in_folder(tmp_path / "graphs") == ["lower.txt"]
    assert "CONV_2D" in (tmp_path / "graphs/lower.txt").read_text()


def test_convert_lists_every_problem(tmp_path):
    @keras.saving.register_keras_serializable("here")
    class Strange(layers.Layer):
        def call(self, x):
            return x + 1

    inputs = keras.Input((4,))
    x = Strange(name="first")(inputs)
    x = layers.Dense(2)(x)
    keras.Model(inputs, Strange(name="second")(x)).save(tmp_path / "model.keras")
    completed = check(run_cli("convert", tmp_path / "model.keras"), MODEL)
    for name in ("first", "second", "Strange"):
        assert name in completed.stderr
    assert in_folder(tmp_path) == ["model.keras"]

    errors = json.loads(check(run_cli("convert", tmp_path / "model.keras", "--json"), MODEL).stdout)
    assert errors["exit_code"] == MODEL
    assert all(error["message"] and error["code"] for error in errors["errors"])


# --- Bad input ---


def rewritten(path, change):
    """The archive with what `change` makes of each entry's name and content; None drops it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            content = change(info.filename, old.read(info))
            if content is not None:
                new.writestr(info.filename, content)
    return buffer.getvalue()


BAD = {
    "empty": lambda model: b"",
    "text": lambda model: b"this is no model\n" * 99,
    "zeros": lambda model: bytes(5000),
    "zip signature only": lambda model: b"PK\x03\x04",
    "hdf5 signature only": lambda model: b"\x89HDF\r\n\x1a\n",
    "truncated": lambda model: model.read_bytes()[:-100],
    "first half": lambda model: model.read_bytes()[: model.stat().st_size // 2],
    "no config": lambda model: rewritten(
        model, lambda name, data: None if name == "config.json" else data
    ),
    "no weights": lambda model: rewritten(
        model, lambda name, data: None if name.endswith(".h5") else data
    ),
    "weights cut": lambda model: rewritten(
        model, lambda name, data: data[:999] if name.endswith(".h5") else data
    ),
    "a zip of something else": lambda model: rewritten(model, lambda name, data: None),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("command", ["convert", "inspect"])
def test_bad_file(kind, command, keras_file):
    content = BAD[kind](keras_file)
    keras_file.write_bytes(content)
    completed = check(run_cli(command, keras_file), FILE)
    assert completed.stderr.startswith(("small.keras", str(keras_file))), completed.stderr
    assert re.search(r": (archive|file)-\d+: ", completed.stderr)
    assert completed.stdout == ""
    assert in_folder(keras_file.parent) == ["small.keras"]


@pytest.mark.parametrize("command", ["convert", "inspect"])
def test_missing_file(command, tmp_path):
    path = tmp_path / "no.keras"
    completed = check(run_cli(command, path), FILE)
    assert completed.stderr == (
        f"{path}: file-1: cannot be opened: No such file or directory\n"
        "  help: Check the path and its permissions.\n"
    )
    assert in_folder(tmp_path) == []


@pytest.mark.parametrize("command", ["convert", "inspect"])
def test_folder_as_model(command, tmp_path):
    (tmp_path / "saved_model").mkdir()
    check(run_cli(command, tmp_path / "saved_model"), FILE)
    assert in_folder(tmp_path) == ["saved_model"]


@pytest.mark.parametrize(
    "config", ["", "{", "[]", "null", '{"class_name": "Functional"}', "[" * 100_000]
)
def test_bad_config(config, keras_file):
    keras_file.write_bytes(
        rewritten(keras_file, lambda name, data: config if name == "config.json" else data)
    )
    completed = run_cli("convert", keras_file)
    assert completed.returncode in (MODEL, FILE), completed
    assert completed.stderr
    assert in_folder(keras_file.parent) == ["small.keras"]


def test_files_cut_anywhere(saved, tmp_path):
    """No cut crashes the tool or leaves a file; HDF5 files may lose what nobody reads."""
    for name in ("small.keras", "small.h5"):
        content = (saved / name).read_bytes()
        for cut in np.linspace(0, len(content) - 1, 25).astype(int):
            path = tmp_path / name
            path.write_bytes(content[:cut])
            completed = check(run_cli("convert", path), FILE)
            assert completed.stderr
            assert in_folder(tmp_path) == [name]
        path.unlink()


def test_escape_sequences_in_names_are_shown_not_sent(keras_file):
    keras_file.write_bytes(
        rewritten(
            keras_file,
            lambda name, data: (
                data.replace(b'"Flatten"', b'"Fla\\u001b[31mtten\\u0007"')
                if name == "config.json"
                else data
            ),
        )
    )
    for command in ("convert", "inspect"):
        completed = run_cli(command, keras_file)
        assert "Fla\\x1b[31mtten\\x07" in completed.stdout + completed.stderr
        assert "\x1b" not in completed.stdout + completed.stderr


# --- Bad places to write ---


def test_missing_folder(keras_file, tmp_path):
    output = tmp_path / "no" / "out.tflite"
    completed = check(run_cli("convert", keras_file, "-o", output), FILE)
    assert completed.stderr == (
        f"{output}: file-5: cannot be created: No such file or directory\n"
        "  help: Create the output directory first.\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_forbidden_folder(keras_file, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert (
        "Permission denied"
        in check(run_cli("convert", keras_file, "-o", folder / "out.tflite"), FILE).stderr
    )


def test_a_file_too_large_leaves_the_old_one(keras_file, tmp_path):
    output = tmp_path / "out.tflite"
    output.write_text("old")

    limited = ["bash", "-c", 'ulimit -f 1; exec "$0" "$@"', cli()]
    completed = subprocess.run(
        [*limited, "convert", keras_file, "-o", output],
        capture_output=True,
        text=True,
        check=False,
    )
    check(completed, FILE)
    assert f"{output}: file-6: cannot be written" in completed.stderr
    assert output.read_text() == "old"
    assert in_folder(tmp_path) == ["out.tflite", "small.keras"]


def test_full_standard_output(saved):
    with open("/dev/full", "w") as full:
        completed = subprocess.run(
            [cli(), "inspect", saved / "small.keras"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert completed.returncode == FILE
    assert completed.stderr.startswith("standard output: file-8: cannot be written\n")
