"""The same model and weights give the same bytes on every backend.

Each backend runs in a process of its own. PyTorch is checked where it is installed.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve()
MODULES = {"numpy": "numpy", "jax": "jax", "tensorflow": "tensorflow", "torch": "torch"}


def models():
    import keras
    from keras import layers, ops

    image = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv2D(3, strides=2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    yield "functional", keras.Model(image, layers.Dense(5, activation="softmax")(x)), None

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(20, 8, mask_zero=True)(tokens)
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
    yield "recurrent", keras.Model(tokens, layers.LSTM(3)(x)), None

    class Encoder(keras.Model):
        def __init__(self):
            super().__init__(name="encoder")
            self.dense, self.norm = layers.Dense(8, name="dense"), layers.LayerNormalization()
            self.attention = layers.MultiHeadAttention(2, 4)
            self.scale = self.add_weight(shape=(8,), name="scale")

        def call(self, x):
            y = self.dense(x) * self.scale
            y = y + ops.expand_dims(ops.arange(ops.shape(y)[1], dtype="float32"), -1)
            y = self.norm(y + self.attention(y, y))
            return {"mean": ops.mean(y, axis=1), "parts": ops.split(y, 2, axis=-1)}

    yield "subclassed", Encoder(), [((None, None, 6), "float32")]


def main(folder):
    """In the child process: writes each model by each strategy, prints {name: bytes in hex}."""
    sys.path.insert(0, str(HERE.parents[1]))
    import keras_litert
    import oracle

    written = {}
    for name, model, signature in models():
        path = pathlib.Path(folder) / f"{name}.tflite"
        # The first export builds what is not built.
        keras_litert.export(model, path, input_signature=signature)
        oracle.randomize(model, seed=3)
        for strategy in ("direct", "tracer"):
            if strategy == "direct" and name == "subclassed":
                continue
            keras_litert.export(model, path, input_signature=signature, strategy=strategy)
            written[f"{name}, {strategy}"] = path.read_bytes().hex()
    print("WRITTEN " + json.dumps(written))


def files_of(backend, folder):
    completed = subprocess.run(
        [sys.executable, str(HERE), str(folder)],
        env={**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr[-3000:]
    line = next(s for s in completed.stdout.splitlines() if s.startswith("WRITTEN "))
    return json.loads(line.removeprefix("WRITTEN "))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return files_of("numpy", tmp_path_factory.mktemp("numpy"))


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_files_are_the_same(backend, reference, tmp_path):
    if importlib.util.find_spec(MODULES[backend]) is None:
        pytest.skip(f"{backend} is not installed")
    files = files_of(backend, tmp_path)
    assert sorted(files) == sorted(reference)
    for name, content in files.items():
        assert content == reference[name], name


if __name__ == "__main__":
    main(sys.argv[1])
