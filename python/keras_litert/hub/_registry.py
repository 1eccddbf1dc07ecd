"""Which configuration a model has: a list in order of priority, the first match wins."""

from __future__ import annotations

import weakref

import keras
from keras_litert import _signature
from keras_litert.hub import _configs, _diffusion
from keras_litert.hub._configs import (
    AudioExporterConfig,
    ExporterConfig,
    MultimodalExporterConfig,
    Seq2SeqExporterConfig,
    TextExporterConfig,
    VisionExporterConfig,
)


def _kinds(model) -> set[str]:
    """What the model's inputs hold: "image", "audio", "text", "encoder"."""
    kinds = set()
    for leaf in _signature.infer(model).leaves():
        if _configs.is_image(leaf) or leaf.name in ("images", "pixel_values"):
            kinds.add("image")
        if leaf.name in ("encoder_features", "encoder_input_values", "audio_mel", "input_features"):
            kinds.add("audio")
        if leaf.name.endswith("token_ids"):
            kinds.add("encoder" if leaf.name.startswith("encoder") else "text")
    return kinds


class AudioToTextConfig(AudioExporterConfig):
    """Speech recognition."""

    classes = ("AudioToText",)


class MultimodalSeq2SeqLMConfig(MultimodalExporterConfig):
    """Text from images and text, with an encoder."""

    classes = ("Seq2SeqLM",)

    @classmethod
    def matches(cls, model):
        return super().matches(model) and bool(_kinds(model) & {"image", "audio"})


class Seq2SeqLMConfig(Seq2SeqExporterConfig):
    """Text from text, with an encoder."""

    classes = ("Seq2SeqLM",)


class MultimodalCausalLMConfig(MultimodalExporterConfig):
    """Text from images, audio and text."""

    classes = ("CausalLM",)

    @classmethod
    def matches(cls, model):
        return super().matches(model) and bool(_kinds(model) & {"image", "audio"})


class CausalLMConfig(TextExporterConfig):
    """Text from text: the scores of every next token."""

    classes = ("CausalLM",)


class TextClassifierConfig(TextExporterConfig):
    classes = ("TextClassifier",)


class TextEmbedderConfig(TextExporterConfig):
    classes = ("TextEmbedder",)


class MaskedLMConfig(TextExporterConfig):
    classes = ("MaskedLM",)


class SAMImageSegmenterConfig(VisionExporterConfig):
    """Masks of what points, boxes and masks show."""

    label = "promptable image segmenter"
    classes = ("SAMImageSegmenter", "SAM3PromptableConceptImageSegmenter")
    overrides = ("batch_size", "image_size", "max_sequence_length")


class ImageSegmenterConfig(VisionExporterConfig):
    classes = ("ImageSegmenter",)


class ImageClassifierConfig(VisionExporterConfig):
    classes = ("ImageClassifier",)


class ObjectDetectorConfig(VisionExporterConfig):
    classes = ("ObjectDetector",)


class DepthEstimatorConfig(VisionExporterConfig):
    classes = ("DepthEstimator",)


class DiffusionConfig(MultimodalExporterConfig):
    """Images by diffusion: a file for each network, where KerasHub has their steps."""

    label = "diffusion model"
    overrides = ("batch_size", "max_sequence_length", "image_size")

    def parts(self):
        if not _diffusion.has_parts(self.backbone):
            return []
        return _diffusion.parts(self.backbone, self.classes[0])


class InpaintConfig(DiffusionConfig):
    classes = ("Inpaint",)


class ImageToImageConfig(DiffusionConfig):
    classes = ("ImageToImage",)


class TextToImageConfig(DiffusionConfig):
    classes = ("TextToImage",)


class DiffusionBackboneConfig(DiffusionConfig):
    classes = ("StableDiffusion3Backbone",)

    @classmethod
    def matches(cls, model):
        return super().matches(model) and _diffusion.has_parts(model)

    def parts(self):
        return _diffusion.parts(self.backbone, "")


class FeaturePyramidConfig(VisionExporterConfig):
    """A vision backbone with the features of several scales."""

    classes = ("FeaturePyramidBackbone",)

    @classmethod
    def matches(cls, model):
        return super().matches(model) and _kinds(model) == {"image"}


