"""The tensor that a traced model computes with."""

from __future__ import annotations

from keras_litert import _core


class Tensor:
    """A value of the graph under construction, where Keras expects a backend tensor.

    Not a KerasTensor, and nothing that a backend converts: NumPy, JAX, PyTorch and TensorFlow
    arrays leave operators with it to its reflected ones.

    Attributes:
        shape: Sizes; a dynamic one is a Size.
        dtype: Keras's name, "float32".
    """

    __slots__ = ("__weakref__", "_keras_mask", "_replay", "array", "dtype", "handle", "shape")
    __array_ufunc__ = None
    __array_priority__ = 1000

    def __init__(self, handle: _core.Tensor, dtype: str, shape: tuple):
        self.handle = handle
        self.dtype = dtype
        self.shape = shape
        # The value as an array, where this is a constant; how to compute it, where it is computed
        # of constants only.
        self.array = None
        self._replay = None

    def __repr__(self):
        return f"<traced tensor, shape={self.shape}, dtype={self.dtype}>"

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        total = 1
        for size in self.shape:
            total = total * size
        return total

    @property
    def T(self):
        return _record("numpy.transpose", self)

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of a scalar tensor")
        return self.shape[0].__index__()

    def __iter__(self):
        if not self.shape:
            raise TypeError("iteration over a scalar tensor")
        return iter([self[i] for i in range(self.shape[0])])

    def __hash__(self):
        return id(self)

    def __bool__(self):
        return bool(self._value("a Python condition"))

    def __int__(self):
        return int(self._value("int()"))

    def __index__(self):
        return self._value("a Python index").__index__()

    def __float__(self):
        return float(self._value("float()"))

    def _value(self, question):
        from keras_litert.tracer.trace import active

        return active().evaluate(self, question)

    def item(self):
        return self._value("item()").item()

    def numpy(self):
        return self._value("numpy()")

    def __getitem__(self, key):
        from keras_litert.tracer import indexing

        if indexing.has_tensor(key):
            from keras_litert.tracer.trace import active

            return indexing.get_item(active(), self, key)
        return _record("numpy.get_item", self, key)

    def astype(self, dtype):
        return _record("core.cast", self, dtype)

    def reshape(self, *shape):
        if len(shape) == 1 and isinstance(shape[0], (list, tuple)):
            shape = tuple(shape[0])
        return _record("numpy.reshape", self, shape)

    def transpose(self, *axes):
        if len(axes) == 1 and isinstance(axes[0], (list, tuple)):
            axes = tuple(axes[0])
        return _record("numpy.transpose", self, axes or None)

    def flatten(self):
        return _record("numpy.reshape", self, (-1,))

    def __neg__(self):
        return _record("numpy.negative", self)

    def __pos__(self):
        return self

    def __abs__(self):
        return _record("numpy.absolute", self)

    def __invert__(self):
        name = "numpy.logical_not" if self.dtype == "bool" else "numpy.bitwise_not"
        return _record(name, self)

    def __round__(self, digits=None):
        return _record("numpy.round", self, digits or 0)


def _record(name, *args, **kwargs):
    from keras_litert.tracer.trace import active

    return active().record(name, args, kwargs)


def _install_operators():
    def binary(python, keras_name, reflected=True):
        setattr(Tensor, f"__{python}__", lambda self, other: _record(keras_name, self, other))
        if reflected:
            setattr(Tensor, f"__r{python}__", lambda self, other: _record(keras_name, other, self))

    for python, name in {
        "add": "add",
        "sub": "subtract",
        "mul": "multiply",
        "truediv": "true_divide",
        "floordiv": "floor_divide",
        "mod": "mod",
        "pow": "power",
        "matmul": "matmul",
        "lshift": "left_shift",
        "rshift": "right_shift",
    }.items():
        binary(python, f"numpy.{name}")
    for python, name in {
        "eq": "equal",
        "ne": "not_equal",
        "lt": "less",
        "le": "less_equal",
        "gt": "greater",
        "ge": "greater_equal",
    }.items():
        binary(python, f"numpy.{name}", reflected=False)

    def logical(python, name):
        def operator(self, other):
            kind = "logical" if _is_bool(self) and _is_bool(other) else "bitwise"
            return _record(f"numpy.{kind}_{name}", self, other)

        def reflected(self, other):
            kind = "logical" if _is_bool(self) and _is_bool(other) else "bitwise"
            return _record(f"numpy.{kind}_{name}", other, self)

        setattr(Tensor, f"__{python}__", operator)
        setattr(Tensor, f"__r{python}__", reflected)

    for name in ("and", "or", "xor"):
        logical(name, name)

    def method(name, function):
        def call(self, axis=None, keepdims=False):
            return _record(function, self, axis=axis, keepdims=keepdims)

        setattr(Tensor, name, call)

    for name in ("sum", "mean", "max", "min", "prod", "any", "all", "std", "var"):
        method(name, f"numpy.{name}")


def _is_bool(x):
    if isinstance(x, bool):
        return True
    return str(getattr(x, "dtype", "")).rsplit(".", 1)[-1].startswith("bool")


_install_operators()
