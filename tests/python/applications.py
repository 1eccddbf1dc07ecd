"""The models of keras.applications with plausible random weights, checked by the oracle.

Used by test_applications.py (a few models) and scripts/applications (all of them).
"""

import contextlib
import dataclasses
import inspect
import unittest.mock

import keras
import numpy as np
from oracle import DEEP, check, finalize_statistics, randomize

# Input size (height, width) of the check without the top: odd, unequal, as small as the model's
# strides allow. The smallest inputs that Keras lets through are 75 (Inception), 71 (Xception), 32.
ODD_SIZES = {
    "InceptionV3": (77, 85),
    "InceptionResNetV2": (77, 85),
    "Xception": (73, 79),
    "NASNetMobile": (75, 67),
    "NASNetLarge": (75, 67),
}
ODD_SIZE = (67, 75)
BATCH = 3

# Operators that TensorFlow's converter (2.21) writes for the model: ours are at most as many.
MOST_OPERATORS = {
    "ConvNeXtTiny": 671,
    "EfficientNetB0": 303,
    "MobileNetV2": 65,
    "NASNetMobile": 567,
    "ResNet50": 75,
    "VGG16": 26,
}


def constructors():
    """{name: function} of every public model of keras.applications."""
    return {
        name: value
        for name, value in sorted(vars(keras.applications).items())
        if name[0].isupper() and inspect.isfunction(value)
    }


@contextlib.contextmanager
def zero_weights():
    """Layers made here start from zeros: drawing and compiling initial values takes most of the
    time that building a deep network takes, and they are overwritten."""

    def zeros(self, shape, dtype=None, **_):
        return np.zeros(shape, keras.backend.standardize_dtype(dtype))

    with contextlib.ExitStack() as stack:
        for value in vars(keras.initializers).values():
            if inspect.isclass(value) and "__call__" in vars(value):
                stack.enter_context(unittest.mock.patch.object(value, "__call__", zeros))
        yield


def build(name, odd=False):
    """The model, its weights zero; without its top at an odd size."""
    make = constructors()[name]
    with zero_weights():
        if odd:
            size = ODD_SIZES.get(name, ODD_SIZE)
            return make(weights=None, include_top=False, input_shape=(*size, 3))
        return make(weights=None)


