"""Merging layers against Keras."""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import check, check_layer, check_refused, shows

ELEMENTWISE = ["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"]
MERGES = [pytest.param(name, marks=shows(f"layers.{name}"), id=name) for name in ELEMENTWISE]


def inputs_of(*shapes, dtype="float32"):
    return [keras.Input(shape, dtype=dtype, name=f"x{i}") for i, shape in enumerate(shapes)]


@pytest.mark.parametrize("name", MERGES)
def test_merge(name):
    layer = getattr(layers, name)
    x = inputs_of((4, 3), (4, 3), (4, 3), (4, 1), (1, 3), (3,), (2, 4, 3), (None, 3), (None, 3))
    pairs = [(0, 1), (0, 3), (4, 0), (3, 4), (5, 0), (0, 5), (6, 0), (6, 5), (7, 8), (7, 4)]
    outputs = [layer()([x[i], x[j]]) for i, j in pairs]
    if name != "Subtract":
        outputs += [layer()(x[:3]), layer()([x[0], x[5], x[6]]), layer()([x[0], x[0]])]
    check(keras.Model(x, outputs), size=((5,), (7,)))


@pytest.mark.parametrize("name", MERGES)
def test_merge_mixed_dtypes(name):
    """Floating inputs are cast to the compute dtype, whatever they are."""
    x = [keras.Input((3,), dtype="float32"), keras.Input((3,), dtype="int32")]
    y = getattr(layers, name)()(x)
    check(keras.Model(x, layers.Activation("linear")(y)))


@shows("layers.Concatenate", "axis")
def test_concatenate():
    x = inputs_of((4, 3), (4, 2), (2, 3), (None, 3), (None, 3), (None, 2), (None, 2))
    outputs = [
        layers.Concatenate()([x[0], x[1]]),
        layers.Concatenate(axis=1)([x[0], x[2]]),
        layers.Concatenate(axis=-2)([x[0], x[2], x[0]]),
        layers.Concatenate(axis=1)([x[3], x[4]]),
        layers.Concatenate(axis=1)([x[3], x[0]]),
        layers.Concatenate(axis=2)([x[5], x[6]]),
        layers.Concatenate(axis=0)([x[0], x[0]]),
    ]
    check(keras.Model(x, outputs), size=((5,), (7,)))


@shows("layers.Concatenate")
def test_concatenate_vectors_and_volumes():
    x = inputs_of((4,), (3,), (2, 3, 4, 1), (2, 3, 4, 2))
    check(keras.Model(x, [layers.Concatenate()(x[:2]), layers.Concatenate()(x[2:])]))


@shows("layers.Dot", "axes", "normalize")
@pytest.mark.parametrize("normalize", [False, True])
def test_dot(normalize):
    x = inputs_of((4,), (4,), (4, 3), (3, 4), (5, 4), (2, 4, 3), (3, 2, 4), (None, 4), (None, 4))
    cases = [
        (0, 1, 1),
        (0, 1, -1),
        (2, 3, (1, 2)),
        (2, 3, (2, 1)),
        (3, 4, 2),
        (3, 4, -1),
        (2, 2, 1),
        (2, 2, 2),
        (0, 2, (1, 1)),
        (3, 0, (2, 1)),
        (5, 3, (2, 2)),
        (5, 6, (2, 3)),
        (5, 6, (1, 2)),
        (5, 6, (3, 1)),
        (0, 5, (1, 2)),
        (7, 8, 2),
        (7, 0, (2, 1)),
        (7, 2, (2, 1)),
    ]
    outputs = [layers.Dot(axes, normalize=normalize)([x[i], x[j]]) for i, j, axes in cases]
    check(keras.Model(x, outputs), size=((5,), (7,)))


# --- Masks ----------------------------------------------------------------------------------------

TOKENS = [
    {"a": np.array([[3, 1, 0, 2]], "int32"), "b": np.array([[0, 1, 0, 4]], "int32")},
    {
        "a": np.array([[3, 0, 0], [1, 2, 3], [0, 0, 5]], "int32"),
        "b": np.array([[1, 0, 2], [0, 0, 3], [0, 5, 0]], "int32"),
    },
]


def masked_model(merge, mask_zero=(True, True)):
    """What the merged mask is shows in the mean that follows."""
    tokens = {name: keras.Input((None,), dtype="int32", name=name) for name in "ab"}
    embedded = [
        layers.Embedding(8, 4, mask_zero=masked)(tokens[name])
        for name, masked in zip("ab", mask_zero)
    ]
    merged = merge(embedded)
    return keras.Model(tokens, [merged, layers.GlobalAveragePooling1D()(merged)])


@pytest.mark.parametrize("name", MERGES)
@pytest.mark.parametrize("mask_zero", [(True, True), (True, False), (False, True)], ids=str)
def test_merged_masks(name, mask_zero):
    check(masked_model(getattr(layers, name)(), mask_zero), TOKENS)


@shows("layers.Concatenate", "axis")
@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("mask_zero", [(True, True), (True, False), (False, True)], ids=str)
def test_concatenated_masks(axis, mask_zero):
    check(masked_model(layers.Concatenate(axis=axis), mask_zero), TOKENS)


def test_masked_minimum_of_three():
    def merge(embedded):
        return layers.Minimum()([*embedded, embedded[0]])

    check(masked_model(merge), TOKENS)


# --- Operators and refusals -----------------------------------------------------------------------


def test_merges_are_one_operator():
    assert check_layer(layers.Add(), (4, 3), (4, 3)).operators == {"ADD": 1}
    result = check_layer(layers.Dot((2, 1)), (4, 3), (3, 5))
    assert result.operators == {"BATCH_MATMUL": 1}


def test_dot_over_the_batch_is_refused():
    x = inputs_of((4,), (4,))
    dot = layers.Dot(1)
    model = keras.Model(x, dot(x))
    dot.axes = 0
    check_refused(model, "dot-2", "behind the batch axis")
