"""Recurrence in traced models: cells that people write, any number of steps, state."""

import pathlib
import tempfile

import keras
import keras_litert
import numpy as np
import oracle
import pytest
from keras import layers, ops
from package.support import check_export, run


def floats(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype("float32")


@keras.saving.register_keras_serializable("tests")
class Cell(layers.Layer):
    """Two states of different sizes; with a constant, if there is one."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units, self.state_size, self.output_size = units, [units, 2], units
        self.mix, self.count = layers.Dense(units, activation="tanh"), layers.Dense(2)

    def build(self, input_shape):
        self.mix.build((input_shape[0], input_shape[-1] + self.output_size))
        self.count.build((input_shape[0], self.output_size))
        self.built = True

    def get_config(self):
        return {**super().get_config(), "units": self.units}

    def call(self, x, states, training=False):
        h, c = states
        h = self.mix(ops.concatenate([x, h], axis=-1)) + ops.sum(c, axis=-1, keepdims=True)
        c = 0.5 * c + self.count(h)
        return h * 2.0, [h, c]


CASES = [
    {},
    {"return_sequences": True},
    {"return_sequences": True, "go_backwards": True},
    {"return_state": True},
    {"return_sequences": True, "return_state": True, "zero_output_for_mask": True},
]


@pytest.mark.parametrize("options", CASES)
@pytest.mark.parametrize("masked", [False, True])
def test_custom_cells_of_any_number_of_steps(options, masked):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.mask = layers.Masking() if masked else None
            self.rnn = layers.RNN(Cell(4), **options)

        def call(self, x):
            return self.rnn(x if self.mask is None else self.mask(x))

    model = Model()
    model(floats(2, 5, 3))

    def steps(b, n):
        x = floats(b, n, 3)
        x[0, n // 2 :] = 0.0
        return (x,)

    check_export(
        model,
        [steps(1, 4), steps(3, 7)],
        input_signature=[((None, None, 3), "float32")],
        expect="tracer",
    )


def test_stacked_cells_and_bidirectional_of_any_number_of_steps():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.stack = layers.RNN([Cell(3), layers.LSTMCell(2)], return_sequences=True)
            self.both = layers.Bidirectional(layers.RNN(Cell(2)))

        def call(self, x):
            return self.both(self.stack(x))

    model = Model()
    model(floats(2, 5, 3))
    check_export(model, input_signature=[((None, None, 3), "float32")], expect="tracer")


def test_ops_rnn_loops_by_hand():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.cell = layers.GRUCell(4)

        def call(self, x):
            h = ops.zeros((ops.shape(x)[0], 4))

            def step(h, x):
                y, _ = self.cell(x, [h])
                return y, y

            last, all = ops.scan(step, h, ops.transpose(x, (1, 0, 2)))
            return last, all

    model = Model()
    model(floats(2, 5, 3))
    check_export(model, input_signature=[((None, None, 3), "float32")], expect="tracer")


def run_in_turn(model, signature, steps, reset):
    """Runs the file and the model on the same inputs in turn, from the same first state."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "m.tflite"
        report = keras_litert.export(model, path, input_signature=signature)
        content = path.read_bytes()
    reset()
    runtime = oracle.Runtime(oracle.File(content), content, delegate=False)
    for args in steps:
        runtime.set(list(args))
        expected = run(model, args, {})
        for got, want in zip(runtime.invoke(), expected, strict=True):
            assert oracle.relative_error(got, want) < 1e-5, (got, want)
    return report


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_several_stateful_layers(kind):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.all = [kind(3, stateful=True, return_sequences=True) for _ in range(2)]

        def call(self, x):
            for layer in self.all:
                x = layer(x)
            return x

    model = Model()
    model(floats(2, 4, 3))
    oracle.randomize(model)

    def reset():
        for layer in model.all:
            layer.reset_states()

    run_in_turn(
        model, [((2, 4, 3), "float32")], [(floats(2, 4, 3, seed=i),) for i in range(3)], reset
    )


def test_stateful_custom_cell():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.rnn = layers.RNN(Cell(3), stateful=True)
            self.other = layers.RNN(Cell(3), stateful=True)

        def call(self, x):
            return self.rnn(x) + self.other(x)

    model = Model()
    model(floats(2, 4, 3))
    oracle.randomize(model)

    def reset():
        model.rnn.reset_states()
        model.other.reset_states()

    run_in_turn(
        model, [((2, 4, 3), "float32")], [(floats(2, 4, 3, seed=i),) for i in range(3)], reset
    )


def test_variables_that_no_output_reads_are_left_out():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.seen = layers.Dense(3), keras.metrics.Mean()

        def call(self, x):
            y = self.dense(x)
            self.seen.update_state(y)
            return y

    model = Model()
    model(floats(2, 3))
    file, report = check_export(model, expect="tracer")
    assert file.operators == {"FULLY_CONNECTED": 1}
    assert report.notes == []


def test_assignment_in_a_branch_is_refused(tmp_path):
    class Model(keras.Model):
        def __init__(self):
            super().__init__(name="model")
            self.count = self.add_weight(shape=(), trainable=False, name="count")
            self.built = True  # JAX itself cannot run it.

        def call(self, x):
            def then():
                self.count.assign_add(1.0)
                return x

            return ops.cond(ops.sum(x) > 0, then, lambda: -x)

    model = Model()
    with pytest.raises(keras_litert.ExportError) as error:
        signature = [((None, 3), "float32")]
        keras_litert.export(
            model, tmp_path / "m.tflite", input_signature=signature, strategy="tracer"
        )
    assert str(error.value) == (
        "'model' cannot be exported:\n"
        "state-1: the variable 'model/count' is assigned in a branch or a loop\n"
        "    Give the value as a result of the branch or loop, and assign it behind."
    )


def test_assigned_variables():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def build(self, shape):
            self.dense.build(shape)
            self.total = self.add_weight(
                shape=(3,), initializer="zeros", trainable=False, name="total"
            )
            self.count = self.add_weight(
                shape=(), initializer="zeros", dtype="int32", trainable=False, name="count"
            )

        def call(self, x):
            y = self.dense(x)
            before = self.total + 0.0
            self.total.assign(self.total * 0.5 + ops.sum(y, axis=0))
            self.count.assign_add(1)
            return y, before, self.total / 2.0, ops.cast(self.count, "float32")

    model = Model()
    model(floats(2, 3))
    oracle.randomize(model)

    def reset():
        model.total.assign([1.0, 2.0, 3.0])
        model.count.assign(5)

    reset()
    inputs = [(floats(2, 3, seed=i),) for i in range(3)]
    report = run_in_turn(model, [((None, 3), "float32")], inputs, reset)
    assert report.notes == [
        "the variable 'total' keeps its value from one run to the next",
        "the variable 'count' keeps its value from one run to the next",
    ]
