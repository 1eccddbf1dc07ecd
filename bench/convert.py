"""Measures `keras-litert convert` beside the exporter that Keras ships and beside `cp`.

Run by scripts/bench, which says how. One run measures for each model:

  * wall time and peak resident memory of whole processes, as the kernel accounts them to the child
    (wait4): `keras-litert convert MODEL`, `cp MODEL`, and a fresh Python process that loads the
    model with Keras on TensorFlow and calls `model.export(format="litert")`. The model's file is in
    the page cache; earlier outputs are removed and written back before each start. The first two
    also with the model's file dropped from the page cache, where the disk sets the limit.
  * the operators of both files
  * the latency of both files in LiteRT's Interpreter with its default delegate (XNNPACK), batch 1:
    in processes that hold both and invoke them in turns, A B B A

Models have random weights conditioned as trained ones are (tests/python/applications.py), and are
kept in out/bench. Everything measured goes to out/bench/results.json.

This process measures, so it imports nothing large: the kernel counts a parent's memory at the
moment of the fork to the child. Everything heavy happens in children of this same file (--child).
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / "out" / "bench"
MODELS = ("MobileNetV2", "EfficientNetB0", "NASNetMobile", "ResNet50", "VGG16")
LARGE_MODELS = ("ConvNeXtXLarge",)  # Only with --large.


# --- Children ---------------------------------------------------------------------------------


def child_build(name, path):
    """Saves the model `name` of keras.applications with conditioned random weights, and an image.

    The image is such as the weights were conditioned with: others saturate the softmax.
    """
    sys.path.insert(0, str(REPOSITORY / "tests" / "python"))
    import applications
    import numpy as np

    model = applications.conditioned(name)
    np.save(pathlib.Path(path).with_suffix(".npy"), applications.images(model, 1))
    unfinished = pathlib.Path(path).with_suffix(".part.keras")
    model.save(unfinished)
    unfinished.rename(path)


def child_export(model, output):
    """What a user of Keras does without us."""
    import keras

    keras.saving.load_model(model, compile=False).export(output, format="litert", verbose=False)


def child_operators(path):
    """Prints {operator: count} of all subgraphs, read by LiteRT's own schema."""
    import mmap

    from ai_edge_litert import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    with open(path, "rb") as file:
        model = schema.Model.GetRootAs(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), 0)
    counts = {}
    for i in range(model.SubgraphsLength()):
        graph = model.Subgraphs(i)
        for j in range(graph.OperatorsLength()):
            code = model.OperatorCodes(graph.Operators(j).OpcodeIndex())
            name = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            counts[name] = counts.get(name, 0) + 1
    print(json.dumps(counts))


def child_latency(seconds, threads, image, *paths):
    """Prints the milliseconds of each invocation, by file, and how far the outputs differ.

    One file, or two that are invoked in turns. The difference is the largest one, as a fraction of
    the range of the last file's output.
    """
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    image = np.load(image)
    interpreters = []
    for path in paths:
        interpreter = Interpreter(model_path=path, num_threads=int(threads))
        details = interpreter.get_input_details()[0]
        if tuple(details["shape"]) != image.shape:  # Unknown dimensions are 1 in the file.
            interpreter.resize_tensor_input(details["index"], image.shape)
        interpreter.allocate_tensors()
        interpreters.append(interpreter)
    times, outputs = [[] for _ in paths], []
    for interpreter in interpreters:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        for _ in range(3):
            interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    order = list(range(len(paths)))
    until = time.perf_counter() + float(seconds)
    while time.perf_counter() < until or len(times[0]) < 10:
        for i in order:
            started = time.perf_counter()
            interpreters[i].invoke()
            times[i].append((time.perf_counter() - started) * 1000)
        order.reverse()
    difference = np.max(np.abs(outputs[0] - outputs[-1])) / np.ptp(outputs[-1])
    print(json.dumps({"times": times, "difference": float(difference)}))


def child_versions(*packages):
    """Prints {package: version} of those that are installed."""
    import importlib.metadata

    versions = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    print(json.dumps(versions))


