"""Biases that take back what rounded weights add to the mean of a product's results."""

import pathlib

import ai_edge_litert
import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from oracle import convert, randomize, save

RUNTIME = pathlib.Path(ai_edge_litert.__file__).parent

PRODUCTS = {
    "Dense": (layers.Dense(32), (40,)),
    "Dense of blocks": (layers.Dense(32), (64,)),
    "Dense of rank 3": (layers.Dense(32), (5, 40)),
    "Conv2D": (layers.Conv2D(32, 3), (12, 12, 4)),
    "Conv2D, groups": (layers.Conv2D(36, 3, groups=3), (12, 12, 12)),
    "Conv2D without bias": (layers.Conv2D(32, 3, use_bias=False), (12, 12, 4)),
    "Conv1D": (layers.Conv1D(32, 3), (30, 12)),
    "DepthwiseConv2D": (layers.DepthwiseConv2D(3, depth_multiplier=2), (12, 12, 60)),
}
# Parts of the result's range by which means may be off; without correction they are off by 2e-3 to
# 4e-3, in int4 by up to 7e-2. Where activations are int8, so are the roundings of those.
LIMITS = {
    "int8": 9e-4,
    "int16x8": 5e-5,
    "weight_only_int8": 1e-5,
    "dynamic_int8": 5e-4,
    "int4": 5e-4,
    "int4_block32": 5e-4,
}


@pytest.mark.parametrize("recipe", LIMITS)
@pytest.mark.parametrize("name", PRODUCTS)
def test_results_have_the_mean_of_keras(name, recipe, tmp_path):
    """Inputs far from 0 on average: to round the weights alone would move each mean."""
    layer, shape = PRODUCTS[name]
    x = keras.Input(shape, name="x")
    model = randomize(keras.Model(x, layer(x)))
    rng = np.random.default_rng(3)
    level = rng.uniform(0.5, 4, shape[-1])  # of each channel
    data = (level * rng.uniform(0.9, 1.1, (64, *shape))).astype("float32")
    np.savez(tmp_path / "samples.npz", x=data)
    target = tmp_path / "model.tflite"
    arguments = ("--calibrate", tmp_path / "samples.npz", "--runtime", RUNTIME)
    convert(save(model, tmp_path), target, "--quantize", recipe, *arguments)
    expected = np.asarray(model(data, training=False), "float64")
    actual = Interpreter(str(target)).get_signature_runner("serving_default")(x=data)["output_0"]
    axes = tuple(range(expected.ndim - 1))
    moved = np.abs((actual - expected).mean(axes)).max() / np.ptp(expected)
    assert moved < LIMITS[recipe]
