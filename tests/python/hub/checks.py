"""Exports one case, runs the file in LiteRT, compares with Keras."""

import dataclasses
import json
import os
import tempfile
import time

import keras
import numpy as np
import oracle
from keras_litert import _signature, hub
from keras_litert.hub._configs import OVERRIDES


@dataclasses.dataclass
class Result:
    """What a case's export gave; `error` is the largest, as a fraction of an output's range."""

    operators: int
    file_bytes: int
    seconds: float
    error: float
    notes: list[str]


def recorded(backend):
    """IDs of the cases that KERAS_LITERT_HUB_JSON has a result of, on this backend."""
    target = os.environ.get("KERAS_LITERT_HUB_JSON")
    if not target or not os.path.exists(target):
        return set()
    with open(target) as file:
        entries = [json.loads(line) for line in file]
    return {
        entry["id"] for entry in entries if entry["backend"] == backend and "recipe" not in entry
    }


def record(case, result, **more):
    """Appends what a case gave to the file that KERAS_LITERT_HUB_JSON names (scripts/hub).

    result: a Result, or the exception that ended the case; more: further keys of the entry.
    """
    target = os.environ.get("KERAS_LITERT_HUB_JSON")
    if not target:
        return
    if isinstance(result, BaseException):
        lines = [line for line in str(result).splitlines() if line.strip()]
        found = {"failed": f"{type(result).__name__}: {lines[0] if lines else ''}"}
    else:
        found = dataclasses.asdict(result)
    entry = {"id": case.id, "backend": keras.backend.backend(), **found, **more}
    with open(target, "a") as file:
        file.write(json.dumps(entry) + "\n")


