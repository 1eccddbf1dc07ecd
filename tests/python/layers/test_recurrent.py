"""Recurrent layers against Keras."""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import DEEP, check, check_layer, random_array, shows

LONG = 43  # Steps: more than are unrolled, and no multiple of what a loop takes at once.
SIZES = ((1,), (2,), (30,), (LONG,))  # Of dynamic time axes.


def sequences(*times, features=3, batches=(1, 3, 2, 1), seed=0):
    rng = np.random.default_rng(seed)
    return [
        random_array(rng, (batch, time, features), "float32") for batch, time in zip(batches, times)
    ]


@shows("layers.SimpleRNN", "units", "return_sequences")
@shows("layers.LSTM", "units", "return_sequences")
@shows("layers.GRU", "units", "return_sequences")
@pytest.mark.parametrize("layer", [layers.SimpleRNN, layers.LSTM, layers.GRU])
@pytest.mark.parametrize("time", [1, 2, 7, LONG, None])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_time(layer, time, return_sequences):
    check_layer(
        layer(5, return_sequences=return_sequences, bias_initializer="normal"),
        (time, 3),
        inputs=sequences(*[s for (s,) in SIZES]) if time is None else None,
        tolerance=DEEP,
    )


LAYERS = [layers.SimpleRNN, layers.LSTM, layers.GRU]
CELLS = [layers.SimpleRNNCell, layers.LSTMCell, layers.GRUCell]


@shows("layers.SimpleRNN", "activation", "use_bias")
@shows("layers.LSTM", "activation", "recurrent_activation", "use_bias")
@shows("layers.GRU", "activation", "recurrent_activation", "use_bias", "reset_after")
@pytest.mark.parametrize("time", [4, LONG])
@pytest.mark.parametrize(
    "layer",
    [
        layers.SimpleRNN(4, activation="relu", use_bias=False),
        layers.SimpleRNN(4, activation=None),
        layers.LSTM(4, activation="softsign", recurrent_activation="hard_sigmoid"),
        layers.LSTM(4, use_bias=False, activation="elu", recurrent_activation="softmax"),
        layers.LSTM(4, unit_forget_bias=False, dropout=0.3, recurrent_dropout=0.2),
        layers.GRU(4, reset_after=False),
        layers.GRU(4, use_bias=False, activation="gelu"),
        layers.GRU(4, use_bias=False, reset_after=False, recurrent_activation="hard_sigmoid"),
    ],
    ids=lambda x: str(x) if isinstance(x, int) else None,
)
def test_arguments(layer, time):
    check_layer(layer.__class__.from_config(layer.get_config()), (time, 3), tolerance=DEEP)


@shows("layers.SimpleRNN", "go_backwards", "return_state", "unroll")
@shows("layers.LSTM", "go_backwards", "return_state", "unroll")
@shows("layers.GRU", "go_backwards", "return_state", "unroll")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("time,unroll", [(6, False), (6, True), (LONG, False), (None, False)])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_backwards_states(layer, time, unroll, return_sequences):
    check_layer(
        layer(
            5,
            return_sequences=return_sequences,
            return_state=True,
            go_backwards=True,
            unroll=unroll,
        ),
        (time, 3),
        inputs=sequences(1, 5, LONG) if time is None else None,
        tolerance=DEEP,
    )


def initial_state_model(layer, time, count, units=4, mask=False):
    x = keras.Input((time, 3), name="x")
    states = [keras.Input((units,), name=f"state_{i}") for i in range(count)]
    inputs = [x, *states]
    keywords = {}
    if mask:
        keywords["mask"] = keras.Input((time,), dtype="bool", name="mask")
        inputs.append(keywords["mask"])
    given = states if count > 1 else states[0]
    return keras.Model(inputs, layer(x, initial_state=given, **keywords))


@shows("layers.SimpleRNN", "initial_state")
@shows("layers.LSTM", "initial_state")
@shows("layers.GRU", "initial_state")
@pytest.mark.parametrize("layer,count", [*zip(LAYERS, (1, 2, 1))])
@pytest.mark.parametrize("time", [5, LONG, None])
def test_initial_state(layer, count, time):
    model = initial_state_model(layer(4, return_sequences=True, return_state=True), time, count)
    check(model, size=((7,), (LONG,)), tolerance=DEEP)


