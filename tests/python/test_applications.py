"""Deep networks of keras.applications; scripts/applications checks all of them."""

import applications
import pytest

SUBSET = ("MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "ResNet50")

# At most as many operators as TensorFlow's converter (2.21) writes for the model.
OPERATORS = {"MobileNetV2": 65, "EfficientNetB0": 303, "ResNet50": 75}


@pytest.mark.jax  # Compiled as a whole: operator by operator the reference takes minutes.
@pytest.mark.slow
@pytest.mark.parametrize("name", SUBSET)
def test_application(name):
    row = applications.run(name)
    assert row.operators <= OPERATORS.get(name, 1000), row.kinds


def test_every_constructor_is_known():
    """The command covers what Keras has: 40 models in Keras 3.15."""
    names = set(applications.constructors())
    assert {"VGG16", "NASNetLarge", "ConvNeXtXLarge", "EfficientNetV2L", *SUBSET} <= names
    assert len(names) == 40
