"""Measures quantization beside TensorFlow's converter and ai-edge-quantizer, in one run.

    scripts/bench_quantize [--models digits gru transformer tabular mlp MobileNetV2 …]
        [--recipes float32 …]

For each model and recipe, and each of the three where it has the recipe:

  * time: of `keras-litert convert` (a whole process, calibration and measuring included); of
    TFLiteConverter.convert() and of Quantizer.quantize() with its calibration (imports excluded)
  * the file's size
  * SQNR: 10·log10(Σy² / Σ(y − ŷ)²) of the file's outputs against Keras's on inputs that calibration
    did not see, and its standard error (by bootstrap over the inputs)
  * latency in LiteRT's Interpreter with its default delegate, one thread, batch 1: the CPU time of
    a run, the median of many, the files of one recipe in turns; in brackets the median of the
    turns' ratios to keras-litert's file. Where an interpreter's memory happens to lie makes 2 % and
    more, so several are made of each file, in other orders
  * accuracy of the trained models on their held-out rows

Calibration has the same samples for all. Needs tensorflow and ai-edge-quantizer. Of the models,
digits is the repository's, and gru, transformer, tabular and mlp are trained here on data of
packages (bench/trained.py, which has its own requirements); the weights of MobileNetV2,
EfficientNetB0 or any other of keras.applications are random ones conditioned as trained ones are
(tests/python/applications.py).
"""

import argparse
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ["KERAS_BACKEND"] = "tensorflow"

import latency
import numpy as np

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "python"))
RECIPES = ("float32", "float16", "dynamic_int8", "int8", "int16x8", "int4", "int4_block32")
SAMPLES, HELD_OUT = 64, 64
ROUNDS, TURNS = 7, 10


def digits():
    import keras

    folder = REPOSITORY / "examples" / "mnist"
    held = np.load(folder / "test_digits.npz")
    images = held["images"][..., None].astype("float32")
    model = keras.models.load_model(folder / "digits.keras", compile=False)
    return model, images[:SAMPLES], images[SAMPLES:], held["labels"][SAMPLES:]


def trained_here(name):
    import trained

    model, seen, unseen, labels = trained.prepared(name)
    return model, seen[:SAMPLES], unseen, labels


def application(name):
    import applications

    model = applications.conditioned(name)
    images = applications.images(model, 16 + HELD_OUT)
    return model, images[:16], images[16:], None


def prepared(name):
    """A model, rows to calibrate on, other rows, and their labels or None."""
    if name == "digits":
        return digits()
    if name in ("gru", "transformer", "tabular", "mlp"):
        return trained_here(name)
    return application(name)


def ours(saved, samples, recipe, target, cli):
    np.savez(saved.with_suffix(".npz"), **samples)
    start = time.perf_counter()
    command = [cli, "convert", saved, "-o", target, "--quantize", recipe, "--quiet"]
    if recipe in ("int8", "int16x8"):
        command += ["--calibrate", saved.with_suffix(".npz")]
    import ai_edge_litert

    command += ["--runtime", pathlib.Path(ai_edge_litert.__file__).parent]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def tensorflow(model, samples, recipe, target):
    import tensorflow as tf

    if recipe.startswith("int4"):
        return None
    start = time.perf_counter()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if recipe != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if recipe == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if recipe in ("int8", "int16x8"):
        (rows,) = samples.values()
        converter.representative_dataset = lambda: ([row[None]] for row in rows)
    if recipe == "int16x8":
        sets = tf.lite.OpsSet
        converter.target_spec.supported_ops = [
            sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            sets.TFLITE_BUILTINS,
        ]
    target.write_bytes(converter.convert())
    return time.perf_counter() - start


def edge(float_file, samples, recipe, target):
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer import recipe as recipes

    make = {
        "dynamic_int8": recipes.dynamic_wi8_afp32,
        "int8": recipes.static_wi8_ai8,
        "int16x8": recipes.static_wi8_ai16,
        "int4": recipes.dynamic_wi4_afp32,
        "int4_block32": recipes.dynamic_wi4b32_afp32,
    }.get(recipe)
    if make is None:
        return None
    ((name, rows),) = samples.items()
    start = time.perf_counter()
    q = quantizer.Quantizer(str(float_file), make())
    result = None
    if recipe in ("int8", "int16x8"):
        result = q.calibrate({"serving_default": [{name: row[None]} for row in rows]})
    q.quantize(result).export_model(str(target), overwrite=True)
    return time.perf_counter() - start


