"""Blocks of images as channels or columns against Keras."""

import keras
import pytest
from keras import ops
from operations import check_operations
from oracle import check_refused, not_on_jax, refused, shows


@shows("ops.nn.depth_to_space", "block_size", "data_format")
@shows("ops.nn.space_to_depth", "block_size", "data_format")
def test_depth():
    first = {"data_format": "channels_first"}
    check_operations(
        {
            "x": ((4, 6, 8), "float32"),
            "y": ((8, 4, 6), "float32"),
            "z": ((None, None, 18), "float32"),
            "i": ((4, 6, 8), "int32"),
        },
        {
            "to_space": lambda x, y, z, i: ops.depth_to_space(x, 2),
            "to_space_first": lambda x, y, z, i: ops.depth_to_space(y, 2, **first),
            "to_space_dynamic": lambda x, y, z, i: ops.depth_to_space(z, 3),
            "to_depth": lambda x, y, z, i: ops.space_to_depth(x, 2),
            "to_depth_first": lambda x, y, z, i: ops.space_to_depth(y, 2, **first),
            "integers": lambda x, y, z, i: ops.space_to_depth(i, 2),
        },
    )


@shows("ops.nn.unfold", "kernel_size", "dilation", "padding", "stride")
@shows("ops.nn.fold", "output_size", "kernel_size", "dilation", "padding", "stride")
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 2},
        pytest.param(
            {"kernel_size": (2, 3), "stride": (2, 1)},
            marks=not_on_jax("fold leaves out the rows behind the last window"),
        ),
        {"kernel_size": 3, "padding": 1, "dilation": (1, 2)},
        {"kernel_size": (3, 2), "padding": (2, 1), "stride": 2, "dilation": 2},
    ],
    ids=range(4),
)
def test_unfold(options):
    check_operations(
        {"x": ((2, 7, 8), "float32")},
        {
            "unfold": lambda x: ops.unfold(x, **options),
            "fold": lambda x: ops.fold(
                ops.unfold(x, **options) * 1.5, output_size=(7, 8), **options
            ),
        },
    )


@refused("ops.nn.fold", "integers: no LiteRT kernel adds them up")
def test_fold_refused():
    x = keras.Input((2, 7, 8), dtype="int32", name="x")
    y = ops.fold(ops.unfold(x, 2), (7, 8), 2)
    check_refused(keras.Model(x, y), "fold-3", "float32")
