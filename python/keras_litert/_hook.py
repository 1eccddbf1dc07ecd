"""What the package adds to keras.Model when it is imported.

`Model.export(…, format="litert")` becomes this package's export(), and a model's first call tells
what it takes.
"""

from __future__ import annotations

import functools

import keras
from keras_litert import _signature


def install() -> None:
    """Replaces keras.Model.export by one that knows format "litert" on every backend.

    Every other format goes where it went before. Before its first call builds a model, what it is
    called with is remembered. A second call does nothing.
    """
    original = keras.Model.export
    if hasattr(original, "_keras_litert_original"):
        return

    @functools.wraps(original)
    def export(
        self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs
    ):
        if format != "litert":
            return original(
                self,
                filepath,
                format=format,
                verbose=verbose,
                input_signature=input_signature,
                **kwargs,
            )
        from keras_litert._export import export as export_litert

        export_litert(
            self,
            filepath,
            verbose=True if verbose is None else verbose,
            input_signature=input_signature,
            **kwargs,
        )
        return None

    export._keras_litert_original = original
    keras.Model.export = export
    _remember_calls()


def uninstall() -> None:
    """Puts Keras's own export back."""
    original = getattr(keras.Model.export, "_keras_litert_original", None)
    if original is not None:
        keras.Model.export = original
        vars(keras.Model)["_maybe_build"]._keras_litert_undo()


def _remember_calls() -> None:
    """Layer.__call__ asks _maybe_build at every call; a model's own also notes the arguments."""
    missing = "_maybe_build" not in vars(keras.Model)
    original = keras.Model._maybe_build

    @functools.wraps(original)
    def _maybe_build(self, call_spec):
        _signature.remember_call(self, call_spec.tensor_arguments_dict)
        return original(self, call_spec)

    def undo():
        if missing:
            del keras.Model._maybe_build
        else:
            keras.Model._maybe_build = original

    _maybe_build._keras_litert_undo = undo
    keras.Model._maybe_build = _maybe_build
