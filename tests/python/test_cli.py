"""The command line: what it prints, what it leaves behind, and its exit codes (docs/cli.md)."""

import importlib.util
import io
import json
import os
import pathlib
import pty
import re
import resource
import shutil
import subprocess
import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from oracle import REPOSITORY, cli, randomize, run_cli

OK, MODEL, USAGE, FILE, RUNTIME = range(5)
COMMANDS = ("convert", "inspect", "verify", "completion")


def libraries():
    package = pathlib.Path(importlib.util.find_spec("ai_edge_litert").origin).parent
    return package / "libLiteRt.so"


def small_model():
    inputs = keras.Input((6, 5, 2), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="convolution")(inputs)
    x = layers.Flatten(name="flat")(x)
    return randomize(keras.Model(inputs, layers.Dense(3, name="scores")(x), name="small"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with small.keras, .h5 and .tflite, x.npz and y.npz; tests do not change it."""
    folder = tmp_path_factory.mktemp("saved")
    model = small_model()
    model.save(folder / "small.keras")
    model.save(folder / "small.h5")
    image = np.random.default_rng(0).normal(size=(2, 6, 5, 2)).astype("float32")
    np.savez(folder / "x.npz", image=image)
    np.savez(folder / "y.npz", output_0=np.asarray(keras.ops.convert_to_numpy(model(image))))
    assert run_cli("convert", folder / "small.keras").returncode == OK
    return folder


@pytest.fixture
def keras_file(saved, tmp_path):
    """small.keras alone in a folder."""
    return pathlib.Path(shutil.copy(saved / "small.keras", tmp_path))


def in_folder(folder):
    return sorted(path.name for path in folder.iterdir())


def check(completed, exit_code):
    assert completed.returncode == exit_code, completed.stderr + completed.stdout
    return completed


# --- Help, version, completion -----------------------------------------------------------------


def options_of(command):
    """The long options that a command's help lists, without their dashes."""
    listed = run_cli(command, "--help").stdout.split("Options:")[1].split("\n\n")[0]
    return re.findall(r"--([a-z-]+)", listed)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], *([name, "--help"] for name in COMMANDS)]
)
def test_help(arguments):
    completed = check(run_cli(*arguments), OK)
    assert completed.stderr == ""
    assert "Usage:\n  keras-litert" in completed.stdout
    assert "Examples:\n" in completed.stdout
    assert max(map(len, completed.stdout.splitlines())) <= 100


def test_help_states_the_exit_codes_as_the_docs_do():
    help_text = run_cli("--help").stdout
    stated = dict(re.findall(r"^  (\d)  (.*)$", help_text, re.MULTILINE))
    documented = dict(
        re.findall(r"^\| (\d) \| (.*) \|$", (REPOSITORY / "docs/cli.md").read_text(), re.MULTILINE)
    )
    assert list(stated) == ["0", "1", "2", "3", "4", "5"]
    assert stated == documented


def test_every_option_is_documented():
    text = (REPOSITORY / "docs/cli.md").read_text()
    for name in COMMANDS:
        for option in set(options_of(name)) - {"help"}:
            assert f"`--{option}`" in text, f"{name} {option}"


def test_help_command():
    for name in COMMANDS:
        assert run_cli("help", name).stdout == run_cli(name, "--help").stdout


def test_version():
    stated = re.search(
        r"VERSION (\S+)", (REPOSITORY / "CMakeLists.txt").read_text().split("project(")[1]
    ).group(1)
    assert check(run_cli("--version"), OK).stdout == f"keras-litert {stated}\n"


def complete(words, folder):
    """What bash offers after `words`, the last of which is being typed."""
    script = run_cli("completion", "bash").stdout + (
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _keras_litert; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    completed = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        check=True,
    )
    return completed.stdout.split()


