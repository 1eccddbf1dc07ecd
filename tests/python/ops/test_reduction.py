"""Reductions of functional graphs against Keras."""

import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import shows

AXES = {"all": None, "last": -1, "first": 1, "two": (1, 2), "outer": (-1, 1), "batch": 0}


@shows("ops.numpy.mean", "axis", "keepdims")
@shows("ops.numpy.sum", "axis", "keepdims")
@shows("ops.numpy.prod", "axis", "keepdims", "dtype")
@shows("ops.numpy.max", "axis", "keepdims", "initial")
@shows("ops.numpy.min", "axis", "keepdims", "initial")
@shows("ops.numpy.amax", "axis", "keepdims")
@shows("ops.numpy.amin", "axis", "keepdims")
@shows("ops.numpy.var", "axis", "keepdims")
@shows("ops.numpy.std", "axis", "keepdims")
@shows("ops.numpy.any", "axis", "keepdims")
@shows("ops.numpy.all", "axis", "keepdims")
@shows("ops.numpy.ptp", "axis", "keepdims")
@shows("ops.math.logsumexp", "axis", "keepdims")
@shows("ops.nn.moments", "axes", "keepdims")
@pytest.mark.parametrize("shape", [(2, 3, 4), (None, 3, 2, 2)], ids=["rank4", "rank5_dynamic"])
def test_reduction(shape):
    operations = {}

    def add(name, function, **more):
        for key, axis in AXES.items():
            for keepdims in (False, True):
                operations[f"{name}_{key}_{keepdims}"] = lambda x, f=function, a=axis, k=keepdims: (
                    f(x, axis=a, keepdims=k, **more)
                )

    for function in (ops.mean, ops.sum, ops.max, ops.logsumexp, ops.var):
        add(function.__name__, function)
    add("prod", lambda x, **k: ops.prod(x, **k), dtype="float32")
    for name in ("min", "amax", "amin", "std", "ptp"):
        operations[name] = lambda x, f=getattr(ops, name): f(x, axis=-1, keepdims=True)
    operations["any"] = lambda x: ops.any(x > 1, axis=(1, -1))
    operations["all"] = lambda x: ops.all(x > -1, axis=-1, keepdims=True)
    operations["any_all"] = lambda x: ops.any(x)
    operations["max_initial"] = lambda x: ops.max(x, axis=1, initial=0.5)
    operations["min_initial"] = lambda x: ops.min(x, axis=1, initial=-0.5)
    operations["moments"] = lambda x: ops.moments(x, axes=[0, 1], keepdims=True)
    check_operations({"x": (shape, "float32")}, operations)


@shows("ops.numpy.sum")
@shows("ops.numpy.mean")
@shows("ops.numpy.prod")
@shows("ops.numpy.count_nonzero", "axis")
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_reduction_of_integers(dtype):
    check_operations(
        {"x": ((3, 4), dtype)},
        {
            "sum": lambda x: ops.sum(x, axis=-1),
            "mean": lambda x: ops.mean(x, axis=1),
            "prod": lambda x: ops.prod(x, axis=-1),
            "max": lambda x: ops.max(x, axis=-1),
            "min": lambda x: ops.min(x),
            "var": lambda x: ops.var(x, axis=1),
            "any": lambda x: ops.any(x, axis=-1),
            "all": lambda x: ops.all(x, axis=-1),
            "count": lambda x: ops.count_nonzero(x),
            "count_axis": lambda x: ops.count_nonzero(x, axis=(1, 2)),
            "logsumexp": lambda x: ops.logsumexp(x, axis=-1),
        },
        low=-1,
        high=3,
    )


@shows("ops.numpy.argmax", "axis", "keepdims")
@shows("ops.numpy.argmin", "axis", "keepdims")
@shows("ops.numpy.nanargmax", "axis", "keepdims")
@shows("ops.numpy.nanargmin", "axis", "keepdims")
def test_arguments():
    check_operations(
        {"x": ((3, 4), "float32"), "i": ((3, 4), "int32")},
        {
            "argmax": lambda x, i: ops.argmax(x),
            "argmax_last": lambda x, i: ops.argmax(x, axis=-1),
            "argmax_keep": lambda x, i: ops.argmax(x, axis=1, keepdims=True),
            "argmax_all_keep": lambda x, i: ops.argmax(x, keepdims=True),
            "argmin": lambda x, i: ops.argmin(x, axis=0),
            "argmin_keep": lambda x, i: ops.argmin(x, axis=-2, keepdims=True),
            "argmax_ties": lambda x, i: ops.argmax(i, axis=-1),
            "argmin_ties": lambda x, i: ops.argmin(i, axis=-1),
            "argmax_bool": lambda x, i: ops.argmax(x > 0, axis=-1),
            "nanargmax": lambda x, i: ops.nanargmax(ops.sqrt(x + 1), axis=-1),
            "nanargmin": lambda x, i: ops.nanargmin(ops.sqrt(x + 1), axis=-1),
            "nanargmax_keep": lambda x, i: ops.nanargmax(ops.sqrt(x + 1), axis=1, keepdims=True),
            "nanargmin_keep": lambda x, i: ops.nanargmin(ops.sqrt(x + 1), axis=1, keepdims=True),
        },
        high=3,
    )


@shows("ops.numpy.average", "axis", "weights")
def test_average():
    weights = np.array([0.5, 1, 2, -0.5], "float32")
    check_operations(
        {"x": ((3, 4), "float32"), "w": ((3, 4), "float32")},
        {
            "plain": lambda x, w: ops.average(x),
            "axis": lambda x, w: ops.average(x, axis=1),
            "weights": lambda x, w: ops.average(x, axis=-1, weights=w),
            "row": lambda x, w: ops.average(x, axis=-1, weights=weights),
        },
        low=0.1,
        high=1,
    )


@shows("ops.numpy.nansum", "axis", "keepdims")
@shows("ops.numpy.nanprod", "axis", "keepdims")
@shows("ops.numpy.nanmean", "axis", "keepdims")
@shows("ops.numpy.nanvar", "axis", "keepdims")
@shows("ops.numpy.nanstd", "axis", "keepdims")
@shows("ops.numpy.nanmax", "axis", "keepdims")
@shows("ops.numpy.nanmin", "axis", "keepdims")
def test_without_nan():
    x = np.random.default_rng(1).normal(size=(3, 4, 5)).astype("float32")
    x[x > 0.7] = np.nan
    names = ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin")
    check_operations(
        {"x": ((4, 5), "float32")},
        {
            f"{name}_{axis}": lambda x, f=getattr(ops, name), a=axis: f(x, axis=a, keepdims=a == 1)
            for name in names
            for axis in (1, None, (1, 2))
        },
        inputs=[{"x": x[:1]}, {"x": x}],
    )
