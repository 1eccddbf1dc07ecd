"""Normalization layers and operations against Keras."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from oracle import check, check_layer, random_array, shows


def offset(shape, seed=0):
    """Values whose mean is not 0 and differs along every axis."""
    rng = np.random.default_rng(seed)
    return random_array(rng, shape, "float32") * 2 + rng.uniform(-3, 3, shape[-1:]) + 1


@shows("layers.BatchNormalization", "axis", "center", "scale", "epsilon")
@pytest.mark.parametrize(
    "shape,axis",
    [((5,), -1), ((None, 5), -1), ((3, 4, 5), 1), ((3, 4, 5), -2), ((2, 3, 2, 4), -1)],
    ids=str,
)
def test_batch_normalization(shape, axis):
    x = keras.Input(shape)
    outputs = [
        layers.BatchNormalization(axis=axis, center=center, scale=scale, epsilon=epsilon)(x)
        for center, scale, epsilon in [(True, True, 1e-3), (False, True, 0.1), (True, False, 1e-5)]
    ]
    result = check(keras.Model(x, outputs))
    assert set(result.operators) == {"MUL", "ADD"}


@shows("layers.LayerNormalization", "axis", "center", "scale", "epsilon")
@pytest.mark.parametrize(
    "shape,axis",
    [
        ((6,), -1),
        ((None, 6), -1),
        ((3, 4, 5), 1),
        ((3, 4, 5), [1, 2]),
        ((3, 4, 5), [-1, -2]),
        ((3, 4, 5), [1, 2, 3]),
        ((None, None, 5), [3]),
        ((2, 3, 2, 4), [1, 3]),
    ],
    ids=str,
)
def test_layer_normalization(shape, axis):
    x = keras.Input(shape)
    outputs = [
        layers.LayerNormalization(axis=axis, center=center, scale=scale, epsilon=epsilon)(x)
        for center, scale, epsilon in [(True, True, 1e-3), (False, True, 0.1), (True, False, 1e-6)]
    ]
    sets = [
        offset((batch, *(s or unknown for s in shape)), batch)
        for batch, unknown in [(1, 3), (3, 5)]
    ]
    check(keras.Model(x, outputs), sets)


@shows("layers.LayerNormalization", "rms_scaling")
def test_layer_normalization_rms_scaling():
    with pytest.warns(UserWarning, match="rms_scaling"):
        check_layer(layers.LayerNormalization(rms_scaling=True), (3, 6))


def test_layer_normalization_operators():
    result = check_layer(layers.LayerNormalization(), (3, 6))
    assert sum(result.operators.values()) <= 9


@shows("layers.GroupNormalization", "groups", "axis", "center", "scale", "epsilon")
@pytest.mark.parametrize(
    "shape,axis,groups",
    [
        ((6,), -1, 3),
        ((5, 6), -1, 3),
        ((None, 6), -1, 2),
        ((3, 5, 6), -1, 2),
        ((3, 5, 6), -1, 1),
        ((3, 5, 6), -1, -1),
        ((6, 3, 5), 1, 3),
        ((3, 6, 5), 2, 3),
        ((3, 6, 5), -2, 2),
        ((None, None, 6), -1, 3),
        ((6, None, None), 1, 3),
        ((None, None, 6), -1, -1),
        ((2, 3, 2, 6), -1, 2),
        ((None, 3, None, 6), -1, 2),
    ],
    ids=str,
)
def test_group_normalization(shape, axis, groups):
    x = keras.Input(shape)
    outputs = [
        layers.GroupNormalization(groups, axis=axis, center=center, scale=scale, epsilon=epsilon)(x)
        for center, scale, epsilon in [(True, True, 1e-3), (False, False, 0.1)]
    ]
    sets = [
        offset((batch, *(s or unknown for s in shape)), batch)
        for batch, unknown in [(1, 3), (3, 5)]
    ]
    check(keras.Model(x, outputs), sets)


@shows("layers.RMSNormalization", "axis", "epsilon")
@pytest.mark.parametrize(
    "shape,axis", [((6,), -1), ((None, 6), -1), ((None, 3, 4), [2, 3]), ((4, 4), 1)], ids=str
)
def test_rms_normalization(shape, axis):
    x = keras.Input(shape)
    check(keras.Model(x, [layers.RMSNormalization(axis=axis, epsilon=e)(x) for e in (1e-6, 0.1)]))


@shows("layers.UnitNormalization", "axis")
@pytest.mark.parametrize("axis", [-1, 1, [1, 2], [3, 1]], ids=str)
def test_unit_normalization(axis):
    x = random_array(np.random.default_rng(0), (3, 4, 3, 5), "float32")
    x[1] = 0.0
    x[2] *= 1e-9
    check_layer(layers.UnitNormalization(axis=axis), (4, 3, 5), inputs=[x[:1], x[1:2], x[2:], x])


@shows("layers.SpectralNormalization", "layer", "power_iterations")
@pytest.mark.parametrize("extension", [".keras", ".h5"])
def test_spectral_normalization(extension):
    x = keras.Input((7, 6, 3))
    y = layers.SpectralNormalization(layers.Conv2D(4, 3, activation="relu"))(x)
    y = layers.SpectralNormalization(layers.Dense(5), power_iterations=2)(y)
    check(keras.Model(x, y), extension=extension)


@shows("ops.layer_normalization", "gamma", "beta", "axis", "epsilon")
@shows("ops.rms_normalization", "scale", "axis", "epsilon")
@shows("ops.batch_normalization", "axis", "epsilon", "offset", "scale")
@shows("ops.moments", "axes", "keepdims")
@shows("ops.normalize", "axis", "order", "epsilon")
def test_operations():
    """On weights that are no constants."""
    x = keras.Input((4, 5), name="x")
    v = keras.Input(batch_shape=(5,), name="v")
    w = keras.Input(batch_shape=(5,), name="w")
    outputs = [
        ops.layer_normalization(x, v, w),
        ops.layer_normalization(x, v, w, axis=-1, epsilon=0.01),
        ops.layer_normalization(x, None, None, axis=(1, 2)),
        ops.rms_normalization(x, v),
        ops.rms_normalization(x, axis=1, epsilon=0.3),
        ops.batch_normalization(x, v, w, axis=-1, offset=v, scale=w),
        ops.batch_normalization(x, w, v, axis=2, offset=v, scale=w, epsilon=0.2),
        *ops.moments(x, axes=[1]),
        *ops.moments(x, axes=[1, 2], keepdims=True),
        ops.normalize(x),
        ops.normalize(x, axis=1, order=1),
        ops.normalize(x, axis=-1, order=3, epsilon=0.5),
    ]
    rng = np.random.default_rng(0)
    sets = [
        [random_array(rng, (n, 4, 5), "float32"), *random_array(rng, (2, 5), "float32", 0.5, 2.0)]
        for n in (1, 3)
    ]
    check(keras.Model([x, v, w], outputs), sets)


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
def test_low_precision(policy):
    x = keras.Input((3, 4, 6))
    outputs = [
        layers.BatchNormalization(dtype=policy)(x),
        layers.LayerNormalization(dtype=policy)(x),
        layers.GroupNormalization(2, dtype=policy)(x),
        layers.RMSNormalization(dtype=policy)(x),
        layers.UnitNormalization(dtype=policy)(x),
    ]
    check(keras.Model(x, outputs), tolerance=4e-2 if "bfloat" in policy else 4e-3)
