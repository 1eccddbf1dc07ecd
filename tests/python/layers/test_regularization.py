"""Layers that only act in training."""

import pytest
from keras import layers
from oracle import check_layer, shows


@pytest.mark.parametrize(
    "layer, shape",
    [
        pytest.param(
            lambda: layers.Dropout(0.4, noise_shape=(1, 5), seed=3),
            (5,),
            marks=shows("layers.Dropout", "rate", "noise_shape", "seed"),
        ),
        pytest.param(
            lambda: layers.SpatialDropout1D(0.4),
            (4, 5),
            marks=shows("layers.SpatialDropout1D", "rate"),
        ),
        pytest.param(
            lambda: layers.SpatialDropout2D(0.4, data_format="channels_first"),
            (3, 4, 5),
            marks=shows("layers.SpatialDropout2D", "rate", "data_format"),
        ),
        pytest.param(
            lambda: layers.SpatialDropout3D(0.4, data_format="channels_first"),
            (2, 3, 4, 5),
            marks=shows("layers.SpatialDropout3D", "rate", "data_format"),
        ),
        pytest.param(
            lambda: layers.AlphaDropout(0.4, seed=1),
            (None, 5),
            marks=shows("layers.AlphaDropout", "rate", "seed"),
        ),
        pytest.param(
            lambda: layers.GaussianDropout(0.4, seed=1),
            (5,),
            marks=shows("layers.GaussianDropout", "rate", "seed"),
        ),
        pytest.param(
            lambda: layers.GaussianNoise(0.4, seed=1),
            (5,),
            marks=shows("layers.GaussianNoise", "stddev", "seed"),
        ),
        pytest.param(
            lambda: layers.ActivityRegularization(l1=0.1, l2=0.2),
            (5,),
            marks=shows("layers.ActivityRegularization", "l1", "l2"),
        ),
    ],
)
def test_identity(layer, shape):
    result = check_layer(layer(), shape, call=lambda layer, x: layers.Activation("relu")(layer(x)))
    assert result.operators == {"RELU": 1}


@shows("layers.Dropout")
def test_dropout_casts_to_the_compute_dtype():
    check_layer(layers.Dropout(0.5, dtype="mixed_float16"), (5,))
