"""keras.activations and the activation layers against Keras."""

import inspect

import keras
import numpy as np
import pytest
from keras import activations, layers, ops
from oracle import check, check_layer, check_refused, random_array, shows

# Every name that keras.activations.get knows; `threshold` has no defaults and needs the operation.
NAMES = [
    "celu",
    "elu",
    "exponential",
    "gelu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
]


def wide_range(shape, seed=0):
    """Values around 0 and, among them, large ones of both signs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.0, 2.0, shape).astype("float32")
    flat = x.reshape(-1)
    flat[: min(8, flat.size)] = [0.0, -1.0, 1.0, 0.5, -0.5, 3.0, -3.0, 6.0][: flat.size]
    return x


def test_names_are_complete():
    functions = {
        name
        for name in dir(activations)
        if callable(getattr(activations, name)) and not name.startswith("_")
    }
    assert functions - {"get", "serialize", "deserialize"} == {*NAMES, "glu", "threshold"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=shows(f"activations.{n}")) for n in NAMES])
def test_name(name):
    """Ranks 2 to 5 of the same function, in one file."""
    inputs = [
        keras.Input(shape, name=f"x{i}")
        for i, shape in enumerate([(13,), (None, 7), (3, None, 5), (2, 3, 2, 4)])
    ]
    model = keras.Model(inputs, [layers.Activation(name)(x) for x in inputs])
    sets = [
        [wide_range((batch, *shape), i) for i, shape in enumerate(shapes)]
        for batch, shapes in [
            (1, [(13,), (4, 7), (3, 2, 5), (2, 3, 2, 4)]),
            (3, [(13,), (2, 7), (3, 6, 5), (2, 3, 2, 4)]),
        ]
    ]
    check(model, sets)


@shows("activations.softplus")
@shows("activations.log_sigmoid")
@shows("activations.mish")
@shows("activations.silu")
@shows("activations.gelu")
@shows("activations.elu")
@shows("activations.selu")
@shows("activations.log_softmax")
def test_large_values():
    """Nothing overflows on the way to a finite value."""
    names = [
        "softplus",
        "log_sigmoid",
        "mish",
        "silu",
        "gelu",
        "elu",
        "selu",
        "celu",
        "tanh",
        "sigmoid",
        "softmax",
        "log_softmax",
        "softsign",
        "sparse_plus",
    ]
    x = keras.Input((None,))
    model = keras.Model(x, [layers.Activation(name)(x) for name in names])
    values = [-1e9, -1e4, -200, -90, -50, -21, -15, 0, 15, 19, 21, 44, 50, 90, 200, 1e4, 1e9]
    check(model, [np.array([values], "float32"), np.array([values[:12]], "float32")])


@shows("activations.softplus")
@shows("activations.mish")
@shows("activations.gelu")
def test_small_values():
    """Close to 0 and on the flat side, where cancellation would show."""
    x = keras.Input((None,))
    names = ["softplus", "mish", "gelu", "silu", "tanh_shrink", "squareplus", "log_sigmoid"]
    model = keras.Model(x, [layers.Activation(name)(x) for name in names])
    check(model, [np.linspace(-6, 0.5, 200, dtype="float32").reshape(2, 100)])


@shows("ops.glu", "axis")
@shows("activations.glu", "axis")
@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_glu(axis):
    x = keras.Input((4, 6, 8))
    check(keras.Model(x, ops.glu(x, axis=axis)))


@shows("activations.glu")
def test_glu_by_name():
    check_layer(layers.Activation("glu"), (None, 6))


OPERATIONS = {
    "celu": lambda x: [activations.celu(x, a) for a in (0.5, 2.0, -1.5)],
    "elu": lambda x: [activations.elu(x, a) for a in (0.3, 1.7)],
    "gelu": lambda x: [activations.gelu(x, approximate=a) for a in (False, True)],
    "hard_shrink": lambda x: [activations.hard_shrink(x, t) for t in (0.0, 1.2)],
    "leaky_relu": lambda x: [activations.leaky_relu(x, s) for s in (0.01, 0.7)],
    "log_softmax": lambda x: [activations.log_softmax(x, axis=a) for a in (1, -2, -1)],
    "soft_shrink": lambda x: [activations.soft_shrink(x, t) for t in (0.0, 1.2)],
    "softmax": lambda x: [activations.softmax(x, axis=a) for a in (1, -2, -1)],
    "sparsemax": lambda x: [ops.sparsemax(x, axis=a) for a in (1, -1)],
    "squareplus": lambda x: [activations.squareplus(x, b=b) for b in (1, 0.2)],
    "threshold": lambda x: [activations.threshold(x, *a) for a in ((0.5, -1.0), (-0.3, 7.0))],
}


def all_arguments(name):
    """Marks for a function all of whose arguments vary."""
    names = list(inspect.signature(getattr(activations, name)).parameters)[1:]
    return [shows(f"activations.{name}", *names), shows(f"ops.{name}", *names)]


@pytest.mark.parametrize("name", [pytest.param(n, marks=all_arguments(n)) for n in OPERATIONS])
def test_arguments(name):
    x = keras.Input((4, 7))
    check(keras.Model(x, OPERATIONS[name](x)))


PLAIN_OPERATIONS = [
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "log_sigmoid",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "tanh_shrink",
]


def marked_operations(function):
    for name in PLAIN_OPERATIONS:
        function = shows(f"ops.{name}")(function)
    return function


@marked_operations
def test_plain_operations():
    x = keras.Input((3, None), name="x")
    check(keras.Model(x, {name: getattr(ops, name)(x) for name in PLAIN_OPERATIONS}))


@shows("ops.softmax", "axis")
@shows("ops.log_softmax", "axis")
def test_softmax_axes():
    x = keras.Input((3, 4, 2))
    outputs = [
        function(x, axis=axis)
        for function in (ops.softmax, ops.log_softmax)
        for axis in ((1, 2), (1, 3), (3, 2))
    ]
    check(keras.Model(x, outputs))


@shows("activations.relu", "negative_slope", "max_value", "threshold")
@shows("layers.ReLU", "negative_slope", "max_value", "threshold")
def test_relu_arguments():
    x = keras.Input((13, 9))
    outputs = []
    for slope in (0.0, 0.3):
        for max_value in (None, 1.0, 2.5, 6.0):
            for threshold in (0.0, 0.8):
                arguments = {
                    "negative_slope": slope,
                    "max_value": max_value,
                    "threshold": threshold,
                }
                outputs.append(layers.ReLU(**arguments)(x))
                outputs.append(activations.relu(x, **arguments))
    result = check(keras.Model(x, outputs), [wide_range((2, 13, 9)) * 3])
    assert result.operators["RELU6"] >= 2


@shows("layers.ELU", "alpha")
@shows("layers.LeakyReLU", "negative_slope")
def test_slopes():
    x = keras.Input((None, 6))
    outputs = [layers.ELU()(x), layers.ELU(alpha=0.4)(x)]
    outputs += [layers.LeakyReLU()(x), layers.LeakyReLU(negative_slope=0.05)(x)]
    result = check(keras.Model(x, outputs))
    # Both ELUs share one ELU of the same input.
    assert result.operators == {"ELU": 1, "LEAKY_RELU": 3}


@shows("layers.PReLU", "shared_axes")
@pytest.mark.parametrize(
    "shape,shared_axes",
    [
        ((5,), None),
        ((3, 4), None),
        ((3, 4), [1]),
        ((None, 4), [1]),
        ((3, 4, 5), [1, 2]),
        ((3, 4, 5), [3]),
        ((None, None, 5), [1, 2]),
        ((2, 3, 2, 5), [1, 3]),
        ((2, 3, 2, 5), None),
    ],
    ids=str,
)
def test_prelu(shape, shared_axes):
    check_layer(layers.PReLU(shared_axes=shared_axes), shape)


@shows("layers.Softmax", "axis")
@pytest.mark.parametrize("axis", [-1, 1, (1,), (1, 2), (-1, 1), (3, 2)], ids=str)
def test_softmax_layer(axis):
    check_layer(layers.Softmax(axis=axis), (3, 4, 5))


@shows("layers.Softmax", "axis")
def test_softmax_dynamic():
    x = keras.Input((None, None, 5))
    check(keras.Model(x, [layers.Softmax(axis=a)(x) for a in (-1, 1, -2)]))


@shows("layers.Softmax", "mask")
@pytest.mark.parametrize("axis", [-1, (1, 2)], ids=str)
def test_softmax_mask(axis):
    x = keras.Input((4, 5), name="x")
    masks = [
        keras.Input((4, 5), dtype="bool", name="full"),
        keras.Input((1, 5), dtype="float32", name="row"),
    ]
    outputs = [layers.Softmax(axis=axis)(x, mask=mask) for mask in masks]
    rng = np.random.default_rng(0)
    full = random_array(rng, (3, 4, 5), "bool")
    full[0, 1] = False
    row = random_array(rng, (3, 1, 5), "bool").astype("float32")
    check(keras.Model([x, *masks], outputs), [[random_array(rng, (3, 4, 5), "float32"), full, row]])


@shows("layers.Activation", "activation")
def test_activation_serialized():
    """A function object, a layer as an activation, and an activation inside a layer."""
    x = keras.Input((6,))
    outputs = [
        layers.Activation(activations.gelu)(x),
        layers.Dense(4, activation=layers.LeakyReLU(negative_slope=0.2))(x),
        layers.Dense(4, activation="mish")(x),
    ]
    check(keras.Model(x, outputs))


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
def test_low_precision(policy):
    x = keras.Input((6,))
    names = ["softplus", "mish", "gelu", "softmax", "hard_silu", "selu", "log_sigmoid"]
    model = keras.Model(x, [layers.Activation(name, dtype=policy)(x) for name in names])
    check(model, tolerance=4e-2 if "bfloat" in policy else 4e-3)


def test_integers():
    x = keras.Input((6,), dtype="int32")
    check(keras.Model(x, [ops.relu(x), ops.relu6(x)]), low=-9, high=9)


def test_operator_counts():
    """The functions that LiteRT has are one operator each."""
    x = keras.Input((6,))
    names = ["gelu", "hard_silu", "relu6", "elu", "tanh", "sigmoid", "softmax", "hard_tanh"]
    result = check(keras.Model(x, [layers.Activation(name)(x) for name in names]))
    assert sum(result.operators.values()) == len(names)


def test_unknown():
    @keras.saving.register_keras_serializable(package="test", name="gelux")
    def gelux(x):
        return x

    x = keras.Input((3,))
    check_refused(keras.Model(x, layers.Activation(gelux)(x)), contains="gelux")
