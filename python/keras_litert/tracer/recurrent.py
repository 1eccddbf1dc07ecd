"""Recurrences: keras.src.backend.rnn and its fused relatives."""

from __future__ import annotations

import keras
from keras import tree
from keras_litert.tracer.control import tensor
from keras_litert.tracer.sizes import is_size
from keras_litert.tracer.trace import fail

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
    """Unrolled: one copy of the step for each time step. Semantics of Keras's JAX backend."""
    ops = keras.ops
    flat = [tensor(trace, x) for x in tree.flatten(inputs)]
    if not time_major:
        flat = [ops.swapaxes(x, 0, 1) for x in flat]
    steps = flat[0].shape[0]
    if is_size(steps):
        raise fail(
            trace,
            "rnn-1",
            "a recurrent layer runs over an axis of unknown size",
            "Fix the size in input_signature.",
        )
    if mask is not None:
        mask = ops.cast(tensor(trace, mask), "bool")
        if len(mask.shape) == 2 and not time_major:
            mask = ops.swapaxes(mask, 0, 1)
        if len(mask.shape) == 2:
            mask = ops.expand_dims(mask, -1)
    constants = list(constants or [])
    order = range(steps - 1, -1, -1) if go_backwards else range(steps)
    states = list(initial_states)
    outputs, previous = [], None
    for i in order:
        x = tree.pack_sequence_as(inputs, [part[i] for part in flat])
        output, new_states = step_function(x, [*states, *constants])
        new_states = list(new_states)
        if mask is not None:
            keep = mask[i]
            if previous is None:
                previous = tree.map_structure(ops.zeros_like, output)
            chosen = tree.map_structure(
                lambda new, old: ops.where(_expand(keep, new), new, old), output, previous
            )
            new_states = [
                ops.where(_expand(keep, new), new, old) for new, old in zip(new_states, states)
            ]
            previous = chosen
            output = (
                tree.map_structure(
                    lambda new: ops.where(_expand(keep, new), new, ops.zeros_like(new)), output
                )
                if zero_output_for_mask
                else chosen
            )
        states = new_states
        outputs.append(output)
    last = outputs[-1]
    if return_all_outputs:
        stacked = [
            ops.stack(parts, axis=0 if time_major else 1)
            for parts in zip(*(tree.flatten(output) for output in outputs))
        ]
        sequences = tree.pack_sequence_as(last, stacked)
    else:
        sequences = tree.map_structure(lambda x: ops.expand_dims(x, 0 if time_major else 1), last)
    return last, sequences, states


def _expand(mask, like):
    while len(mask.shape) < len(like.shape):
        mask = keras.ops.expand_dims(mask, -1)
    return mask


HANDLERS["rnn.rnn"] = rnn
