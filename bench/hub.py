#!/usr/bin/env python3
"""Measures exports of KerasHub models beside litert-torch, which is KerasHub's own path to LiteRT.

    scripts/bench_hub [--models bert gemma …] [--sides ours litert-torch] [--keep DIR]

Both sides run in one environment on the same model: KERAS_BACKEND=torch, random weights, batch 1
and one sequence length or image size, as litert-torch needs them fixed. Each export runs in a
process of its own, which first builds the model and imports the exporter:

  * time: of the call that exports, the file's writing included: the median, and the fastest and
    slowest of several processes. Of some seconds, much depends on what the system has to do first:
    read modules from disk, make room in memory for the file
  * added memory: the process's highest resident set during that call, less the one before it
    (Linux: VmHWM, reset by /proc/self/clear_refs); the most of any process
  * operators in the file, and its size
  * latency in LiteRT's Interpreter with its default delegate: the CPU time of a run, the median of
    many, the two files in turns; in brackets the median of the turns' ratios to ours, so above 1 is
    slower than ours

`ours, dynamic` is the export as keras_litert.hub makes it by default, with open sizes.
"""

import argparse
import collections
import gc
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import latency

SIDES = ("ours", "ours, dynamic", "litert-torch")


def bert():
    import keras_hub

    return keras_hub.models.BertBackbone(
        vocabulary_size=30522, num_layers=12, num_heads=12, hidden_dim=768, intermediate_dim=3072
    )


def gpt2():
    import keras_hub

    return keras_hub.models.GPT2Backbone(
        vocabulary_size=50257,
        num_layers=12,
        num_heads=12,
        hidden_dim=768,
        intermediate_dim=3072,
        max_sequence_length=1024,
    )


def gemma(layers):
    import keras_hub

    return keras_hub.models.GemmaBackbone(
        vocabulary_size=65536,
        num_layers=layers,
        num_query_heads=8,
        num_key_value_heads=1,
        hidden_dim=1024,
        intermediate_dim=16384,  # Of both halves of the gated activation.
        head_dim=256,
    )


def vit():
    import keras_hub

    return keras_hub.models.ViTBackbone(
        image_shape=(224, 224, 3),
        patch_size=(16, 16),
        num_layers=12,
        num_heads=12,
        hidden_dim=768,
        mlp_dim=3072,
    )


# What is built, the options that fix its sizes, whether its latency is measured.
MODELS = {
    "bert": (bert, {"max_sequence_length": 128}, True),
    "gpt2": (gpt2, {"max_sequence_length": 128}, True),
    "vit": (vit, {}, True),
    "gemma-4": (lambda: gemma(4), {"max_sequence_length": 128}, True),
    "gemma": (lambda: gemma(15), {"max_sequence_length": 128}, False),
}


def randomize(model):
    """Gives each weight numbers of its own: equal ones, as equal initializers make, would be merged
    by an exporter that looks for them, which no trained model allows."""
    import numpy as np

    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        value = rng.standard_normal(variable.shape, "float32")
        variable.assign(0.02 * value if len(variable.shape) > 1 else 1 + 0.1 * value)


def resident():
    """Bytes of this process in memory: (now, at most since the last reset)."""
    status = pathlib.Path("/proc/self/status").read_text()
    sizes = dict(line.split(":", 1) for line in status.splitlines())
    return tuple(1024 * int(sizes[key].split()[0]) for key in ("VmRSS", "VmHWM"))


