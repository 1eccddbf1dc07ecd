"""KerasHub models to LiteRT files, each by the inputs that it is known to take.

    keras_litert.hub.export(model_or_preset_dir, "model.tflite")

`model.export("model.tflite", format="litert")` of a KerasHub model is the same. KerasHub is
imported when one of its models is given, not before.
"""

from keras_litert.hub._configs import (
    AudioExporterConfig,
    ExporterConfig,
    MultimodalExporterConfig,
    Overrides,
    TextExporterConfig,
    VisionExporterConfig,
)
from keras_litert.hub._export import PartsReport, export, is_hub_model
from keras_litert.hub._registry import get_exporter_config, register_exporter_config, supported

__all__ = [
    "AudioExporterConfig",
    "ExporterConfig",
    "MultimodalExporterConfig",
    "Overrides",
    "PartsReport",
    "TextExporterConfig",
    "VisionExporterConfig",
    "export",
    "get_exporter_config",
    "is_hub_model",
    "register_exporter_config",
    "supported",
]
