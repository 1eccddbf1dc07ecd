"""`keras.Model.export(…, format="litert")` as this package's export()."""

from __future__ import annotations

import functools

import keras


def install() -> None:
    """Replaces keras.Model.export by one that knows format "litert" on every backend.

    Every other format goes where it went before. A second call does nothing.
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


def uninstall() -> None:
    """Puts Keras's own export back."""
    original = getattr(keras.Model.export, "_keras_litert_original", None)
    if original is not None:
        keras.Model.export = original
