"""What the tests of the command line share."""

import keras
from keras import layers
from oracle import randomize

OK, MODEL, USAGE, FILE, RUNTIME = range(5)  # Exit codes, as docs/cli.md states them.
COMMANDS = ("convert", "inspect", "verify", "completion")


def small_model():
    inputs = keras.Input((6, 5, 2), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="convolution")(inputs)
    x = layers.Flatten(name="flat")(x)
    return randomize(keras.Model(inputs, layers.Dense(3, name="scores")(x), name="small"))


def in_folder(folder):
    return sorted(path.name for path in folder.iterdir())


def check(completed, exit_code):
    assert completed.returncode == exit_code, completed.stderr + completed.stdout
    return completed
