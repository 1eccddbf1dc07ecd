"""Fourier transforms in functional graphs against Keras."""

import keras
import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import check_refused, refused, shows


@shows("ops.math.fft")
@pytest.mark.parametrize("n", [1, 6, 7, 1024])
def test_fft(n):
    check_operations(
        {"x": ((2, n), "float32"), "y": ((2, n), "float32")},
        {"fft": lambda x, y: ops.fft((x, y))},
        tolerance=2e-5,
    )


@shows("ops.math.fft2")
@shows("ops.math.ifft2")
def test_fft2():
    check_operations(
        {
            **{name: ((3, 4, 6), "float32") for name in "xy"},
            **{name: ((2, 1024), "float32") for name in "uv"},
        },
        {
            "fft2": lambda x, y, u, v: ops.fft2((x, y)),
            "ifft2": lambda x, y, u, v: ops.ifft2((x, y)),
            "ifft2_long": lambda x, y, u, v: ops.ifft2((u, v)),
        },
        tolerance=2e-5,
    )


@shows("ops.math.rfft", "fft_length")
@shows("ops.math.irfft", "fft_length")
@pytest.mark.parametrize("n", [8, 9, 1024, 1026])
def test_rfft(n):
    check_operations(
        {"x": ((n,), "float32"), "y": ((n,), "float32"), "z": ((2, 3, n), "float32")},
        {
            "rfft": lambda x, y, z: ops.rfft(x),
            "rfft_rank": lambda x, y, z: ops.rfft(z),
            "rfft_cut": lambda x, y, z: ops.rfft(x, fft_length=5),
            "rfft_filled": lambda x, y, z: ops.rfft(x, fft_length=n + 2),
            "irfft": lambda x, y, z: ops.irfft((x, y)),
            "irfft_odd": lambda x, y, z: ops.irfft((x, y), fft_length=7),
            "irfft_filled": lambda x, y, z: ops.irfft((x, y), fft_length=2 * n),
        },
        tolerance=2e-5,
    )


@refused("ops.math.rfft", "lengths beyond 2895 that are no powers of two")
def test_long_rfft_refused():
    x = keras.Input((7000,), name="x")
    check_refused(keras.Model(x, ops.rfft(x)), "fft-2", "powers of two")


@shows("ops.math.extract_sequences", "sequence_length", "sequence_stride")
def test_extract_sequences():
    check_operations(
        {"x": ((12,), "float32"), "y": ((2, 9), "int32"), "z": ((None,), "float32")},
        {
            "overlapping": lambda x, y, z: ops.extract_sequences(x, 5, 2),
            "apart": lambda x, y, z: ops.extract_sequences(x, 3, 4),
            "rank": lambda x, y, z: ops.extract_sequences(y, 4, 1),
            "dynamic": lambda x, y, z: ops.extract_sequences(z, 3, 2),
        },
    )


@shows("ops.math.stft", "sequence_length", "sequence_stride", "fft_length", "window", "center")
def test_stft():
    window = np.linspace(0.1, 1, 7).tolist()
    check_operations(
        {"x": ((40,), "float32"), "y": ((2, 33), "float32"), "z": ((None,), "float32")},
        {
            "stft": lambda x, y, z: ops.stft(x, 8, 4, 8),
            "padded": lambda x, y, z: ops.stft(x, 7, 3, 16),
            "hamming": lambda x, y, z: ops.stft(x, 6, 2, 9, window="hamming"),
            "no_window": lambda x, y, z: ops.stft(x, 6, 2, 8, window=None),
            "given": lambda x, y, z: ops.stft(x, 7, 3, 12, window=window),
            "not_centered": lambda x, y, z: ops.stft(x, 7, 5, 10, center=False),
            "rank": lambda x, y, z: ops.stft(y, 8, 4, 8),
            "dynamic": lambda x, y, z: ops.stft(z, 8, 4, 8),
        },
        size=((21,), (34,)),
        tolerance=2e-5,
    )


@shows(
    "ops.math.istft",
    *("sequence_length", "sequence_stride", "fft_length", "length", "window", "center"),
)
def test_istft():
    window = np.linspace(0.1, 1, 7).tolist()
    shapes = {"x": ((9, 5), "float32"), "y": ((9, 5), "float32")}
    wide = {"u": ((6, 9), "float32"), "v": ((6, 9), "float32")}
    dynamic = {"p": ((None, 5), "float32"), "q": ((None, 5), "float32")}
    check_operations(
        {**shapes, **wide, **dynamic},
        {
            "istft": lambda x, y, **_: ops.istft((x, y), 8, 4, 8),
            "overlapping": lambda x, y, **_: ops.istft((x, y), 8, 2, 8, window="hamming"),
            "padded": lambda u, v, **_: ops.istft((u, v), 9, 3, 16),
            "length": lambda x, y, **_: ops.istft((x, y), 8, 4, 8, length=20),
            "given": lambda u, v, **_: ops.istft((u, v), 7, 3, 16, window=window),
            "not_centered": lambda x, y, **_: ops.istft((x, y), 8, 4, 8, center=False),
            "no_window": lambda x, y, **_: ops.istft((x, y), 8, 4, 8, window=None),
            "dynamic": lambda p, q, **_: ops.istft((p, q), 8, 4, 8),
        },
        size=((5,), (8,)),
        tolerance=5e-5,
    )
