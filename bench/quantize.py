"""Measures quantization beside TensorFlow's converter and ai-edge-quantizer, in one run.

    python bench/quantize.py [--models digits MobileNetV2 EfficientNetB0 ResNet50] [--recipes …]

For each model and recipe, and each of the three where it has the recipe:

  * time: of `keras-litert convert` (a whole process, calibration and measuring included); of
    TFLiteConverter.convert() and of Quantizer.quantize() with its calibration (imports excluded)
  * the file's size
  * SQNR: 10·log10(Σy² / Σ(y − ŷ)²) of the file's outputs against Keras's on inputs that calibration
    did not see
  * latency in LiteRT's Interpreter with its default delegate, one thread, batch 1: the median
  * the digit classifier's accuracy on its held-out digits

Calibration has the same samples for all. Needs tensorflow and ai-edge-quantizer; the weights of
MobileNetV2, EfficientNetB0 or any other of keras.applications are random ones conditioned as
trained ones are (tests/python/applications.py).
"""

import argparse
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "python"))
RECIPES = ("float32", "float16", "dynamic_int8", "int8", "int16x8", "int4", "int4_block32")
SAMPLES, HELD_OUT = 64, 200


def digits():
    import keras

    folder = REPOSITORY / "examples" / "mnist"
    held = np.load(folder / "test_digits.npz")
    images = held["images"][..., None].astype("float32")
    model = keras.models.load_model(folder / "digits.keras", compile=False)
    return model, images[:SAMPLES], images[SAMPLES:], held["labels"][SAMPLES:]


def application(name):
    import applications

    model = applications.conditioned(name)
    images = applications.images(model, 24)
    return model, images[:16], images[16:], None


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


def run(path, rows, repeat):
    """Outputs for each row, and the median time in ms."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    image = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(image["index"], [1, *rows.shape[1:]])
    interpreter.allocate_tensors()
    (output,) = interpreter.get_output_details()
    scale, zero = image["quantization"]
    if image["dtype"] == np.float32:
        given = rows
    else:  # An integer interface: what a caller would do.
        limits = np.iinfo(image["dtype"])
        given = np.clip(np.round(rows / scale) + zero, limits.min, limits.max)
        given = given.astype(image["dtype"])
    outputs, times = [], []
    for row in [*given, *[given[0]] * repeat]:
        interpreter.set_tensor(image["index"], row[None])
        start = time.perf_counter()
        interpreter.invoke()
        times.append(1e3 * (time.perf_counter() - start))
        outputs.append(interpreter.get_tensor(output["index"])[0])
    result = np.stack(outputs[: len(rows)]).astype("float32")
    if output["dtype"] != np.float32:
        scale, zero = output["quantization"]
        result = (result - zero) * scale
    return result, statistics.median(times)


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
            model, seen, unseen, labels = digits() if name == "digits" else application(name)
            unseen = unseen[:HELD_OUT] if labels is None else unseen
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
                for by, make in makers.items():
                    path = folder / "q.tflite"
                    path.unlink(missing_ok=True)
                    try:
                        with contextlib.redirect_stdout(sys.stderr):
                            seconds = make(path)
                    except Exception as error:
                        message = f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"
                        print(f"| {name} | {recipe} | {by} | {message} | | | | |")
                        continue
                    if seconds is None:
                        continue
                    actual, latency = run(path, unseen, 30)
                    noise = np.sum((actual.astype("float64") - expected) ** 2)
                    sqnr = 10 * np.log10(np.sum(expected.astype("float64") ** 2) / noise)
                    accuracy = ""
                    if labels is not None:
                        accuracy = f"{100 * np.mean(actual.argmax(-1) == labels):.1f} %"
                    print(
                        f"| {name} | {recipe} | {by} | {seconds:.2f} s | "
                        f"{path.stat().st_size / 1e3:.1f} kB | {sqnr:.1f} dB | {latency:.2f} ms | "
                        f"{accuracy} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