CHILDREN = {
    "build": child_build,
    "export": child_export,
    "operators": child_operators,
    "latency": child_latency,
    "versions": child_versions,
}


def run_child(name, *arguments, **environment):
    """Runs a child of this file; the JSON in its last line, or None where it prints nothing."""
    completed = subprocess.run(
        child_command(name, *arguments),
        env=child_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode != 0:
        raise RuntimeError(f"{name} {arguments}: {completed.stderr[-2000:]}")
    lines = completed.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines and name != "build" else None


def child_command(name, *arguments):
    return [sys.executable, __file__, "--child", name, *map(str, arguments)]


def child_environment(**environment):
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", **environment}


# --- Measuring --------------------------------------------------------------------------------


def measure(command, environment, log):
    """(seconds, peak bytes) of a process, from its start to its end."""
    with open(log, "wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        text = pathlib.Path(log).read_text(errors="replace")
        raise RuntimeError(f"{command}: exit code {process.returncode}\n{text[-2000:]}")
    return seconds, usage.ru_maxrss * 1024


def fresh(path):
    """No output of an earlier run, and nothing left to write back."""
    path.unlink(missing_ok=True)
    os.sync()


def read_through(path):
    """Brings a file into the page cache."""
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass


def evict(path):
    """Drops a file from the page cache. Its pages must have been written back."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def quantile(values, q):
    """By linear interpolation."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values):
    return quantile(values, 0.5)


def summary(runs):
    """Of [(seconds, bytes)]."""
    seconds = [s for s, _ in runs]
    return {
        "seconds": median(seconds),
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "peak_bytes": int(median([b for _, b in runs])),
        "runs": len(runs),
    }


def measure_conversion(name, options):
    """The row of one model: processes, operators, latency. Files stay in out/bench."""
    model = FOLDER / f"{name}.keras"
    if not (model.exists() and model.with_suffix(".npy").exists()):
        say(f"{name}: building")
        run_child("build", name, model, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
    ours, theirs, copy = (
        FOLDER / f"{name}{suffix}" for suffix in (".tflite", ".exporter.tflite", ".copy")
    )
    log = FOLDER / f"{name}.log"
    row = {"model": name, "keras_bytes": model.stat().st_size}

    commands = {
        "convert": ([options.cli, "convert", str(model), "-o", str(ours)], ours),
        "cp": (["cp", str(model), str(copy)], copy),
    }
    runs = {key: [] for key in commands}
    read_through(model)
    for round in range(options.runs + 1):
        for key, (command, output) in commands.items():
            fresh(output)
            result = measure(command, child_environment(), log)
            if round > 0:  # The first one brings the programs into the cache.
                runs[key].append(result)
    runs |= {f"{key}_cold": [] for key in commands}
    for _ in range(options.cold_runs):
        for key, (command, output) in commands.items():
            fresh(output)
            evict(model)
            runs[f"{key}_cold"].append(measure(command, child_environment(), log))
    copy.unlink()
    if not options.no_exporter:
        runs["exporter"] = []
        for round in range(options.exporter_runs):
            say(f"{name}: exporter, {round + 1} of {options.exporter_runs}")
            fresh(theirs)
            command = child_command("export", model, theirs)
            environment = child_environment(KERAS_BACKEND="tensorflow")
            runs["exporter"].append(measure(command, environment, log))
    row.update({key: summary(values) for key, values in runs.items() if values})

    files = {"ours": ours}
    if not options.no_exporter:
        files["exporter"] = theirs
    row["bytes"] = {key: path.stat().st_size for key, path in files.items()}
    row["operators"] = {key: run_child("operators", path) for key, path in files.items()}
    if options.latency_seconds > 0:
        say(f"{name}: latency")
        row["latency"] = [
            measure_latency(files, model.with_suffix(".npy"), n, options) for n in options.threads
        ]
    if not options.keep:
        for path in (*files.values(), log):
            path.unlink(missing_ok=True)
    return row


def measure_latency(files, image, threads, options):
    """Several processes, as memory's layout differs between them; the files' order alternates."""
    times = {key: [] for key in files}
    ratios, process_ratios, difference = [], [], 0.0
    for round in range(options.latency_processes):
        keys = list(files) if round % 2 == 0 else list(reversed(files))
        paths = [files[key] for key in keys]
        result = run_child("latency", options.latency_seconds, threads, image, *paths)
        by_key = dict(zip(keys, result["times"], strict=True))
        for key in files:
            times[key] += by_key[key]
        difference = max(difference, result["difference"])
        if len(files) == 2:
            pairs = zip(by_key["ours"], by_key["exporter"], strict=True)
            ratios += [a / b for a, b in pairs]
            process_ratios.append(median(by_key["ours"]) / median(by_key["exporter"]))
    measured = {"threads": threads}
    measured |= {
        key: {
            "ms": median(values),
            "ms_quartiles": [quantile(values, 0.25), quantile(values, 0.75)],
            "ms_min": min(values),
            "invocations": len(values),
        }
        for key, values in times.items()
    }
    if ratios:
        measured["ratio"] = median(ratios)
        measured["ratio_quartiles"] = [quantile(ratios, 0.25), quantile(ratios, 0.75)]
        measured["ratio_by_process"] = process_ratios
        measured["output_difference"] = difference
    return measured


# --- The page ---------------------------------------------------------------------------------


def machine(options):
    """Facts without which the numbers mean nothing."""
    cpu = "unknown"
    with contextlib.suppress(OSError, StopIteration):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line for line in lines if line.startswith("model name")).split(":")[1].strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    packages = ["keras", "ai-edge-litert"]
    if not options.no_exporter:
        packages.append("tensorflow-cpu")
    version = subprocess.run([options.cli, "--version"], capture_output=True, text=True, check=True)
    commit = subprocess.run(
        ["git", "-C", REPOSITORY, "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory,
        "kernel": os.uname().release,
        "load_before": os.getloadavg()[0],
        "tool": f"{version.stdout.strip()} ({commit.stdout.strip() or 'no git'})",
        "packages": run_child("versions", *packages),
    }


NOT_MEASURED = "not measured"


def milliseconds(seconds):
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def megabytes(count):
    if count < 10e9:
        return f"{count / 1e6:.1f} MB" if count < 100e6 else f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.1f} GB"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " --: |" * (len(head) - 1)]
    return [*lines, *("| " + " | ".join(cells) + " |" for cells in rows), ""]


def conversion_rows(rows):
    for row in rows:
        ours, copy, theirs = row["convert"], row["cp"], row.get("exporter")
        yield [
            row["model"],
            megabytes(row["keras_bytes"]),
            milliseconds(ours["seconds"]),
            milliseconds(theirs["seconds"]) if theirs else NOT_MEASURED,
            milliseconds(copy["seconds"]),
            f"{theirs['seconds'] / ours['seconds']:.0f} ×" if theirs else NOT_MEASURED,
            f"{ours['seconds'] / copy['seconds']:.2f} ×",
        ]


def spread_rows(rows):
    for row in rows:
        cells = [row["model"]]
        for key in ("convert", "exporter", "cp"):
            part = row.get(key)
            cells.append(
                f"{milliseconds(part['seconds_min'])} – {milliseconds(part['seconds_max'])}"
                f" ({part['runs']})"
                if part
                else NOT_MEASURED
            )
        yield cells


def cold_rows(rows):
    for row in rows:
        if "convert_cold" not in row:
            continue
        ours, copy = row["convert_cold"], row["cp_cold"]
        yield [
            row["model"],
            milliseconds(ours["seconds"]),
            milliseconds(copy["seconds"]),
            f"{ours['seconds'] / copy['seconds']:.2f} ×",
            *(
                f"{milliseconds(part['seconds_min'])} – {milliseconds(part['seconds_max'])}"
                f" ({part['runs']})"
                for part in (ours, copy)
            ),
        ]


def memory_rows(rows, floor):
    for row in rows:
        ours, theirs = row["convert"]["peak_bytes"], row.get("exporter", {}).get("peak_bytes")
        copy = row["cp"]["peak_bytes"]
        yield [
            row["model"],
            megabytes(ours),
            megabytes(theirs) if theirs else NOT_MEASURED,
            megabytes(copy) if copy > floor else f"≤ {megabytes(floor)}",
            f"{theirs / ours:.0f} ×" if theirs else NOT_MEASURED,
            f"{ours / row['keras_bytes']:.2f} ×",
        ]


def operator_rows(rows):
    for row in rows:
        ours, theirs = row["operators"]["ours"], row["operators"].get("exporter")
        kinds = sorted({*ours, *(theirs or {})}, key=lambda k: (-ours.get(k, 0), k))
        differing = [
            f"{kind} {ours.get(kind, 0)} : {theirs.get(kind, 0)}"
            for kind in kinds
            if theirs and ours.get(kind, 0) != theirs.get(kind, 0)
        ]
        yield [
            row["model"],
            str(sum(ours.values())),
            str(sum(theirs.values())) if theirs else NOT_MEASURED,
            megabytes(row["bytes"]["ours"]),
            megabytes(row["bytes"]["exporter"]) if theirs else NOT_MEASURED,
            ", ".join(differing) if theirs else "",
        ]


def latency_rows(rows):
    def cell(part):
        low, high = part["ms_quartiles"]
        return f"{part['ms']:.2f} ms ({low:.2f} – {high:.2f})"

    for row in rows:
        for latency in row.get("latency", []):
            head = [row["model"], str(latency["threads"]), cell(latency["ours"])]
            if "exporter" not in latency:
                yield [*head, *[NOT_MEASURED] * 4]
                continue
            low, high = latency["ratio_quartiles"]
            yield [
                *head,
                cell(latency["exporter"]),
                f"**{latency['ratio']:.2f} ×** ({low:.2f} – {high:.2f})",
                ", ".join(f"{ratio:.2f}" for ratio in latency["ratio_by_process"]),
                f"{latency['output_difference']:.0e}",
            ]


def page(results):
    facts, rows = results["machine"], results["models"]
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Made by `scripts/bench`; do not edit. All numbers are of one run:",
            "",
            f"    {results['command']}",
            "",
            f"- {facts['date']}; {facts['tool']}; {packages}",
            f"- {facts['cpu']}, {facts['cores']} cores, {facts['memory_bytes'] / 1e9:.0f} GB, "
            f"Linux {facts['kernel']}; load before the run {facts['load_before']:.1f}",
            "- models of `keras.applications` at their default size, random weights conditioned as",
            "  trained ones are (`tests/python/applications.py`)",
            "",
            "*convert* is `keras-litert convert MODEL -o FILE`; *exporter* is a Python process",
            "that loads the model with Keras on TensorFlow and calls",
            '`model.export(format="litert")`; *cp* copies the `.keras` file. Each is a whole',
            "process, started afresh, with the model in the page cache where nothing else is said.",
            "Units are decimal.",
            "",
            "## Time to convert",
            "",
            "Medians of wall time. The last two columns are the ratios: how many times as long the",
            "exporter takes, and how our time relates to copying the file.",
            "",
            *table(
                [
                    "model",
                    "file",
                    "convert",
                    "exporter",
                    "cp",
                    "exporter / convert",
                    "convert / cp",
                ],
                conversion_rows(rows),
            ),
            "The fastest and the slowest run (and how many there were):",
            "",
            *table(["model", "convert", "exporter", "cp"], spread_rows(rows)),
            "With the model's file dropped from the page cache before each run (`posix_fadvise`):",
            "",
            *table(
                ["model", "convert", "cp", "convert / cp", "convert: range", "cp: range"],
                cold_rows(rows),
            ),
            "## Peak memory",
            "",
            "The largest resident set of the process (`wait4`), mapped file pages included.",
            f"Nothing below the measuring process's own {megabytes(results['floor_bytes'])} can be",
            "seen.",
            "",
            *table(
                ["model", "convert", "exporter", "cp", "exporter / convert", "convert / file"],
                memory_rows(rows, results["floor_bytes"]),
            ),
            "## Operators and size",
            "",
            "*Differing* lists the operators whose count differs, ours : exporter.",
            "",
            *table(
                ["model", "ours", "exporter", "our file", "its file", "differing"],
                operator_rows(rows),
            ),
            "## Latency in LiteRT",
            "",
            "`ai_edge_litert`'s Interpreter with XNNPACK, batch 1.",
            "Both files are in one process and are invoked in turns; medians of all invocations",
            f"of {results['latency_processes']} processes, quartiles in parentheses. The ratio is",
            "ours / exporter of neighbouring invocations: below 1 ours is faster. *Difference* is",
            "the largest one between the two files' outputs, as a fraction of the output's range.",
            "",
            *table(
                [
                    "model",
                    "threads",
                    "ours",
                    "exporter",
                    "ratio",
                    "ratio in each process",
                    "difference",
                ],
                latency_rows(rows),
            ),
        ]
    )


