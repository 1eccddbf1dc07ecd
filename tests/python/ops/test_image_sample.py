"""Images read at places between their pixels, against Keras."""

import keras
import numpy as np
import pytest
from keras import ops
from operations import check_operations
from oracle import check, check_refused, not_on_jax, refused, shows

MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


@shows("ops.image.map_coordinates", "order", "fill_mode", "fill_value")
@pytest.mark.parametrize("order", [0, 1])
def test_map_coordinates(order):
    """Places inside and beyond every side, several periods away."""
    rng = np.random.default_rng(3)
    places = rng.uniform(-9, 14, (2, 4, 6)).astype("float32")
    cube = rng.uniform(-1, 5, (3, 7)).astype("float32")
    map_coordinates = ops.image.map_coordinates

    def mapped(mode, **options):
        return lambda x, v, i, z: map_coordinates(x, places, order, fill_mode=mode, **options)

    x = keras.Input(batch_shape=(5, 6), name="x")
    v = keras.Input(batch_shape=(3, 4, 4), name="v")
    i = keras.Input(batch_shape=(5, 6), dtype="int32", name="i")
    z = keras.Input(batch_shape=(None, 6), name="z")
    outputs = {mode: mapped(mode)(x, v, i, z) for mode in MODES}
    outputs["fill"] = map_coordinates(x, places, order, fill_value=2.5)
    outputs["volume"] = map_coordinates(v, cube, order, fill_mode="nearest")
    outputs["integers"] = map_coordinates(i, places, order, fill_mode="mirror")
    outputs["dynamic"] = map_coordinates(z, places, order, fill_mode="reflect")
    model = keras.Model({"x": x, "v": v, "i": i, "z": z}, outputs)
    check(model)


TRANSFORMS = np.array(
    [
        [1, 0, 1.3, 0, 1, -0.7, 0, 0],
        [0.8, 0.2, -1.1, -0.3, 1.1, 0.4, 0, 0],
        [0, -1, 4.5, 1, 0, 0.2, 0, 0],
    ],
    "float32",
)


@shows(
    "ops.image.affine_transform",
    *("transform", "interpolation", "fill_mode", "fill_value", "data_format"),
)
def test_affine_transform():
    affine = ops.image.affine_transform
    rng = np.random.default_rng(1)
    inputs = [
        {
            "x": rng.normal(size=(3, 6, 7, 2)).astype("float32"),
            "y": rng.normal(size=(3, 2, 6, 7)).astype("float32"),
            "z": rng.normal(size=(3, 5, 4, 2)).astype("float32"),
            "i": rng.integers(0, 255, (3, 6, 7, 1)).astype("uint8"),
            "t": (TRANSFORMS + [0, 0, 0, 0, 0, 0, 0.1, -0.3]).astype("float32"),
        }
    ]
    modes = {
        mode: lambda x, y, z, i, t, m=mode: affine(x, TRANSFORMS, fill_mode=m) for mode in MODES
    }
    shift = np.tile(np.array([[1, 0, 2, 0, 1, -1, 0, 0]], "float32"), (3, 1))
    check_operations(
        {
            "x": ((6, 7, 2), "float32"),
            "y": ((2, 6, 7), "float32"),
            "z": ((None, None, 2), "float32"),
            "i": ((6, 7, 1), "uint8"),
            "t": ((8,), "float32"),
        },
        {
            **modes,
            "nearest_pixel": lambda x, y, z, i, t: affine(
                x, TRANSFORMS + np.float32(0.0137), interpolation="nearest"
            ),
            "fill": lambda x, y, z, i, t: affine(x, TRANSFORMS, fill_value=-2),
            "first": lambda x, y, z, i, t: affine(y, TRANSFORMS, data_format="channels_first"),
            "dynamic": lambda x, y, z, i, t: affine(z, TRANSFORMS, fill_mode="nearest"),
            "integers": lambda x, y, z, i, t: affine(i, shift),
            "given": lambda x, y, z, i, t: affine(x, t, fill_mode="reflect"),
            "single": lambda x, y, z, i, t: affine(x[0], TRANSFORMS[1]),
        },
        inputs=inputs,
    )


