"""Spectrograms."""

import numpy as np
import pytest
from keras import layers
from oracle import check_layer, shows


@shows("layers.STFTSpectrogram", "mode")
@pytest.mark.parametrize("mode", ["log", "magnitude", "psd", "real", "imag", "angle", "stft"])
def test_stft_modes(mode):
    layer = layers.STFTSpectrogram(mode=mode, frame_length=16)
    # An angle near ±π may turn round with the last bit; random kernels keep away from it.
    check_layer(layer, (40, 2), randomized=mode == "angle", tolerance=2e-5)


@shows(
    "layers.STFTSpectrogram",
    "frame_length",
    "frame_step",
    "fft_length",
    "window",
    "periodic",
    "scaling",
    "padding",
)
@pytest.mark.parametrize(
    "arguments",
    [
        {"frame_length": 12, "frame_step": 5, "fft_length": 20},
        {"frame_length": 8, "window": "hamming", "periodic": True, "scaling": "spectrum"},
        {"frame_length": 7, "padding": "same", "scaling": None},
        {"frame_length": 6, "window": [0.1, 0.5, 1.0, 1.0, 0.5, 0.1], "padding": "same"},
    ],
    ids=str,
)
def test_stft_frames(arguments):
    check_layer(layers.STFTSpectrogram(mode="magnitude", **arguments), (40, 1), randomized=False)


@shows("layers.STFTSpectrogram", "data_format", "expand_dims")
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("expand_dims", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_stft_layouts(data_format, expand_dims, channels):
    layer = layers.STFTSpectrogram(
        mode="psd", frame_length=8, data_format=data_format, expand_dims=expand_dims
    )
    shape = (30, channels) if data_format == "channels_last" else (channels, 30)
    check_layer(layer, shape, randomized=False)


@shows("layers.STFTSpectrogram")
def test_stft_of_an_unknown_length():
    layer = layers.STFTSpectrogram(frame_length=8)
    check_layer(layer, (None, 1), size=(20, 33), randomized=False)


MEL = {"fft_length": 64, "sequence_stride": 20, "sampling_rate": 1000, "num_mel_bins": 6}


@shows(
    "layers.MelSpectrogram",
    "fft_length",
    "sequence_stride",
    "sequence_length",
    "window",
    "sampling_rate",
    "num_mel_bins",
    "min_freq",
    "max_freq",
    "power_to_db",
    "top_db",
    "mag_exp",
    "min_power",
    "ref_power",
)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"power_to_db": False},
        {"power_to_db": False, "mag_exp": 1.0, "window": "hamming"},
        {"mag_exp": 1.5, "window": None},
        {"sequence_length": 41, "min_freq": 100.0, "max_freq": 400.0},
        {"top_db": 5.0, "ref_power": 2.5, "min_power": 1e-3},
        {"fft_length": 45, "sequence_length": 30},
    ],
    ids=str,
)
def test_mel_spectrogram(arguments):
    # The mel matrix is Keras's in float32: its triangles differ in the sixth digit.
    check_layer(layers.MelSpectrogram(**{**MEL, **arguments}), (150,), tolerance=5e-5)


@shows("layers.MelSpectrogram")
def test_mel_spectrogram_of_an_unknown_length():
    check_layer(layers.MelSpectrogram(**MEL), (None,), size=(150, 211), tolerance=5e-5)


@shows("layers.MelSpectrogram")
def test_mel_spectrogram_of_a_tone():
    t = np.arange(400) / 1000
    x = (np.sin(2 * np.pi * 123 * t) + 1e-3 * np.sin(2 * np.pi * 371 * t))[None].astype("float32")
    check_layer(layers.MelSpectrogram(**MEL), (400,), inputs=[x], tolerance=1e-4)
