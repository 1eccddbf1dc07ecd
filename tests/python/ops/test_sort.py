"""Sorting, order statistics and searching in functional graphs against Keras."""

import keras
import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import check_refused, not_on_jax, refused, shows


@shows("ops.numpy.sort", "axis")
@shows("ops.numpy.argsort", "axis")
@shows("ops.math.top_k", "k")
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_sort(dtype):
    check_operations(
        {"x": ((3, 5), dtype)},
        {
            "sort": lambda x: ops.sort(x),
            "sort_axis": lambda x: ops.sort(x, axis=1),
            "sort_raveled": lambda x: ops.sort(x, axis=None),
            "argsort": lambda x: ops.argsort(ops.cast(x, "float32") + x[0, 0] * 0.5),
            "top_k": lambda x: ops.top_k(x, 2)[0],
        },
        low=-9,
        high=5,
    )


@shows("ops.numpy.argsort", "axis")
@shows("ops.math.top_k", "k", "sorted")
def test_sorted_indices():
    """Without equal elements: NumPy's and LiteRT's orders of those differ."""
    check_operations(
        {"x": ((4, 5), "float32")},
        {
            "argsort": lambda x: ops.argsort(x),
            "argsort_axis": lambda x: ops.argsort(x, axis=1),
            "top_k": lambda x: ops.top_k(x, 3),
            "top_k_unsorted": lambda x: ops.sort(ops.top_k(x, 3, sorted=False)[0]),
            "top_k_all": lambda x: ops.top_k(x, 5),
        },
    )


@shows("ops.math.in_top_k", "k")
def test_in_top_k():
    check_operations(
        {"x": ((6,), "float32"), "targets": ((), "int32")},
        {
            "in_top_1": lambda x, targets: ops.in_top_k(targets, x, k=1),
            "in_top_3": lambda x, targets: ops.in_top_k(targets, x, k=3),
        },
        inputs=[
            {
                "x": np.random.default_rng(n).normal(size=(n, 6)).astype("float32"),
                "targets": np.random.default_rng(n).integers(0, 6, n).astype("int32"),
            }
            for n in (1, 9)
        ],
    )


@shows("ops.numpy.sort", "axis")
def test_sort_dynamic():
    check_operations({"x": ((None, 2), "float32")}, {"sort": lambda x: ops.sort(x, axis=1)})


@shows("ops.numpy.median", "axis", "keepdims")
@shows("ops.numpy.quantile", "q", "axis", "keepdims")
@shows("ops.numpy.percentile", "q", "axis", "method", "keepdims")
@not_on_jax("quantiles in a model fail on a list of axes, which Keras makes")
def test_quantiles():
    methods = ("linear", "lower", "higher", "nearest", "midpoint")
    check_operations(
        {"x": ((3, 5), "float32"), "i": ((4,), "int32")},
        {
            "median": lambda x, i: ops.median(x, axis=-1),
            "median_even": lambda x, i: ops.median(i, axis=1, keepdims=True),
            "median_two": lambda x, i: ops.median(x, axis=(1, 2), keepdims=True),
            "quantiles": lambda x, i: ops.quantile(x, [0.1, 0.5, 0.8], axis=1),
            "percentile": lambda x, i: ops.percentile(x, 30, axis=-1, keepdims=True),
            **{
                method: lambda x, i, m=method: ops.percentile(x, 30, axis=(1, 2), method=m)
                for method in methods
            },
        },
        low=0,
        high=9,
    )


@shows("ops.numpy.digitize", "bins")
@shows("ops.numpy.searchsorted", "sorted_sequence", "side")
def test_search():
    bins = [-1.0, 0.0, 0.5, 2.0]
    check_operations(
        {"x": ((3, 5), "float32"), "i": ((4,), "int32")},
        {
            "digitize": lambda x, i: ops.digitize(x, np.array(bins, "float32")),
            "digitize_int": lambda x, i: ops.digitize(i, np.array([1, 3, 4])),
            "left": lambda x, i: ops.searchsorted(ops.sort(x[0, 0]), x),
            "right": lambda x, i: ops.searchsorted(ops.sort(i[0]), i, side="right"),
        },
    )


@refused("ops.numpy.median", "the axis must have a static size")
def test_median_refused():
    x = keras.Input((None,), name="x")
    check_refused(keras.Model(x, ops.median(x, axis=1)), "quantile-2", "dynamic size")


@refused("ops.numpy.quantile", "methods other than 'linear': Keras's operation forgets them")
def test_quantile_method_refused():
    x = keras.Input((4,), name="x")
    y = ops.quantile(x, 0.3, axis=1, method="lower")
    check_refused(keras.Model(x, y), "quantile-5", "percentile")


@shows("ops.numpy.nanmedian", "axis", "keepdims")
@shows("ops.numpy.nanquantile", "axis", "method", "keepdims")
@shows("ops.numpy.nanpercentile", "axis", "method", "keepdims")
def test_nan_quantiles():
    methods = ("linear", "lower", "higher", "nearest", "midpoint")
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3, 4, 5)).astype("float32")
    x[rng.uniform(size=x.shape) < 0.4] = np.nan
    x[1, 2] = np.nan
    with np.errstate(all="ignore"):
        check_operations(
            {"x": ((4, 5), "float32"), "i": ((4,), "int32"), "z": ((None, 5), "float32")},
            {
                "median": lambda x, i, z: ops.nanmedian(x, axis=-1),
                "median_two": lambda x, i, z: ops.nanmedian(x, axis=(1, 2), keepdims=True),
                "median_int": lambda x, i, z: ops.nanmedian(i, axis=1),
                "dynamic": lambda x, i, z: ops.nanmedian(z, axis=1),
                "quantiles": lambda x, i, z: ops.nanquantile(x, [0.1, 0.5, 0.8], axis=1),
                "percentile": lambda x, i, z: ops.nanpercentile(x, 30, axis=-1, keepdims=True),
                **{
                    method: lambda x, i, z, m=method: ops.nanpercentile(x, 35, axis=2, method=m)
                    for method in methods
                },
            },
            inputs=[{"x": x, "i": np.arange(12, dtype="int32").reshape(3, 4) % 5, "z": x}],
        )


@shows("ops.numpy.argpartition", "kth", "axis")
def test_argpartition():
    """Which of the partitions is free: both sides are compared as sets."""

    def sides(x, places, kth):
        values = ops.take_along_axis(x, places, axis=-1)
        return ops.sort(values[..., :kth], axis=-1), ops.sort(values[..., kth:], axis=-1)

    check_operations(
        {"x": ((4, 7), "float32"), "v": ((6,), "int32")},
        {
            "last": lambda x, v: sides(x, ops.argpartition(x, 3), 3),
            "axis": lambda x, v: ops.take_along_axis(x, ops.argpartition(x, 2, axis=1), axis=1)[
                :, 2
            ],
            "int": lambda x, v: sides(v, ops.argpartition(v, 1), 1),
        },
    )
