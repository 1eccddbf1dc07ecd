"""The command line itself: help, completion, what is wrong with a line, colors (docs/cli.md)."""

import json
import os
import pty
import re
import shutil
import subprocess

import pytest
from cli.support import COMMANDS, OK, USAGE, check
from oracle import REPOSITORY, cli, run_cli


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


# --- A wrong command line ---

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
                "paths": ["keras-litert convert"],
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


# --- The terminal ---


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
