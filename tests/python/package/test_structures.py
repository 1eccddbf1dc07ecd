"""What models take and give: keras.Function, dataclasses, tuples, arguments of call."""

import collections
import dataclasses

import keras
import keras_litert
import numpy as np
import oracle
import pytest
from keras import layers, ops
from keras_litert import _hook
from package.support import check_export, same_bytes


def floats(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype("float32")


class Returns(keras.Model):
    def __init__(self, function):
        super().__init__()
        self.dense, self.function = layers.Dense(4), function

    def call(self, x):
        return self.function(self.dense(x))


Pair = collections.namedtuple("Pair", ["second", "first"])


@dataclasses.dataclass
class Result:
    logits: object
    hidden: object = None
    more: object = None


@dataclasses.dataclass
class Nested:
    result: Result
    score: object


class Mapping(collections.OrderedDict):
    """As transformers' ModelOutput."""

    def __init__(self, **items):
        super().__init__(items)
        self.__dict__.update(items)


CASES = {
    "tuple": (lambda x: (x, ops.exp(x)), ["output_0", "output_1"]),
    "list": (lambda x: [x, [x + 1, (x + 2,)]], ["output_0", "output_1", "output_2"]),
    "dict": (lambda x: {"b": x, "a": ops.exp(x)}, ["a", "b"]),
    "nested": (lambda x: {"b": [x, x + 1], "a": {"c": x * 2}}, ["a_c", "b_0", "b_1"]),
    "namedtuple": (lambda x: Pair(x, x + 1), ["second", "first"]),
    "dataclass": (lambda x: Result(x, hidden=(x + 1, x + 2)), ["logits", "hidden_0", "hidden_1"]),
    "dataclass in dataclass": (lambda x: Nested(Result(x), x + 1), ["result_logits", "score"]),
    "mapping": (lambda x: Mapping(z=x, y=x + 1), ["y", "z"]),
    "none": (lambda x: (x, None), ["output_0"]),
    "same": (lambda x: (x, x), ["output_0", "output_1"]),
    "constant": (
        lambda x: (x, ops.arange(3), np.ones(2, "float32")),
        ["output_0", "output_1", "output_2"],
    ),
    "scalar": (lambda x: (x, ops.sum(x), 3), ["output_0", "output_1", "output_2"]),
}


@pytest.mark.parametrize("case", CASES)
def test_outputs(case):
    function, names = CASES[case]
    model = Returns(function)
    model.dense.build((None, 3))
    model.built = True
    file, _ = check_export(model, input_signature=[((None, 3), "float32")], expect="tracer")
    assert [o.name for o in file.outputs] == names


def test_input_is_an_output():
    class M(keras.Model):
        def call(self, x):
            return x, {"a": x}

    check_export(M(), input_signature=[((None, 3), "float32")], expect="tracer", randomized=False)


def function_of(*, nested=False):
    a, b = keras.KerasTensor((None, 3), name="a"), keras.KerasTensor((None, 3), name="b")
    y = ops.sigmoid(a + b) * 2.0
    return keras.Function(
        [a, b] if not nested else {"p": a, "q": b},
        {"y": y, "x": ops.matmul(y, np.eye(3, 2, dtype="float32"))},
    )


def test_function_in_a_model():
    class M(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.f = layers.Dense(3), function_of()

        def call(self, x):
            return self.f([self.dense(x), x])

    m = M()
    m(floats(2, 3))
    check_export(m, expect="tracer")


@pytest.mark.parametrize("nested", [False, True])
def test_function(nested, tmp_path):
    f = function_of(nested=nested)
    keras_litert.export(f, tmp_path / "m.tflite")
    file = (tmp_path / "m.tflite").read_bytes()
    runtime = oracle.Runtime(oracle.File(file), file, True)
    names = [info.name for info in oracle.File(file).inputs]
    assert names == (["p", "q"] if nested else ["a", "b"])
    for n in (1, 3):
        a, b = floats(n, 3), floats(n, 3, seed=1)
        runtime.set([a, b])
        want = f([a, b]) if not nested else f({"p": a, "q": b})
        got = runtime.invoke()
        for g, k in zip(got, "xy"):
            assert oracle.relative_error(g, np.asarray(want[k]), k) < 1e-5


class Arguments(keras.Model):
    def __init__(self):
        super().__init__()
        self.a, self.b = layers.Dense(3), layers.Dense(3)
        self.drop = layers.Dropout(0.5)

    def call(self, query, context=None, *, scale=None, mask=None, training=None):
        y = self.drop(self.a(query), training=training)
        if context is not None:
            y = y + ops.mean(self.b(context), axis=1)
        if scale is not None:
            y = y * scale
        if mask is not None:
            y = ops.where(mask[:, None], y, -1.0)
        return y


@pytest.mark.parametrize(
    "signature, names",
    [
        ([((None, 4), "float32")], ["query"]),
        (
            {"query": ((None, 4), "float32"), "context": ((None, 2, 5), "float32")},
            ["query", "context"],
        ),
        ({"query": ((None, 4), "float32"), "scale": ((None, 1), "float32")}, ["query", "scale"]),
        (
            {
                "query": ((None, 4), "float32"),
                "context": ((None, 2, 5), "float32"),
                "mask": ((None,), "bool"),
            },
            ["query", "context", "mask"],
        ),
    ],
)
def test_arguments(signature, names):
    file, _ = check_export(
        Arguments(), input_signature=signature, expect="tracer", randomized=False
    )
    assert sorted(i.name for i in file.inputs) == sorted(names)


def branches():
    """Parallel calls, a layer called twice, a model in the model, operations without layers."""
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    shared = layers.Dense(6, name="shared")
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.ReLU()], name="inner")
    outputs = [layers.Dense(3, name=f"head_{i}")(shared(x)) for i, x in enumerate((b, a, b))]
    outputs += [inner(a), ops.exp(b), layers.LeakyReLU()(ops.concatenate([a, inner(b)], axis=-1))]
    return keras.Model({"b": b, "a": a}, outputs)


