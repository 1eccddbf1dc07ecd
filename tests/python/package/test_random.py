"""Random functions: LiteRT's numbers are others than Keras's, of the same distribution."""

import pathlib

import keras
import keras_litert
import numpy as np
import oracle
import pytest
from keras import ops, random


class Draws(keras.Model):
    """A model that draws numbers and adds nothing of its input."""

    def __init__(self, function, seed):
        super().__init__()
        self.function, self.seed = function, seed

    def call(self, x):
        drawn = self.function(x, self.seed)
        return drawn + ops.cast(0 * ops.sum(x), drawn.dtype)


def draw(tmp_path: pathlib.Path, function, seed=None, batch=3):
    """What the file draws in two runs."""
    model = Draws(function, seed)
    target = tmp_path / "model.tflite"
    keras_litert.export(model, target, input_signature=[((None, 4), "float32")])
    runtime = oracle.Runtime(oracle.File(target.read_bytes()), target.read_bytes(), False)
    runtime.set([np.arange(batch * 4, dtype="float32").reshape(batch, 4)])
    return runtime.invoke()[0].copy(), runtime.invoke()[0].copy()


DRAWN = {
    "uniform": lambda x, s: random.uniform((ops.shape(x)[0], 16000), -1.0, 3.0, seed=s),
    "normal": lambda x, s: random.normal((ops.shape(x)[0], 16000), 2.0, 0.5, seed=s),
    "truncated_normal": lambda x, s: random.truncated_normal((ops.shape(x)[0], 16000), seed=s),
    "randint": lambda x, s: random.randint((ops.shape(x)[0], 16000), -2, 5, seed=s),
    "categorical": lambda x, s: random.categorical(ops.log([[0.2, 0.7, 0.1]] * 3), 16000, seed=s),
}


@pytest.mark.parametrize("name", DRAWN)
def test_moments(name, tmp_path):
    """Mean, deviation and range agree with Keras's own numbers."""
    function = DRAWN[name]
    first, second = draw(tmp_path, function, seed=7)
    keras_x = np.zeros((3, 4), "float32")
    expected = ops.convert_to_numpy(function(keras_x, 7))
    assert first.shape == expected.shape == (3, 16000)
    assert not np.array_equal(first, second)
    # Five standard deviations of the difference of two means; at most 0.065 here.
    tolerance = 5 * expected.std() * np.sqrt(2 / expected.size)
    for drawn in (first, second):
        assert abs(drawn.mean() - expected.mean()) < tolerance
        assert abs(drawn.std() - expected.std()) < 0.05
        if name != "normal":
            assert abs(drawn.min() - expected.min()) < 0.05
            assert abs(drawn.max() - expected.max()) < 0.05


def test_seeds(tmp_path):
    """A seed makes files repeatable; calls that share a generator draw different numbers."""
    function = DRAWN["normal"]
    assert np.array_equal(draw(tmp_path, function, 7)[0], draw(tmp_path, function, 7)[0])
    assert not np.array_equal(draw(tmp_path, function, 7)[0], draw(tmp_path, function, 8)[0])
    assert not np.array_equal(draw(tmp_path, function)[0], draw(tmp_path, function)[0])

    def twice(x, seed):
        return random.normal((3, 50), seed=seed) - random.normal((3, 50), seed=seed)

    assert np.abs(draw(tmp_path, twice, random.SeedGenerator(3))[0]).min() > 0
    # A generator without a seed is as no generator.
    drawn = [draw(tmp_path, function, random.SeedGenerator())[0] for _ in range(2)]
    assert not np.array_equal(*drawn)


def test_shuffle(tmp_path):
    first, second = draw(tmp_path, lambda x, s: random.shuffle(x, axis=0, seed=s), 5, batch=40)
    rows = np.arange(160, dtype="float32").reshape(40, 4)
    for drawn in (first, second):
        assert np.array_equal(np.sort(drawn, axis=0), rows)
        assert not np.array_equal(drawn, rows)
