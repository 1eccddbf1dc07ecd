"""Diffusion models: each network of a generation in a file of its own.

What KerasHub's `generate()` runs once (text encoder, VAE) and what it runs in every step (the
denoiser) are different files, so that an app runs its own loop:

    text_encoder  {clip_l,clip_g,t5}_token_ids → embeddings, pooled_embeddings
    encode        images → latents                         (image to image, inpainting)
    add_noise     latents, noises, step, num_steps → latents
    denoise       latents, the embeddings of prompt and negative prompt, step, num_steps,
                  guidance_scale → latents
    decode        latents → images

Each is traced from the backbone's own method (`encode_text_step`, `denoise_step` …).
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import ops
from keras_litert._signature import Leaf, Signature

_METHODS = (
    "encode_text_step",
    "encode_image_step",
    "add_noise_step",
    "denoise_step",
    "decode_step",
)
_MODULE = "keras_hub.src.models.stable_diffusion_3.stable_diffusion_3_backbone"


@dataclasses.dataclass(frozen=True)
class Part:
    """One network: its name, what it computes from a dict of its inputs, and these inputs."""

    name: str
    function: Callable[[dict[str, Any]], dict[str, Any]]
    inputs: tuple[Leaf, ...]

    def signature(self) -> Signature:
        return Signature(({leaf.name: leaf for leaf in self.inputs},), {})

    def model(self, backbone: keras.Model) -> keras.Model:
        return _PartModel(backbone, self.function, name=self.name)


class _PartModel(keras.Model):
    """Calls a function of the backbone's parts; the file's layer paths begin with its name."""

    def __init__(self, backbone, function, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.backbone = backbone
        self._function = function
        self.built = True

    def call(self, inputs):
        return self._function(inputs)


def has_parts(backbone: keras.Model) -> bool:
    """True for the backbones of which every step is known (Stable Diffusion 3 and its kin)."""
    return all(hasattr(backbone, name) for name in _METHODS) and any(
        kind.__module__ == _MODULE for kind in type(backbone).__mro__
    )


def parts(backbone: keras.Model, task: str) -> list[Part]:
    """The networks that a generation needs, in the order in which it runs them.

    task: "TextToImage", "ImageToImage", "Inpaint", or "" for all there are.
    """
    with_image = task != "TextToImage"
    found = [_text_encoder(backbone)]
    if with_image:
        found += [_image_encoder(backbone), _noise(backbone)]
    return [*found, _denoiser(backbone), _decoder(backbone)]


def _leaf(name, dtype, shape, axes) -> Leaf:
    return Leaf(name, dtype, tuple(shape), tuple(axes))


def _latents(backbone, name="latents") -> Leaf:
    axes = ("batch", "latent_height", "latent_width", "latent_channels")
    return _leaf(name, "float32", backbone.latent_shape, axes)


def _counts() -> tuple[Leaf, Leaf]:
    return _leaf("step", "int32", (), ()), _leaf("num_steps", "int32", (), ())


def _text_encoder(backbone) -> Part:
    encoders = ["clip_l", "clip_g"] + (["t5"] if backbone.t5 is not None else [])

    def encode(inputs):
        ids = {name: inputs[f"{name}_token_ids"] for name in encoders}
        embeddings, _, pooled, _ = backbone.encode_text_step(ids, ids)
        return {"embeddings": embeddings, "pooled_embeddings": pooled}

    inputs = [
        _leaf(
            f"{name}_token_ids",
            "int32",
            (None, None),
            ("batch", "t5_sequence" if name == "t5" else "clip_sequence"),
        )
        for name in encoders
    ]
    return Part("text_encoder", encode, tuple(inputs))


def _image_encoder(backbone) -> Part:
    shape = (None, *backbone.image_shape)
    images = _leaf("images", "float32", shape, ("batch", "height", "width", "channels"))
    return Part(
        "encode",
        lambda inputs: {"latents": backbone.encode_image_step(inputs["images"])},
        (images,),
    )


def _noise(backbone) -> Part:
    def add_noise(inputs):
        step, steps = inputs["step"], inputs["num_steps"]
        with _sigmas(backbone.scheduler, step, steps):
            latents = backbone.add_noise_step(inputs["latents"], inputs["noises"], _first(), steps)
        return {"latents": latents}

    return Part(
        "add_noise",
        add_noise,
        (_latents(backbone), _latents(backbone, "noises"), *_counts()),
    )


def _denoiser(backbone) -> Part:
    def denoise(inputs):
        step, steps = inputs["step"], inputs["num_steps"]
        embeddings = tuple(
            inputs[name]
            for name in (
                "embeddings",
                "negative_embeddings",
                "pooled_embeddings",
                "negative_pooled_embeddings",
            )
        )
        with _sigmas(backbone.scheduler, step, steps):
            latents = backbone.denoise_step(
                inputs["latents"], embeddings, _first(), steps, inputs["guidance_scale"]
            )
        return {"latents": latents}

    def embedding(name):
        shape = (None, None, backbone.t5_hidden_dim)
        return _leaf(name, "float32", shape, ("batch", "context", "features"))

    def pooled(name):
        return _leaf(name, "float32", (None, backbone.clip_hidden_dim), ("batch", "features"))

    return Part(
        "denoise",
        denoise,
        (
            _latents(backbone),
            embedding("embeddings"),
            embedding("negative_embeddings"),
            pooled("pooled_embeddings"),
            pooled("negative_pooled_embeddings"),
            *_counts(),
            _leaf("guidance_scale", "float32", (), ()),
        ),
    )


def _decoder(backbone) -> Part:
    return Part(
        "decode",
        lambda inputs: {"images": backbone.decode_step(inputs["latents"])},
        (_latents(backbone),),
    )


def _first():
    return ops.zeros((), "int32")


@contextlib.contextmanager
def _sigmas(scheduler, step, steps):
    """For its time, steps 0 and 1 of the scheduler are `step` and the one after it, of `steps`.

    The scheduler takes its noise levels from a table that it makes for one number of steps n:
    T[i] = T_max + (T_min − T_max)·i/(n − 1), sigma[i] = f(T[i]), sigma[n] = 0. Here the two entries
    that are needed are computed in the file, by the scheduler's own f.
    """
    highest = scheduler._sigma_to_timestep(scheduler.sigma_max)
    lowest = scheduler._sigma_to_timestep(scheduler.sigma_min)

    def sigma(i):
        last = ops.cast(ops.maximum(ops.subtract(steps, 1), 1), "float32")
        share = ops.divide(ops.cast(i, "float32"), last)
        timestep = ops.add(highest, ops.multiply(ops.subtract(lowest, highest), share))
        found = scheduler._timestep_to_sigma(timestep)
        return ops.where(ops.less(i, steps), found, ops.zeros_like(found))

    known = vars(scheduler).get("sigmas")
    table = ops.stack([sigma(step), sigma(ops.add(step, 1))])
    object.__setattr__(scheduler, "sigmas", table)
    try:
        yield
    finally:
        if known is None:
            object.__delattr__(scheduler, "sigmas")
        else:
            object.__setattr__(scheduler, "sigmas", known)
