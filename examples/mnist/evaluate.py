"""Runs a converted digit classifier in LiteRT over the held-out digits, beside Keras.

    python examples/mnist/evaluate.py out/digits.tflite [--keras]

Prints both accuracies and the largest difference of the probabilities. Keras's probabilities are
the ones recorded when the model was trained; --keras computes them again. Exits with 1 when the two
differ by more than --tolerance.
"""

import argparse
import os
import pathlib
import sys

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent


def run_litert(path, images):
    """The file's outputs for images [n, 28, 28, 1] float32, as one resized batch."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    image = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(image, images.shape, strict=True)
    interpreter.allocate_tensors()
    interpreter.set_tensor(image, images)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def run_keras(images):
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    import keras

    model = keras.models.load_model(FOLDER / "digits.keras", compile=False)
    return model.predict(images, verbose=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tflite", type=pathlib.Path, help="the converted digits.keras")
    parser.add_argument(
        "--keras", action="store_true", help="run Keras now instead of using its record"
    )
    parser.add_argument(
        "--tolerance", type=float, default=1e-5, help="of a probability (default 1e-5)"
    )
    arguments = parser.parse_args()

    digits = np.load(FOLDER / "test_digits.npz")
    images = digits["images"][..., None].astype("float32")
    expected = run_keras(images) if arguments.keras else digits["probabilities"]
    actual = run_litert(arguments.tflite, images)

    def accuracy(probabilities):
        return np.mean(probabilities.argmax(-1) == digits["labels"])

    difference = np.max(np.abs(actual - expected))
    print(f"{len(images)} held-out digits")
    print(
        f"  accuracy in Keras   {accuracy(expected):7.2%}{'' if arguments.keras else ' (recorded)'}"
    )
    print(f"  accuracy in LiteRT  {accuracy(actual):7.2%}")
    print(f"  largest difference  {difference:.1e}")
    return 0 if difference <= arguments.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
