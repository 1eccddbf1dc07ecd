"""The oracle itself: it must see what is wrong."""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import (
    input_structure,
    output_structure,
    random_inputs,
    randomize,
    relative_error,
    signature_inputs,
    signature_outputs,
)


def test_error_is_a_fraction_of_the_range():
    expected = np.linspace(-1, 3, 9, dtype="float32")
    actual = expected.copy()
    actual[4] += 0.04
    assert relative_error(actual, expected) == pytest.approx(0.01, rel=1e-4)


def test_error_of_a_constant_is_a_fraction_of_its_size():
    expected = np.full(10, 4.0, "float32")
    assert relative_error(expected + 0.04, expected) == pytest.approx(0.01, rel=1e-4)
    assert relative_error(expected * 0, expected * 0) == 0
    assert relative_error(expected * 0 + 1e-3, expected * 0) == pytest.approx(1e-3, rel=1e-4)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_integers_must_be_equal(dtype):
    expected = np.array([0, 1, 1, 0]).astype(dtype)
    assert relative_error(expected, expected) == 0
    with pytest.raises(AssertionError, match="first at 2"):
        relative_error(np.array([0, 1, 0, 0]).astype(dtype), expected)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1.0])
@pytest.mark.parametrize("right", [np.nan, np.inf, -np.inf])
def test_not_finite_must_be_at_the_same_places(right, wrong):
    expected = np.array([0, right, 2], "float32")
    assert relative_error(expected, expected) == 0
    if not (np.isnan(right) and np.isnan(wrong)) and right != wrong:
        with pytest.raises(AssertionError, match="NaN|infini"):
            relative_error(np.array([0, wrong, 2], "float32"), expected)


def test_shapes_must_be_equal():
    with pytest.raises(AssertionError, match="shape"):
        relative_error(np.zeros((2, 1)), np.zeros((2,)))


def test_randomize_sets_every_weight_and_repeats():
    def build():
        keras.utils.clear_session()
        return keras.Sequential(
            [
                keras.Input((6, 6, 4)),
                layers.SeparableConv2D(5, 3),
                layers.BatchNormalization(),
                layers.Dense(3),
            ]
        )

    model, again = build(), build()
    before = [w.copy() for w in model.get_weights()]
    randomize(model, 3), randomize(again, 3)
    for old, new, repeated in zip(before, model.get_weights(), again.get_weights(), strict=True):
        assert not np.any(old == new)
        np.testing.assert_array_equal(new, repeated)
    gamma, beta, mean, variance = model.layers[1].get_weights()
    assert variance.min() > 0.4 and np.ptp(gamma) > 0 and np.ptp(mean) > 0 and np.ptp(beta) > 0


def test_names_of_nested_structures():
    a, b, c = (keras.Input((n,), name=name) for n, name in ((2, "one"), (3, "two"), (4, "three")))
    total = layers.Concatenate()([a, b, c])
    model = keras.Model({"y": [a, b], "x": c}, {"p": total, "q": {"r": total}, "l": [total]})
    assert signature_inputs(input_structure(model)) == ["x", "y_0", "y_1"]
    assert signature_outputs(output_structure(model)) == ["l_0", "p", "q_r"]

    model = keras.Model([a, b, c], [total, a])
    assert signature_inputs(input_structure(model)) == ["one", "two", "three"]
    assert signature_outputs(output_structure(model)) == ["output_0", "output_1"]


def test_inputs_fill_unknown_dimensions():
    x = keras.Input((None, 4, None), dtype="int32")
    drawn = random_inputs(keras.Model(x, x + 1), batch=3, size=[5, 2], high=4)
    assert drawn.shape == (3, 5, 4, 2) and drawn.dtype == np.int32 and drawn.max() < 4
