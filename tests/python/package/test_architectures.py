"""Whole architectures, as people write them in keras.Model subclasses, with no configuration."""

import keras
import keras_litert
import numpy as np
import oracle
from keras import layers, ops
from package.support import check_export


def floats(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype("float32")


def integers(high, *shape, seed=0):
    return np.random.default_rng([seed, *shape]).integers(0, high, shape).astype("int32")


class DecoderBlock(layers.Layer):
    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        self.own = layers.MultiHeadAttention(heads, width // heads, dropout=0.1)
        self.cross = layers.MultiHeadAttention(heads, width // heads)
        self.norms = [layers.LayerNormalization(epsilon=1e-5) for _ in range(3)]
        self.feed = keras.Sequential(
            [layers.Dense(2 * width, activation="gelu"), layers.Dense(width)]
        )
        self.dropout = layers.Dropout(0.1)

    def call(self, x, context, mask=None, training=False):
        y = self.own(x, x, use_causal_mask=True, training=training)
        x = self.norms[0](x + self.dropout(y, training=training))
        y, scores = self.cross(x, context, attention_mask=mask, return_attention_scores=True)
        x = self.norms[1](x + y)
        return self.norms[2](x + self.feed(x, training=training)), scores


class Translator(keras.Model):
    """Encoder states and target tokens to logits: causal and padded attention, tied embeddings."""

    def __init__(self, vocabulary=13, width=8, depth=2):
        super().__init__()
        self.embedding = layers.Embedding(vocabulary, width)
        self.width = width
        self.blocks = [DecoderBlock(width, 2) for _ in range(depth)]

    def call(self, tokens, context, context_mask, training=None):
        length = ops.shape(tokens)[1]
        positions = ops.arange(length, dtype="float32")[:, None]
        rates = ops.power(100.0, -ops.arange(0, self.width, 2, dtype="float32") / self.width)
        angles = positions * rates
        x = self.embedding(tokens) * float(self.width) ** 0.5
        x = x + ops.reshape(ops.stack([ops.sin(angles), ops.cos(angles)], -1), (1, length, -1))
        scores = None
        for block in self.blocks:
            x, scores = block(x, context, mask=context_mask[:, None, :], training=training)
        logits = ops.matmul(x, ops.transpose(self.embedding.embeddings))
        return {"logits": logits, "next": ops.argmax(logits[:, -1], axis=-1), "scores": scores}


def test_transformer_decoder():
    model = Translator()
    signature = [((None, None), "int32"), ((None, None, 8), "float32"), ((None, None), "bool")]

    def inputs(b, n, m):
        mask = np.arange(m)[None] < np.arange(1, b + 1)[:, None] + 1
        return integers(13, b, n), floats(b, m, 8), mask

    check_export(
        model,
        [inputs(1, 4, 3), inputs(3, 6, 5)],
        input_signature=signature,
        expect="tracer",
        randomized=False,
        tolerance=2e-5,
    )


class SamplingAutoencoder(keras.Model):
    """A variational autoencoder that samples in inference too; the noise is an output."""

    def __init__(self):
        super().__init__()
        self.encode, self.decode = layers.Dense(8), layers.Dense(6, activation="sigmoid")
        self.seed = keras.random.SeedGenerator(3)

    def call(self, x):
        mean, logarithm = ops.split(self.encode(x), 2, axis=-1)
        noise = keras.random.normal(ops.shape(mean), seed=self.seed)
        z = mean + ops.exp(0.5 * logarithm) * noise
        return {"noise": noise, "image": self.decode(z), "mean": mean, "log": logarithm}


def test_autoencoder_with_sampling(tmp_path):
    model = SamplingAutoencoder()
    model(floats(2, 6))
    path = tmp_path / "m.tflite"
    keras_litert.export(model, path)
    content = path.read_bytes()
    file = oracle.File(content)
    runtime = oracle.Runtime(file, content, False)
    for batch in (1, 3):
        x = floats(batch, 6)
        expected = model(x)
        seen = []
        for _ in range(2):
            runtime.set([x])
            got = dict(zip([o.name for o in file.outputs], runtime.invoke()))
            for name in ("mean", "log"):
                assert (
                    oracle.relative_error(got[name], ops.convert_to_numpy(expected[name]), name)
                    < 1e-5
                )
            z = got["mean"] + np.exp(0.5 * got["log"]) * got["noise"]
            assert (
                oracle.relative_error(got["image"], ops.convert_to_numpy(model.decode(z)), "image")
                < 1e-5
            )
            seen.append(np.array(got["noise"]))
        assert not np.array_equal(*seen)


class RelationalGraph(keras.Model):
    """Message passing: mean and maximum over incoming edges, a gated update, a readout."""

    def __init__(self, nodes=5):
        super().__init__()
        self.nodes = nodes
        self.message = keras.Sequential([layers.Dense(6, activation="relu"), layers.Dense(4)])
        self.cell = layers.GRUCell(3)
        self.out = layers.Dense(2)

    def call(self, inputs):
        h, sources, targets = inputs["nodes"], inputs["sources"], inputs["targets"]
        for _ in range(2):
            m = self.message(ops.concatenate([ops.take(h, sources, 0), inputs["edges"]], -1))
            total = ops.segment_sum(m, targets, num_segments=self.nodes)
            count = ops.segment_sum(ops.ones_like(m[:, :1]), targets, num_segments=self.nodes)
            largest = ops.segment_max(m, targets, num_segments=self.nodes)
            largest = ops.where(count > 0, largest, 0.0)
            gathered = ops.concatenate([total / ops.maximum(count, 1.0), largest], -1)
            h, _ = self.cell(gathered, [h])
        weights = ops.softmax(ops.sum(h, -1), axis=0)
        return self.out(ops.einsum("n,nf->f", weights, h)[None])


def test_relational_graph():
    model = RelationalGraph()

    def inputs(edges):
        return (
            {
                "nodes": floats(5, 3),
                "edges": floats(edges, 2),
                "sources": integers(5, edges),
                "targets": np.sort(integers(5, edges, seed=1)),
            },
        )

    model(inputs(7)[0])
    check_export(
        model,
        [inputs(7), inputs(1)],
        input_signature={
            "nodes": ((5, 3), "float32"),
            "edges": ((None, 2), "float32"),
            "sources": ((None,), "int32"),
            "targets": ((None,), "int32"),
        },
        expect="tracer",
    )


class StyleGenerator(keras.Model):
    """Noise and a class to an image: embedding, modulated convolution, upsampling."""

    def __init__(self):
        super().__init__()
        self.classes = layers.Embedding(4, 5)
        self.mapping = [layers.Dense(6, activation="leaky_relu") for _ in range(2)]
        self.start = self.add_weight(shape=(1, 3, 3, 6), name="start")
        self.styles = [layers.Dense(6) for _ in range(2)]
        self.convs = [layers.Conv2D(6, 3, padding="same", use_bias=False) for _ in range(2)]
        self.norm = layers.GroupNormalization(groups=6, scale=False, center=False)
        self.up = layers.UpSampling2D(2, interpolation="bilinear")
        self.image = layers.Conv2D(3, 1, activation="tanh")

    def call(self, noise, label, training=False):
        w = ops.concatenate([noise, self.classes(label)], axis=1)
        for layer in self.mapping:
            w = layer(w)
        x = ops.tile(self.start, (ops.shape(noise)[0], 1, 1, 1))
        for style, conv in zip(self.styles, self.convs):
            x = self.up(x)
            x = self.norm(ops.leaky_relu(conv(x))) * (1.0 + style(w)[:, None, None, :])
        return (self.image(x) + 1.0) * 127.5


def test_conditional_gan_generator():
    check_export(
        StyleGenerator(),
        input_signature=[((None, 4), "float32"), ((None,), "int32")],
        expect="tracer",
        randomized=False,
        inputs=[(floats(b, 4), integers(4, b)) for b in (1, 3)],
    )


class Denoiser(keras.Model):
    """A step of a diffusion sampler: schedule as a variable, attention in a small U-Net, update."""

    def __init__(self, steps=10):
        super().__init__()
        betas = np.linspace(1e-3, 0.2, steps, dtype="float32")
        self.alphas = self.add_weight(shape=(steps,), trainable=False, name="alphas")
        self.alphas.assign(np.cumprod(1 - betas))
        self.down = layers.Conv2D(8, 3, strides=2, padding="same", activation="swish")
        self.time = layers.Dense(8, activation="swish")
        self.norm = layers.GroupNormalization(4)
        self.attention = layers.MultiHeadAttention(2, 4)
        self.up = layers.Conv2DTranspose(4, 3, strides=2, padding="same")
        self.out = layers.Conv2D(1, 3, padding="same")

    def predict_noise(self, image, step):
        scale = ops.exp(ops.arange(4, dtype="float32") * -1.3)
        angles = ops.cast(step, "float32")[:, None] * scale[None]
        t = self.time(ops.concatenate([ops.sin(angles), ops.cos(angles)], 1))
        x = self.norm(self.down(image) + t[:, None, None])
        b, h, w, c = ops.shape(x)
        flat = ops.reshape(x, (b, h * w, c))
        x = x + ops.reshape(self.attention(flat, flat), (b, h, w, c))
        return self.out(ops.concatenate([self.up(x), image], -1))

    def call(self, image, step):
        noise = self.predict_noise(image, step)
        now = ops.take(self.alphas, step)[:, None, None, None]
        before = ops.take(self.alphas, ops.maximum(step - 1, 0))[:, None, None, None]
        clean = ops.clip((image - ops.sqrt(1 - now) * noise) / ops.sqrt(now), -1.0, 1.0)
        return ops.sqrt(before) * clean + ops.sqrt(1 - before) * noise


def test_diffusion_step_of_any_size():
    model = Denoiser()
    check_export(
        model,
        [(floats(1, 4, 4, 1), integers(10, 1)), (floats(3, 6, 8, 1), integers(10, 3))],
        input_signature=[((None, None, None, 1), "float32"), ((None,), "int32")],
        expect="tracer",
        randomized=False,
    )


class SpeechRecognizer(keras.Model):
    """STFT in the model, log magnitudes, convolutions, a bidirectional GRU, per-frame logits."""

    def __init__(self):
        super().__init__()
        self.conv = layers.Conv1D(6, 3, padding="same", activation="relu")
        self.norm = layers.BatchNormalization()
        self.recurrent = layers.Bidirectional(layers.GRU(4, return_sequences=True))
        self.out = layers.Dense(5)

    def call(self, audio, training=False):
        real, imaginary = ops.stft(audio, sequence_length=32, sequence_stride=16, fft_length=32)
        power = ops.square(real) + ops.square(imaginary)
        x = ops.log(power + 1e-3)
        x = (x - ops.mean(x, axis=1, keepdims=True)) / (ops.std(x, axis=1, keepdims=True) + 1e-3)
        return self.out(self.recurrent(self.norm(self.conv(x), training=training)))


def test_speech_with_stft():
    model = SpeechRecognizer()
    model(floats(2, 160))
    check_export(model, expect="tracer", tolerance=1e-4)
    check_export(
        model,
        [(floats(1, 160),), (floats(3, 200),)],
        input_signature=[((None, None), "float32")],
        expect="tracer",
        tolerance=1e-4,
    )


class TwoTower(keras.Model):
    """A recommender: hashed, looked-up and numeric features, an embedding bag, crossed towers."""

    def __init__(self):
        super().__init__()
        self.user = layers.Embedding(20, 6)
        self.history = layers.Embedding(30, 6, mask_zero=True)
        self.pool = layers.GlobalAveragePooling1D()
        self.normalize = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 0.5])
        # JAX cannot build it while it runs the model.
        self.normalize.build((None, 2))
        self.bucket = layers.Discretization(bin_boundaries=[-1.0, 0.0, 1.0])
        self.age = layers.Embedding(4, 3)
        self.towers = [layers.Dense(6, activation="relu") for _ in range(2)]

    def call(self, features):
        user = ops.concatenate(
            [
                self.user(features["user"]),
                self.normalize(features["numbers"]),
                self.age(self.bucket(features["age"])),
            ],
            axis=-1,
        )
        items = self.history(features["history"])
        item = self.pool(items, mask=self.history.compute_mask(features["history"]))
        a, b = self.towers[0](user), self.towers[1](item)
        score = ops.sum(ops.normalize(a, axis=-1) * ops.normalize(b, axis=-1), axis=-1)
        value, index = ops.top_k(ops.matmul(a, ops.transpose(self.history.embeddings)), 3)
        return score, {"value": value, "index": index}


def test_two_tower_recommender():
    def inputs(b):
        history = integers(30, b, 4)
        history[:, 2:] = 0
        history[:, 0] = 3
        return (
            {
                "user": integers(20, b),
                "history": history,
                "numbers": floats(b, 2),
                "age": floats(b),
            },
        )

    check_export(
        TwoTower(),
        [inputs(1), inputs(3)],
        input_signature={
            "user": ((None,), "int32"),
            "history": ((None, 4), "int32"),
            "numbers": ((None, 2), "float32"),
            "age": ((None,), "float32"),
        },
        expect="tracer",
        randomized=False,
    )


class Preprocessed(keras.Model):
    """Images of bytes in, everything on them in the model."""

    def __init__(self):
        super().__init__()
        self.steps = [
            layers.Resizing(6, 6),
            layers.Rescaling(1 / 127.5, offset=-1.0),
            layers.CenterCrop(4, 5),
            layers.RandomFlip(),
            layers.RandomRotation(0.2),
        ]
        self.normalize = layers.Normalization(
            axis=-1, mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]
        )
        # JAX cannot build it while it runs the model.
        self.normalize.build((None, None, None, 3))
        self.conv, self.pool, self.out = (
            layers.Conv2D(4, 3),
            layers.GlobalMaxPooling2D(),
            layers.Dense(2),
        )
        self.classes = layers.CategoryEncoding(num_tokens=3, output_mode="one_hot")

    def call(self, image, kind, training=False):
        x = ops.cast(image, "float32")
        for step in self.steps:
            x = step(x)
        x = self.pool(self.conv(self.normalize(x)))
        return self.out(ops.concatenate([x, self.classes(kind)], -1))