@shows(
    "ops.image.scale_and_translate",
    *("output_shape", "scale", "translation", "spatial_dims", "method", "antialias"),
)
@not_on_jax("scale_and_translate takes no open batch")
def test_scale_and_translate():
    def scaled(method, antialias=True, scale=(1.7, 0.6), translation=(0.3, -1.2)):
        return lambda x, s, i: ops.image.scale_and_translate(
            x,
            (None, 9, 5, 2),
            np.array(scale, "float32"),
            np.array(translation, "float32"),
            (1, 2),
            method,
            antialias=antialias,
        )

    methods = ("linear", "bilinear", "cubic", "bicubic", "lanczos3", "lanczos5")
    check_operations(
        {"x": ((6, 8, 2), "float32"), "s": ((), "float32"), "i": ((6, 8, 2), "uint8")},
        {
            **{method: scaled(method) for method in methods},
            "no_antialias": scaled("linear", False),
            "far": scaled("linear", True, (0.4, 0.5), (2.0, 1.0)),
            "given": lambda x, s, i: ops.image.scale_and_translate(
                x,
                (None, 4, 8, 2),
                ops.slice(s, (0,), (1,)) + 0.7,
                ops.slice(s, (0,), (1,)),
                (1,),
                "linear",
            ),
        },
        low=0.1,
        high=1,
        tolerance=2e-5,
    )


@refused("ops.image.affine_transform", "a transform that is no [8] or [batch, 8]")
def test_affine_refused():
    x = keras.Input((4, 4, 1), name="x")
    t = keras.Input((None,), name="t")
    y = ops.image.affine_transform(x, t)
    check_refused(keras.Model([x, t], y), "affine-1", "must be [8]")


@shows(
    "ops.image.perspective_transform",
    *("start_points", "end_points", "interpolation", "fill_value", "data_format"),
)
@not_on_jax("perspective_transform of a batch takes as many points")
def test_perspective_transform():
    perspective = ops.image.perspective_transform
    start = np.array([[0, 0], [0, 5], [6, 0], [6, 5]], "float32")
    end = np.array([[0.4, -0.3], [1.1, 5.2], [5.3, 0.7], [6.2, 4.9]], "float32")
    rng = np.random.default_rng(2)
    points = np.stack([start, start + 0.31, start[::-1]])
    check_operations(
        {
            "x": ((6, 7, 2), "float32"),
            "y": ((2, 6, 7), "float32"),
            "s": ((4, 2), "float32"),
            "e": ((4, 2), "float32"),
        },
        {
            "constant": lambda x, y, s, e: perspective(x, start, end),
            "first": lambda x, y, s, e: perspective(
                y, start, end, fill_value=1.5, data_format="channels_first"
            ),
            "nearest": lambda x, y, s, e: perspective(x, start, end, interpolation="nearest"),
            "given": lambda x, y, s, e: perspective(x, s, e),
        },
        inputs=[
            {
                "x": rng.normal(size=(3, 6, 7, 2)).astype("float32"),
                "y": rng.normal(size=(3, 2, 6, 7)).astype("float32"),
                "s": points.astype("float32"),
                "e": (points + rng.uniform(-0.4, 0.4, points.shape)).astype("float32"),
            }
        ],
        tolerance=1e-4,
    )


@shows("ops.image.elastic_transform", "alpha", "interpolation", "fill_mode", "data_format")
def test_elastic_transform():
    """Without a way to go images stay; a constant image stays whatever its pixels' ways are."""
    elastic = ops.image.elastic_transform
    check_operations(
        {"x": ((6, 7, 2), "float32"), "y": ((2, 6, 7), "float32")},
        {
            "still": lambda x, y: elastic(x, alpha=0.0, sigma=1.0, seed=3),
            "first": lambda x, y: elastic(
                y, alpha=0.0, sigma=1.0, interpolation="nearest", data_format="channels_first"
            ),
            "constant": lambda x, y: elastic(ops.ones_like(x), 3.0, 2.0, fill_mode="wrap", seed=1),
        },
    )
