"""The code of docs/keras_hub.md runs as it is written."""

import importlib.util
import pathlib
import re

import pytest

if importlib.util.find_spec("keras_hub") is None:
    pytest.skip("keras_hub is not installed", allow_module_level=True)

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "keras_hub.md"


def test_code_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.S | re.M)
    # Presets by name are downloaded; MyBackbone is the reader's.
    blocks = [b for b in blocks if 'from_preset("' not in b and "MyBackbone" not in b]
    assert len(blocks) == 4
    space = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), space)
    printed = capsys.readouterr().out
    assert "next token:" in printed
    assert "decoder_sequence_output': (1, 3, 8)" in printed
    assert "(1, 64, 64, 3)" in printed
