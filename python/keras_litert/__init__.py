"""Keras 3 models to LiteRT files, on every backend.

    import keras_litert

    model.export("model.tflite", format="litert")   # or
    keras_litert.export(model, "model.tflite")

Importing the package makes `keras.Model.export(…, format="litert")` use it, whatever the backend.
"""

import importlib
from typing import TYPE_CHECKING, Any

from keras_litert import _hook
from keras_litert._export import ExportReport, convert_file, export
from keras_litert._verify import OutputComparison, VerifyReport, verify
from keras_litert.errors import Diagnostic, ExportError

if TYPE_CHECKING:
    from keras_litert import hub

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


def __getattr__(name: str) -> Any:
    # KerasHub's side is imported by those who use it.
    if name == "hub":
        return importlib.import_module("keras_litert.hub")
    raise AttributeError(f"module 'keras_litert' has no attribute '{name}'")
