"""Patches, filters, borders and similarity of images against Keras."""

import keras
import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import check_refused, refused, shows


@shows("ops.image.extract_patches", "size", "strides", "dilation_rate", "padding", "data_format")
def test_extract_patches():
    patches = ops.image.extract_patches
    check_operations(
        {"x": ((6, 9, 2), "float32"), "y": ((2, 6, 9), "float32"), "v": ((4, 5, 6, 2), "float32")},
        {
            "tiles": lambda x, y, v: patches(x, 3),
            "tiles_first": lambda x, y, v: patches(y, 3, data_format="channels_first"),
            "cut": lambda x, y, v: patches(x, 4),
            "oblong": lambda x, y, v: patches(x, (2, 3)),
            "strided": lambda x, y, v: patches(x, 3, strides=2),
            "same": lambda x, y, v: patches(x, (3, 2), strides=(1, 2), padding="same"),
            "dilated": lambda x, y, v: patches(x, 2, strides=1, dilation_rate=2),
            "first": lambda x, y, v: patches(
                y, 2, strides=1, padding="same", data_format="channels_first"
            ),
            "single": lambda x, y, v: patches(x[0], 3),
            "volume": lambda x, y, v: patches(v, (2, 2, 3)),
            "volume_same": lambda x, y, v: patches(v, (2, 3, 2), strides=(1, 2, 1), padding="same"),
        },
    )


@shows("ops.image.extract_patches")
def test_extract_patches_dynamic():
    check_operations(
        {"x": ((None, None, 3), "float32"), "i": ((6, 6, 3), "uint8")},
        {
            "patches": lambda x, i: ops.image.extract_patches(x, 3, padding="same"),
            "integers": lambda x, i: ops.image.extract_patches(i, 3),
            "overlapping": lambda x, i: ops.image.extract_patches(i, 3, strides=1),
        },
    )


@refused("ops.image.extract_patches", "overlapping patches of more than 4096 elements")
def test_large_patches_refused():
    x = keras.Input((128, 128, 3), name="x")
    y = ops.image.extract_patches(x, 64, strides=32)
    check_refused(keras.Model(x, y), "patches-3", "too large")


@shows("ops.image.gaussian_blur", "kernel_size", "sigma", "data_format")
def test_gaussian_blur():
    blur = ops.image.gaussian_blur
    check_operations(
        {
            "x": ((7, 8, 2), "float32"),
            "y": ((2, 7, 8), "float32"),
            "z": ((None, None, 1), "float32"),
        },
        {
            "blur": lambda x, y, z: blur(x),
            "oblong": lambda x, y, z: blur(x, kernel_size=(3, 5), sigma=(0.7, 2.0)),
            "even": lambda x, y, z: blur(x, kernel_size=(4, 2), sigma=(1.5, 0.5)),
            "first": lambda x, y, z: blur(y, data_format="channels_first"),
            "single": lambda x, y, z: blur(x[0]),
            "dynamic": lambda x, y, z: blur(z),
        },
    )


@shows("ops.image.sobel_edges", "data_format")
def test_sobel_edges():
    """Inside: Keras's backends continue images each in its own way."""
    sobel = ops.image.sobel_edges
    check_operations(
        {"x": ((6, 7, 2), "float32"), "y": ((2, 6, 7), "float32")},
        {
            "edges": lambda x, y: sobel(x)[:, 1:-1, 1:-1],
            "edges_first": lambda x, y: sobel(y, data_format="channels_first")[..., 1:-1, 1:-1, :],
        },
    )


@pytest.mark.jax
@shows("ops.image.sobel_edges")
def test_sobel_borders():
    check_operations(
        {"x": ((6, 7, 2), "float32"), "y": ((None, None, 1), "float32")},
        {
            "edges": lambda x, y: ops.image.sobel_edges(x),
            "dynamic": lambda x, y: ops.image.sobel_edges(y),
        },
    )


@shows("ops.nn.psnr", "max_val")
@shows("ops.image.ssim", "max_val", "filter_size", "filter_sigma", "k1", "k2", "data_format")
def test_similarity():
    ssim = ops.image.ssim
    check_operations(
        {
            "x": ((13, 14, 3), "float32"),
            "y": ((13, 14, 3), "float32"),
            "z": ((2, 12, 11), "float32"),
        },
        {
            "psnr": lambda x, y, z: ops.psnr(x, y, max_val=1.0),
            "psnr_255": lambda x, y, z: ops.psnr(255 * x, 255 * y, max_val=255),
            "ssim": lambda x, y, z: ssim(x, y),
            "arguments": lambda x, y, z: ssim(
                x, y, max_val=2.0, filter_size=5, filter_sigma=0.8, k1=0.02, k2=0.05
            ),
            "first": lambda x, y, z: ssim(z, z * 0.9, data_format="channels_first"),
            "single": lambda x, y, z: ssim(x[0], y[0]),
        },
        low=0,
        high=1,
    )


@shows(
    "ops.image.pad_images",
    *("top_padding", "left_padding", "bottom_padding", "right_padding"),
    *("target_height", "target_width", "data_format"),
)
@shows(
    "ops.image.crop_images",
    *("top_cropping", "left_cropping", "bottom_cropping", "right_cropping"),
    *("target_height", "target_width", "data_format"),
)
def test_borders():
    pad, crop = ops.image.pad_images, ops.image.crop_images
    check_operations(
        {"x": ((5, 7, 2), "float32"), "y": ((2, 5, 7), "int32"), "z": ((None, None, 1), "float32")},
        {
            "pad": lambda x, y, z: pad(x, 1, 2, target_height=8, target_width=11),
            "pad_end": lambda x, y, z: pad(
                x, bottom_padding=1, right_padding=0, target_height=8, target_width=11
            ),
            "pad_first": lambda x, y, z: pad(y, 1, 2, 3, 4, data_format="channels_first"),
            "pad_single": lambda x, y, z: pad(x[0], 1, 2, 3, 4),
            "pad_dynamic": lambda x, y, z: pad(z, 1, 2, 3, 4),
            "crop": lambda x, y, z: crop(x, 1, 2, target_height=3, target_width=4),
            "crop_end": lambda x, y, z: crop(
                x, bottom_cropping=1, right_cropping=0, target_height=3, target_width=4
            ),
            "crop_first": lambda x, y, z: crop(y, 1, 2, 1, 2, data_format="channels_first"),
            "crop_single": lambda x, y, z: crop(x[0], 1, 2, 1, 2),
            "crop_dynamic": lambda x, y, z: crop(z, 1, 2, target_height=3, target_width=2),
        },
        size=((7, 6), (5, 8)),
    )


@refused("ops.image.pad_images", "a target size of an image of dynamic size")
def test_borders_refused():
    x = keras.Input((None, None, 1), name="x")
    y = ops.image.pad_images(x, 1, 1, target_height=9, target_width=9)
    check_refused(keras.Model(x, y), "border-1", "dynamic")
    assert np.all(np.array(y.shape[1:3]) == 9)
