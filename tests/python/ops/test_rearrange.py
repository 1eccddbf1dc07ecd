"""Joining, cutting, moving and repeating axes in functional graphs against Keras."""

import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import shows


@shows("ops.numpy.expand_dims", "axis")
@shows("ops.numpy.squeeze", "axis")
@shows("ops.numpy.swapaxes", "axis1", "axis2")
@shows("ops.numpy.moveaxis", "source", "destination")
@shows("ops.numpy.transpose", "axes")
@shows("ops.numpy.reshape", "newshape")
@shows("ops.numpy.ravel")
@shows("ops.numpy.fliplr")
@shows("ops.numpy.flipud")
@shows("ops.numpy.rot90", "k", "axes")
@pytest.mark.parametrize("length", [4, None], ids=["static", "dynamic"])
def test_axes(length):
    check_operations(
        {"x": ((length, 1, 3), "float32"), "i": ((length, 3), "int32")},
        {
            "expand_dims": lambda x, i: ops.expand_dims(x, -2),
            "expand_dims_two": lambda x, i: ops.expand_dims(i, (1, -1)),
            "squeeze": lambda x, i: ops.squeeze(x, 2),
            "squeeze_all": lambda x, i: ops.squeeze(ops.expand_dims(i[0], 1)),
            "swapaxes": lambda x, i: ops.swapaxes(x, 1, -1),
            "moveaxis": lambda x, i: ops.moveaxis(x, 1, -1),
            "moveaxis_two": lambda x, i: ops.moveaxis(x, (0, 1), (-1, 0)),
            "transpose": lambda x, i: ops.transpose(x),
            "transpose_axes": lambda x, i: ops.transpose(x, (0, 3, 1, 2)),
            "reshape": lambda x, i: ops.reshape(x, (-1, 3)),
            "ravel": lambda x, i: ops.ravel(x),
            "fliplr": lambda x, i: ops.fliplr(x),
            "flipud": lambda x, i: ops.flipud(i),
            "rot90": lambda x, i: ops.rot90(x, axes=(1, 3)),
            "rot180": lambda x, i: ops.rot90(i, k=2, axes=(1, 2)),
            "rot270": lambda x, i: ops.rot90(x, k=-1, axes=(1, 3)),
        },
    )


@shows("ops.numpy.concatenate", "axis")
@shows("ops.numpy.stack", "axis")
@shows("ops.numpy.hstack")
@shows("ops.numpy.vstack")
@shows("ops.numpy.dstack")
@shows("ops.numpy.append", "axis")
def test_joining():
    row = np.arange(4, dtype="float32")
    check_operations(
        {"x": ((3, 4), "float32"), "y": ((3, 4), "float32"), "i": ((3, 4), "int32")},
        {
            "concatenate": lambda x, y, i: ops.concatenate([x, y], axis=-1),
            "concatenate_batch": lambda x, y, i: ops.concatenate([x, y]),
            "concatenate_promoted": lambda x, y, i: ops.concatenate([x, i], axis=1),
            "stack": lambda x, y, i: ops.stack([x, y, x], axis=1),
            "stack_last": lambda x, y, i: ops.stack([x, i], axis=-1),
            "hstack": lambda x, y, i: ops.hstack([x, y]),
            "vstack": lambda x, y, i: ops.vstack([x, y]),
            "vstack_vectors": lambda x, y, i: ops.vstack([x[0, 0], row]),
            "dstack": lambda x, y, i: ops.dstack([x, y]),
            "dstack_matrices": lambda x, y, i: ops.dstack([x[0], y[0]]),
            "append": lambda x, y, i: ops.append(x, y, axis=2),
            "append_raveled": lambda x, y, i: ops.append(x, y),
        },
    )


@shows("ops.numpy.split", "indices_or_sections", "axis")
@shows("ops.numpy.array_split", "indices_or_sections", "axis")
@shows("ops.numpy.hsplit")
@shows("ops.numpy.dsplit")
@shows("ops.core.unstack", "num", "axis")
def test_cutting():
    check_operations(
        {"x": ((4, 6), "float32")},
        {
            "split": lambda x: ops.split(x, 3, axis=-1),
            "split_indices": lambda x: ops.split(x, [1, 4], axis=2),
            "split_one": lambda x: ops.split(x, 1, axis=1),
            "array_split": lambda x: ops.array_split(x, 4, axis=-1),
            "hsplit": lambda x: ops.hsplit(x, 2),
            "dsplit": lambda x: ops.dsplit(x, [2]),
            "unstack": lambda x: ops.unstack(x, axis=1),
            "unstack_num": lambda x: ops.unstack(x, 6, axis=-1),
        },
    )


@shows("ops.numpy.tile", "repeats")
@shows("ops.numpy.broadcast_to", "shape")
@shows("ops.numpy.roll", "shift", "axis")
@shows("ops.numpy.meshgrid", "indexing")
def test_repeating():
    check_operations(
        {"x": ((3, 4), "float32"), "i": ((2,), "int32")},
        {
            "tile": lambda x, i: ops.tile(x, (1, 2, 3)),
            "tile_last": lambda x, i: ops.tile(x, 2),
            "tile_more": lambda x, i: ops.tile(i, (2, 1, 2)),
            "broadcast_to": lambda x, i: ops.broadcast_to(x[0, :1], (5, 4)),
            "roll": lambda x, i: ops.roll(x, 1, axis=1),
            "roll_back": lambda x, i: ops.roll(x, -5, axis=-1),
            "roll_two": lambda x, i: ops.roll(x, (1, 2), axis=(1, 2)),
            "roll_raveled": lambda x, i: ops.roll(x[0], 3),
            "meshgrid": lambda x, i: ops.meshgrid(x[0, 0], x[0, :, 1]),
            # Keras declares float32 for grids of any dtype.
            "meshgrid_ij": lambda x, i: ops.meshgrid(x[0, 0], x[0, 1, :2], x[0, 2], indexing="ij"),
        },
    )