def test_bash_completes(tmp_path):
    for name in ("model.keras", "old.h5", "done.tflite", "x.npz", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "models").mkdir()
    assert complete(["keras-litert", "c"], tmp_path) == ["convert", "completion"]
    assert complete(["keras-litert", "convert", "--st"], tmp_path) == ["--static-batch"]
    assert sorted(complete(["keras-litert", "convert", ""], tmp_path)) == [
        "model.keras",
        "models",
        "old.h5",
    ]
    assert complete(["keras-litert", "convert", "-o", "d"], tmp_path) == ["done.tflite"]
    assert "lower" in complete(["keras-litert", "convert", "--dump-after", ""], tmp_path)
    assert complete(["keras-litert", "verify", "--inputs", "x"], tmp_path) == ["x.npz"]
    assert complete(["keras-litert", "completion", "z"], tmp_path) == ["zsh"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_option(shell):
    script = check(run_cli("completion", shell), OK).stdout
    for name in COMMANDS:
        for option in options_of(name):
            assert re.search(rf"(--|-l ){option}\b", script), option
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


# --- A wrong command line ----------------------------------------------------------------------

# The command line, the code, the message, the help.
WRONG = [
    (
        "",
        "usage-4",
        "which command?",
        "For example `keras-litert convert model.keras`; see `keras-litert --help`.",
    ),
    ("conver x.keras", "usage-8", "unknown command `conver`", "Did you mean `convert`?"),
    ("frobnicate", "usage-8", "unknown command `frobnicate`", "See `keras-litert --help`."),
    (
        "x.keras",
        "usage-8",
        "a command is missing before `x.keras`",
        "Did you mean `keras-litert convert x.keras`?",
    ),
    (
        "x.tflite",
        "usage-8",
        "a command is missing before `x.tflite`",
        "Did you mean `keras-litert inspect x.tflite`?",
    ),
    ("--jsn", "usage-1", "unknown option `--jsn`", "See `keras-litert --help`."),
    (
        "convert x.keras --ouput y.tflite",
        "usage-1",
        "unknown option `--ouput`",
        "Did you mean `--output`?",
    ),
    (
        "convert x.keras -output=y.tflite",
        "usage-1",
        "unknown option `-output`",
        "Did you mean `--output`?",
    ),
    (
        "convert x.keras --batch 1",
        "usage-1",
        "unknown option `--batch`",
        "Did you mean `--static-batch`?",
    ),
    (
        "convert x.keras --static_batch 1",
        "usage-1",
        "unknown option `--static_batch`",
        "Did you mean `--static-batch`?",
    ),
    ("convert x.keras -z", "usage-1", "unknown option `-z`", "See `keras-litert convert --help`."),
    (
        "convert x.keras --quiet=1",
        "usage-2",
        "option `--quiet` takes no value",
        "See `keras-litert convert --help`.",
    ),
    ("convert x.keras -o", "usage-2", "option `-o` needs a value", "Write `-o FILE`."),
    (
        "convert x.keras --output --json-not",
        "usage-2",
        "option `--output` needs a value",
        "Write `--output FILE`.",
    ),
    (
        "convert x.keras --static-batch 0",
        "usage-3",
        "--static-batch `0` is no number of 1 or more",
        "For example `--static-batch 1`.",
    ),
    (
        "convert x.keras --static-batch 99999999999999999999",
        "usage-3",
        "--static-batch `99999999999999999999` is no number of 1 or more",
        "For example `--static-batch 1`.",
    ),
    ("convert", "usage-4", "which model?", "For example `keras-litert convert model.keras`."),
    (
        "convert x.keras -o y.keras",
        "usage-5",
        "the output `y.keras` does not end in .tflite",
        "For example `-o y.tflite`.",
    ),
    (
        "convert x.keras -o /tmp",
        "usage-5",
        "the output `/tmp` is a folder",
        "Name the file: `-o /tmp/x.tflite`.",
    ),
    (
        "convert x.keras --dump-after lowr",
        "usage-6",
        "there is no pass `lowr`",
        "Did you mean `lower`?",
    ),
    (
        "convert x.keras --shape 1,2",
        "usage-7",
        "--shape `1,2` names no input",
        "Write `--shape NAME=1,224,224,3`, with -1 or ? for a dynamic dimension.",
    ),
    (
        "convert x.keras --shape a=1,two",
        "usage-7",
        "--shape `a=1,two`: `two` is no dimension",
        "Write `--shape NAME=1,224,224,3`, with -1 or ? for a dynamic dimension.",
    ),
    (
        "convert x.keras --shape a=1,0",
        "usage-7",
        "--shape `a=1,0`: `0` is no dimension",
        "Write `--shape NAME=1,224,224,3`, with -1 or ? for a dynamic dimension.",
    ),
    (
        "convert x.keras --shape a=1 --shape a=2",
        "usage-7",
        "--shape names the input `a` twice",
        "Give each input one shape.",
    ),
    (
        "convert x.keras y.keras",
        "usage-9",
        "unexpected argument `y.keras`",
        "See `keras-litert convert --help`.",
    ),
    ("inspect", "usage-4", "which file?", "For example `keras-litert inspect model.tflite`."),
    (
        "inspect x --top -1",
        "usage-3",
        "--top `-1` is no number of 0 or more",
        "For example `--top 1`.",
    ),
    (
        "verify x.tflite --expected y.npz",
        "usage-4",
        "--inputs is missing",
        "For example `keras-litert verify model.tflite --inputs x.npz --expected y.npz`.",
    ),
    (
        "verify x.tflite --inputs x --expected y --tolerance nan",
        "usage-3",
        "--tolerance `nan` is no number of 0 or more",
        "For example `--tolerance 1e-4`.",
    ),
    ("completion bsh", "usage-10", "there is no completion for `bsh`", "Did you mean `bash`?"),
]


@pytest.mark.parametrize(
    "line, code, message, hint", WRONG, ids=[case[0] or "nothing" for case in WRONG]
)
def test_usage_error(line, code, message, hint):
    words = line.split()
    where = " ".join(["keras-litert", *(word for word in words[:1] if word in COMMANDS)])
    completed = check(run_cli(*words), USAGE)
    assert completed.stderr == f"{where}: {code}: {message}\n  help: {hint}\n"
    assert completed.stdout == ""


def test_usage_error_as_json():
    completed = check(run_cli("convert", "--json", "--ouput", "x"), USAGE)
    assert completed.stderr == ""
    assert json.loads(completed.stdout) == {
        "errors": [
            {
                "path": "keras-litert convert",
                "code": "usage-1",
                "message": "unknown option `--ouput`",
                "hint": "Did you mean `--output`?",
            }
        ],
        "exit_code": USAGE,
    }


def test_output_is_never_the_model(keras_file):
    model = keras_file.rename(keras_file.with_suffix(".tflite"))
    before = model.read_bytes()
    assert "is the model itself" in check(run_cli("convert", model, "-o", model), USAGE).stderr
    assert model.read_bytes() == before


# --- convert -----------------------------------------------------------------------------------


def test_convert_writes_beside_the_model(keras_file):
    completed = check(run_cli("convert", keras_file), OK)
    assert in_folder(keras_file.parent) == ["small.keras", "small.tflite"]
    assert completed.stderr == ""


def test_convert_summary(keras_file, tmp_path):
    output = tmp_path / "out.tflite"
    text = check(run_cli("convert", keras_file, "-o", output), OK).stdout
    first, *rest = text.splitlines()
    assert re.fullmatch(
        rf"{re.escape(str(output))}  \d+\.\d kB, \d+ operators, \d+\.\d+ m?s, \d+\.\d MB of memory",
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
    assert 1e6 < report["peak_memory_bytes"] < 1e9


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


# --- Bad input ---------------------------------------------------------------------------------


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


# --- Bad places to write -----------------------------------------------------------------------


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

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

    completed = subprocess.run(
        [cli(), "convert", keras_file, "-o", output],
        capture_output=True,
        text=True,
        preexec_fn=limit,
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


# --- The terminal ------------------------------------------------------------------------------


def on_terminal(*arguments, **environment):
    """What the tool writes when standard output and error are a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [cli(), *map(str, arguments)],
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", **environment},
    ) as process:
        os.close(slave)
        text = b""
        try:
            while chunk := os.read(master, 4096):
                text += chunk
        except OSError:
            pass  # Linux's way to say that the other end is closed.
        process.wait(timeout=60)
    os.close(master)
    return text.decode().replace("\r\n", "\n")


def test_colors_on_terminals_only():
    colored = on_terminal("conver")
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == run_cli("conver").stderr
    assert "\x1b" not in on_terminal("conver", NO_COLOR="1")
    assert "\x1b" not in on_terminal("conver", TERM="dumb")


# --- inspect -----------------------------------------------------------------------------------


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


def test_inspect_tflite(saved):
    path = saved / "small.tflite"
    report = json.loads(check(run_cli("inspect", path, "--json"), OK).stdout)
    assert report["format"] == "tflite"
    assert report["file_bytes"] == path.stat().st_size
    assert report["signatures"] == [
        {
            "key": "serving_default",
            "inputs": [{"name": "image", "dtype": "float32", "shape": [-1, 6, 5, 2]}],
            "outputs": [{"name": "output_0", "dtype": "float32", "shape": [-1, 3]}],
        }
    ]
    assert report["subgraphs"] == 1
    assert report["operators"]["CONV_2D"] == report["operators"]["FULLY_CONNECTED"] == 1
    sizes = [weight["bytes"] for weight in report["weights"]]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 48 * 3 * 4
    assert report["weight_bytes"] == sum(sizes)
    text = check(run_cli("inspect", path), OK).stdout
    assert "signature serving_default\n    input   image     float32[?, 6, 5, 2]\n" in text
    assert "    1  CONV_2D\n" in text


def test_inspect_cut_tflite(saved, tmp_path):
    content = (saved / "small.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    for cut in np.linspace(0, len(content) - 1, 40).astype(int):
        path.write_bytes(content[:cut])
        completed = check(run_cli("inspect", path), FILE)
        assert completed.stdout == "" and completed.stderr


# --- verify ------------------------------------------------------------------------------------


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
