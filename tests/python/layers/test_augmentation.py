"""Random augmentation: at inference the images come out as they went in, cast where Keras casts."""

import keras
import numpy as np
import pytest
from keras import layers
from oracle import check, check_layer, check_refused, shows

L = layers
CASTING = [  # These give the compute dtype, whatever they got.
    ("AugMix", {"num_chains": 2, "chain_depth": 2, "all_ops": False}),
    ("CutMix", {"factor": 0.8}),
    ("RandAugment", {"num_ops": 3, "factor": 0.2}),
    ("RandomElasticTransform", {"factor": 0.9, "fill_mode": "nearest"}),
    ("RandomErasing", {"factor": 0.9, "fill_value": 3.0}),
    ("RandomFlip", {"mode": "horizontal", "seed": 1}),
    ("RandomGaussianBlur", {"kernel_size": 5, "sigma": 0.5}),
    ("RandomPerspective", {"factor": 0.5, "fill_value": 1.0}),
    ("RandomRotation", {"factor": 0.2, "fill_mode": "wrap", "interpolation": "nearest"}),
    ("RandomSharpness", {"factor": 0.5}),
    ("RandomShear", {"x_factor": 0.2, "y_factor": 0.1}),
    ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.1}),
    ("RandomZoom", {"height_factor": 0.2, "width_factor": 0.1}),
    ("Solarization", {"addition_factor": 0.2, "threshold_factor": 0.3}),
]
PLAIN = [  # These give what they got.
    ("MixUp", {"alpha": 0.3}),
    ("RandomBrightness", {"factor": 0.3, "value_range": (0, 1)}),
    ("RandomColorDegeneration", {"factor": 0.3}),
    ("RandomColorJitter", {"brightness_factor": 0.2, "hue_factor": 0.1}),
    ("RandomContrast", {"factor": 0.3}),
    ("RandomCrop", {"height": 4, "width": 5}),
    ("RandomCrop", {"height": 3, "width": 9, "data_format": "channels_first"}),
    ("RandomGrayscale", {"factor": 0.3}),
    ("RandomHue", {"factor": 0.3}),
    ("RandomInvert", {"factor": 0.3}),
    ("RandomPosterization", {"factor": 3}),
    ("RandomSaturation", {"factor": 0.3}),
    ("MaxNumBoundingBoxes", {"max_number": 3, "fill_value": 0}),
]


def marked(cases):
    return [
        pytest.param(name, arguments, id=name, marks=shows(f"layers.{name}", *arguments))
        for name, arguments in cases
    ]


@pytest.mark.parametrize("name, arguments", marked(CASTING + PLAIN))
def test_images_pass(name, arguments):
    layer = getattr(layers, name)(**arguments)
    result = check_layer(
        layer, (4, 5, 3), call=lambda layer, x: layers.Activation("relu")(layer(x)), low=0, high=255
    )
    assert result.operators == {"RELU": 1}


@pytest.mark.parametrize("name, arguments", marked(CASTING))
def test_integer_images_are_cast(name, arguments):
    layer = getattr(layers, name)(**arguments)
    result = check_layer(layer, (4, 5, 3), dtype="uint8", high=255)
    assert result.operators == {"CAST": 1}


@shows("layers.RandomBrightness")
@shows("layers.RandomCrop")
def test_integer_images_stay(**_):
    x = keras.Input((4, 5, 3), dtype="uint8")
    y = layers.RandomBrightness(0.2)(layers.RandomCrop(4, 5)(x))
    check(keras.Model(x, layers.Rescaling(1 / 255)(y)), high=255)


# Equalization cannot be called on float32 KerasTensors (Keras 3.15); a model can hold it in another
# layer's place.
@shows("layers.Equalization", "value_range", "bins", "data_format")
@pytest.mark.parametrize(
    "arguments", [{}, {"value_range": (0, 1), "bins": 16, "data_format": "channels_first"}], ids=str
)
def test_equalization_does_nothing_at_inference(arguments):
    layer = layers.Equalization(dtype="float32", **arguments)
    check_layer(layer, (4, 5, 3), dtype="float16", low=0, high=255)


@shows("layers.Pipeline", "layers")
def test_pipeline():
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(2, 3, (10, 4, 5, 3)))
    pipeline = layers.Pipeline(
        [layers.Rescaling(0.5), layers.RandomFlip(), layers.Rescaling(3.0, 1.0), normalization]
    )
    check_layer(pipeline, (4, 5, 3), randomized=False)


@shows("layers.RandomFlip")
def test_a_dict_of_images_and_labels():
    data = {"images": keras.Input((4, 5, 3), name="a"), "labels": keras.Input((4,), name="b")}
    outputs = layers.RandomFlip()(data)
    model = keras.Model(data, [outputs["images"] * 2.0, outputs["labels"] * 3.0])
    check(model)


def test_bounding_boxes_are_refused():
    data = {
        "images": keras.Input((4, 5, 3), name="a"),
        "bounding_boxes": {
            "boxes": keras.Input((2, 4), name="b"),
            "labels": keras.Input((2,), name="c"),
        },
    }
    outputs = layers.RandomFlip(bounding_box_format="xyxy")(data)
    model = keras.Model(data, outputs["bounding_boxes"]["boxes"])
    check_refused(model, "image-2", "bounding boxes")
