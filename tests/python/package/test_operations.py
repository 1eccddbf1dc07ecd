"""Functions of keras.ops that a traced model can call, but no graph of Keras's holds."""

import keras
import numpy as np
import pytest
from keras import ops
from oracle import shows
from package.support import check_export


class Calls(keras.Model):
    """A model that computes one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


def check(function, shape, dtype="float32", **options):
    model = Calls(function)
    return check_export(
        model, input_signature=[((None, *shape), dtype)], expect="tracer", **options
    )


@shows("ops.nn.conv_transpose", "strides", "padding", "output_padding", "data_format")
@shows("ops.nn.conv_transpose", "dilation_rate")
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_conv_transpose(data_format):
    """Keras's graphs exchange its padding with its output_padding."""
    kernel = np.random.default_rng(0).normal(size=(3, 2, 4, 2)).astype("float32")

    def transpose(x, strides, **options):
        return ops.conv_transpose(x, kernel, strides, data_format=data_format, **options)

    check(
        lambda x: (
            transpose(x, 1),
            transpose(x, 2, padding="same"),
            transpose(x, 3, output_padding=1),
            transpose(x, 1, dilation_rate=2),
        ),
        (5, 6, 2) if data_format == "channels_last" else (2, 5, 6),
    )


@shows("ops.numpy.histogram", "bins", "range")
def test_histogram():
    """Keras's graphs look for it in a module where it is not."""

    def function(x):
        flat = ops.ravel(x)
        return (
            ops.histogram(flat),
            ops.histogram(flat, bins=4, range=(-1.0, 0.7)),
            ops.histogram(flat * 0.0 + 2.0, bins=3),
        )

    check(function, (9,))
