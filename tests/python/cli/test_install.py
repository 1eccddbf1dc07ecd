"""`cmake --install`: the tool, its completions, and a library that another project can use."""

import pathlib
import subprocess

import pytest
from cli.support import OK, check
from oracle import cli

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(app LANGUAGES CXX)
find_package(keras_litert 0.1 REQUIRED)
add_executable(app app.cc)
target_link_libraries(app PRIVATE keras_litert::keras_litert)
"""

APP = """
#include <cstdio>
#include "keras_litert/convert.h"
#include "keras_litert/inspect.h"
#include "keras_litert/verify.h"

int main(int, char** argv) {
  const auto report = keras_litert::Convert(argv[1], argv[2]);
  if (!report) {
    std::puts(report.error().ToString().c_str());
    return 1;
  }
  const long long size = report->file_bytes;
  std::printf("%s %lld\\n", report->inputs[0].name.c_str(), size);
  return keras_litert::Inspect(argv[1]) ? 0 : 2;
}
"""


def run(*arguments):
    return check(
        subprocess.run([*map(str, arguments)], capture_output=True, text=True, check=False), OK
    ).stdout


@pytest.mark.slow
def test_install(saved, tmp_path):
    build = pathlib.Path(cli()).parents[2]
    prefix = tmp_path / "prefix"
    run("cmake", "--install", build, "--prefix", prefix)
    assert run(prefix / "bin/keras-litert", "--version").startswith("keras-litert ")
    for file in (
        "share/bash-completion/completions/keras-litert",
        "share/zsh/site-functions/_keras-litert",
        "share/fish/vendor_completions.d/keras-litert.fish",
    ):
        assert "keras-litert" in (prefix / file).read_text()

    source = tmp_path / "source"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(PROJECT)
    (source / "app.cc").write_text(APP)
    run(
        "cmake",
        "-G",
        "Ninja",
        "-S",
        source,
        "-B",
        tmp_path / "app",
        f"-DCMAKE_PREFIX_PATH={prefix}",
    )
    run("cmake", "--build", tmp_path / "app")
    output = tmp_path / "out.tflite"
    told = run(tmp_path / "app/app", saved / "small.keras", output)
    assert told == f"image {output.stat().st_size}\n"