def export(name, side, target):
    """In a process of its own: builds and exports a model, prints what that took."""
    import keras

    make, sizes, _ = MODELS[name]
    model = make()
    randomize(model)
    if side == "litert-torch":
        import litert_torch  # noqa: F401
        from keras.src.export.litert import export_litert_via_torch

        length = sizes.get("max_sequence_length")
        signature = keras.tree.map_structure(
            lambda x: keras.InputSpec(
                shape=(1, *(length if n is None else n for n in x.shape[1:])),
                dtype=x.dtype,
                name=x.name,
            ),
            model.input,
        )
    else:
        import keras_litert
    gc.collect()
    os.sync()  # What was written before does not wait for the disk while this is timed.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before, _ = resident()
    started = time.perf_counter()
    if side == "litert-torch":
        export_litert_via_torch(model, target, input_signature=[signature], verbose=False)
    elif side == "ours":
        keras_litert.hub.export(model, target, batch_size=1, **sizes)
    else:
        keras_litert.hub.export(model, target)
    seconds = time.perf_counter() - started
    _, highest = resident()
    result = {
        "seconds": seconds,
        "added": highest - before,
        "parameters": model.count_params(),
    }
    print("RESULT " + json.dumps(result))


def operators(path):
    """How often the file has each operator."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(pathlib.Path(path).read_bytes(), 0)
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    codes = [
        names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes
    ]
    return collections.Counter(
        codes[op.opcodeIndex] for graph in model.subgraphs for op in graph.operators
    )


def prepared(path):
    """A function that runs the file once, on ones."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.ones(detail["shape"], detail["dtype"]))
    return interpreter.invoke


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--exports", type=int, default=5, help="of ours, each a process")
    parser.add_argument("--exporter-exports", type=int, default=1, help="of litert-torch")
    parser.add_argument("--rounds", type=int, default=5, help="interpreters for the latency")
    parser.add_argument("--runs", type=int, default=6, help="of each of these")
    parser.add_argument("--keep", help="the folder for the files")
    parser.add_argument("--operators", action="store_true", help="list each file's operators")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        export(*options.worker)
        return
    print("| model | parameters | side | export, s | added MB | MB | operators | latency, ms |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(options.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in options.models:
            measure(name, folder, options)
            if not options.keep:
                for path in folder.iterdir():
                    path.unlink()


def exports(name, side, path, count):
    """What `export` found in each of so many processes; none where one failed."""
    results = []
    for _ in range(count):
        command = [sys.executable, __file__, "--worker", name, side, str(path)]
        environment = {**os.environ, "KERAS_BACKEND": "torch"}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        lines = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
        if run.returncode or not lines:
            print(f"| {name} | | {side} | failed | | | | |\n{run.stderr[-2000:]}", file=sys.stderr)
            return []
        results.append(json.loads(lines[-1][7:]))
    return results


def measure(name, folder, options):
    found = {}
    for side in options.sides:
        path = folder / f"{name}-{side.replace(', ', '-')}.tflite"
        count = options.exporter_exports if side == "litert-torch" else options.exports
        results = exports(name, side, path, count)
        if not results:
            continue
        found[side] = {
            "path": path,
            "parameters": results[0]["parameters"],
            "seconds": sorted(result["seconds"] for result in results),
            "added": max(result["added"] for result in results),
        }
    timed = [side for side in found if side != "ours, dynamic"]
    if MODELS[name][2] and timed:
        turns = latency.turns(
            timed,
            lambda side: prepared(found[side]["path"]),
            options.rounds,
            options.runs,
        )
        for side in timed:
            found[side]["latency"] = f"{latency.median(turns, side):.1f}"
            if "ours" in timed:
                found[side]["latency"] += f" ({latency.ratio(turns, side, 'ours'):.2f})"
    for side, result in found.items():
        counts = operators(result["path"])
        size = result["path"].stat().st_size / 1e6
        seconds = f"{statistics.median(result['seconds']):.2f}"
        if len(result["seconds"]) > 1:
            seconds += f" ({result['seconds'][0]:.2f} – {result['seconds'][-1]:.2f})"
        print(
            f"| {name} | {result['parameters'] / 1e6:.0f} M | {side} | {seconds} | "
            f"{result['added'] / 1e6:.0f} | {size:.0f} | {sum(counts.values())} | "
            f"{result.get('latency', '')} |",
            flush=True,
        )
        if options.operators:
            print("  " + ", ".join(f"{n} {k}" for k, n in counts.most_common()), flush=True)


if __name__ == "__main__":
    main()