def stateful():
    x = keras.Input((4, 3), batch_size=2)
    y = layers.GRU(3, stateful=True, return_sequences=True)(x)
    return keras.Model(x, layers.LSTM(2, stateful=True)(y))


@pytest.mark.parametrize("make", [branches, stateful])
def test_both_strategies_write_the_same_file(make, tmp_path):
    same_bytes(oracle.randomize(make()), tmp_path)


class Asks(keras.Model):
    """Arguments of several dtypes and structures."""

    def __init__(self):
        super().__init__()
        self.embed, self.score = layers.Embedding(9, 4), layers.Dense(3)

    def call(self, ids, features, mask=None, training=False):
        x = self.embed(ids) + ops.expand_dims(features["dense"], 1)
        if mask is not None:
            x = ops.where(ops.expand_dims(mask, -1), x, 0.0)
        return self.score(ops.concatenate([ops.sum(x, 1), features["more"][0]], -1))


def test_inputs_are_those_of_the_first_call(tmp_path):
    """All arguments, with their dtypes; the batch is open."""
    model = Asks()
    features = {"dense": floats(2, 4), "more": [floats(2, 1)]}
    model(np.ones((2, 6), "int32"), features, mask=np.ones((2, 6), bool))
    _, report = check_export(model, input_signature=None, inputs=[given(2), given(3, seed=1)])
    assert report.inputs == [
        ("ids", "int32", (-1, 6)),
        ("dense", "float32", (-1, 4)),
        ("more_0", "float32", (-1, 1)),
        ("mask", "bool", (-1, 6)),
    ]


def given(batch, seed=0):
    rng = np.random.default_rng(seed)
    features = {"dense": floats(batch, 4), "more": [floats(batch, 1)]}
    mask = rng.integers(0, 2, (batch, 6)).astype(bool)
    return (rng.integers(0, 9, (batch, 6)).astype("int32"), features, mask)