def images(model, batch, seed=0):
    """Smooth random images in [0, 255): what such models are fed, unlike white noise."""
    rng = np.random.default_rng([seed, batch])
    height, width, channels = (size or 224 for size in model.input_shape[1:])  # None: dynamic.
    coarse = rng.uniform(0, 255, (batch, height // 8 + 2, width // 8 + 2, channels))
    rows = np.linspace(0, coarse.shape[1] - 1.001, height)
    columns = np.linspace(0, coarse.shape[2] - 1.001, width)
    r, c = rows.astype(int), columns.astype(int)
    dr, dc = (rows - r)[None, :, None, None], (columns - c)[None, None, :, None]
    above, below = coarse[:, r], coarse[:, r + 1]
    top = above[:, :, c] * (1 - dc) + above[:, :, c + 1] * dc
    bottom = below[:, :, c] * (1 - dc) + below[:, :, c + 1] * dc
    noise = rng.normal(0, 8, (batch, height, width, channels))
    return np.clip(top * (1 - dr) + bottom * dr + noise, 0, 255).astype("float32")


class Reference:
    """Keras's own computation of a model: traced and compiled once for each shape, where JAX can.

    Weights are arguments of the compiled function, so it serves whatever they are later.
    """

    def __init__(self, model):
        self.model = model
        self.functions = {}

    def __call__(self, x, training=False):
        """(outputs, values of the non-trainable variables afterwards); assigns nothing."""
        if training not in self.functions:

            def call(trainable, fixed, x):
                return self.model.stateless_call(trainable, fixed, x, training=training)

            if keras.backend.backend() == "jax":
                import jax

                call = jax.jit(call)
            self.functions[training] = call
        trainable = [v.value for v in self.model.trainable_variables]
        fixed = [v.value for v in self.model.non_trainable_variables]
        return self.functions[training](trainable, fixed, keras.ops.convert_to_tensor(x))

    def output(self, x):
        return np.asarray(self(x)[0])


def damp_residuals(model, factor=0.4):
    """Makes the branches of residual sums small beside the trunk, as training does.

    Where they are as large, each block amplifies rounding errors: the last feature maps of
    ResNet101, computed by Keras in float32 and in float64, were 8e-5 apart, the file's as much.
    """
    for layer in model._flatten_layers():
        if not isinstance(layer, keras.layers.Add):
            continue
        # The last addend that is a normalization's or a convolution's; Keras's models name the
        # trunk first where both are.
        for tensor in reversed(layer.input if isinstance(layer.input, list) else []):
            branch = tensor._keras_history.operation
            while isinstance(branch, keras.layers.Dropout):
                branch = branch.input._keras_history.operation
            if isinstance(branch, (keras.layers.BatchNormalization, keras.layers.Conv2D)):
                for variable in branch.trainable_variables:
                    variable.assign(np.asarray(variable) * np.float32(factor))
                break


def make_plausible(model, reference=None, seed=0):
    """Random weights with which the model behaves as a trained one does.

    Purely random statistics make a deep network's activations explode or vanish, and then a
    comparison shows nothing. So: random weights, residual branches damped; then batch
    normalization's moving statistics become those of its real input, from one pass over images,
    and are moved off them by up to 20 %.
    """
    randomize(model, seed)
    rng = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization) and hasattr(layer, "adapt_mean"):
            # EfficientNet's, behind its Rescaling to [0, 1]: what images() has there.
            layer.adapt_mean.assign(np.full(layer.adapt_mean.shape, 0.47))
            layer.adapt_variance.assign(np.full(layer.adapt_variance.shape, 0.06))
        for variable in layer.variables:
            if variable.name == "kernel" and len(variable.shape) >= 2:
                # He's scale, for the half that a rectifier drops; randomize keeps the variance.
                variable.assign(np.asarray(variable) * np.sqrt(2.0).astype("float32"))
    damp_residuals(model)
    finalize_statistics(model)
    layers = list(model._flatten_layers())
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    # Normalization before a rectifier amplifies rounding by up to sqrt(pi / (pi - 1)) a layer where
    # half the units are cut off (Yang et al. 2019, "A mean field theory of batch normalization").
    # NASNetLarge's last maps, computed by Keras in float32 and in float64, were 7e-5 of their range
    # apart; with fewer units cut off, 5e-6.
    for layer in norms:
        if layer.center:
            layer.beta.assign(np.asarray(layer.beta) + np.float32(0.5))
    drops = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
    if not norms:
        return model
    momenta, rates = [layer.momentum for layer in norms], [layer.rate for layer in drops]
    for layer in norms:
        layer.momentum = 0.0  # One pass in training mode then gives the statistics themselves.
    for layer in drops:
        layer.rate = 0.0
    # Small maps give few values for each channel's statistics: more images then.
    small = (model.input_shape[1] or 224) < 128
    x = images(model, 8 if small else 3, seed=99)
    _, values = (reference or Reference(model))(x, training=True)
    for variable, value in zip(model.non_trainable_variables, values, strict=True):
        variable.assign(value)
    for layer, rate in zip(drops, rates, strict=True):
        layer.rate = rate
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
        mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
        # A channel that hardly varied over so few images would amplify rounding errors.
        variance = np.maximum(variance, 0.1 * np.median(variance)) + 1e-3
        layer.moving_mean.assign(mean + 0.2 * np.sqrt(variance) * rng.uniform(-1, 1, mean.shape))
        layer.moving_variance.assign(variance * rng.uniform(0.8, 1.2, variance.shape))
    return model


def make_logits(model):
    """Takes the softmax off the end of a model in place; returns the function it was."""
    last = model.layers[-1]
    activation, last.activation = last.activation, keras.activations.linear
    return activation


def scale_classifier(model, logits):
    """Scales the model's last kernel: from these logits to those of standard deviation 2."""
    kernel = next(v for v in reversed(model.trainable_variables) if len(v.shape) >= 2)
    kernel.assign(np.asarray(kernel) * np.float32(2.0 / max(np.std(logits), 1e-20)))


def conditioned(name):
    """The model, its weights plausible, its logits of standard deviation 2: nothing saturates."""
    model = make_plausible(build(name))
    activation = make_logits(model)
    scale_classifier(model, Reference(model).output(images(model, BATCH)))
    model.layers[-1].activation = activation
    return model


@dataclasses.dataclass
class Row:
    """One line of docs/applications.md."""

    model: str
    parameters: int
    size: str
    operators: int
    kinds: str
    bytes: int
    export_ms: float  # Wall time of the tool's whole process, the better of two.
    errors: dict  # What was compared → largest error, as a fraction of the output's range.


def run(name, delegates=(True,), parts=("probabilities", "logits", "odd")):
    """Checks one constructor; raises AssertionError where the file and Keras differ.

    Keras computes once for each part, on three images: each image's output depends on it alone, so
    the first one's is what batch 1 must give. Probabilities are the softmax of the same logits.
    """
    errors, row = {}, None
    logits = None
    for part in parts:
        if part == "odd" or logits is None:
            keras.utils.clear_session()
            model = build(name, odd=part == "odd")
            reference = Reference(model)
            make_plausible(model)
            x = images(model, BATCH)
        if part == "odd":
            expected = reference.output(x)
        else:
            if logits is None:
                softmax = make_logits(model)
                scale_classifier(model, reference.output(x))
                logits = reference.output(x)
            expected = logits
            model.layers[-1].activation = keras.activations.linear
            if part == "probabilities":
                model.layers[-1].activation = softmax
                expected = np.asarray(softmax(keras.ops.convert_to_tensor(logits)))
        result = check(
            model,
            [x[:1], x],
            expected=[[expected[:1]], [expected]],
            tolerance=DEEP,
            randomized=False,
            delegates=delegates,
        )
        errors[part] = result.error
        if row is None:
            size = _size(model)
            kinds = ", ".join(f"{n} {op}" for op, n in result.operators.most_common(4))
            row = Row(name, model.count_params(), size, 0, kinds, result.size, 0.0, errors)
            row.operators = sum(result.operators.values())
            most = MOST_OPERATORS.get(name, row.operators)
            assert row.operators <= most, f"{row.operators} operators, allowed {most}: {kinds}"
            row.export_ms = result.seconds * 1000
        if part != "odd":
            row.export_ms = min(row.export_ms, result.seconds * 1000)
        if part == "odd":
            size = _size(model)
            row.size = size if row.size == size else f"{row.size}, {size}"
    return row


def _size(model):
    return "×".join("?" if size is None else str(size) for size in model.input_shape[1:3])