# Rows of a mask of 3 samples: at the end, at the start, in between, nothing, everything.
def masks(time, seed=0):
    steps = np.arange(time)
    rng = np.random.default_rng(seed)
    end, start = steps < time - 2, steps >= min(3, time - 1)
    between = rng.integers(0, 2, time).astype(bool)
    none, everything = np.zeros(time, bool), np.ones(time, bool)
    return [
        np.stack([end, start, between]),
        np.stack([everything, none, between[::-1]]),
        np.stack([none]),
    ]


def masked_inputs(time, features=3):
    rng = np.random.default_rng(3)
    times = [time] * 3 if time else [6, LONG, 40]
    return [
        [random_array(rng, (mask.shape[0], t, features), "float32"), mask]
        for i, t in enumerate(times)
        for mask in [masks(t)[i]]
    ]


def masked_model(layer, time, features=3):
    x = keras.Input((time, features), name="x")
    mask = keras.Input((time,), dtype="bool", name="mask")
    return keras.Model([x, mask], layer(x, mask=mask))


@shows("layers.SimpleRNN", "mask")
@shows("layers.LSTM", "mask")
@shows("layers.GRU", "mask")
@shows("layers.RNN", "mask", "zero_output_for_mask")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("time,unroll", [(6, False), (6, True), (LONG, False), (None, False)])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("backwards,zero", [(False, False), (True, False), (False, True)])
def test_masks(layer, time, unroll, return_sequences, backwards, zero):
    layer = layer(
        4,
        return_sequences=return_sequences,
        return_state=True,
        go_backwards=backwards,
        unroll=unroll,
        zero_output_for_mask=zero,
    )
    check(masked_model(layer, time), masked_inputs(time), tolerance=DEEP)


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("zero", [False, True])
def test_masks_with_initial_state(unroll, zero):
    """What a masked step gives before any other: the state, but zeros where steps are unrolled."""
    layer = layers.LSTM(
        4,
        return_sequences=True,
        return_state=True,
        unroll=unroll,
        zero_output_for_mask=zero,
    )
    model = initial_state_model(layer, 6, 2, mask=True)
    rng = np.random.default_rng(0)
    inputs = [
        [
            random_array(rng, (len(mask), 6, 3), "float32"),
            random_array(rng, (len(mask), 4), "float32"),
            random_array(rng, (len(mask), 4), "float32"),
            mask,
        ]
        for mask in masks(6)
    ]
    check(model, inputs, tolerance=DEEP)


def test_mask_goes_on():
    """Through the outputs of a sequence to the next layer."""
    x = keras.Input((6, 3), name="x")
    mask = keras.Input((6,), dtype="bool", name="mask")
    y = layers.GRU(4, return_sequences=True)(x, mask=mask)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(y)
    model = keras.Model([x, mask], layers.SimpleRNN(4)(y))
    check(model, masked_inputs(6), tolerance=DEEP)


@pytest.mark.parametrize("time", [6, None])
def test_mask_of_embedding(time):
    model = keras.Sequential(
        [
            keras.Input((time,), dtype="int32"),
            layers.Embedding(8, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(4)),
        ]
    )
    check(model, size=((6,), (LONG,)), high=3, tolerance=DEEP)


@pytest.mark.parametrize("time", [6, None])
def test_mask_of_masking(time):
    model = keras.Sequential(
        [
            keras.Input((time, 3)),
            layers.Masking(mask_value=0.5),
            layers.LSTM(3, return_sequences=True),
            layers.GRU(4, return_sequences=True),
        ]
    )
    inputs = sequences(6, time and 6 or LONG)
    for values in inputs:
        values[0, -2:] = 0.5
        values[-1, :2] = 0.5
    check(model, inputs, tolerance=DEEP)


@shows("layers.RNN", "cell", "return_sequences", "return_state", "go_backwards", "unroll")
@shows("layers.SimpleRNNCell", "units", "activation", "use_bias")
@shows("layers.LSTMCell", "units", "activation", "recurrent_activation", "use_bias")
@shows("layers.GRUCell", "units", "activation", "recurrent_activation", "use_bias", "reset_after")
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("time,unroll", [(5, True), (LONG, False), (None, False)])
def test_rnn(cell, time, unroll):
    check_layer(
        layers.RNN(
            cell(4, activation="softsign"),
            return_sequences=True,
            return_state=True,
            go_backwards=True,
            unroll=unroll,
        ),
        (time, 3),
        size=((4,), (LONG,)),
        tolerance=DEEP,
    )


