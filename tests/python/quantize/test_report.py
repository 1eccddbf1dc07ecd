"""The web page of --report: the numbers of --json, and nothing that a layer's name smuggles in."""

import html.parser
import json
import pathlib
import re
import xml.etree.ElementTree

import ai_edge_litert
import keras
import numpy as np
import pytest
from keras import layers
from oracle import randomize, run_cli, save

RUNTIME = pathlib.Path(ai_edge_litert.__file__).parent
HOSTILE = ("<script>alert(1)<", 'a" onload="b\' ', "&lt;svg&gt;\x01", "ünï]]>")


class Page(html.parser.HTMLParser):
    """Tables by id: rows of (text, data-value or None); all tags with their attributes."""

    VOID = ("meta", "rect")

    def __init__(self, text):
        super().__init__()
        self.tables, self.tags, self.open, self.cell = {}, [], [], None
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append((tag, values))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.table = self.tables.setdefault(values["id"], [])
        elif tag == "tr" and "tbody" in self.open:
            self.table.append([])
        elif tag in ("td", "th") and "tbody" in self.open:
            self.cell = [[], values.get("data-value")]

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in ("td", "th") and self.cell is not None:
            self.table[-1].append(("".join(self.cell[0]), self.cell[1]))
            self.cell = None

    def handle_data(self, text):
        if self.cell is not None:
            self.cell[0].append(text)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    x = y = keras.Input((24,), name="x")
    for name in HOSTILE:
        y = layers.Dense(48, activation="relu", name=name)(y)
    model = randomize(keras.Model(x, layers.Dense(5, name="head")(y), name="<img src=x>"))
    rows = np.random.default_rng(3).normal(size=(40, 24)).astype("float32")
    np.savez(folder / "samples.npz", x=rows)
    return folder, save(model, folder)


def convert(work, *arguments):
    folder, source = work
    page = folder / "report.html"
    completed = run_cli(
        *("convert", source, "-o", folder / "m.tflite", "--json", "--runtime", RUNTIME),
        *("--report", page, *arguments),
    )
    assert completed.returncode == 0, completed.stderr
    text = page.read_text(encoding="utf-8")
    return text, Page(text), json.loads(completed.stdout)


def values(table):
    """The numbers of each row, None where there is none."""
    rows = [[float(v) if v else None for _, v in row if v is not None] for row in table]
    return [row for row in rows if row]


def check_layers(page, report):
    """The rows are the report's operators, those that cost most accuracy first."""
    keys = ("bytes_before", "bytes_after", "weights_sqnr_db", "output_sqnr_db")
    rows = page.tables["layers"]
    order = [int(row[2][0]) - 1 for row in rows]
    assert sorted(order) == list(range(len(report["quantized"])))
    operators = [report["quantized"][place] for place in order]
    assert values(rows) == [[op[k] for k in keys] for op in operators]
    noise = [op["output_sqnr_db"] or op["weights_sqnr_db"] or float("inf") for op in operators]
    assert noise == sorted(noise)
    for row, op in zip(rows, operators):
        shown = [text for text, _ in row]
        assert shown[0] == op["layer"].replace("\x01", "\ufffd")
        assert shown[1] == op["op"] and shown[3] == op["recipe"]
        assert shown[-1] == (op["reason"] or "")


@pytest.mark.parametrize("recipe", ["dynamic_int8", "int8"])
def test_numbers_are_those_of_json(work, recipe):
    folder, _ = work
    text, page, report = convert(
        work, "--quantize", recipe, "--calibrate", folder / "samples.npz", "--advise"
    )
    check_layers(page, report)
    keys = ("sqnr_db", "max_absolute", "max_relative")
    assert values(page.tables["outputs"]) == [[e[k] for k in keys] for e in report["output_errors"]]
    keys = ("gain_db", "sqnr_db", "bytes")
    assert report["advice"]
    assert values(page.tables["advice"]) == [[a[k] for k in keys] for a in report["advice"]]
    summary = {row[0][0]: row[1] for row in page.tables["summary"]}
    assert summary["file"][1] == str(report["file_bytes"])
    assert summary["weights now"][1] == str(sum(op["bytes_after"] for op in report["quantized"]))
    # A bar for each operator, as long as its number says.
    plots = {values["id"]: values for tag, values in page.tags if tag == "svg"}
    assert set(plots) == {"plot-outputs", "plot-sqnr", "plot-sizes"}
    noise = sorted(op["output_sqnr_db"] for op in report["quantized"] if op["output_sqnr_db"])
    widths = [float(rect["width"]) for rect in rects(text, "plot-sqnr")]
    np.testing.assert_allclose(widths, np.array(noise) / max(noise) * max(widths), atol=0.1)


def rects(text, plot):
    svg = re.search(rf'<svg id="{plot}".*?</svg>', text, re.DOTALL).group()
    root = xml.etree.ElementTree.fromstring(svg)
    return [rect.attrib for rect in root.iter("rect")]


def test_a_search(work):
    folder, _ = work
    samples = ("--calibrate", folder / "samples.npz")
    _, page, report = convert(work, "--quantize", "auto", "--min-sqnr", 45, *samples)
    keys = ("file_bytes", "sqnr_db", "max_relative")
    assert values(page.tables["trials"]) == [[t[k] for k in keys] for t in report["trials"]]
    check_layers(page, report)
    assert sum(values.get("class") == "chosen" for tag, values in page.tags if tag == "tr") == 1


def test_without_samples(work):
    text, page, report = convert(work, "--quantize", "float16")
    check_layers(page, report)
    assert "outputs" not in page.tables and "nothing was measured" in text
    assert rects(text, "plot-sizes")


def test_nothing_runs_or_is_loaded(work):
    text, page, _ = convert(work, "--quantize", "dynamic_int8")
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "link", "iframe", "object", "a", "image", "use"}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href")]
    assert "http:" not in text and "https:" not in text and "url(" not in text
    assert "\x01" not in text
    # The names are there all the same, in the model's title too.
    assert "<h1>&lt;img src=x&gt;: quantization</h1>" in text
    assert "&amp;lt;svg&amp;gt;" in text and "ünï]]&gt;" in text


@pytest.mark.parametrize("option", ["--report", "--save-recipe"])
def test_a_folder_that_is_not_there(work, option):
    folder, source = work
    completed = run_cli(
        *("convert", source, "-o", folder / "none.tflite", "--quantize", "float16"),
        *(option, folder / "missing" / "file"),
    )
    assert completed.returncode == 3 and "file-5: cannot be created" in completed.stderr
    assert "missing" in completed.stderr and not list(folder.glob("none.tflite*"))
