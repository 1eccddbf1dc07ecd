"""Exports live models and compares the files with Keras."""

import pathlib
import tempfile

import keras
import keras_litert
import numpy as np
import oracle
from keras_litert import _signature

# Some tests are of what older releases of Keras do not have.
KERAS = tuple(int(part) for part in keras.__version__.split(".")[:2])


def check_export(
    model,
    inputs=None,
    *,
    strategy="auto",
    expect=None,
    tolerance=1e-5,
    randomized=True,
    sizes=((1, 5), (3, 6)),
    input_signature=None,
    dtypes=None,
    seed=0,
    **options,
):
    """Exports the model, runs the file on each set of inputs twice, compares with Keras.

    inputs    a list of tuples of positional arguments; None: random ones, with each (batch, size)
              of `sizes` for the unknown dimensions.
    expect    the strategy that must have written the file.
    Returns the oracle's File and the report.
    """
    if randomized and model.built:
        oracle.randomize(model, seed)
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder) / "model.tflite"
        report = keras_litert.export(
            model, target, strategy=strategy, input_signature=input_signature, **options
        )
        content = target.read_bytes()
        assert [file.name for file in target.parent.iterdir()] == ["model.tflite"]
    if expect is not None:
        assert report.strategy == expect
    file = oracle.File(content)
    assert not file.custom_operators
    signature = _signature.infer(model, input_signature)
    assert [info.name for info in file.inputs] == [leaf.name for leaf in signature.leaves()]
    if inputs is None:
        inputs = [random_arguments(signature, batch, size, seed) for batch, size in sizes]
    for delegate in (True, False):
        runtime = oracle.Runtime(file, content, delegate)
        for args, kwargs in (
            one if len(one) == 2 and isinstance(one[0], tuple) else (one, {}) for one in inputs
        ):
            arrays = [np.asarray(x) for x in _signature.flatten((args, kwargs))]
            expected = run(model, args, kwargs)
            for _ in range(2):
                runtime.set(arrays)
                for info, got, want in zip(file.outputs, runtime.invoke(), expected, strict=True):
                    error = oracle.relative_error(got, want, info.name)
                    assert error <= tolerance, f"{info.name}: {error:.2e}\n{got}\n{want}"
    return file, report


def run(model, args, kwargs):
    """Keras's own outputs, flattened as the file has them."""
    if getattr(model, "_call_has_training_arg", False):
        kwargs = {**kwargs, "training": False}
    args = keras.tree.map_structure(keras.ops.convert_to_tensor, args)
    return [
        np.asarray(keras.ops.convert_to_numpy(y))
        for _, y in _signature.outputs_of(model(*args, **kwargs))
    ]


def random_arguments(signature, batch, size, seed=0):
    rng = np.random.default_rng([seed, batch])

    def draw(leaf):
        shape = [
            n if n is not None else (batch if axis == 0 else size)
            for axis, n in enumerate(leaf.shape)
        ]
        return oracle.random_array(rng, shape, leaf.dtype)

    return _signature.map_leaves(draw, signature.args), _signature.map_leaves(
        draw, signature.kwargs
    )


def same_bytes(model, tmp_path, **options):
    """Asserts that both strategies write the same file."""
    files = []
    for strategy in ("direct", "tracer"):
        path = tmp_path / f"{strategy}.tflite"
        keras_litert.export(model, path, strategy=strategy, **options)
        files.append(path.read_bytes())
    assert files[0] == files[1]
