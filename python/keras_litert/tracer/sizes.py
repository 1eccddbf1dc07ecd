"""Sizes that are known only when the file runs."""

from __future__ import annotations

import math
import operator
import re

from keras_litert import _core


class UnknownSize(TypeError):
    """Python code asked a dynamic size for its number."""

    _keras_call_info_injected = True  # Keras leaves the message as it is.

    def __init__(self, size: Size, question: str):
        super().__init__(
            f"{question} depends on the size '{size}', which is known only when the file runs"
        )


class Size:
    """A dynamic dimension: an int to whoever looks at its class, an expression in arithmetic.

    Sums, products with sizes, differences and floor divisions by ints are sizes again; equal
    expressions are equal. What would need the number raises UnknownSize: nothing is baked in.
    A dynamic size is taken to be at least 1, and to differ from 0, 1 and every negative number.
    """

    __slots__ = ("_dim", "_graph")

    def __init__(self, dim: _core.Dim, graph: _core.Graph):
        self._dim = dim
        self._graph = graph

    # isinstance(size, int) holds; C code that wants a number gets to __index__ instead.
    @property
    def __class__(self):
        return int

    @property
    def dim(self) -> _core.Dim:
        return self._dim

    def _make(self, dim):
        return dim if type(dim) is int else Size(dim, self._graph)

    def __repr__(self):
        # "batch#1": the number tells symbols of one name apart.
        return re.sub(r"#\d+", "", self._graph.print(self._dim))

    def __hash__(self):
        return hash(self._dim)

    def __index__(self):
        raise UnknownSize(self, "this code")

    __int__ = __index__
    __trunc__ = __index__
    __float__ = __index__

    def __bool__(self):
        return True

    # Arithmetic.

    def __add__(self, other):
        return (
            self._make(self._graph.sum(self._dim, operand))
            if (operand := _dim(other)) is not None
            else NotImplemented
        )

    __radd__ = __add__

    def __mul__(self, other):
        return (
            self._make(self._graph.product(self._dim, operand))
            if (operand := _dim(other)) is not None
            else NotImplemented
        )

    __rmul__ = __mul__

    def __neg__(self):
        return self * -1

    def __pos__(self):
        return self

    __abs__ = __pos__

    def __sub__(self, other):
        return self + other * -1 if _dim(other) is not None else NotImplemented

    def __rsub__(self, other):
        return self * -1 + other if _dim(other) is not None else NotImplemented

    def __floordiv__(self, other):
        if _dim(other) is None:
            return NotImplemented
        if is_size(other):
            if self == other:
                return 1
            if self._dim.symbol == other.dim.symbol:
                quotient, rest = divmod(self._dim.coefficient, other.dim.coefficient)
                if rest == 0:
                    return quotient
            raise UnknownSize(other, "a division")
        if other < 0:
            return (self * -1) // -other
        if other == 0:
            raise ZeroDivisionError("a size is divided by zero")
        return self._make(self._graph.floor_div(self._dim, other))

    def __rfloordiv__(self, other):
        raise UnknownSize(self, "a division")

    def __mod__(self, other):
        quotient = self // other
        return NotImplemented if quotient is NotImplemented else self - quotient * other

    def __divmod__(self, other):
        return self // other, self % other

    def __truediv__(self, other):
        if type(other) is int and self._dim.coefficient % other == 0:
            return self // other  # Exact: the quotient is a whole number.
        return self.tensor("float32") / other

    def __rtruediv__(self, other):
        return other / self.tensor("float32")

    def __pow__(self, exponent):
        if type(exponent) is int and 0 <= exponent <= 8:
            return math.prod([self] * exponent)
        return self.tensor("float32") ** exponent

    def tensor(self, dtype: str = "int32"):
        """The size as a scalar tensor."""
        from keras_litert.tracer.trace import active

        trace = active()
        one = trace.constant(trace.originals["core.convert_to_tensor"](1, dtype="int32"))
        scalar = trace.record("numpy.multiply", (one, self), {})
        return scalar if dtype == "int32" else trace.record("core.cast", (scalar, dtype), {})

    # Comparisons.

    def __eq__(self, other):
        other_dim = _dim(other)
        if other_dim is None:
            return False
        if type(other_dim) is int:
            if other_dim <= 1:
                return False
            raise UnknownSize(self, f"a comparison with {other_dim}")
        if other_dim == self._dim:
            return True
        if other_dim.symbol == self._dim.symbol:
            return False  # 2*n is not n.
        raise UnknownSize(self, f"a comparison with the size '{other}'")

    def __ne__(self, other):
        return not self == other

    def _compare(self, other, sign):
        """True where self > other (sign 1) or self < other (sign -1)."""
        if is_size(other) and other.dim.symbol == self._dim.symbol:
            difference = self._dim.coefficient - other.dim.coefficient
            return difference * sign > 0
        if not is_size(other) and isinstance(other, (int, float)):
            if other < 1:
                return sign > 0
            if other == 1:
                return sign > 0
            if other == math.inf:
                return sign < 0
        raise UnknownSize(self, f"a comparison with {other}")

    def __gt__(self, other):
        return self._compare(other, 1)

    def __lt__(self, other):
        return self._compare(other, -1)

    def __ge__(self, other):
        if is_size(other) and other.dim == self._dim:
            return True
        return self._compare(other, 1)

    def __le__(self, other):
        if is_size(other) and other.dim == self._dim:
            return True
        return self._compare(other, -1)


def is_size(x) -> bool:
    """True for a dynamic size; isinstance(x, int) holds for both kinds."""
    return type(x) is Size


def _dim(x):
    """What the core takes as a dimension: its Dim, an int, or None for anything else."""
    if type(x) is Size:
        return x.dim
    if isinstance(x, int) and not isinstance(x, bool):
        return int(x)
    try:  # NumPy's integers.
        return operator.index(x)
    except TypeError:
        return None
