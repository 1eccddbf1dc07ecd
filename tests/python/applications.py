"""The models of keras.applications with plausible random weights, checked by the oracle.

Used by test_applications.py (a few models) and scripts/applications (all of them).
"""

import dataclasses
import inspect

import keras
import numpy as np
from oracle import DEEP, check, finalize_statistics, keras_outputs, randomize

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


def constructors():
    """{name: function} of every public model of keras.applications."""
    return {
        name: value
        for name, value in sorted(vars(keras.applications).items())
        if name[0].isupper() and inspect.isfunction(value)
    }


def build(name, odd=False, logits=False):
    """The model with Keras's initial weights; without its top at an odd size, or with logits."""
    make = constructors()[name]
    if odd:
        size = ODD_SIZES.get(name, ODD_SIZE)
        return make(weights=None, include_top=False, input_shape=(*size, 3))
    return make(weights=None, classifier_activation=None if logits else "softmax")


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


def make_plausible(model, seed=0):
    """Random weights with which the model behaves as a trained one does.

    Purely random statistics make a deep network's activations explode or vanish, and then a
    comparison shows nothing. So: random weights; then batch normalization's moving statistics
    become those of its real input, from one pass over images, and are moved off them by up to
    20 %; then the classifier's weights are scaled to logits of standard deviation 2, so that no
    softmax saturates.
    """
    randomize(model, seed)
    rng = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization) and hasattr(layer, "adapt_mean"):
            layer.adapt_mean.assign(np.full(layer.adapt_mean.shape, 120.0))
            layer.adapt_variance.assign(np.full(layer.adapt_variance.shape, 4000.0))
        for variable in layer.variables:
            if variable.name == "kernel" and len(variable.shape) >= 2:
                # He's scale, for the half that a rectifier drops; randomize keeps the variance.
                variable.assign(np.asarray(variable) * np.sqrt(2.0).astype("float32"))
    finalize_statistics(model)
    norms = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0  # One pass in training mode then sets the moving statistics.
    if norms:
        # Small maps give few values for each channel's statistics: more images then.
        small = (model.input_shape[1] or 224) < 128
        model(images(model, 8 if small else 2, seed=99), training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
        mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
        # A channel that hardly varied over so few images would amplify rounding errors.
        variance = np.maximum(variance, 0.1 * np.median(variance)) + 1e-3
        layer.moving_mean.assign(mean + 0.2 * np.sqrt(variance) * rng.uniform(-1, 1, mean.shape))
        layer.moving_variance.assign(variance * rng.uniform(0.8, 1.2, variance.shape))
    return model


def scale_classifier(model, logits_model):
    """Scales the last kernel of `logits_model` (same weights) to logits of standard deviation 2."""
    logits = keras_outputs(logits_model, images(logits_model, 1, seed=98))[0]
    kernel = next(v for v in reversed(model.trainable_variables) if len(v.shape) >= 2)
    kernel.assign(np.asarray(kernel) * np.float32(2.0 / max(np.std(logits), 1e-20)))


@dataclasses.dataclass
class Row:
    """One line of docs/applications.md."""

    model: str
    parameters: int
    size: str
    operators: int
    kinds: str
    bytes: int
    export_ms: float  # Wall time of the tool's whole process.
    errors: dict  # What was compared → largest error, as a fraction of the output's range.


def run(name, delegates=(True,), parts=("probabilities", "logits", "odd")):
    """Checks one constructor; raises AssertionError where the file and Keras differ."""
    errors, row = {}, None
    weights = None
    for part in parts:
        keras.utils.clear_session()
        model = build(name, odd=part == "odd", logits=part == "logits")
        if part == "odd" or weights is None:
            make_plausible(model)
            if part != "odd":
                logits = model
                if part == "probabilities":
                    logits = build(name, logits=True)
                    logits.set_weights(model.get_weights())
                    finalize_statistics(logits)
                scale_classifier(model, logits)
                del logits
                weights = model.get_weights()
        else:
            model.set_weights(weights)
            finalize_statistics(model)
        result = check(
            model,
            [images(model, 1), images(model, 3)],
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
            row.export_ms = result.seconds * 1000
        if part == "odd":
            size = _size(model)
            row.size = size if row.size == size else f"{row.size}, {size}"
    return row


def _size(model):
    return "×".join("?" if size is None else str(size) for size in model.input_shape[1:3])
