"""What the package says when something is wrong, word for word."""

import keras
import keras_litert
import numpy as np
import pytest
from keras import layers, ops
from keras_litert import _hook
from package.support import KERAS


def small():
    x = keras.Input((4,), name="x")
    return keras.Model(x, layers.Dense(2, name="dense")(x), name="small")


def two():
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    return keras.Model([x, y], layers.Add()([x, y]), name="two")


ALL_TYPES = "TFLITE_BUILTINS, TFLITE_BUILTINS_INT8, " + (
    "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
)
DEFAULT = {"optimizations": ["DEFAULT"]}
OPTIONS = [
    ({"quant_config": 1}, "'quant_config' is not known here; give 'quantize' instead"),
    ({"quantize": 8}, "'quantize' must be a recipe's name, a dict or a pathlib.Path, got int"),
    (
        {"quantize": {"recipe": "int8", "method": "min_max"}},
        "'method' must be one of minmax, moving_average, percentile, mse, got 'min_max'; did you "
        "mean 'minmax'?",
    ),
    (
        {"quantize": {"rules": [{"layer": "a"}]}},
        "a rule of 'quantize' names no recipe: {'layer': 'a'}",
    ),
    (
        {"quantize": {"rules": ["int8"]}},
        "a rule of 'quantize' must be a dict, got str",
    ),
    (
        {"quantize": "auto", "min_sqnr": -1},
        "'min_sqnr' must be a number of at least 0, got -1",
    ),
    (
        {"quantize": "auto", "metric": "accuracy"},
        "'metric' must be a function of a file's path that gives a number, more is better, got str",
    ),
    (
        {"quantize": "auto", "metric": len},
        "with 'metric', 'max_loss' says how much less than the float file's it may be",
    ),
    ({"optimizations": ["SPEED"]}, "'optimizations' may hold 'DEFAULT', got 'SPEED'"),
    (
        {**DEFAULT, "target_spec": {"supported_ops": ["SELECT_TF_OPS"]}},
        f"'supported_ops' may hold {ALL_TYPES}, got 'SELECT_TF_OPS'",
    ),
    (
        {**DEFAULT, "target_spec": {"supported_types": ["int4"]}},
        "'supported_types' may be ['float16'] or ['int8'], got ['int4']",
    ),
    (
        {"target_spec": {"supported_types": ["float16"]}},
        "'target_spec' has no effect without optimizations=['DEFAULT']",
    ),
    (
        {**DEFAULT, "representative_dataset": 3},
        "'representative_dataset' must be a callable, an iterable of samples, an array or a dict "
        "of arrays, got int",
    ),
    (
        {**DEFAULT, "representative_dataset": np.zeros((3, 5))},
        "representative_dataset: the input 'x' has the shape (None, 4), the array (3, 5)",
    ),
    (
        {**DEFAULT, "representative_dataset": [[np.zeros((1, 4)), np.zeros((1, 4))]]},
        "sample 0 of 'representative_dataset' has 2 arrays, the model has 1 inputs; give a dict by "
        "their names",
    ),
    (
        {"allow_custom_ops": True},
        "'allow_custom_ops' must be False, got True: every file has builtin operators only",
    ),
    (
        {"strategy": "trace"},
        "strategy must be one of 'auto', 'direct', 'tracer', got 'trace'; did you mean 'tracer'?",
    ),
    ({"inputsignature": 1}, "export() has no option 'inputsignature'; did you mean "),
]


@pytest.mark.parametrize("options, message", OPTIONS, ids=[next(iter(o)) for o, _ in OPTIONS])
def test_options(tmp_path, options, message):
    with pytest.raises((TypeError, ValueError)) as error:
        keras_litert.export(small(), tmp_path / "m.tflite", **options)
    if message.endswith("did you mean "):
        message += "'input_signature'?"
    assert str(error.value) == message
    assert not list(tmp_path.iterdir())


def test_rows_of_several_inputs(tmp_path):
    samples = {"x": np.zeros((3, 4)), "y": np.zeros((2, 4))}
    with pytest.raises(ValueError) as error:
        keras_litert.export(
            two(), tmp_path / "m.tflite", quantize="int8", representative_dataset=samples
        )
    assert str(error.value) == "the arrays of 'representative_dataset' have [2, 3] rows"


def test_no_model_and_no_path(tmp_path):
    with pytest.raises(TypeError) as error:
        keras_litert.export(layers.Dense(2), tmp_path / "m.tflite")
    assert str(error.value) == "model must be a keras.Model, got Dense"
    with pytest.raises(ValueError) as error:
        keras_litert.export(small(), "model.onnx")
    assert str(error.value) == "the path must end in '.tflite', got 'model.onnx'"


def test_verify_without_the_runtime(tmp_path, monkeypatch):
    import sys

    keras_litert.export(small(), tmp_path / "m.tflite")
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError) as error:
        keras_litert.verify(small(), tmp_path / "m.tflite")
    assert str(error.value) == "verify() needs the LiteRT runtime: pip install ai-edge-litert"


