"""Small random models of every KerasHub family: the configurations that the tests export.

    for case in cases(): model = case.build()

A case is a backbone or a task. Sizes are as small as each family allows; what a family has of its
own (grouped queries, windows, experts, registers …) is on.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

CASES: dict[str, "Case"] = {}

# Models whose own code does not run on Keras's NumPy backend.
JAX_ONLY: set[str] = {
    "depth_anything-DepthAnythingBackbone",
    "depth_anything-DepthAnythingDepthEstimator",
    "roformer_v2-RoformerV2Backbone",
    "roformer_v2-RoformerV2MaskedLM",
    "roformer_v2-RoformerV2TextClassifier",
    "video_prism-VideoPrismBackbone(text)",
}
# Models that cannot be exported, and why: the tests expect the failure.
MISSING: dict[str, str] = {}


# Modules that KerasHub's own code imports on a backend, by family and backend.
NEEDS = {("sam3", "torch"): "torchvision"}


@dataclasses.dataclass(frozen=True)
class Case:
    """One model.

    Attributes:
        family: KerasHub's folder of it.
        name: Of the class, with a suffix for variants.
        task: "Backbone", or the task's name.
        build: Makes the model with random weights.
        sizes: What unknown sizes other than the batch are in the tests, one run for each.
        inputs: A function of a random generator, batch and size that gives the inputs' arrays by
            name, where random ones would make no sense.
        backend: "jax" where KerasHub's own code does not run on Keras's NumPy backend.
        options: Of the export.
        missing: Why the export is not possible, where it is not.
    """

    family: str
    name: str
    task: str
    build: Callable
    sizes: tuple[int, ...]
    inputs: Callable | None = None
    backend: str = "numpy"
    missing: str = ""
    options: dict = dataclasses.field(default_factory=dict)

    @property
    def id(self):
        return f"{self.family}-{self.name}"


def add(family, name, task, build, sizes=(5, 7), inputs=None, options=None):
    case = Case(family, name, task, build, sizes, inputs, options=options or {})
    assert case.id not in CASES, case.id
    CASES[case.id] = dataclasses.replace(
        case, missing=MISSING.get(case.id, ""), backend="jax" if case.id in JAX_ONLY else "numpy"
    )


def backbone(family, name, config, sizes=(5, 7), inputs=None, variant="", tasks=(), options=None):
    """A backbone and the tasks on it.

    config: a dict of arguments, or a function that gives it. tasks: class names, or (class name,
    arguments).
    """

    def make():
        import keras_hub

        arguments = config() if callable(config) else config
        return getattr(keras_hub.models, name)(**arguments)

    add(family, name + variant, "Backbone", make, sizes, inputs, options)
    for task in tasks:
        task_name, arguments = task if isinstance(task, tuple) else (task, {})

        def make_task(task_name=task_name, arguments=arguments):
            import keras_hub

            more = arguments() if callable(arguments) else arguments
            return getattr(keras_hub.models, task_name)(
                backbone=make(), **{"preprocessor": None, **more}
            )

        add(family, task_name + variant, kind(task_name), make_task, sizes, inputs, options)


def internal(module, name):
    """A class of KerasHub that its public modules do not have."""
    import importlib

    return getattr(importlib.import_module(f"keras_hub.src.models.{module}"), name)


def vision_text(rng, batch, length, tokens, images=None):
    """Token IDs, masks and where the images' tokens go."""
    indices = np.stack([np.sort(rng.choice(length, tokens, replace=False)) for _ in range(batch)])
    mask = np.zeros((batch, length), "int32")
    np.put_along_axis(mask, indices, 1, 1)
    return {
        "token_ids": rng.integers(1, 20, (batch, length)).astype("int32"),
        "padding_mask": np.ones((batch, length), "int32"),
        "vision_indices": indices.astype("int32"),
        "vision_mask": mask,
    }


_TASKS = (
    "AudioToText Seq2SeqLM CausalLM MaskedLM MaskedPLM TextClassifier ProteinClassifier "
    "TextEmbedder ImageClassifier ImageSegmenter ObjectDetector DepthEstimator "
    "TextToImage ImageToImage Inpaint"
).split()


def kind(name):
    """The task of a class, by its name."""
    for task in _TASKS:
        if task in name:
            return {"MaskedPLM": "MaskedLM", "ProteinClassifier": "TextClassifier"}.get(task, task)
    return "Backbone"


def cases():
    import families_contrastive  # noqa: F401
    import families_diffusion  # noqa: F401
    import families_gemma_vision  # noqa: F401
    import families_promptable  # noqa: F401
    import families_text  # noqa: F401
    import families_vision  # noqa: F401
    import families_vision_language  # noqa: F401

    return [CASES[key] for key in sorted(CASES)]