def input_name(path):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path)).get_signature_list()["serving_default"]["inputs"][0]


class Run:
    """A file in an interpreter, with a batch of one."""

    def __init__(self, path, rows):
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(str(path), num_threads=1)
        image = self.interpreter.get_input_details()[0]
        self.interpreter.resize_tensor_input(image["index"], [1, *rows.shape[1:]])
        self.interpreter.allocate_tensors()
        self.input = image["index"]
        (self.output,) = self.interpreter.get_output_details()
        scale, zero = image["quantization"]
        self.rows = rows
        if image["dtype"] != np.float32:  # An integer interface: what a caller would do.
            limits = np.iinfo(image["dtype"])
            rows = np.clip(np.round(rows / scale) + zero, limits.min, limits.max)
            self.rows = rows.astype(image["dtype"])

    def outputs(self):
        """For each row."""
        outputs = []
        for row in self.rows:
            self.interpreter.set_tensor(self.input, row[None])
            self.interpreter.invoke()
            outputs.append(self.interpreter.get_tensor(self.output["index"])[0])
        result = np.stack(outputs).astype("float32")
        if self.output["dtype"] != np.float32:
            scale, zero = self.output["quantization"]
            result = (result - zero) * scale
        return result

    def ready(self):
        """A function that runs the file once more on the last row."""
        self.outputs()
        return self.interpreter.invoke


def sqnr(actual, expected):
    """In dB, and its standard error."""
    signal = np.sum(expected.astype("float64") ** 2, axis=-1)
    noise = np.sum((actual - expected.astype("float64")) ** 2, axis=-1)
    rng = np.random.default_rng(0)

    def ratio(rows):
        return 10 * np.log10(np.sum(signal[rows]) / max(np.sum(noise[rows]), 1e-300))

    n = len(signal)
    return ratio(slice(None)), np.std([ratio(rng.integers(0, n, n)) for _ in range(200)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", default=["digits", "MobileNetV2"])
    parser.add_argument("--recipes", nargs="+", default=RECIPES, choices=RECIPES)
    parser.add_argument(
        "--cli", default=REPOSITORY / "build/release/tools/keras-litert/keras-litert"
    )
    arguments = parser.parse_args()
    print("| model | recipe | by | time | size | SQNR | latency | accuracy |")
    print("| --- | --- | --- | --: | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in arguments.models:
            model, seen, unseen, labels = prepared(name)
            saved = folder / f"{name}.keras"
            model.save(saved)
            expected = np.asarray(model.predict(unseen, verbose=0, batch_size=8))
            float_file = folder / "float.tflite"
            ours(saved, {}, "float32", float_file, arguments.cli)
            samples = {input_name(float_file): seen}
            for recipe in arguments.recipes:
                makers = {
                    "keras-litert": lambda path: ours(saved, samples, recipe, path, arguments.cli),
                    "TensorFlow": lambda path: tensorflow(model, samples, recipe, path),
                    "ai-edge-quantizer": lambda path: edge(float_file, samples, recipe, path),
                }
                paths, seconds = {}, {}
                for by, make in makers.items():
                    path = folder / f"{by}.tflite"
                    path.unlink(missing_ok=True)
                    try:
                        with contextlib.redirect_stdout(sys.stderr):
                            seconds[by] = make(path)
                    except Exception as error:
                        message = f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"
                        print(f"| {name} | {recipe} | {by} | {message} | | | | |")
                        continue
                    if seconds[by] is not None:
                        paths[by] = path
                outputs = {by: Run(path, unseen).outputs() for by, path in paths.items()}
                times = latency.turns(
                    paths, lambda by: Run(paths[by], unseen[:1]).ready(), ROUNDS, TURNS
                )
                for by, actual in outputs.items():
                    ratio, error = sqnr(actual, expected)
                    accuracy = ""
                    if labels is not None:
                        accuracy = f"{100 * np.mean(actual.argmax(-1) == labels):.1f} %"
                    milliseconds = f"{latency.median(times, by):.2f} ms"
                    if "keras-litert" in paths:
                        milliseconds += f" ({latency.ratio(times, by, 'keras-litert'):.2f})"
                    print(
                        f"| {name} | {recipe} | {by} | {seconds[by]:.2f} s | "
                        f"{(folder / f'{by}.tflite').stat().st_size / 1e3:.1f} kB | "
                        f"{ratio:.1f} ± {error:.1f} dB | {milliseconds} | {accuracy} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
