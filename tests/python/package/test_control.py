"""Functions of keras.ops that take functions, in traced models."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from oracle import shows
from package.support import check_export


class Calls(keras.Model):
    """A model that computes one function of a dense layer's output."""

    def __init__(self, function):
        super().__init__()
        self.dense, self.function = layers.Dense(4), function

    def call(self, x):
        return self.function(self.dense(x))


def check(function, **options):
    model = Calls(function)
    model.dense.build((None, 3))
    model.built = True
    return check_export(
        model, input_signature=[((2, 3), "float32")], expect="tracer", sizes=((2, 3),), **options
    )


@shows("ops.core.cond")
def test_cond_with_closures():
    def function(x):
        return ops.cond(ops.sum(x) > 0.0, lambda: x * 2.0, lambda: ops.exp(x) - x)

    for seed in range(3):
        file, _ = check(function, seed=seed)
        assert file.operators["IF"] == 1


def test_cond_of_a_known_value_takes_one_branch():
    file, _ = check(lambda x: ops.cond(np.array(True), lambda: x, lambda: x * 2.0))
    assert "IF" not in file.operators


@shows("ops.core.while_loop", "maximum_iterations")
def test_while_loop_of_limited_length():
    def function(x):
        return ops.while_loop(
            lambda i, y: ops.sum(ops.abs(y)) < 1e6,
            lambda i, y: (i + 1, y * 1.5 + x),
            (ops.convert_to_tensor(0), x),
            maximum_iterations=4,
        )

    check(function)


@shows("ops.core.while_loop")
def test_while_loop():
    def function(x):
        return ops.while_loop(
            lambda i, y: ops.logical_and(i < 10, ops.sum(ops.abs(y)) < 50.0),
            lambda i, y: (i + 1, y * 1.5 + ops.tanh(x)),
            (ops.convert_to_tensor(0), x),
        )[1]

    file, _ = check(function)
    assert file.operators["WHILE"] == 1


@pytest.mark.parametrize("steps", [3, 50])
@shows("ops.core.fori_loop")
def test_fori_loop(steps):
    file, _ = check(lambda x: ops.fori_loop(0, steps, lambda i, y: y * 0.9 + x, x))
    assert ("WHILE" in file.operators) == (steps == 50)


@shows("ops.core.scan", "xs", "length", "reverse")
def test_scan_backwards_and_without_elements():
    def function(x):
        backwards = ops.scan(lambda c, row: (c * 0.5 + row, c - row), x[0], x, reverse=True)
        counted = ops.scan(lambda c, _: (c * 0.5 + 1.0, c), x, length=4)
        return *backwards, *counted

    check(function)


@shows("ops.core.scan")
@shows("ops.core.map")
def test_scan_and_map():
    def function(x):
        last, sums = ops.scan(lambda carry, row: (carry + row, carry * row), x[0], x)
        return last, sums, ops.map(lambda row: ops.sum(row) * row, x)

    check(function)


@shows("ops.core.associative_scan", "reverse", "axis")
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(reverse):
    def function(x):
        # Associative, and not commutative.
        return ops.associative_scan(lambda a, b: a * 0.0 + b, x, reverse, axis=0), (
            ops.associative_scan(lambda a, b: a + b, x, reverse, axis=1)
        )

    check(function)


@shows("ops.core.switch")
def test_switch():
    def function(x):
        index = ops.cast(ops.abs(ops.sum(x)), "int32") % 3
        return ops.switch(index, [lambda y: y, lambda y: y + 1.0, lambda y: -y], x)

    for seed in range(3):
        check(function, seed=seed)


@shows("ops.core.vectorized_map")
def test_vectorized_map():
    def function(x):
        rows = ops.vectorized_map(lambda row: ops.sum(row) * row, x)
        pairs = ops.vectorized_map(lambda pair: pair[0] * pair[1], (x, x + 1.0))
        return rows, pairs

    check(function)


@shows("ops.numpy.arange", "stop", "step")
@shows("ops.numpy.full", "fill_value", "dtype")
@shows("ops.numpy.ndim")
@shows("ops.numpy.size")
def test_sizes():
    def function(x):
        places = ops.arange(1, 2 * ops.shape(x)[0], 2)
        filled = ops.full((ops.shape(x)[0], 2), 1.5)
        return places, filled, x * ops.ndim(x) + ops.cast(ops.size(x), "float32")

    model = Calls(function)
    model.dense.build((None, 3))
    model.built = True
    check_export(model, input_signature=[((None, 3), "float32")], expect="tracer")
