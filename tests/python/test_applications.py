"""Deep networks of keras.applications; scripts/applications checks all of them."""

import applications
import pytest

SUBSET = ("MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "ResNet50")


@pytest.mark.jax  # Compiled as a whole: operator by operator the reference takes minutes.
@pytest.mark.slow
@pytest.mark.parametrize("name", SUBSET)
def test_application(name):
    assert applications.run(name).operators > 0


def test_every_constructor_is_known():
    """The command covers what Keras has: 40 models in Keras 3.15."""
    names = set(applications.constructors())
    assert {"VGG16", "NASNetLarge", "ConvNeXtXLarge", "EfficientNetV2L", *SUBSET} <= names
    assert len(names) == 40