def randomize(model, seed=0):
    """Weights that no part of the model can hide: N(0, 0.3²) around what the layers start with."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "float" not in str(variable.dtype):
            continue
        value = np.asarray(keras.ops.convert_to_numpy(variable.value))
        spread = 0.1 if value.ndim < 2 else 1.0 / np.sqrt(max(1, np.prod(value.shape[:-1])))
        noise = rng.normal(size=value.shape) * spread
        if "variance" in variable.path or "scale" in variable.path or "gamma" in variable.path:
            noise = np.abs(noise)
        variable.assign((value + noise).astype(value.dtype))


def draw(case, model, signature, batch, size, seed=0):
    """Arrays for the signature's inputs, as the model's users would give them."""
    rng = np.random.default_rng([seed, batch, size])
    if case.inputs is not None:
        given = case.inputs(rng, batch, size)
        return [given[leaf.name].astype(leaf.dtype) for leaf in signature.leaves()]
    backbone = getattr(model, "backbone", None) or model
    vocabulary = 20
    for name in ("vocabulary_size", "vocab_size"):
        vocabulary = getattr(backbone, name, vocabulary) or vocabulary
    arrays = []
    for leaf in signature.leaves():
        shape = tuple(
            n if n is not None else (batch if axis == 0 else size)
            for axis, n in enumerate(leaf.shape)
        )
        if leaf.name == "mask_positions":
            shape = (shape[0], leaf.shape[1] or 3)
            length = max(a.shape[1] for a in arrays if a.ndim > 1) if arrays else size or 3
            arrays.append(rng.integers(0, length, shape).astype(leaf.dtype))
        elif leaf.name.endswith("mask"):
            mask = np.ones(shape, leaf.dtype)
            if batch > 1:  # The last row is shorter.
                mask[-1, shape[1] - max(1, shape[1] // 4) :] = 0
            arrays.append(mask if leaf.name != "response_mask" else 0 * mask)
        elif leaf.name == "segment_ids":
            arrays.append(rng.integers(0, 2, shape).astype(leaf.dtype))
        elif leaf.name == "position_ids":
            arrays.append(np.broadcast_to(np.arange(shape[1], dtype=leaf.dtype), shape).copy())
        elif leaf.name == "num_steps":
            arrays.append(np.full(shape, 2, leaf.dtype))
        elif leaf.name in ("timesteps", "guidance", "guidance_scale"):
            arrays.append(rng.uniform(0.5, 2.0, shape).astype(leaf.dtype))
        elif "int" in leaf.dtype:
            arrays.append(rng.integers(1, vocabulary, shape).astype(leaf.dtype))
        elif len(shape) >= 4:
            arrays.append(rng.uniform(size=shape).astype(leaf.dtype))
        else:
            arrays.append(rng.normal(size=shape).astype(leaf.dtype))
    return arrays


def check(case, tolerance=1e-3, path=None, **options) -> Result:
    """Raises AssertionError where the file differs from the model by more than `tolerance`."""
    keras.utils.set_random_seed(1)
    model = case.build()
    randomize(model)
    with tempfile.TemporaryDirectory() as folder:
        path = path or os.path.join(folder, "model.tflite")
        started = time.perf_counter()
        report = hub.export(model, path, **{**case.options, **options})
        seconds = time.perf_counter() - started
        if isinstance(report, hub.PartsReport):
            worst = check_parts(getattr(model, "backbone", None) or model, report, case.sizes)
            assert worst <= tolerance, f"differs by {worst:.2e} of the range"
            return _result(report, seconds, worst)
        with open(path, "rb") as file:
            content = file.read()
    file = oracle.File(content)
    assert not file.custom_operators, file.custom_operators
    static, sizes = exported_signature(case, model, report)
    assert [info.name for info in file.inputs] == [leaf.name for leaf in static.leaves()]
    worst = 0.0
    batches = (1, 3) if static.leaves()[0].shape[0] is None else (static.leaves()[0].shape[0],) * 2
    runtime = oracle.Runtime(file, content, True)
    for batch, size in zip(batches, (sizes[0], sizes[-1])):
        arrays = draw(case, model, static, batch, size)
        outputs = keras_outputs(model, static, arrays)
        names, expected = list(outputs), list(outputs.values())
        assert [info.name for info in file.outputs] == names
        for _ in range(2):
            runtime.set(arrays)
            for name, got, want in zip(names, runtime.invoke(), expected, strict=True):
                assert got.shape == want.shape, f"{name}: {got.shape}, Keras {want.shape}"
                assert np.isfinite(want).all(), f"{name}: Keras gives no finite values"
                worst = max(worst, oracle.relative_error(got, want, name))
    assert worst <= tolerance, f"differs by {worst:.2e} of the range"
    return _result(report, seconds, worst)


def exported_signature(case, model, report):
    """The signature with the sizes that the file has, and sizes to run it with."""
    given = {key: n for key, n in case.options.items() if key in OVERRIDES}
    signature = hub.get_exporter_config(model).signature(hub.Overrides(**given))
    static = _signature_of(signature, {name: shape for name, _, shape in report.inputs})
    if any(None in leaf.shape[1:] for leaf in static.leaves()):
        return static, case.sizes
    sizes = [
        size
        for leaf in static.leaves()
        for axis, size in zip(leaf.axes, leaf.shape)
        if axis in ("sequence", "points")
    ]
    return static, sizes or (0,)


def keras_outputs(model, static, arrays):
    """The model's outputs, by name; `arrays` are those of the signature's leaves."""
    iterator = iter(arrays)
    args = _signature.map_leaves(
        lambda leaf: keras.ops.convert_to_tensor(
            next(iterator) if leaf.value is None else leaf.value, dtype=leaf.dtype
        ),
        static.args,
    )
    training = {"training": False} if model._call_has_training_arg else {}
    named = _signature.outputs_of(model(*args, **training))
    return {name: np.asarray(keras.ops.convert_to_numpy(y)) for name, y in named}


def _result(report, seconds, worst):
    return Result(
        sum(report.operators.values()), report.file_bytes, seconds, worst, list(report.notes)
    )


def check_parts(backbone, report, sizes) -> float:
    """The largest error of a diffusion model's files against KerasHub's own steps."""
    rng = np.random.default_rng(5)
    runtimes = {}
    for name, part in report.parts.items():
        with open(part.path, "rb") as file:
            content = file.read()
        file = oracle.File(content)
        assert not file.custom_operators, file.custom_operators
        runtimes[name] = (file, oracle.Runtime(file, content, True))
    worst = 0.0

    def compare(part, inputs, expected):
        nonlocal worst
        file, runtime = runtimes[part]
        assert [info.name for info in file.inputs] == sorted(inputs)
        assert [info.name for info in file.outputs] == sorted(expected)
        runtime.set([np.asarray(inputs[info.name]) for info in file.inputs])
        for info, got in zip(file.outputs, runtime.invoke(), strict=True):
            want = np.asarray(keras.ops.convert_to_numpy(expected[info.name]))
            assert got.shape == want.shape, f"{part}: {got.shape}, Keras {want.shape}"
            assert np.isfinite(want).all(), f"{part}: Keras gives no finite values"
            worst = max(worst, oracle.relative_error(got, want, part))

    for batch, length in zip((1, 3), (sizes[0], sizes[-1])):
        names = ["clip_l", "clip_g"] + (["t5"] if backbone.t5 is not None else [])
        shape = (2, batch, length)
        ids = {name: rng.integers(1, 20, shape).astype("int32") for name in names}
        found = backbone.encode_text_step(*({k: v[i] for k, v in ids.items()} for i in range(2)))
        embeddings = [np.asarray(keras.ops.convert_to_numpy(x)) for x in found]
        for i in range(2):
            compare(
                "text_encoder",
                {f"{name}_token_ids": value[i] for name, value in ids.items()},
                {"embeddings": embeddings[i], "pooled_embeddings": embeddings[2 + i]},
            )
        latents, noises = (
            rng.normal(size=(batch, *backbone.latent_shape[1:])).astype("float32") for _ in "xy"
        )
        # Keras's linspace from a tensor of PyTorch to another gives NaN for one step.
        for steps in (1, 4) if keras.backend.backend() != "torch" else (2, 4):
            backbone.configure_scheduler(steps)
            for step in {0, 1, steps - 1} & set(range(steps)):
                counts = {"step": np.int32(step), "num_steps": np.int32(steps)}
                guidance = np.float32(5.5)
                compare(
                    "denoise",
                    {
                        "latents": latents,
                        "embeddings": embeddings[0],
                        "negative_embeddings": embeddings[1],
                        "pooled_embeddings": embeddings[2],
                        "negative_pooled_embeddings": embeddings[3],
                        "guidance_scale": guidance,
                        **counts,
                    },
                    {"latents": backbone.denoise_step(latents, found, step, steps, guidance)},
                )
                if "add_noise" in report.parts:
                    compare(
                        "add_noise",
                        {"latents": latents, "noises": noises, **counts},
                        {
                            "latents": backbone.add_noise_step(
                                latents, noises, *(np.array(n, "int32") for n in (step, steps))
                            )
                        },
                    )
        if "encode" in report.parts:
            images = rng.uniform(-1, 1, (batch, *backbone.image_shape)).astype("float32")
            want = backbone.encode_image_step(images)
            compare("encode", {"images": images}, {"latents": want})
        compare("decode", {"latents": latents}, {"images": backbone.decode_step(latents)})
    return worst


def _signature_of(signature, shapes):
    """The signature with the sizes that the file has."""

    def fix(leaf):
        if leaf.value is not None:
            return leaf
        shape = tuple(None if n < 0 else n for n in shapes[leaf.name])
        return dataclasses.replace(leaf, shape=shape)

    return _signature.Signature(_signature.map_leaves(fix, signature.args), {})
