"""A folder of images as samples, against the same pixels in an .npz file."""

import pathlib

import ai_edge_litert
import keras
import numpy as np
import pytest
from keras import layers
from oracle import randomize, run_cli, save
from PIL import Image

RUNTIME = pathlib.Path(ai_edge_litert.__file__).parent


def images(count, height, width, channels, smooth=1):
    """Noise of blocks of `smooth` pixels."""
    rng = np.random.default_rng(5)
    size = (count, -(-height // smooth), -(-width // smooth), channels)
    blocks = rng.integers(0, 256, size).astype("uint8")
    return blocks.repeat(smooth, 1).repeat(smooth, 2)[:, :height, :width]


def network(*shape):
    x = keras.Input(shape, name="image")
    y = layers.Conv2D(8, 3, activation="relu", name="conv")(x)
    return randomize(keras.Model(x, layers.GlobalAveragePooling2D()(y)))


def write(folder, array, kind):
    folder.mkdir(exist_ok=True)
    for i, pixels in enumerate(array):
        image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        options = {"quality": 98, "subsampling": 0} if kind == "jpg" else {}
        image.save(folder / f"{i:03}.{kind}", **options)


def convert(source, target, samples, *arguments):
    return run_cli(
        *("convert", source, "-o", target, "--quantize", "int8", "--runtime", RUNTIME),
        *("--calibrate", samples, *arguments),
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [(0, 255), (-1, 1)])
def test_the_same_pixels_give_the_same_file(channels, scale, tmp_path):
    pixels = images(10, 9, 8, channels)
    source = save(network(9, 8, channels), tmp_path)
    write(tmp_path / "png", pixels, "png")
    low, high = scale
    values = (low + np.float32((high - low) / 255) * pixels.astype("float32")).astype("float32")
    np.savez(tmp_path / "x.npz", image=values)
    expected = convert(source, tmp_path / "a.tflite", tmp_path / "x.npz")
    actual = convert(source, tmp_path / "b.tflite", tmp_path / "png", f"--image-scale={low}:{high}")
    assert expected.returncode == actual.returncode == 0, actual.stderr
    if scale == (0, 255):
        assert (tmp_path / "a.tflite").read_bytes() == (tmp_path / "b.tflite").read_bytes()
    else:  # The last bit of a scale may differ.
        assert ranges(tmp_path / "a.tflite") == pytest.approx(ranges(tmp_path / "b.tflite"))


def ranges(path):
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(str(path)).get_tensor_details()
    return [tensor["quantization"][0] for tensor in details if tensor["quantization"][0]]


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_images_are_resized_and_made_gray(kind, tmp_path):
    """Blocks of pixels become one each, nearly; the ranges are those of Pillow's resizing."""
    pixels = images(12, 48, 40, 3, smooth=4)
    source = save(network(None, None, 1), tmp_path)
    write(tmp_path / "in", pixels, kind)
    small = [
        Image.fromarray(image).convert("L").resize((10, 12), Image.Resampling.BILINEAR)
        for image in pixels
    ]
    np.savez(tmp_path / "x.npz", image=np.stack(small)[..., None].astype("float32"))
    convert(source, tmp_path / "a.tflite", tmp_path / "x.npz")
    arguments = ("--image-size", "12x10", "--image-scale", "0:255")
    completed = convert(source, tmp_path / "b.tflite", tmp_path / "in", *arguments)
    assert completed.returncode == 0, completed.stderr
    a, b = ranges(tmp_path / "a.tflite"), ranges(tmp_path / "b.tflite")
    assert a == pytest.approx(b, rel=0.03)


def test_refusals(tmp_path):
    source, target = save(network(9, 8, 3), tmp_path), tmp_path / "m.tflite"
    folder, scale = tmp_path / "in", "--image-scale=0:1"
    folder.mkdir()

    def problem(*arguments, model=source, code=2):
        completed = convert(model, target, folder, *arguments)
        assert completed.returncode == code and not target.exists()
        return completed.stderr

    assert "samples-6: the folder has no .png, .jpg or .jpeg files" in problem(scale)
    write(folder, images(3, 30, 30, 3), "png")
    write(folder, images(1, 30, 30, 3), "jpg")
    assert "--image-scale 0:255, 0:1 or -1:1" in problem()
    assert "usage-3: --image-scale `1:0`" in problem("--image-scale=1:0")
    assert "usage-3: --image-size `9`" in problem(scale, "--image-size=9")
    assert "samples-3" in problem(scale, "--image-size=10x8")
    # Every bad image is named.
    (folder / "a.png").write_text("no image")
    png, jpg = (folder / "001.png").read_bytes(), (folder / "000.jpg").read_bytes()
    (folder / "b.png").write_bytes(png[: len(png) // 2])
    (folder / "c.jpg").write_bytes(jpg[: len(jpg) // 2])
    (folder / "d.jpeg").write_bytes(b"")
    text = problem(scale, code=3)
    for name in ("a.png", "b.png", "c.jpg", "d.jpeg"):
        assert f"{name}: samples-7: the image cannot be used: " in text.replace("\n", " "), text
    for name, shape, message in (
        ("four", (9, 8, 4), "samples-6: images are for a model of one input"),
        ("open", (None, None, 3), "--image-size 224x224"),
    ):
        (tmp_path / name).mkdir()
        assert message in problem(scale, model=save(network(*shape), tmp_path / name))
