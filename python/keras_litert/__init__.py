"""Keras 3 models to LiteRT files, on every backend.

    import keras_litert

    model.export("model.tflite", format="litert")   # or
    keras_litert.export(model, "model.tflite")

Importing the package makes `keras.Model.export(…, format="litert")` use it, whatever the backend.
"""

from keras_litert import _hook, hub
from keras_litert._export import ExportReport, convert_file, export
from keras_litert._verify import OutputComparison, VerifyReport, verify
from keras_litert.errors import Diagnostic, ExportError

__version__ = "0.1.0"
__all__ = [
    "Diagnostic",
    "ExportError",
    "ExportReport",
    "OutputComparison",
    "VerifyReport",
    "__version__",
    "convert_file",
    "export",
    "hub",
    "verify",
]

_hook.install()
