"""What a KerasHub model takes: names, dtypes, shapes, and which sizes belong together."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras_litert import _signature
from keras_litert.errors import Diagnostic, ExportError

# Sizes where nothing else tells them.
DEFAULT_SEQUENCE_LENGTH = 128
DEFAULT_IMAGE_SIZE = 224
DEFAULT_AUDIO_LENGTH = 3000  # frames of log-mel features: 30 s
DEFAULT_SAMPLES = 480000  # of raw audio: 30 s at 16 kHz
DEFAULT_DECODER_LENGTH = 448
DEFAULT_COUNT = 1  # of images, points, boxes, masked positions, …

# The dynamic axes behind the batch, by input: axes of one name have one size. `image_0`: how many
# images a prompt has.
_TEXT = ("sequence",)
_AXES: dict[str, tuple[str, ...]] = {
    "token_ids": _TEXT,
    "padding_mask": _TEXT,
    "segment_ids": _TEXT,
    "position_ids": _TEXT,
    "response_mask": _TEXT,
    "vision_mask": _TEXT,
    "audio_mask": _TEXT,
    "mask_positions": ("masked",),
    "encoder_token_ids": ("encoder_sequence",),
    "encoder_padding_mask": ("encoder_sequence",),
    "decoder_token_ids": ("decoder_sequence",),
    "decoder_padding_mask": ("decoder_sequence",),
    "encoder_features": ("frames",),
    "encoder_input_values": ("encoder_sequence",),
    "clip_l_token_ids": ("clip_sequence",),
    "clip_l_negative_token_ids": ("clip_sequence",),
    "clip_g_token_ids": ("clip_sequence",),
    "clip_g_negative_token_ids": ("clip_sequence",),
    "t5_token_ids": ("t5_sequence",),
    "t5_negative_token_ids": ("t5_sequence",),
    "points": ("points",),
    "labels": ("points",),
    "boxes": ("boxes",),
    "box_labels": ("boxes",),
    "masks": ("masks", "mask_height", "mask_width"),
    "vision_indices": ("vision_tokens",),
    "audio_indices": ("audio_tokens",),
    "pixel_values": ("image_0", "patches", "patch_size"),
    "pixel_position_ids": ("image_0", "patches"),
    "audio_mel": ("clips", "frames"),
    "audio_mel_mask": ("clips", "frames"),
    "input_features": ("clips", "frames"),
    "input_features_mask": ("clips", "frames"),
    "image_grid_thw": ("images",),
}


@dataclasses.dataclass(frozen=True)
class Overrides:
    """Sizes that the caller fixes; None: by the model.

    Attributes:
        batch_size: Of every input.
        max_sequence_length: Of text: tokens of the encoder and of the decoder.
        image_size: Height and width; one int for a square.
        audio_length: Frames of features, or samples where the model takes raw audio.
        decoder_sequence_length: Tokens of the decoder alone.
    """

    batch_size: int | None = None
    max_sequence_length: int | None = None
    image_size: int | tuple[int, int] | None = None
    audio_length: int | None = None
    decoder_sequence_length: int | None = None

    def given(self) -> dict[str, Any]:
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}


OVERRIDES = tuple(field.name for field in dataclasses.fields(Overrides))


def problem(code: str, message: str, hint: str = "") -> ExportError:
    return ExportError([Diagnostic("", code, message, hint)])


def is_of_keras_hub(kind: type) -> bool:
    """True for a class that KerasHub defines."""
    return kind.__module__.partition(".")[0] == "keras_hub"


class ExporterConfig:
    """The inputs of one model.

    Subclasses say which models they are for (`matches`), which overrides they take (`overrides`)
    and what sizes are where neither the caller nor the model tells (`default_sizes`).

    Args:
        model: A built KerasHub model.

    Raises:
        ExportError: The model is not built.
    """

    # What messages call the models of this kind.
    label = "KerasHub model"
    # Names of KerasHub's classes that this is for; not all of them are in keras_hub.models.
    classes: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ("batch_size",)

    def __init__(self, model: keras.Model):
        if not model.built or _signature.functional_of(model) is None and not model.inputs:
            raise problem(
                "hub-1",
                f"the model '{model.name}' is not built",
                "Call it once on example inputs, or make it from a preset.",
            )
        self.model = model

    @classmethod
    def matches(cls, model: keras.Model) -> bool:
        """True where the model is one of `classes`."""
        return any(
            kind.__name__ in cls.classes and is_of_keras_hub(kind) for kind in type(model).__mro__
        )

    @property
    def backbone(self) -> keras.Model:
        return getattr(self.model, "backbone", None) or self.model

    def own_signature(self) -> _signature.Signature:
        """The model's own inputs, with the names of the axes that have one size."""
        known = self.model_sizes()

        def name_axes(leaf):
            axes = axes_of(leaf)
            sizes = tuple(known.get(n) if s is None else s for n, s in zip(axes, leaf.shape))
            return dataclasses.replace(leaf, shape=sizes, axes=axes)

        return _map(_signature.infer(self.model), name_axes)

    def model_sizes(self) -> dict[str, int]:
        """Sizes by the name of the axis that the model's parts need, whatever its Input says."""
        sizes: dict[str, int] = {}
        prompts = getattr(self.backbone, "prompt_encoder", None)
        embedding = getattr(prompts, "image_embedding_size", None)
        if embedding is not None:  # SAM's masks are 4 times as large as its features.
            sizes["mask_height"], sizes["mask_width"] = (4 * size for size in embedding)
        vision = getattr(self.backbone, "vision_encoder", None)
        patch, image = getattr(vision, "patch_size", None), getattr(vision, "image_size", None)
        if type(patch) is int and type(image) is int:
            sizes["patch_size"] = 3 * patch * patch
            sizes["patches"] = (image // patch) ** 2
        return sizes

    def signature(
        self,
        overrides: Overrides | None = None,
        *,
        preprocessor: dict[str, Any] | None = None,
        static: bool = False,
    ) -> _signature.Signature:
        """The inputs that the file gets.

        Args:
            overrides: What the caller fixes.
            preprocessor: Sizes that the preprocessor's config has, where the model has none.
            static: Fix every size but the batch: by overrides, preprocessor, model, defaults.

        Raises:
            ExportError: an override does not fit the model.
        """
        overrides = self.checked(overrides)
        return self.refine(self.own_signature(), overrides, preprocessor, static)

    def checked(self, overrides: Overrides | None) -> Overrides:
        """The overrides; raises ExportError where this kind of model has none of that name."""
        overrides = overrides or Overrides()
        for name in overrides.given():
            if name not in self.overrides:
                raise problem(
                    "hub-2",
                    f"{name} is no option of {self.model.__class__.__name__}, a {self.label}",
                    f"It takes {', '.join(self.overrides)}.",
                )
        for name, value in overrides.given().items():
            sizes = value if isinstance(value, (tuple, list)) else (value,)
            if not all(type(size) is int and size >= 1 for size in sizes):
                raise problem("hub-3", f"{name} must be positive, got {value!r}")
        return overrides

    def refine(
        self,
        own: _signature.Signature,
        overrides: Overrides,
        preprocessor: dict[str, Any] | None = None,
        static: bool = False,
    ) -> _signature.Signature:
        """`own` with the sizes that are fixed, as signature() does it."""
        fixed = self.fixed_sizes(overrides)
        known = {}
        if static:
            known = {**self.default_sizes(self.preprocessor_sizes(preprocessor)), **fixed}
            known |= self.dependent_sizes(known)

        def refine(leaf):
            shape = []
            for axis, size in enumerate(leaf.shape):
                name = leaf.axes[axis]
                wanted = fixed.get(name)
                if size is not None and wanted is not None and size != wanted:
                    raise problem(
                        "hub-3",
                        f"axis {axis} ({name}) of '{leaf.name}' is {size} in the model, "
                        f"{wanted} was asked for",
                        "Leave the override out, or make the model with this size.",
                    )
                if size is None:
                    size = wanted
                if size is None and static and axis > 0:
                    size = known.get(name, DEFAULT_COUNT)
                shape.append(size)
            return dataclasses.replace(leaf, shape=tuple(shape))

        signature = _map(own, refine)
        self.check(signature)
        return signature

    def parts(self) -> list:
        """The networks that the model is exported as, where it is more than one (_diffusion.py)."""
        return []

    def fixed_sizes(self, overrides: Overrides) -> dict[str, int]:
        """Sizes by the name of the axis that the overrides fix."""
        sizes: dict[str, int] = {}
        if overrides.batch_size is not None:
            sizes["batch"] = overrides.batch_size
        if overrides.max_sequence_length is not None:
            for name in ("sequence", "encoder_sequence", "decoder_sequence", "clip_sequence"):
                sizes[name] = overrides.max_sequence_length
        if overrides.image_size is not None:
            size = overrides.image_size
            height, width = size if isinstance(size, (tuple, list)) else (size, size)
            sizes["height"], sizes["width"] = height, width
        if overrides.audio_length is not None:
            sizes["frames"] = sizes["samples"] = overrides.audio_length
        if overrides.decoder_sequence_length is not None:
            sizes["decoder_sequence"] = overrides.decoder_sequence_length
        return sizes

    def preprocessor_sizes(self, config: dict[str, Any] | None = None) -> dict[str, int]:
        """Sizes by the name of the axis that the preprocessor gives its outputs."""
        sizes: dict[str, int] = {}

        def length(name):
            found = getattr(getattr(self.model, "preprocessor", None), name, None)
            if found is None and config:
                found = config.get(name)
            return found if type(found) is int and found >= 1 else None

        for name, attribute in (
            ("sequence", "sequence_length"),
            ("encoder_sequence", "encoder_sequence_length"),
            ("decoder_sequence", "decoder_sequence_length"),
        ):
            if (found := length(attribute)) is not None:
                sizes[name] = found
        if "encoder_sequence" not in sizes and "sequence" in sizes:
            sizes["encoder_sequence"] = sizes["sequence"]
        image = getattr(getattr(self.model, "preprocessor", None), "image_size", None)
        if image is None and config:
            image = (config.get("image_converter") or {}).get("config", {}).get("image_size")
        if isinstance(image, (tuple, list)) and len(image) == 2 and all(image):
            sizes["height"], sizes["width"] = image
        audio = getattr(getattr(self.model, "preprocessor", None), "audio_converter", None)
        for name, attributes in (
            ("frames", ("num_frames", "frames")),
            ("samples", ("num_samples", "max_audio_length_samples")),
        ):
            for attribute in attributes:
                found = getattr(audio, attribute, None)
                if type(found) is int and found >= 1:
                    sizes[name] = found
        return sizes

    def default_sizes(self, preprocessor: dict[str, int]) -> dict[str, int]:
        """Sizes by the name of the axis, for a file without dynamic sizes."""
        longest = _longest(self.backbone)
        sequence = min(DEFAULT_SEQUENCE_LENGTH, longest or DEFAULT_SEQUENCE_LENGTH)
        return {
            "sequence": sequence,
            "encoder_sequence": sequence,
            "decoder_sequence": sequence,
            "clip_sequence": 77,
            "t5_sequence": sequence,
            "height": DEFAULT_IMAGE_SIZE,
            "width": DEFAULT_IMAGE_SIZE,
            "frames": DEFAULT_AUDIO_LENGTH,
            "samples": DEFAULT_SAMPLES,
            **preprocessor,
        }

    def dependent_sizes(self, sizes: dict[str, int]) -> dict[str, int]:
        """Sizes that follow from the others in a file without dynamic sizes."""
        encoder = getattr(self.backbone, "audio_encoder", None)
        strides = getattr(encoder, "sscp_stride_sizes", None)
        if not strides:
            return {}
        tokens = sizes["frames"]  # Of the one clip: each convolution takes every stride-th frame.
        for stride, _ in strides:
            tokens = -(-tokens // stride)
        return {"audio_tokens": -(-tokens // getattr(encoder, "reduction_factor", 1))}

    def check(self, signature: _signature.Signature) -> None:
        """Raises ExportError where the model cannot take inputs of these sizes."""
        longest = _longest(self.backbone)
        for leaf in signature.leaves():
            for name, size in zip(leaf.axes, leaf.shape):
                if name in ("sequence", "encoder_sequence", "decoder_sequence"):
                    if size is not None and longest is not None and size > longest:
                        raise problem(
                            "hub-3",
                            f"{size} tokens were asked for '{leaf.name}', the model has "
                            f"{longest} positions",
                            f"Give at most {longest}.",
                        )


class TextExporterConfig(ExporterConfig):
    """Token IDs and masks."""

    label = "text model"
    overrides = ("batch_size", "max_sequence_length")


class Seq2SeqExporterConfig(TextExporterConfig):
    """Tokens of an encoder and of a decoder."""

    label = "encoder-decoder text model"
    overrides = ("batch_size", "max_sequence_length", "decoder_sequence_length")


class VisionExporterConfig(ExporterConfig):
    """Images."""

    label = "vision model"
    overrides = ("batch_size", "image_size")


class AudioExporterConfig(ExporterConfig):
    """Features or samples of audio, and the tokens of a decoder."""

    label = "audio model"
    overrides = ("batch_size", "audio_length", "decoder_sequence_length", "max_sequence_length")

    def own_signature(self):
        # Raw audio: its samples and the encoder's mask are as long.
        signature = super().own_signature()
        if not any(leaf.name == "encoder_input_values" for leaf in signature.leaves()):
            return signature

        def rename(leaf):
            axes = tuple("samples" if name == "encoder_sequence" else name for name in leaf.axes)
            return dataclasses.replace(leaf, axes=axes)

        return _map(signature, rename)

    def fixed_sizes(self, overrides):
        sizes = super().fixed_sizes(overrides)
        sizes.pop("encoder_sequence", None)
        return sizes

    def default_sizes(self, preprocessor):
        sizes = super().default_sizes({})
        decoder = getattr(self.backbone, "max_decoder_sequence_length", None)
        frames = getattr(self.backbone, "max_encoder_sequence_length", None)
        sizes["decoder_sequence"] = min(decoder or DEFAULT_DECODER_LENGTH, DEFAULT_DECODER_LENGTH)
        if frames:
            sizes["frames"] = min(frames, DEFAULT_AUDIO_LENGTH)
        return {**sizes, **preprocessor}

    def check(self, signature):
        super().check(signature)
        longest = getattr(self.backbone, "max_encoder_sequence_length", None)
        for leaf in signature.leaves():
            for name, size in zip(leaf.axes, leaf.shape):
                if name == "frames" and None not in (size, longest) and size > longest:
                    raise problem(
                        "hub-3",
                        f"{size} frames were asked for '{leaf.name}', the model has positions for "
                        f"{longest}",
                        f"Give at most {longest}.",
                    )


class MultimodalExporterConfig(ExporterConfig):
    """Images or audio with text."""

    label = "multimodal model"
    overrides = ("batch_size", "max_sequence_length", "image_size", "audio_length")

    def signature(self, overrides=None, *, preprocessor=None, static=False):
        signature = super().signature(overrides, preprocessor=preprocessor, static=static)
        if not any(leaf.name == "image_grid_thw" for leaf in signature.leaves()):
            return signature
        return self._with_grid(signature, overrides or Overrides(), preprocessor)

    def _with_grid(self, signature, overrides, preprocessor):
        """The signature for images of one size: the model's code computes with its numbers.

        `image_grid_thw` [batch, images, 3] holds each image's frames, rows and columns of patches.
        One image of one frame for each row of the batch; its patches are `pixel_values`' axis 1,
        and each square of spatial_merge_size² patches takes the place of one token.
        """
        encoder = self.backbone.vision_encoder
        patch, merge = encoder.patch_size, encoder.spatial_merge_size
        fixed = self.fixed_sizes(overrides)
        known = {**self.default_sizes(self.preprocessor_sizes(preprocessor)), **fixed}
        for name in ("height", "width"):
            if known[name] % (patch * merge):
                raise problem(
                    "hub-3",
                    f"the image's {name} is {known[name]}, the model takes multiples of "
                    f"{patch * merge}: {merge} patches of {patch} pixels make a token",
                    f"Give image_size=, for example {patch * merge * 4}.",
                )
        rows, columns = known["height"] // patch, known["width"] // patch
        batch = overrides.batch_size or 1
        sizes = {
            "batch": batch,
            "patches": rows * columns,
            "images": 1,
            "vision_tokens": rows * columns // merge**2,
        }

        def fix(leaf):
            shape = tuple(sizes.get(name, n) for name, n in zip(leaf.axes, leaf.shape))
            value = (((1, rows, columns),),) * batch if leaf.name == "image_grid_thw" else None
            return dataclasses.replace(leaf, shape=shape, value=value)

        return _map(signature, fix)


def axes_of(leaf: _signature.Leaf) -> tuple[str, ...]:
    """A name for each axis of an input; axes of one name have one size."""
    rank = len(leaf.shape)
    if leaf.name == "pixel_values" and rank == 6:  # Patches, cut by the preprocessor.
        return ("batch", "patches", "frames", "patch_height", "patch_width", "channels")
    if is_image(leaf):
        lead = [f"image_{i}" for i in range(rank - 4)]
        return ("batch", *lead, "height", "width", "channels")
    names = _AXES.get(leaf.name, ())
    return (
        "batch",
        *(names[i] if i < len(names) else f"{leaf.name}_{i + 1}" for i in range(rank - 1)),
    )[:rank]


def is_image(leaf: _signature.Leaf) -> bool:
    return (
        len(leaf.shape) >= 4
        and leaf.name != "masks"
        and "float" in leaf.dtype
        and leaf.shape[-1] in (1, 3, 4)
        or len(leaf.shape) == 4
        and "image" in leaf.name
    )


def _longest(backbone) -> int | None:
    """How many positions the model has for text, where it has a table of them."""
    parts = [getattr(backbone, name, None) for name in ("text_encoder", "language_model")]
    for part in (backbone, *parts):
        for name in ("max_sequence_length", "max_decoder_sequence_length", "max_label_length"):
            found = getattr(part, name, None)
            if type(found) is int and found >= 1:
                # Queries of an image in front of the text take positions of the same table.
                return found - (getattr(part, "num_query_tokens", None) or 0)
    return None


def _map(signature: _signature.Signature, function) -> _signature.Signature:
    args, kwargs = _signature.map_leaves(function, (signature.args, signature.kwargs))
    return dataclasses.replace(signature, args=args, kwargs=kwargs)