def stack(nested=False):
    cells = [
        layers.GRUCell(4),
        layers.LSTMCell(5),
        layers.GRUCell(4, reset_after=False, use_bias=False),
        layers.SimpleRNNCell(3),
    ]
    if nested:
        cells = [cells[0], layers.StackedRNNCells(cells[1:])]
    return layers.StackedRNNCells(cells)


@shows("layers.StackedRNNCells", "cells")
@pytest.mark.parametrize("time", [5, LONG, None])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_stacked_cells(time, return_sequences, backwards):
    layer = layers.RNN(
        stack(),
        return_sequences=return_sequences,
        return_state=True,
        go_backwards=backwards,
    )
    model = masked_model(layer, time)
    check(model, masked_inputs(time), tolerance=DEEP)


def test_list_of_cells():
    check_layer(layers.RNN([layers.GRUCell(4), layers.LSTMCell(5)]), (5, 3), tolerance=DEEP)


@shows("layers.Bidirectional", "layer", "merge_mode", "backward_layer")
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("time", [5, LONG, None])
@pytest.mark.parametrize(
    "return_sequences,return_state", [(True, False), (False, True), (True, True)]
)
def test_bidirectional(merge_mode, time, return_sequences, return_state):
    layer = layers.Bidirectional(
        layers.GRU(4, return_sequences=return_sequences, return_state=return_state),
        merge_mode=merge_mode,
        backward_layer=layers.LSTM(
            4, return_sequences=return_sequences, return_state=return_state, go_backwards=True
        )
        if merge_mode == "sum"
        else None,
    )
    if merge_mode is None and return_state:
        # Keras cannot join the outputs with the states of a mask; it is called without one.
        check_layer(layer, (time, 3), size=((4,), (LONG,)), tolerance=DEEP)
    else:
        check(masked_model(layer, time), masked_inputs(time), tolerance=DEEP)


@shows("layers.Bidirectional", "initial_state")
def test_bidirectional_initial_state():
    layer = layers.Bidirectional(layers.LSTM(4, return_sequences=True, return_state=True))
    check(initial_state_model(layer, 5, 4), tolerance=DEEP)


def test_bidirectional_needs_no_reversal():
    result = check_layer(layers.Bidirectional(layers.GRU(4, return_sequences=True)), (5, 3))
    assert "REVERSE_V2" not in result.operators


@shows("layers.SimpleRNN", "stateful")
@shows("layers.LSTM", "stateful")
@shows("layers.GRU", "stateful")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("time", [5, LONG, None])
def test_stateful(layer, time):
    check_layer(
        layer(4, stateful=True, return_sequences=True),
        (time, 3),
        batch=2,
        size=((4,), (LONG,)),
        stateful=True,
        tolerance=DEEP,
    )


@shows("layers.RNN", "stateful")
def test_stateful_stack():
    layer = layers.RNN([layers.GRUCell(4), layers.LSTMCell(5)], stateful=True)

    def reset():  # Keras's own fails for nested states.
        for variable in keras.tree.flatten(layer.states):
            variable.assign(np.zeros(variable.shape))

    layer.reset_state = reset
    check_layer(layer, (5, 3), batch=2, stateful=True, tolerance=DEEP)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("time", [5, LONG])
def test_mixed(policy, time):
    tolerance = 1e-2 if policy == "mixed_float16" else 6e-2
    check_layer(layers.LSTM(4, dtype=policy), (time, 3), tolerance=tolerance)


def test_shared_layer():
    """Both calls read the same weights."""
    layer = layers.LSTM(4)
    x, y = keras.Input((4, 3)), keras.Input((6, 3))
    check(keras.Model([x, y], layer(x) + layer(y)), tolerance=DEEP)


def test_large_weights_take_one_step_at_a_time():
    """Each copy of the step is a copy of its weights in the runtime."""
    x = keras.Input((6, 3))
    result = check(keras.Model(x, layers.LSTM(520, return_sequences=True)(x)), tolerance=DEEP)
    assert result.operators["WHILE"] == 1
    assert result.operators["FULLY_CONNECTED"] == 2  # all inputs, and the loop's body


@pytest.mark.parametrize("extension", [".keras", ".h5"])
def test_deep(extension):
    model = keras.Sequential(
        [
            keras.Input((None, 3)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(5, return_sequences=True),
            layers.RNN([layers.SimpleRNNCell(4), layers.LSTMCell(4)], return_sequences=True),
            layers.SimpleRNN(3),
        ]
    )
    check(model, size=((4,), (LONG,)), tolerance=DEEP, extension=extension)
