"""Writes seeds for model_fuzzer into a folder: small models, a layer or two each. Needs Keras."""

import os
import pathlib
import re
import sys
import tempfile
import zipfile

os.environ.setdefault("KERAS_BACKEND", "numpy")

import keras
from keras import layers, ops

keras.utils.set_random_seed(1)  # the same files every time

# Input shape: layers that take it.
LAYERS = {
    (5,): [
        layers.Dense(3, activation="gelu"),
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.UnitNormalization(),
        layers.RepeatVector(2),
        layers.Reshape((5, 1)),
        layers.Softmax(),
        layers.GaussianNoise(0.1),
        layers.CategoryEncoding(4),
        layers.Discretization([0.0, 1.0]),
        layers.Normalization(mean=1.0, variance=2.0),
        layers.IntegerLookup(vocabulary=[1, 3], num_oov_indices=2, oov_method="farmhash"),
        layers.Hashing(9, mask_value=3, output_mode="count"),
        layers.Hashing(9, salt=[2, 3]),
    ],
    (6, 4): [
        layers.Conv1D(3, 3, padding="causal", dilation_rate=2),
        layers.Conv1DTranspose(3, 3, strides=2),
        layers.SeparableConv1D(3, 3),
        layers.DepthwiseConv1D(3, depth_multiplier=2),
        layers.MaxPooling1D(2),
        layers.AveragePooling1D(3, strides=2, padding="same"),
        layers.GlobalAveragePooling1D(),
        layers.AdaptiveMaxPooling1D(4),
        layers.LSTM(3, return_sequences=True),
        layers.GRU(3, reset_after=False, go_backwards=True),
        layers.SimpleRNN(2, unroll=True),
        layers.RNN([layers.LSTMCell(2), layers.GRUCell(3)]),
        layers.Bidirectional(layers.LSTM(2)),
        layers.TimeDistributed(layers.Dense(3)),
        layers.Masking(0.0),
        layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"),
        layers.Permute((2, 1)),
        layers.Cropping1D((1, 2)),
        layers.ZeroPadding1D((1, 2)),
        layers.UpSampling1D(2),
        layers.PReLU(shared_axes=[1]),
    ],
    (7, 6, 4): [
        layers.Conv2D(4, (3, 2), strides=2, padding="same", groups=2),
        layers.Conv2DTranspose(3, 3, strides=2, output_padding=1),
        layers.SeparableConv2D(3, 3),
        layers.DepthwiseConv2D(3, data_format="channels_first"),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.AdaptiveAveragePooling2D((3, 2)),
        layers.GroupNormalization(2),
        layers.SpectralNormalization(layers.Conv2D(2, 3)),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.Cropping2D(1),
        layers.ZeroPadding2D(((1, 0), (2, 1))),
        layers.Resizing(5, 9, interpolation="bicubic", antialias=True),
        layers.CenterCrop(3, 4),
        layers.Rescaling(1 / 255, offset=[1.0, 2.0, 3.0, 4.0]),
        layers.RandomFlip(),
        layers.RandomContrast(0.2),
        layers.ConvLSTM1D(2, 3, return_sequences=True),
        layers.Flatten(),
    ],
    (4, 5, 6, 3): [
        layers.Conv3D(2, 2),
        layers.Conv3DTranspose(2, 2, strides=2),
        layers.MaxPooling3D(2),
        layers.UpSampling3D(2),
        layers.ConvLSTM2D(2, 2),
        layers.GlobalMaxPooling3D(keepdims=True),
    ],
    (64, 1): [layers.STFTSpectrogram(frame_length=16, frame_step=8, fft_length=16)],
}


def models():
    for shape, choices in LAYERS.items():
        for layer in choices:
            of_numbers = isinstance(layer, (layers.Hashing, layers.IntegerLookup))
            dtype = "int32" if of_numbers else "float32"
            inputs = keras.Input(shape, dtype=dtype)
            yield layer.name, keras.Model(inputs, layer(inputs))
    x, y = keras.Input((None, 6)), keras.Input((3, 6))
    yield "multi_head", keras.Model([x, y], layers.MultiHeadAttention(2, 3)(x, y))
    yield "grouped_query", keras.Model([x, y], layers.GroupQueryAttention(3, 4, 2)(x, y))
    yield "attention", keras.Model([x, y], layers.Attention(score_mode="concat")([x, y]))
    yield "additive", keras.Model([x, y], layers.AdditiveAttention()([x, y]))
    yield "dot", keras.Model([x, y], layers.Dot(2, normalize=True)([x, y]))
    yield "concatenate", keras.Model([x, y], layers.Concatenate(1)([x, y]))
    tokens = keras.Input((7,), dtype="int32")
    yield (
        "text",
        keras.Model(tokens, layers.LSTM(3)(layers.Embedding(9, 4, mask_zero=True)(tokens))),
    )
    image = keras.Input((6, 6, 3), name="image")
    inner = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(2, 3), layers.ReLU()])
    shared = layers.Dense(2)
    z = shared(ops.mean(inner(image), axis=(1, 2)))
    z = shared(z[:, ::-1] + 1.0)
    outputs = {"sum": ops.concatenate([z, ops.exp(z)], -1), "top": ops.argmax(z, -1)}
    yield "nested", keras.Model({"image": image}, outputs)
    keras.config.set_dtype_policy("mixed_float16")
    yield (
        "mixed",
        keras.Sequential([keras.Input((4,)), layers.Dense(2), layers.Activation("swish")]),
    )
    keras.config.set_dtype_policy("float32")


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, model in models():
            path = pathlib.Path(scratch, "model.keras")
            model.save(path)
            with zipfile.ZipFile(path) as archive:
                config, weights = map(archive.read, ("config.json", "model.weights.h5"))
            # Keras writes addresses.
            config = re.sub(rb'("shared_object_id": )\d+', rb"\g<1>1", config)
            (folder / name).write_bytes(config + b"\0" + weights)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