class AudioBackboneConfig(AudioExporterConfig):
    classes = ("Backbone",)

    @classmethod
    def matches(cls, model):
        return super().matches(model) and _kinds(model) & {"image", "audio"} == {"audio"}


class MultimodalBackboneConfig(MultimodalExporterConfig):
    classes = ("Backbone",)

    @classmethod
    def matches(cls, model):
        return super().matches(model) and len(_kinds(model)) > 1 and "image" in _kinds(model)


class VisionBackboneConfig(VisionExporterConfig):
    classes = ("Backbone",)

    @classmethod
    def matches(cls, model):
        return super().matches(model) and _kinds(model) == {"image"}


class Seq2SeqBackboneConfig(Seq2SeqExporterConfig):
    classes = ("Backbone",)

    @classmethod
    def matches(cls, model):
        return super().matches(model) and "encoder" in _kinds(model)


class TextBackboneConfig(TextExporterConfig):
    classes = ("Backbone",)

    @classmethod
    def matches(cls, model):
        return super().matches(model) and _kinds(model) == {"text"}


class BackboneConfig(ExporterConfig):
    """A backbone of other inputs: vectors, latents …"""

    label = "backbone"
    classes = ("Backbone",)


# First match wins: a class stands before the classes that it derives from.
_DEFAULTS: tuple[type[ExporterConfig], ...] = (
    AudioToTextConfig,
    MultimodalSeq2SeqLMConfig,
    Seq2SeqLMConfig,
    MultimodalCausalLMConfig,
    CausalLMConfig,
    TextClassifierConfig,
    TextEmbedderConfig,
    MaskedLMConfig,
    SAMImageSegmenterConfig,
    ImageSegmenterConfig,
    ImageClassifierConfig,
    ObjectDetectorConfig,
    DepthEstimatorConfig,
    InpaintConfig,
    ImageToImageConfig,
    TextToImageConfig,
    DiffusionBackboneConfig,
    FeaturePyramidConfig,
    AudioBackboneConfig,
    MultimodalBackboneConfig,
    VisionBackboneConfig,
    Seq2SeqBackboneConfig,
    TextBackboneConfig,
    BackboneConfig,
)
_registered: list[tuple[type, type[ExporterConfig]]] = []
_configs_of: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def register_exporter_config(model_class: type[keras.Model], config: type[ExporterConfig]) -> None:
    """Makes `config` the configuration of `model_class` and its subclasses.

    It goes ahead of those that the package has, and of those registered before.

    Raises:
        TypeError: one of the two is no such class.
    """
    if not (isinstance(model_class, type) and issubclass(model_class, keras.Model)):
        raise TypeError(f"model_class must be a class of models, got {model_class!r}")
    if not (isinstance(config, type) and issubclass(config, ExporterConfig)):
        raise TypeError(f"config must be a subclass of ExporterConfig, got {config!r}")
    _registered.insert(0, (model_class, config))
    _configs_of.clear()


def supported() -> list[str]:
    """Names of the classes that have a configuration, by priority."""
    names = [kind.__name__ for kind, _ in _registered]
    names += [name for config in _DEFAULTS for name in config.classes]
    return list(dict.fromkeys(names))


def get_exporter_config(model: keras.Model) -> ExporterConfig:
    """The configuration of a model: one object for each model, as long as someone has it.

    Raises:
        ValueError: no configuration is for models of this class.
        ExportError: the model is not built.
    """
    known = _configs_of.get(model)
    config = known() if known is not None else None
    if config is None:
        config = _find(model)
        # A configuration keeps its model alive, so the cache must not keep the configuration.
        _configs_of[model] = weakref.ref(config)
    return config


def _find(model) -> ExporterConfig:
    for kind, config in _registered:
        if isinstance(model, kind):
            return config(model)
    if any(_configs.is_of_keras_hub(kind) for kind in type(model).__mro__):
        if not model.built:
            ExporterConfig(model)  # Raises.
        for config in _DEFAULTS:
            if config.matches(model):
                return config(model)
    raise ValueError(
        f"{type(model).__name__} is no KerasHub model that is supported: {', '.join(supported())}. "
        "Any other Keras model: keras_litert.export(model, path)."
    )
