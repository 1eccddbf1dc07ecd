"""Measures `keras_litert.export` on a live model beside the exporters that Keras ships.

    python bench/export.py [MODEL …] [--page docs/benchmarks.md]

One run measures for each model, in a fresh process for each exporter and backend:

  * the time of the export call on the built model: the first one, as a user sees it, and the median
    of the later ones (ours only: theirs is run once)
  * its added peak memory: the largest resident set during the call less the resident set before it
    (/proc/self/status, after its peak is reset)

and the time of `import keras_litert` on top of `import keras`.

Theirs is `model.export(format="litert")` of Keras on TensorFlow, and on PyTorch where litert-torch
is installed. Ours runs on the same backends and on NumPy and JAX. Needs the keras_litert package
and, for Keras's exporter, tensorflow; what is not installed is left out.
"""

import argparse
import contextlib
import importlib.util
import json
import math
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
MODELS = ("MobileNetV2", "ResNet50", "transformer", "LSTM")
BACKENDS = ("numpy", "jax", "tensorflow", "torch")
HEADING = "## Export from Python"
MEGABYTE = 1_000_000


def transformer():
    """12 layers of width 384 and 12 heads, as small sentence encoders have them; 33 M weights."""
    import keras
    from keras import layers, ops

    class Encoder(keras.Model):
        def __init__(self, depth=12, width=384, heads=12, vocabulary=30522):
            super().__init__()
            self.tokens = layers.Embedding(vocabulary, width)
            self.positions = layers.Embedding(512, width)
            self.first = layers.LayerNormalization()
            self.attention = [
                layers.MultiHeadAttention(heads, width // heads) for _ in range(depth)
            ]
            self.up = [layers.Dense(4 * width, activation="gelu") for _ in range(depth)]
            self.down = [layers.Dense(width) for _ in range(depth)]
            self.norms = [layers.LayerNormalization() for _ in range(2 * depth)]

        def call(self, ids):
            x = self.first(self.tokens(ids) + self.positions(ops.arange(ops.shape(ids)[1])))
            for i, attention in enumerate(self.attention):
                x = self.norms[2 * i](x + attention(x, x))
                x = self.norms[2 * i + 1](x + self.down[i](self.up[i](x)))
            return ops.mean(x, axis=1)

    return Encoder(), ((1, 128), "int32")


def make(name):
    """The built model and its input signature."""
    import keras
    import numpy as np

    if name == "transformer":
        model, (shape, dtype) = transformer()
        model(np.ones(shape, dtype))
        return model, [keras.InputSpec(shape=shape, dtype=dtype)]
    if name == "LSTM":
        parts = [keras.layers.LSTM(256), keras.layers.Dense(10, activation="softmax")]
        return keras.Sequential([keras.Input((100, 64)), *parts]), None
    return getattr(keras.applications, name)(weights=None), None


# --- Children ---------------------------------------------------------------------------------


def status(key):
    """Bytes of VmRSS or VmHWM."""
    text = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"^{key}:\s+(\d+) kB", text, re.M)[1]) * 1024


def child_export(name, whose, runs):
    """Prints what the calls took, as JSON."""
    model, signature = make(name)
    if whose == "ours":
        import keras_litert

        def export(path):
            keras_litert.export(model, path, input_signature=signature)
    else:

        def export(path):
            model.export(path, format="litert", input_signature=signature, verbose=False)

    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.tflite")
        before = status("VmRSS")
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        for _ in range(int(runs)):
            start = time.perf_counter()
            export(path)
            seconds.append(time.perf_counter() - start)
            if len(seconds) == 1:
                added = status("VmHWM") - before
        size = os.path.getsize(path)
    largest = max(math.prod(weight.shape) * 4 for weight in model.weights)
    print(
        "RESULT "
        + json.dumps({"seconds": seconds, "added": added, "bytes": size, "largest": largest})
    )


def child_import():
    start = time.perf_counter()
    import keras  # noqa: F401

    middle = time.perf_counter()
    import keras_litert  # noqa: F401

    end = time.perf_counter()
    print("RESULT " + json.dumps({"keras": middle - start, "added": end - middle}))