class Weighs(keras.Model):
    def __init__(self):
        super().__init__()
        self.score = layers.Dense(3)

    def call(self, counts, values):
        return self.score(ops.expand_dims(ops.cast(counts, "float32") * values, -1))


def test_open_sizes_of_a_symbolic_call_stay_open():
    model = Weighs()
    model(keras.Input((None,), dtype="int32"), keras.Input((None,)))
    counts = np.arange(15, dtype="int32").reshape(3, 5)
    _, report = check_export(model, inputs=[(counts, floats(3, 5)), (counts[:, :2], floats(3, 2))])
    assert report.inputs == [("counts", "int32", (-1, -1)), ("values", "float32", (-1, -1))]


def test_a_model_without_its_package_is_as_keras_made_it():
    missing = object()
    assert vars(keras.Model).get("_maybe_build", missing) is not missing
    _hook.uninstall()
    try:
        assert "_maybe_build" not in vars(keras.Model)
        assert not hasattr(keras.Model.export, "_keras_litert_original")
    finally:
        _hook.install()


class Code(keras.Model):
    """A function of a user that Keras calls with what it keeps: a shape, no dtype."""

    def __init__(self, function):
        super().__init__()
        self.embed, self.function = layers.Embedding(9, 4), function
        self.table = self.add_weight(shape=(9, 3), name="table")

    def call(self, x):
        return self.function(self, x)


_INTEGERS = {
    "embedding": lambda self, x: self.embed(x),
    "mask": lambda self, x: (
        self.embed(x) * ops.expand_dims(ops.cast(ops.not_equal(x, 0), "float32"), -1)
    ),
    "take": lambda self, x: ops.take(self.table, x[:, ::2], axis=0),
    "one_hot": lambda self, x: ops.one_hot(ops.reshape(x, (-1,)), 9),
    "cast": lambda self, x: ops.cast(x, "int32") * 2,
    "segment_sum": lambda self, x: ops.segment_sum(
        ops.take(self.table, x[0], axis=0), x[0], num_segments=9
    ),
}
_FLOATS = {
    "sum": lambda self, x: x + 1.0,
    "also": lambda self, x: (ops.cast(x, "int32"), ops.exp(x)),
    "masked": lambda self, x: ops.where(ops.not_equal(x, 0), x, 3.0),
    "unused": lambda self, x: ops.zeros_like(x),
}


def called_before_the_import(function, dtype):
    model = Code(function)
    _hook.uninstall()
    try:
        model(np.ones((2, 4), dtype))
    finally:
        _hook.install()
    return model


@pytest.mark.parametrize("case", list(_INTEGERS))
def test_an_input_that_is_looked_up_is_an_integer(case):
    x = np.random.default_rng(0).integers(0, 9, (2, 4)).astype("int32")
    _, report = check_export(called_before_the_import(_INTEGERS[case], "int32"), inputs=[(x,)])
    assert report.inputs == [("x", "int32", (-1, 4))]
    assert report.notes == [
        "x: int32, as the model looks things up by it and Keras kept no dtype; input_signature "
        "tells another"
    ]


def test_an_export_is_no_call(tmp_path):
    """What one export guessed, the next one does not take for what the model was called with."""
    model = called_before_the_import(_INTEGERS["embedding"], "int32")
    reports = [
        keras_litert.export(model, tmp_path / "m.tflite", static_batch=2, trace_layers=traced)
        for traced in (False, True, False)
    ]
    assert [report.inputs for report in reports] == [[("x", "int32", (2, 4))]] * 3


@pytest.mark.parametrize("case", list(_FLOATS))
def test_other_inputs_of_unknown_dtype_are_floats(case):
    model = called_before_the_import(_FLOATS[case], "float32")
    _, report = check_export(model, inputs=[(floats(2, 4),)])
    assert report.inputs == [("x", "float32", (-1, 4))] and not report.notes
