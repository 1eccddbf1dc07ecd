"""Functions of keras.ops of every family in float16, and of integers, in traced models.

LiteRT computes in float32; Keras rounds after each operation. So the tolerance is float16's.
"""

import keras
import numpy as np
import pytest
from keras import ops
from package.support import check_export


class Calls(keras.Model):
    """One output for each function, by name."""

    def __init__(self, functions, dtype):
        super().__init__(dtype="float16" if dtype == "float16" else "float32")
        self.functions = functions

    def call(self, x):
        return {name: function(x) for name, function in self.functions.items()}


# Of integers too, with every size but the last dynamic.
COMMON = {
    "add": lambda x: x + x,
    "scale": lambda x: x * 2,
    "floor_divide": lambda x: x // 2,
    "mod": lambda x: x % 3,
    "power": lambda x: x**2,
    "sum": lambda x: ops.sum(x, -1),
    "mean": lambda x: ops.mean(x, 0),
    "max": lambda x: ops.max(x, 1),
    "argmax": lambda x: ops.argmax(x, 1),
    "cumsum": lambda x: ops.cumsum(x, 1),
    "sort": lambda x: ops.sort(x, 1),
    "argsort": lambda x: ops.argsort(x, 1),
    "matmul": lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))),
    "einsum": lambda x: ops.einsum("abc,adc->abd", x, x),
    "clip": lambda x: ops.clip(x, -1, 1),
    "abs": lambda x: ops.abs(x),
    "sign": lambda x: ops.sign(x),
    "where": lambda x: ops.where(x > 0, x, 0),
    "concatenate": lambda x: ops.concatenate([x, x], 1),
    "stack": lambda x: ops.stack([x, x], 1),
    "tile": lambda x: ops.tile(x, (1, 2, 1)),
    "repeat": lambda x: ops.repeat(x, 2, 1),
    "pad": lambda x: ops.pad(x, ((0, 0), (1, 1), (0, 0))),
    "flip": lambda x: ops.flip(x, 1),
    "take": lambda x: ops.take(x, [0, 1], 1),
    "transpose": lambda x: ops.transpose(x, (2, 0, 1)),
    "prod": lambda x: ops.prod(x, 2),
    "any": lambda x: ops.any(x, 1),
    "count_nonzero": lambda x: ops.count_nonzero(x, 1),
    "minimum": lambda x: ops.minimum(x, 1),
    "slice": lambda x: x[:, ::2],
    "slice_update": lambda x: ops.slice_update(x, (0, 0, 0), x[:1, :1, :1]),
    "cross": lambda x: ops.cross(x, x + 1),
    "tril": lambda x: ops.tril(x),
    "unstack": lambda x: ops.unstack(x, axis=2),
    "vdot": lambda x: ops.vdot(x, x),
    "zeros_like": lambda x: ops.zeros_like(x),
}
FLOAT = {
    "divide": lambda x: x / 3,
    "exp": lambda x: ops.exp(x),
    "softmax": lambda x: ops.softmax(x),
    "logsumexp": lambda x: ops.logsumexp(x, 1),
    "erf": lambda x: ops.erf(x),
    "var": lambda x: ops.var(x, 1),
    "norm": lambda x: ops.norm(x, axis=-1),
    "gelu": lambda x: ops.gelu(x),
    "silu": lambda x: ops.silu(x),
    "rsqrt": lambda x: ops.rsqrt(ops.abs(x) + 1),
    "arctan2": lambda x: ops.arctan2(x, x + 4),
    "conv": lambda x: ops.conv(x, np.full((2, 3, 4), 0.3, "float16"), padding="same"),
    "top_k": lambda x: ops.top_k(x, 2)[0],
}


@pytest.mark.parametrize("dtype", ["float16", "int32", "int8"])
def test_functions(dtype):
    functions = {**COMMON, **FLOAT} if dtype == "float16" else COMMON
    rng = np.random.default_rng(0)
    shapes = ((1, 5, 3), (3, 4, 3))
    if dtype == "float16":
        inputs = [(rng.normal(size=shape).astype(dtype),) for shape in shapes]
    else:
        inputs = [(rng.integers(-5, 5, shape).astype(dtype),) for shape in shapes]
    check_export(
        Calls(functions, dtype),
        inputs,
        input_signature=[((None, None, 3), dtype)],
        expect="tracer",
        tolerance=5e-3 if dtype == "float16" else 1e-5,
    )
