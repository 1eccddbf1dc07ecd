#!/usr/bin/env python3
"""Measures exports of KerasHub models beside litert-torch, which is KerasHub's own path to LiteRT.

    scripts/bench_hub [--models bert gemma …] [--sides ours litert-torch] [--keep DIR]

Both sides run in one environment on the same model: KERAS_BACKEND=torch, random weights, batch 1
and one sequence length or image size, as litert-torch needs them fixed. Each export runs in a
process of its own, which first builds the model and imports the exporter:

  * time: of the call that exports, the file's writing included
  * added memory: the process's highest resident set during that call, less the one before it
    (Linux: VmHWM, reset by /proc/self/clear_refs)
  * operators in the file, and its size
  * latency in LiteRT's Interpreter with its default delegate: the median, the two files in turn

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


def resident():
    """Bytes of this process in memory: (now, at most since the last reset)."""
    status = pathlib.Path("/proc/self/status").read_text()
    sizes = dict(line.split(":", 1) for line in status.splitlines())
    return tuple(1024 * int(sizes[key].split()[0]) for key in ("VmRSS", "VmHWM"))


def export(name, side, target):
    """In a process of its own: builds and exports a model, prints what that took."""
    import keras

    keras.utils.set_random_seed(1)
    make, sizes, _ = MODELS[name]
    model = make()
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


def latencies(paths, runs, threads):
    """Milliseconds: the median of `runs` invocations of each file, in turn."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreters = []
    for path in paths:
        interpreter = Interpreter(path, num_threads=threads)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            value = np.ones(detail["shape"], detail["dtype"])
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        interpreters.append(interpreter)
    times = [[] for _ in paths]
    for _ in range(runs):
        for interpreter, found in zip(interpreters, times):
            started = time.perf_counter()
            interpreter.invoke()
            found.append(1e3 * (time.perf_counter() - started))
    return [statistics.median(found) for found in times]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--runs", type=int, default=15, help="invocations for the latency")
    parser.add_argument("--threads", type=int, default=1)
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


def measure(name, folder, options):
    found = {}
    for side in options.sides:
        path = folder / f"{name}-{side.replace(', ', '-')}.tflite"
        command = [sys.executable, __file__, "--worker", name, side, str(path)]
        environment = {**os.environ, "KERAS_BACKEND": "torch"}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        lines = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
        if run.returncode or not lines:
            print(f"| {name} | | {side} | failed | | | | |\n{run.stderr[-2000:]}", file=sys.stderr)
            continue
        found[side] = {**json.loads(lines[-1][7:]), "path": path}
    timed = [side for side in found if side != "ours, dynamic"]
    if MODELS[name][2] and timed:
        paths = [str(found[side]["path"]) for side in timed]
        for side, latency in zip(timed, latencies(paths, options.runs, options.threads)):
            found[side]["latency"] = latency
    for side, result in found.items():
        counts = operators(result["path"])
        latency = f"{result['latency']:.1f}" if "latency" in result else ""
        size = result["path"].stat().st_size / 1e6
        print(
            f"| {name} | {result['parameters'] / 1e6:.0f} M | {side} | {result['seconds']:.2f} | "
            f"{result['added'] / 1e6:.0f} | {size:.0f} | {sum(counts.values())} | {latency} |",
            flush=True,
        )
        if options.operators:
            print("  " + ", ".join(f"{n} {k}" for k, n in counts.most_common()), flush=True)


if __name__ == "__main__":
    main()
