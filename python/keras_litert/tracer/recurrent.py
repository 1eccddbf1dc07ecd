"""Recurrences: keras.src.backend.rnn and its fused relatives."""

from __future__ import annotations

import keras
from keras import tree
from keras_litert.tracer.control import UNROLL, scan_loop, tensor
from keras_litert.tracer.sizes import is_size

HANDLERS = {}


def _not_fused(trace, original, *args, **kwargs):
    """Keras's layers fall back to rnn() then, which computes the same."""
    raise NotImplementedError


for _name in ("lstm", "gru", "bidirectional_lstm", "bidirectional_gru"):
    HANDLERS[f"rnn.{_name}"] = _not_fused


def rnn(
    trace,
    original,
    step_function,
    inputs,
    initial_states,
    go_backwards=False,
    mask=None,
    constants=None,
    unroll=False,
    input_length=None,
    time_major=False,
    zero_output_for_mask=False,
    return_all_outputs=True,
):
    """A loop over the steps, unrolled where they are few. Semantics of Keras's JAX backend."""
    ops = keras.ops
    flat = [tensor(trace, x) for x in tree.flatten(inputs)]
    if not time_major:
        flat = [ops.swapaxes(x, 0, 1) for x in flat]
    xs = [tree.pack_sequence_as(inputs, flat)]
    if mask is not None:
        mask = ops.cast(tensor(trace, mask), "bool")
        if len(mask.shape) == 2:
            mask = ops.expand_dims(mask, -1)
        xs.append(mask if time_major else ops.swapaxes(mask, 0, 1))
    constants = list(constants or [])
    states = list(initial_states)

    def step(states, x, previous):
        output, after = step_function(x[0], [*states, *constants])
        if mask is None:
            return output, list(after)
        if not unroll:
            # Keras takes the first state for the output of the step before.
            first = states[-1][0] if tree.is_nested(states[0]) else states[0]
            previous = ops.zeros_like(output) if zero_output_for_mask else first
        elif previous is None:
            previous = ops.zeros_like(output)
        return _where(x[1], output, previous), _where(x[1], list(after), states)

    n = flat[0].shape[0]
    if unroll and not is_size(n) or not is_size(n) and n <= UNROLL:
        outputs = []
        for i in reversed(range(n)) if go_backwards else range(n):
            x = tree.map_structure(lambda part, i=i: part[i], xs)
            output, states = step(states, x, outputs[-1] if outputs else None)
            outputs.append(output)
        last = outputs[-1]
        if not return_all_outputs:
            outputs = outputs[-1:]
        sequences = tree.map_structure(lambda *parts: ops.stack(parts, axis=0), *outputs)
    else:
        states, last, sequences = _loop(
            trace, lambda states, x: step(states, x, None), states, xs, go_backwards
        )
        if not return_all_outputs:
            sequences = tree.map_structure(lambda x: x[None], last)
    if not time_major:
        sequences = tree.map_structure(lambda x: ops.swapaxes(x, 0, 1), sequences)
    return last, sequences, states


def _loop(trace, step, states, xs, go_backwards):
    """The steps as a WHILE. What is not read of the results costs nothing but its space."""

    def scan_step(states, x):
        output, after = step(states, x)
        return after, output

    # Keras numbers the outputs as they are computed: the inputs are reversed, not the scan.
    if go_backwards:
        xs = tree.map_structure(lambda x: keras.ops.flip(x, axis=0), xs)
    states, sequences = scan_loop(trace, scan_step, states, xs)
    return states, tree.map_structure(lambda x: x[-1], sequences), sequences


def _where(keep, new, old):
    """Where `keep`, [batch, 1], holds: new, else old. Structures."""
    return tree.map_structure(
        lambda a, b: keras.ops.where(_expand(keep, a), a, b),
        new,
        tree.pack_sequence_as(new, tree.flatten(old)),
    )


def _expand(mask, like):
    while len(mask.shape) < len(like.shape):
        mask = keras.ops.expand_dims(mask, -1)
    return mask


HANDLERS["rnn.rnn"] = rnn