def say(text):
    print(text, flush=True)


def main():
    if sys.argv[1:2] == ["--child"]:
        CHILDREN[sys.argv[2]](*sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], prog="scripts/bench")
    parser.add_argument("models", nargs="*", help=f"default: {' '.join(MODELS)}")
    parser.add_argument("--large", action="store_true", help=f"also {' '.join(LARGE_MODELS)}")
    parser.add_argument("--no-exporter", action="store_true", help="measure ours and cp only")
    parser.add_argument("--runs", type=int, default=9, help="of convert and cp (default 9)")
    parser.add_argument(
        "--cold-runs", type=int, default=3, help="of convert and cp, cold cache (default 3)"
    )
    parser.add_argument("--exporter-runs", type=int, default=2, help="default 2")
    parser.add_argument(
        "--latency-seconds", type=float, default=5, help="of each process (default 5); 0: none"
    )
    parser.add_argument("--latency-processes", type=int, default=3, help="default 3")
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=[1, 2],
        help="of the Interpreter, each measured (default 1 2)",
    )
    parser.add_argument("--keep", action="store_true", help="keep the .tflite files in out/bench")
    parser.add_argument(
        "--page", type=pathlib.Path, default=REPOSITORY / "docs" / "benchmarks.md", help="to write"
    )
    parser.add_argument(
        "--cli",
        default=str(REPOSITORY / "build/release/tools/keras-litert/keras-litert"),
        help="the tool to measure; default: the release build",
    )
    options = parser.parse_args()
    if min(options.runs, options.exporter_runs, options.latency_processes) < 1:
        parser.error("numbers of runs and processes must be at least 1")
    names = options.models or list(MODELS)
    names += [name for name in LARGE_MODELS if options.large and name not in names]

    FOLDER.mkdir(parents=True, exist_ok=True)
    results = {
        "command": " ".join(["scripts/bench", *sys.argv[1:]]),
        "machine": machine(options),
        "latency_processes": options.latency_processes,
        "models": [],
    }
    if results["machine"]["load_before"] > 0.5:
        say(f"bench: the load is {results['machine']['load_before']:.1f}: the numbers will be off")
    failed = 0
    for name in names:
        started = time.monotonic()
        try:
            row = measure_conversion(name, options)
        except RuntimeError as error:
            say(f"{name}: failed: {error}")
            failed += 1
            continue
        results["models"].append(row)
        results["floor_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        (FOLDER / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        # What bench/export.py wrote behind it stays.
        old = options.page.read_text() if options.page.exists() else ""
        _, heading, exports = old.partition("## Export from Python")
        whole = page(results).rstrip() + "\n\n" + heading + exports
        options.page.write_text(whole.rstrip() + "\n")
        parts = ", ".join(
            f"{key} {milliseconds(row[key]['seconds'])} {megabytes(row[key]['peak_bytes'])}"
            for key in ("convert", "exporter", "cp")
            if key in row
        )
        ratios = [f"{part['ratio']:.2f} ×" for part in row.get("latency", []) if "ratio" in part]
        told = f", latency {', '.join(ratios)}" if ratios else ""
        say(f"{name}: {parts}{told} ({time.monotonic() - started:.0f} s)")
    if results["models"]:
        say(f"Written to {options.page}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
