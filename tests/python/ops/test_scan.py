"""Running sums and products, differences and segments against Keras."""

import keras
import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import check_refused, refused, shows


@shows("ops.numpy.cumsum", "axis", "dtype")
@shows("ops.numpy.cumprod", "axis", "dtype")
@shows("ops.numpy.nancumsum", "axis")
@shows("ops.numpy.nancumprod", "axis")
@shows("ops.numpy.diff", "n", "axis")
@shows("ops.numpy.trapezoid", "dx", "axis")
def test_scan():
    check_operations(
        {"x": ((4, 5), "float32"), "i": ((4, 3), "int32")},
        {
            "cumsum": lambda x, i: ops.cumsum(x, axis=-1),
            "cumsum_axis": lambda x, i: ops.cumsum(i, axis=1),
            "cumsum_raveled": lambda x, i: ops.cumsum(x),
            "cumsum_float": lambda x, i: ops.cumsum(i, axis=-1, dtype="float32"),
            "cumsum_bool": lambda x, i: ops.cumsum(x > 0, axis=-1),
            "cumprod": lambda x, i: ops.cumprod(x, axis=-1),
            "cumprod_axis": lambda x, i: ops.cumprod(i, axis=1),
            "nancumsum": lambda x, i: ops.nancumsum(ops.log(x), axis=-1),
            "nancumprod": lambda x, i: ops.nancumprod(ops.log(x), axis=1),
            "diff": lambda x, i: ops.diff(x),
            "diff_twice": lambda x, i: ops.diff(i, n=2, axis=1),
            "trapezoid": lambda x, i: ops.trapezoid(x, dx=0.5, axis=-1),
        },
        low=-1,
        high=3,
    )


@refused("ops.numpy.cumprod", "the axis must have a static size")
def test_cumprod_refused():
    x = keras.Input((None,), name="x")
    check_refused(keras.Model(x, ops.cumprod(x, axis=1)), "cumprod-1", "dynamic size")


@shows("ops.math.segment_sum", "num_segments", "sorted")
@shows("ops.math.segment_max", "num_segments", "sorted")
@pytest.mark.parametrize("shape", [(), (3,)], ids=["rank1", "rank2"])
def test_segments(shape):
    rng = np.random.default_rng(5)
    inputs = [
        {
            "x": rng.normal(size=(n, *shape)).astype("float32"),
            "i": np.sort(rng.integers(0, 4, n)).astype("int32"),
        }
        for n in (1, 6)
    ]
    check_operations(
        {"x": (shape, "float32"), "i": ((), "int32")},
        {
            "sum": lambda x, i: ops.segment_sum(x, i, num_segments=5),
            "sum_sorted": lambda x, i: ops.segment_sum(x, i, num_segments=4, sorted=True),
            "max": lambda x, i: ops.segment_max(x, i, num_segments=5),
        },
        inputs=inputs,
    )


@shows("ops.math.segment_min", "num_segments", "sorted")
@shows("ops.math.segment_prod", "num_segments", "sorted")
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_segment_extremes(dtype):
    rng = np.random.default_rng(5)
    inputs = [
        {
            "x": rng.integers(-4, 5, (n, 3)).astype(dtype),
            "i": np.sort(np.concatenate([np.arange(4), rng.integers(0, 4, n - 4)])).astype("int32"),
        }
        for n in (4, 9)
    ]
    check_operations(
        {"x": ((3,), dtype), "i": ((), "int32")},
        {
            "min": lambda x, i: ops.segment_min(x, i, num_segments=4),
            "prod": lambda x, i: ops.segment_prod(x, i, num_segments=4, sorted=True),
        },
        inputs=inputs,
    )