def test_preprocessing_inside():
    check_export(
        Preprocessed(),
        [
            (
                np.random.default_rng(b).integers(0, 256, (b, 9, 7, 3)).astype("uint8"),
                integers(3, b),
            )
            for b in (1, 3)
        ],
        input_signature=[((None, 9, 7, 3), "uint8"), ((None,), "int32")],
        expect="tracer",
        randomized=False,
    )


class LoraModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.embed = layers.Embedding(9, 6)
        self.einsum = layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes="de")
        self.conv = layers.Conv1D(5, 3, padding="same")
        self.dense = layers.Dense(3)

    def call(self, ids):
        x = self.einsum(self.embed(ids))
        x = ops.reshape(x, (-1, ops.shape(ids)[1], 8))
        return self.dense(self.conv(x))


def test_lora_of_every_layer():
    model = LoraModel()
    model(np.ones((1, 4), "int32"))
    for layer in (model.embed, model.einsum, model.conv, model.dense):
        layer.enable_lora(2)
    check_export(
        model,
        [(integers(9, b, 4),) for b in (1, 3)],
        input_signature=[((None, 4), "int32")],
        expect="tracer",
    )


class Forecaster(keras.Model):
    """A time-series model: an encoder, its states, autoregressive steps in a Python loop."""

    def __init__(self, horizon=3):
        super().__init__()
        self.horizon = horizon
        self.encoder = layers.LSTM(5, return_state=True)
        self.cell, self.out = layers.LSTMCell(5), layers.Dense(1)
        self.window = layers.AveragePooling1D(2)

    def call(self, series):
        mean = ops.mean(series, axis=1, keepdims=True)
        x, h, c = self.encoder(self.window(series - mean))
        y, steps = series[:, -1], []
        for _ in range(self.horizon):
            x, (h, c) = self.cell(y, [h, c])
            y = self.out(x)
            steps.append(y)
        return ops.stack(steps, axis=1) + mean


