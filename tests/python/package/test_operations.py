"""Functions of keras.ops that a traced model can call, but no graph of Keras's holds."""

import keras
import keras_litert
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers, ops
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


def test_parts_have_known_sizes(tmp_path):
    """LiteRT's SLICE of a tensor with an open size has another size at each run, to the planner."""
    x = keras.Input((6, 4), name="x")
    rolled = ops.roll(x, 2, axis=1)
    first, second = ops.split(rolled, [1], axis=2)
    image = layers.CenterCrop(3, 2)(ops.expand_dims(x, 3))
    model = keras.Model(x, [rolled, first, second, image])
    keras_litert.export(model, tmp_path / "m.tflite")
    interpreter = Interpreter(str(tmp_path / "m.tflite"))
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], (5, 6, 4))
    interpreter.allocate_tensors()
    for output in interpreter.get_output_details():
        assert interpreter.tensor(output["index"])().shape[0] == 5
    assert keras_litert.verify(model, tmp_path / "m.tflite")


@shows("ops.math.segment_sum", "num_segments")
@shows("ops.math.segment_max", "num_segments")
def test_as_many_segments_as_rows():
    """A graph's nodes, of which each gets its neighbors' sum; the graph is an input."""

    def function(x):
        ids = ops.arange(ops.shape(x)[0], dtype="int32") // 2
        sums = ops.segment_sum(x, ids, num_segments=ops.shape(x)[0])
        largest = ops.segment_max(x, ids, num_segments=ops.shape(x)[0])
        return sums + x, ops.maximum(largest, -1.0)

    check(function, (3,))


def test_sizes_that_are_tensors():
    """A tensor's value as a size, beside -1 or not; a known one is a number."""

    def groups(x):
        count = ops.minimum(4, ops.shape(x)[0])
        return ops.var(ops.reshape(x, (count, -1, 6)), axis=0)

    def rows(x):
        return ops.reshape(x, (ops.size(x) // ops.convert_to_tensor(3), ops.convert_to_tensor(3)))

    def tiles(x):
        count = ops.minimum(3, ops.shape(x)[0])
        return ops.tile(x, (count, 2)), ops.tile(x[0], (count, 1, 1))

    def by_vectors(x):
        ones = ops.convert_to_tensor([1, 1], dtype="int32")
        size = ops.expand_dims(ops.shape(x)[0], -1)
        mask = ops.tile(ops.triu(ops.ones((1, 6, 6))), ops.concatenate([size, ones], axis=0))
        counts = ops.stack([ops.minimum(3, ops.shape(x)[0]), 2])
        # The mask has the batch of x, so they multiply.
        return ops.matmul(mask, x[:, :, None])[:, :, 0], ops.tile(x, counts)

    for function in (groups, rows, tiles, by_vectors):
        model = Calls(function)
        model(np.zeros((4, 6), "float32"))
        check_export(model, sizes=((1, 0), (4, 0), (8, 0)))


@shows("ops.math.segment_sum", "num_segments")
def test_segments_of_sizes_that_keras_does_not_know():
    """Rows of a known number, ids of one that is not: they may be as many."""
    rows = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")

    def function(x):
        ids = ops.cast(ops.clip(x[:, 0], 0, 1), "int32")
        return ops.segment_sum(ops.convert_to_tensor(rows), ids, num_segments=2)

    model = Calls(function)
    model(rows)
    signature = [((None, 3), "float32")]
    check_export(model, [(rows,)], input_signature=signature, expect="tracer")


def test_expand_dims_of_a_size():
    check(lambda x: ops.expand_dims(ops.shape(x)[0], -1) + ops.cast(x, "int32"), (3,))