class Two(keras.Model):
    def call(self, query, context):
        return query + context


SIGNATURES = [
    (
        two,
        [((None, 4), "float32")],
        "signature-1: input_signature has 1 inputs, the model has 2: x, y\n"
        "    Give one (shape, dtype), keras.InputSpec or tensor for each, in the model's "
        "structure.",
    ),
    (
        small,
        [((None, 5), "float32")],
        "signature-2: input 'x' has the shape (None, 4), input_signature says (None, 5)",
    ),
    (
        lambda: Two(name="two"),
        None,
        "signature-3: the model 'two' was never built or called: its inputs are not known\n"
        "    Call it once, or give input_signature=[((None, 28, 28, 1), 'float32')].",
    ),
    (
        lambda: Two(name="two"),
        ["float32", "int32"],
        "signature-4: input_signature has a str without shape or dtype: float32\n"
        "    Give keras.InputSpec(shape=…, dtype=…), (shape, dtype), or a tensor.",
    ),
    (
        lambda: Two(name="two"),
        [((None, 4), "float32")] * 3,
        "signature-1: input_signature has 3 arguments, the model's call takes 2: query, context",
    ),
]


@pytest.mark.parametrize("make, signature, message", SIGNATURES)
def test_signatures(tmp_path, make, signature, message):
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(make(), tmp_path / "m.tflite", input_signature=signature)
    assert str(error.value) == message


def test_second_argument_is_not_known(tmp_path):
    """Where the package was imported after the model was called."""
    model = Two(name="two")
    _hook.uninstall()
    try:
        model(np.zeros((1, 4), "float32"), np.zeros((1, 4), "float32"))
    finally:
        _hook.install()
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(model, tmp_path / "m.tflite")
    assert str(error.value) == (
        "signature-5: the call of 'two' takes query, context; Keras keeps the shape of the first "
        "alone\n    Give input_signature, with one (shape, dtype) for each, or import keras_litert "
        "before the model's first call."
    )


class Code(keras.Model):
    """Code of a user in a layer of a model; dynamic batch and length."""

    def __init__(self, function):
        super().__init__(name="model")

        class Layer(layers.Layer):
            def call(self, x):
                return function(x)

        self.layer = Layer(name="layer")
        self.layer.built = self.built = True

    def call(self, x):
        return self.layer(x)