def test_time_series():
    model = Forecaster()
    model(floats(2, 8, 1))
    check_export(model, expect="tracer")
    check_export(
        model,
        [(floats(1, 6, 1),), (floats(3, 9, 1),)],
        input_signature=[((None, None, 1), "float32")],
        expect="tracer",
    )


class UNetAnySize(keras.Model):
    def __init__(self):
        super().__init__()
        self.down = [
            keras.Sequential(
                [layers.Conv2D(f, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()]
            )
            for f in (3, 4)
        ]
        self.middle = layers.SeparableConv2D(5, 3, padding="same")
        self.up = [layers.UpSampling2D() for _ in range(2)]
        self.merge = [layers.Conv2D(f, 3, padding="same", activation="relu") for f in (4, 3)]
        self.out = layers.Conv2D(2, 1)

    def call(self, x, training=False):
        skips = []
        for block in self.down:
            x = block(x, training=training)
            skips.append(x)
            x = ops.max_pool(x, 2, 2)
        x = self.middle(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(ops.concatenate([up(x), skips.pop()], axis=-1))
        return ops.softmax(self.out(x))


def test_u_net_of_any_size():
    model = UNetAnySize()
    model(floats(1, 8, 8, 2))
    check_export(
        model,
        [(floats(1, 8, 8, 2),), (floats(3, 4, 12, 2),)],
        input_signature=[((None, None, None, 2), "float32")],
        expect="tracer",
    )
