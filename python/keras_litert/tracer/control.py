"""Functions that take functions: their closures are traced."""

from __future__ import annotations

import keras
from keras import tree
from keras_litert.tracer.sizes import is_size
from keras_litert.tracer.tensors import Tensor
from keras_litert.tracer.trace import fail

HANDLERS = {}

# Loops with a known number of steps are unrolled up to this one, others become a WHILE.
UNROLL = 32


def handler(*names):
    def register(function):
        for name in names:
            HANDLERS[name] = function
        return function

    return register


def tensor(trace, x) -> Tensor:
    """x as a traced tensor."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, keras.Variable):
        return trace.variable(x)
    if is_size(x):
        return x.tensor()
    return trace.constant(trace.originals["core.convert_to_tensor"](x))


def is_known(trace, x) -> bool:
    """True where x has a value now."""
    return not trace.is_symbolic(x) or trace.is_constant(x) and not is_size(x)


def value(trace, x):
    if isinstance(x, Tensor):
        return trace.evaluate(x, "a condition")
    if isinstance(x, keras.Variable):
        return trace.originals["core.convert_to_numpy"](x._value)
    return trace.originals["core.convert_to_numpy"](x) if hasattr(x, "dtype") else x


def body(trace, name, function, inputs):
    """Traces `function` as a graph of its own on tensors of the given types.

    Gives the body's number and the structure that the function returned, with its tensors.
    """
    handles = trace.graph.enter_body(name, [_type(x) for x in inputs])
    trace.bodies += 1
    try:
        result = function(*[trace.wrap(handle) for handle in handles])
        flat = [tensor(trace, x) for x in tree.flatten(result) if x is not None]
    except BaseException:
        trace.graph.abandon_body()
        raise
    finally:
        trace.bodies -= 1
    number, errors = trace.graph.leave_body([x.handle for x in flat])
    trace._raise(errors)
    return number, result, flat


def _type(x: Tensor):
    return x.dtype, tuple(size.dim if is_size(size) else size for size in x.shape)


def pack(structure, tensors):
    """`structure` with its leaves replaced in order; None stays."""
    iterator = iter(tensors)
    return tree.map_structure(lambda x: None if x is None else next(iterator), structure)


@handler("core.cond")
def cond(trace, original, pred, true_fn, false_fn):
    if is_known(trace, pred):
        return true_fn() if bool(value(trace, pred)) else false_fn()
    if isinstance(pred, keras.Variable):
        pred = trace.variable(pred)
    if pred.dtype != "bool":
        pred = trace.record("core.cast", (pred, "bool"), {})
    if pred.shape:
        pred = trace.record("numpy.reshape", (pred, ()), {})
    then_body, then_result, _ = body(trace, "then", true_fn, [])
    else_body, else_result, _ = body(trace, "else", false_fn, [])
    try:
        tree.assert_same_structure(then_result, else_result)
    except (ValueError, TypeError):
        raise fail(
            trace, "cond-2", "the branches of a condition give different structures"
        ) from None
    handles, errors = trace.graph.cond(pred.handle, then_body, else_body, [])
    trace._raise(errors)
    return pack(then_result, [trace.wrap(handle) for handle in handles])


@handler("core.switch")
def switch(trace, original, index, branches, *operands):
    if is_known(trace, index):
        at = min(max(int(value(trace, index)), 0), len(branches) - 1)
        return branches[at](*operands)
    index = tensor(trace, index)
    if len(branches) == 1:
        return branches[0](*operands)

    def rest():
        return switch(trace, original, index - 1, branches[1:], *operands)

    return cond(trace, None, index <= 0, lambda: branches[0](*operands), rest)


@handler("core.while_loop")
def while_loop(trace, original, cond, body, loop_vars, maximum_iterations=None):
    is_sequence = isinstance(loop_vars, (tuple, list))
    variables = tuple(loop_vars) if is_sequence else (loop_vars,)

    def again(structure):
        return cond(*structure)

    def step(structure):
        result = body(*structure)
        return tuple(result) if is_sequence else (result,)

    # Unrolled as long as the condition is known.
    steps = 0
    while steps <= UNROLL:
        if maximum_iterations is not None and steps >= maximum_iterations:
            return _restore(loop_vars, variables)
        holds = again(variables)
        if not is_known(trace, holds):
            break
        if not bool(value(trace, holds)):
            return _restore(loop_vars, variables)
        variables = step(variables)
        steps += 1
    if steps > 0 and maximum_iterations is not None:
        maximum_iterations -= steps
    flat = [tensor(trace, x) for x in tree.flatten(variables)]
    if maximum_iterations is None:
        result = loop(
            trace, lambda *v: again(pack(variables, v)), lambda *v: step(pack(variables, v)), flat
        )
    else:
        limit = maximum_iterations
        counter = tensor(trace, trace.originals["core.convert_to_tensor"](0, dtype="int32"))
        result = loop(
            trace,
            lambda i, *v: keras.ops.logical_and(i < limit, again(pack(variables, v))),
            lambda i, *v: (i + 1, *tree.flatten(step(pack(variables, v)))),
            [counter, *flat],
        )[1:]
    return _restore(loop_vars, pack(variables, result))


def _restore(loop_vars, variables):
    if isinstance(loop_vars, list):
        return list(variables)
    if isinstance(loop_vars, tuple):
        return type(loop_vars)(*variables) if hasattr(loop_vars, "_fields") else tuple(variables)
    return variables[0]


def loop(trace, again, step, variables):
    """WHILE: variables → variables. All are flat lists of tensors."""

    def cast_step(*given):
        after = [tensor(trace, x) for x in tree.flatten(step(*given))]
        return [
            x if x.dtype == before.dtype else trace.record("core.cast", (x, before.dtype), {})
            for x, before in zip(after, given)
        ]

    def scalar(*given):
        holds = tensor(trace, again(*given))
        if holds.shape:
            holds = trace.record("numpy.reshape", (holds, ()), {})
        return holds

    condition, _, _ = body(trace, "while_cond", scalar, variables)
    number, _, _ = body(trace, "while_body", cast_step, variables)
    handles, errors = trace.graph.while_loop(condition, number, [x.handle for x in variables])
    trace._raise(errors)
    return [trace.wrap(handle) for handle in handles]


@handler("core.fori_loop")
def fori_loop(trace, original, lower, upper, body_fun, init_val):
    if is_known(trace, lower) and is_known(trace, upper):
        first, last = int(value(trace, lower)), int(value(trace, upper))
        if last - first <= UNROLL:
            for i in range(first, last):
                init_val = body_fun(i, init_val)
            return init_val
    start = trace.record("core.cast", (tensor(trace, lower), "int32"), {})
    flat = [tensor(trace, x) for x in tree.flatten(init_val)]
    result = loop(
        trace,
        lambda i, *v: i < upper,
        lambda i, *v: (i + 1, *tree.flatten(body_fun(i, pack(init_val, v)))),
        [start, *flat],
    )
    return pack(init_val, result[1:])


@handler("core.map")
def map_(trace, original, f, xs):
    def step(_, x):
        return None, f(x)

    return scan(trace, None, step, None, xs)[1]


@handler("core.vectorized_map")
def vectorized_map(trace, original, function, elements):
    if not trace.is_symbolic(elements) and not isinstance(elements, (tuple, list)):
        elements = tensor(trace, elements)
    return map_(trace, None, function, elements)


@handler("core.scan")
def scan(trace, original, f, init, xs=None, length=None, reverse=False, unroll=1):
    flat_xs = [tensor(trace, x) for x in tree.flatten(xs)] if xs is not None else []
    n = flat_xs[0].shape[0] if flat_xs else length
    if is_size(n):
        return _scan_loop(trace, f, init, xs, flat_xs, n, reverse)
    order = range(n - 1, -1, -1) if reverse else range(n)
    carry, outputs = init, [None] * n
    for i in order:
        carry, outputs[i] = f(carry, pack(xs, [x[i] for x in flat_xs]) if flat_xs else None)
    if n == 0 or outputs[0] is None:
        return carry, None
    stacked = [
        keras.ops.stack([tensor(trace, part) for part in parts], axis=0)
        for parts in zip(*(tree.flatten(output) for output in outputs))
    ]
    return carry, pack(outputs[0], stacked)


def scan_loop(trace, f, init, xs):
    """scan(f, init, xs) as a loop, whatever the number of steps."""
    flat_xs = [tensor(trace, x) for x in tree.flatten(xs)]
    return _scan_loop(trace, f, init, xs, flat_xs, flat_xs[0].shape[0], False)


def _scan_loop(trace, f, init, xs, flat_xs, n, reverse):
    """scan over an axis of unknown size: a loop that writes into tensors of the whole results.

    The types of the results are those of a step on the first elements, which the file does not run.
    """

    def at(i):
        parts = [keras.ops.take(x, i, axis=0) for x in flat_xs]
        return pack(xs, parts) if flat_xs else None

    carry = [tensor(trace, x) for x in tree.flatten(init) if x is not None]
    _, example = f(init, at(0))
    outputs = [tensor(trace, x) for x in tree.flatten(example) if x is not None]
    whole = [keras.ops.zeros((n, *y.shape), y.dtype) for y in outputs]

    def step(i, *variables):
        place = n - 1 - i if reverse else i
        before = pack(init, variables[: len(carry)])
        after, ys = f(before, at(place))
        written = [
            keras.ops.slice_update(y_all, [place] + [0] * len(y.shape), y[None])
            for y_all, y in zip(
                variables[len(carry) :],
                [tensor(trace, y) for y in tree.flatten(ys) if y is not None],
            )
        ]
        return (i + 1, *[tensor(trace, x) for x in tree.flatten(after) if x is not None], *written)

    start = tensor(trace, trace.originals["core.convert_to_tensor"](0, dtype="int32"))
    result = loop(trace, lambda i, *v: i < n, step, [start, *carry, *whole])[1:]
    return pack(init, result[: len(carry)]), (
        pack(example, result[len(carry) :]) if outputs else None
    )


@handler("core.associative_scan")
def associative_scan(trace, original, f, elems, reverse=False, axis=0):
    flat = [tensor(trace, x) for x in tree.flatten(elems)]
    rank = len(flat[0].shape)
    axis = axis % rank
    n = flat[0].shape[axis]
    if is_size(n):
        raise fail(
            trace,
            "scan-1",
            "a scan runs over an axis of unknown size",
            "Fix the size in input_signature.",
        )

    def at(x, i):
        return x[(slice(None),) * axis + (slice(i, i + 1),)]

    order = range(n - 1, -1, -1) if reverse else range(n)
    results, last = [None] * n, None
    for i in order:
        element = pack(elems, [at(x, i) for x in flat])
        last = element if last is None else f(last, element)
        results[i] = tree.flatten(last)
    return pack(elems, [keras.ops.concatenate(parts, axis=axis) for parts in zip(*results)])


@handler("core.custom_gradient")
def custom_gradient(trace, original, fun):
    return lambda *args, **kwargs: fun(*args, **kwargs)[0]


@handler("core.remat")
def remat(trace, original, f):
    return f