KNOWN = "known only when the file runs"
CONTROL = (
    "Use keras.ops.where, keras.ops.cond or keras.ops.while_loop instead of Python control flow."
)
SIZES = "Fix the size in input_signature, or compute with keras.ops."
CODE = {
    "condition": (
        lambda x: x if ops.sum(x) > 0 else -x,
        f"trace-1: a Python condition depends on a tensor's value, which is {KNOWN}\n    {CONTROL}",
    ),
    "int": (
        lambda x: x * int(ops.sum(x)),
        f"trace-1: int() depends on a tensor's value, which is {KNOWN}\n    {CONTROL}",
    ),
    "float": (
        lambda x: x * float(ops.sum(x)),
        f"trace-1: float() depends on a tensor's value, which is {KNOWN}\n    {CONTROL}",
    ),
    "index": (
        lambda x: x * [1, 2][ops.cast(ops.sum(x), "int32")],
        f"trace-1: a Python index depends on a tensor's value, which is {KNOWN}\n    {CONTROL}",
    ),
    "item": (
        lambda x: x * ops.sum(x).item(),
        f"trace-1: item() depends on a tensor's value, which is {KNOWN}\n    {CONTROL}",
    ),
    "numpy": (
        lambda x: x * ops.convert_to_numpy(ops.sum(x)),
        f"trace-1: convert_to_numpy() depends on a tensor's value, which is {KNOWN}\n    {CONTROL}",
    ),
    "object": (lambda x: ops.add(x, object()), "trace-2: an argument of object is no tensor"),
    "range": (
        lambda x: sum(x[:, i] for i in range(ops.shape(x)[1])),
        f"trace-3: this code depends on the size 'x_1', which is {KNOWN} (AT)\n    {SIZES}",
    ),
    "size": (
        lambda x: x if ops.shape(x)[1] == 7 else -x,
        f"trace-3: a comparison with 7 depends on the size 'x_1', which is {KNOWN} (AT)\n"
        f"    {SIZES}",
    ),
    "sizes": (
        lambda x: x if ops.shape(x)[1] == ops.shape(x)[0] else -x,
        "trace-3: a comparison with the size 'batch' depends on the size 'x_1', which is "
        f"{KNOWN} (AT)\n    {SIZES}",
    ),
    "division": (
        lambda x: ops.reshape(x, (100 // ops.shape(x)[1], -1)),
        f"trace-3: a division depends on the size 'x_1', which is {KNOWN} (AT)\n    {SIZES}",
    ),
    "backend": (
        lambda x: np.sin(x),
        "trace-4: np.sin is called on a tensor of the model (AT)\n    Call keras.ops.sin instead: "
        "keras.ops works on every backend and can be exported.",
    ),
    "backend that is not named": (
        lambda x: getattr(x, f"no {type(x)}"),  # As a compiled function of a backend tells it.
        "trace-5: AttributeError: 'Tensor' object has no attribute "
        "'no <class 'keras_litert.tracer.tensors.Tensor'>' (AT)\n"
        "    Functions of a backend do not take tensors of the model: keras.ops works on every "
        "backend and can be exported.",
    ),
    "exception": (lambda x: [][0], "trace-5: IndexError: list index out of range (AT)"),
    "len": (
        lambda x: len(ops.sum(x)),
        "trace-5: TypeError: len() of a scalar tensor (AT)",
    ),
    "iteration": (
        lambda x: list(ops.sum(x)),
        "trace-5: TypeError: iteration over a scalar tensor (AT)",
    ),
    "mask": (
        lambda x: x[x > 0],
        "get-item-9: an index is a mask, whose number of elements is known when the file runs\n"
        "    Use keras.ops.where.",
    ),
    "arange": (
        lambda x: ops.arange(0.5, ops.shape(x)[1]),
        "arange-1: arange() from a tensor or a float to a dynamic size is not supported\n"
        "    Give it sizes (keras.ops.shape) or numbers.",
    ),
    "branches": (
        lambda x: ops.cond(ops.sum(x) > 0, lambda: x, lambda: (x, x)),
        "cond-2: the branches of a condition give different structures",
    ),
    "branch types": (
        lambda x: ops.cond(ops.sum(x) > 0, lambda: x, lambda: x[0]),
        "cond-1: the branches of a condition give float32[s1, s2] and float32[s2]\n"
        "    Make both branches give tensors of the same dtype and rank.",
    ),
    "loop": (
        lambda x: ops.while_loop(lambda y: ops.sum(y) < 9, lambda y: (y[None],), (x,))[0],
        "while-2: a loop's variable 0 is float32[s1, s2] before a step and "
        "float32[1, s1, s2] behind it\n    Cast or reshape it in the loop's body.",
    ),
    "scan": (
        lambda x: ops.associative_scan(lambda a, b: a + b, x, axis=1),
        "scan-1: a scan runs over an axis of unknown size\n    Fix the size in input_signature.",
    ),
    "reshape": (
        lambda x: ops.reshape(x, (ops.cast(x, "int32"), 2)),
        "reshape-4: the new shape is [a tensor int32[s1, s2], 2]\n"
        "    Give integers, or a tensor of them.",
    ),
    "concatenate": (
        lambda x: ops.concatenate([ops.ones((2, 3)) * x[0, 0], np.ones((2, 4))]),
        "join-1: tensors of shapes [2, 3], [2, 4] cannot be joined",
    ),
    "stack": (
        lambda x: ops.stack([ops.ones((2, 3)) * x[0, 0], np.ones((2, 4))]),
        "join-1: tensors of shapes [2, 3], [2, 4] cannot be joined",
    ),
    "refused": (
        lambda x: ops.eig(ops.einsum("bi,bj->bij", x, x)),
        "eig-1: eig: eigenvalues of a matrix that is not symmetric are complex, and LiteRT has no "
        "complex arithmetic\n    Use keras.ops.linalg.eigh where the matrix is symmetric.",
    ),
}


@pytest.mark.parametrize("case", CODE)
def test_code_of_a_layer(tmp_path, case):
    function, message = CODE[case]
    if case == "scan" and KERAS < (3, 9):
        pytest.skip("Keras's associative_scan asks for the size itself")
    code = function.__code__
    line = next(
        line for _, _, line in code.co_lines() if line is not None and line >= code.co_firstlineno
    )
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(
            Code(function),
            tmp_path / "m.tflite",
            strategy="tracer",
            input_signature=[((None, None), "float32")],
        )
    text = str(error.value)
    place = f"test_errors.py, line {line}: "
    if "(AT)" in message:
        start = text.index("(" + place)
        end = text.index(")\n", start) if ")\n" in text[start:] else len(text) - 1
        text = text[: start + 1] + "AT" + text[end:]
    assert text == f"'model' cannot be exported:\nlayer: {message}"
    assert not list(tmp_path.iterdir())


def test_a_kept_tensor_is_useless(tmp_path):
    kept = []
    model = Code(lambda x: kept.append(x) or x)
    keras_litert.export(model, tmp_path / "m.tflite", input_signature=[((None, None), "float32")])
    with pytest.raises(RuntimeError) as error:
        kept[0] + 1
    assert str(error.value) == "a traced tensor is used outside of the export that made it"


def test_a_config_that_cannot_be_made(tmp_path):
    class Fails(layers.Dense):
        def get_config(self):
            raise RuntimeError("no config\nof this layer")

    x = keras.Input((4,))
    model = keras.Model(x, Fails(2)(x), name="model")
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(model, tmp_path / "m.tflite", strategy="direct")
    assert str(error.value) == (
        "'model' cannot be exported:\n"
        "config-1: the model's config cannot be made: RuntimeError: no config"
    )