def child(backend, *arguments):
    """The result of a child process, or the last line of its error."""
    completed = subprocess.run(
        [sys.executable, __file__, "--child", *map(str, arguments)],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "CUDA_VISIBLE_DEVICES": "",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    for line in completed.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    lines = [
        line for line in completed.stderr.splitlines() if re.match(r"\w*(Error|Exception)", line)
    ]
    return {"error": (lines or completed.stderr.strip().splitlines() or ["no output"])[-1][:200]}


# --- The run ----------------------------------------------------------------------------------


def installed(backend):
    return importlib.util.find_spec(backend) is not None


def exporters():
    """(whose, backend) of what can be measured here."""
    found = [("ours", backend) for backend in BACKENDS if installed(backend)]
    if installed("tensorflow"):
        found.append(("Keras's", "tensorflow"))
    if installed("torch") and installed("litert_torch"):
        found.append(("Keras's", "torch"))
    return found


def section(results):
    lines = [
        HEADING,
        "",
        "Made by `python bench/export.py`, one run: the export call on a live model, in a fresh",
        "process each. *Time* is the first call, *again* the median of the later ones, *added*",
        "what the call adds to the resident memory at its peak. *Ratio* is Keras's exporter on",
        "TensorFlow over this row, of time and of memory.",
        "",
        f"- {results['facts']}",
        "",
        "| model | exporter | backend | time | again | added | ratio of time | of memory |",
        "| --- | --- | --- | --: | --: | --: | --: | --: |",
    ]
    for name, rows in results["models"].items():
        theirs = next(
            (r for r in rows if r["whose"] != "ours" and r["backend"] == "tensorflow"), {}
        )
        for row in rows:
            head = f"| {name} | {row['whose']} | {row['backend']} "
            if "error" in row:
                lines.append(f"{head}| fails: {row['error']} | | | | |")
                continue
            ratios = ["", ""]
            if "seconds" in theirs and row["whose"] == "ours":
                ratios = [
                    f"{theirs['seconds'][0] / row['seconds'][0]:.0f} ×",
                    f"{theirs['added'] / max(row['added'], MEGABYTE):.0f} ×",
                ]
            again = row["seconds"][1:]
            lines.append(
                f"{head}| {row['seconds'][0]:.3f} s | "
                f"{f'{statistics.median(again):.3f} s' if again else ''} | "
                f"{row['added'] / MEGABYTE:.0f} MB | {ratios[0]} | {ratios[1]} |"
            )
    found = results["import"]
    lines += [
        "",
        f"`import keras_litert` after `import keras`: {found['added'] * 1000:.0f} ms "
        f"(Keras itself: {found['keras'] * 1000:.0f} ms), median of {found['runs']} processes.",
        "",
    ]
    return "\n".join(lines)


def main():
    if sys.argv[1:2] == ["--child"]:
        {"export": child_export, "import": child_import}[sys.argv[2]](*sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", help=f"default: {' '.join(MODELS)}")
    parser.add_argument("--runs", type=int, default=5, help="of ours (default 5)")
    parser.add_argument("--ours-only", action="store_true", help="leave out Keras's exporters")
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--page", type=pathlib.Path, help="replace the section in this page")
    options = parser.parse_args()
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        text = pathlib.Path("/proc/cpuinfo").read_text()
        cpu = re.search(r"^model name\s*:\s*(.*)$", text, re.M)[1]
    results = {
        "facts": f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}; {cpu}, "
        f"{len(os.sched_getaffinity(0))} cores; load before the run {os.getloadavg()[0]:.1f}",
        "models": {},
    }
    for name in options.models or MODELS:
        rows = results["models"][name] = []
        for whose, backend in exporters():
            if backend not in options.backends or (options.ours_only and whose != "ours"):
                continue
            row = child(backend, "export", name, whose, options.runs if whose == "ours" else 1)
            rows.append({"whose": whose, "backend": backend, **row})
            print(name, rows[-1], flush=True)
    imports = [child("numpy", "import") for _ in range(7)]
    results["import"] = {
        "runs": len(imports),
        **{key: statistics.median(run[key] for run in imports) for key in ("keras", "added")},
    }
    text = section(results)
    print(text)
    if options.page:
        page = options.page.read_text() if options.page.exists() else ""
        options.page.write_text(page.partition(HEADING)[0].rstrip() + "\n\n" + text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
