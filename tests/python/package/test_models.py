"""Models in the styles in which people write them, exported with no configuration."""

import keras
import keras_litert
import numpy as np
import oracle
import pytest
from keras import layers, ops
from package.support import KERAS, check_export


def built(model, *shapes, dtype="float32"):
    model(*[np.zeros(shape, dtype) for shape in shapes])
    return model


class Residual(layers.Layer):
    def __init__(self, units, depth, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [layers.Dense(units, activation="relu") for _ in range(depth)]
        self.norm = layers.LayerNormalization()

    def call(self, x):
        for block in self.blocks:
            x = x + block(x)
        return self.norm(x)


class Encoder(keras.Model):
    """A transformer encoder: token and position embeddings, attention, feed-forward."""

    def __init__(self, vocabulary=11, width=8, heads=2, depth=2):
        super().__init__()
        self.tokens = layers.Embedding(vocabulary, width, mask_zero=True)
        self.positions = layers.Embedding(16, width)
        self.attention = [layers.MultiHeadAttention(heads, width // heads) for _ in range(depth)]
        self.norms = [layers.LayerNormalization() for _ in range(2 * depth)]
        self.up = [layers.Dense(2 * width, activation="gelu") for _ in range(depth)]
        self.down = [layers.Dense(width) for _ in range(depth)]
        self.head = layers.Dense(3)

    def call(self, ids, training=False):
        length = ops.shape(ids)[1]
        x = self.tokens(ids) + self.positions(ops.arange(length))
        mask = ops.cast(ids != 0, "bool")[:, None, :]
        for i, attention in enumerate(self.attention):
            x = self.norms[2 * i](x + attention(x, x, attention_mask=mask))
            x = self.norms[2 * i + 1](x + self.down[i](self.up[i](x)))
        return self.head(ops.mean(x, axis=1))


def test_transformer_encoder():
    model = Encoder()
    model(np.ones((2, 5), "int32"))
    ids = [np.random.default_rng(0).integers(1, 11, (b, 5)).astype("int32") for b in (1, 3)]
    check_export(
        model, [(x,) for x in ids], input_signature=[((None, 5), "int32")], expect="tracer"
    )


def test_transformer_encoder_of_any_length():
    model = Encoder(depth=1)
    model(np.ones((2, 5), "int32"))
    ids = [np.random.default_rng(0).integers(1, 11, (b, n)) for b, n in ((1, 4), (3, 7))]
    check_export(
        model,
        [(x.astype("int32"),) for x in ids],
        input_signature=[((None, None), "int32")],
        expect="tracer",
    )


class Scaled(layers.Layer):
    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), name="scale")
        self.offset = self.add_weight(shape=(), name="offset")

    def call(self, x):
        table = np.linspace(0.0, 1.0, x.shape[-1]).astype("float32")
        return (x * self.scale - self.offset) / 2.0 + table


class CustomLayers(keras.Model):
    def __init__(self, wide=True):
        super().__init__()
        self.wide = wide
        self.residual = Residual(6, 3)
        self.scaled = Scaled()
        self.out = layers.Dense(2)

    def call(self, x):
        x = self.residual(x)
        if self.wide:
            x = ops.concatenate([x, ops.square(x)], axis=-1)
        return {"scaled": self.scaled(x), "out": self.out(x)}


@pytest.mark.parametrize("wide", [True, False])
def test_custom_layers_branches_and_dicts(wide):
    file, _ = check_export(built(CustomLayers(wide), (2, 6)), expect="tracer")
    assert [info.name for info in file.outputs] == ["out", "scaled"]


class Sinusoid(layers.Layer):
    """Adds a table that it computes when it is called, the same in every layer."""

    def call(self, x):
        angles = np.outer(np.arange(64), np.exp(-0.1 * np.arange(32)))
        return ops.tanh(x) + np.concatenate([np.sin(angles), np.cos(angles)], 1).astype("float32")


def test_equal_tables_are_stored_once(tmp_path):
    model = keras.Sequential([keras.Input((64, 64)), *[Sinusoid() for _ in range(4)]])
    check_export(model, expect="tracer")
    report = keras_litert.export(model, tmp_path / "model.tflite")
    assert 64 * 64 * 4 < report.file_bytes < 2 * 64 * 64 * 4


class Reshaping(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4)

    def call(self, x):
        batch, length = ops.shape(x)[0], ops.shape(x)[1]
        y = ops.reshape(x, (batch * length, x.shape[2]))
        y = ops.reshape(self.dense(y), (batch, length, 2, 2))
        y = ops.transpose(y, (0, 2, 1, 3))
        y = ops.reshape(y, (batch, 2, -1))
        return y, ops.zeros((batch, 3)) + ops.cast(length, "float32")


def test_reshapes_by_dynamic_sizes():
    model = built(Reshaping(), (2, 5, 3))
    check_export(model, input_signature=[((None, None, 3), "float32")], expect="tracer")


class TwoInputs(keras.Model):
    def __init__(self):
        super().__init__()
        self.a, self.b = layers.Dense(3), layers.Dense(3)

    def call(self, query, context=None, training=None, mask=None):
        return self.a(query) * ops.sigmoid(self.b(context))


def test_several_arguments():
    signature = [((None, 4), "float32"), ((None, 5), "float32")]
    file, _ = check_export(
        TwoInputs(), input_signature=signature, expect="tracer", randomized=False
    )
    assert [info.name for info in file.inputs] == ["query", "context"]


class DictInput(keras.Model):
    def __init__(self):
        super().__init__()
        self.embed, self.dense = layers.Embedding(9, 4), layers.Dense(4)

    def call(self, inputs):
        return [self.embed(inputs["ids"]) + self.dense(inputs["features"])]


def test_dict_input_by_signature():
    model = DictInput()
    signature = {"ids": ((None,), "int32"), "features": ((None, 3), "float32")}
    file, _ = check_export(model, input_signature=signature, expect="tracer", randomized=False)
    assert [info.name for info in file.inputs] == ["features", "ids"]


class Cell(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.mix = layers.Dense(units)

    def build(self, input_shape):
        self.mix.build((input_shape[0], input_shape[-1] + self.units))

    def call(self, x, states):
        h = ops.tanh(self.mix(ops.concatenate([x, states[0]], axis=-1)))
        return h, [h]


@pytest.mark.parametrize("return_sequences", [False, True])
def test_custom_recurrent_cell(return_sequences):
    x = keras.Input((5, 3))
    model = keras.Model(x, layers.RNN(Cell(4), return_sequences=return_sequences)(x))
    check_export(model, expect="tracer")


class TimeSeries(keras.Model):
    def __init__(self, kind):
        super().__init__()
        self.norm = layers.LayerNormalization()
        self.recurrent = kind
        self.out = layers.Dense(2)

    def call(self, x):
        return self.out(self.recurrent(self.norm(x)))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.LSTM(4),
        lambda: layers.GRU(4, return_sequences=True),
        lambda: layers.Bidirectional(layers.LSTM(3)),
        lambda: layers.SimpleRNN(4),
    ],
)
def test_recurrent_layers_in_subclassed_models(layer):
    check_export(built(TimeSeries(layer()), (2, 6, 3)), expect="tracer")


class UNet(keras.Model):
    def __init__(self):
        super().__init__()
        self.down = [layers.Conv2D(f, 3, padding="same", activation="relu") for f in (4, 6)]
        self.bottom = layers.Conv2D(8, 3, padding="same", activation="relu")
        self.up = [layers.Conv2DTranspose(f, 2, strides=2) for f in (6, 4)]
        self.merge = [layers.Conv2D(f, 3, padding="same", activation="relu") for f in (6, 4)]
        self.out = layers.Conv2D(1, 1, activation="sigmoid")
        self.pool = layers.MaxPooling2D()

    def call(self, x):
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for up, merge, skip in zip(self.up, self.merge, reversed(skips)):
            x = merge(ops.concatenate([up(x), skip], axis=-1))
        return self.out(x)


def test_u_net():
    check_export(built(UNet(), (1, 8, 8, 2)), expect="tracer")


class Generator(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4 * 4 * 6)
        self.norm = layers.BatchNormalization()
        self.up = layers.Conv2DTranspose(3, 4, strides=2, padding="same")
        self.act = layers.LeakyReLU(negative_slope=0.2)

    def call(self, noise, training=False):
        x = ops.reshape(self.act(self.norm(self.dense(noise), training=training)), (-1, 4, 4, 6))
        return ops.tanh(self.up(x))


def test_gan_generator():
    check_export(built(Generator(), (2, 5)), expect="tracer")


class Diffusion(keras.Model):
    """One denoising step: sinusoidal time embedding, a conditioned convolution, the update."""

    def __init__(self):
        super().__init__()
        self.time = layers.Dense(4, activation="silu")
        self.conv, self.out = (
            layers.Conv2D(4, 3, padding="same"),
            layers.Conv2D(1, 3, padding="same"),
        )

    def call(self, image, step):
        frequencies = ops.exp(-np.log(100.0) * ops.arange(4, dtype="float32") / 4)
        angles = ops.cast(step, "float32")[:, None] * frequencies[None, :]
        embedding = self.time(ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1))
        x = ops.silu(self.conv(image) + embedding[:, None, None, :])
        return image - 0.1 * self.out(x)


def test_diffusion_step():
    model = Diffusion()
    signature = [((None, 6, 6, 1), "float32"), ((None,), "int32")]
    check_export(model, input_signature=signature, expect="tracer", randomized=False)


class Recommender(keras.Model):
    def __init__(self):
        super().__init__()
        self.users, self.items = layers.Embedding(20, 6), layers.Embedding(30, 6)
        self.bias = layers.Embedding(30, 1)

    def call(self, user, item):
        score = ops.sum(self.users(user) * self.items(item), axis=-1)
        return score + ops.squeeze(self.bias(item), axis=-1)


def test_recommender():
    signature = [((None,), "int32"), ((None,), "int32")]
    check_export(Recommender(), input_signature=signature, expect="tracer", randomized=False)


class GraphNetwork(keras.Model):
    def __init__(self):
        super().__init__()
        self.message, self.update = layers.Dense(4), layers.Dense(3)

    def call(self, nodes, edges):
        messages = self.message(ops.take(nodes, edges[:, 0], axis=0))
        gathered = ops.segment_sum(messages, edges[:, 1], num_segments=5)
        return self.update(ops.concatenate([nodes, gathered], axis=-1))


def test_graph_network():
    rng = np.random.default_rng(0)
    nodes = rng.normal(size=(5, 3)).astype("float32")
    edges = np.stack([rng.integers(0, 5, 7), np.sort(rng.integers(0, 5, 7))], 1).astype("int32")
    model = GraphNetwork()
    model(nodes, edges)
    signature = [((5, 3), "float32"), ((7, 2), "int32")]
    check_export(model, [(nodes, edges)], input_signature=signature, expect="tracer")


def test_preprocessing_inside_and_models_in_models():
    inner = keras.Sequential([layers.Input((4, 4, 3)), layers.Conv2D(3, 3), layers.Flatten()])

    class Whole(keras.Model):
        def __init__(self):
            super().__init__()
            self.rescale, self.inner, self.out = layers.Rescaling(1 / 255), inner, layers.Dense(2)

        def call(self, x):
            return self.out(self.inner(self.rescale(x)))

    check_export(built(Whole(), (2, 4, 4, 3)), expect="tracer")


def test_lambda_layers():
    x = keras.Input((4,))
    model = keras.Model(x, layers.Lambda(lambda t: ops.relu(t) * 2.0)(layers.Dense(3)(x)))
    check_export(model, expect="tracer")


def test_layer_called_several_times_shares_its_weights():
    class Shared(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(32, activation="tanh")

        def call(self, x):
            for _ in range(3):
                x = self.dense(x)
            return x

    file, _ = check_export(built(Shared(), (1, 32)), expect="tracer")
    assert file.size < 1.5 * 32 * 32 * 4


def test_mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    model = built(CustomLayers(), (2, 6))
    check_export(model, tolerance=5e-3, expect="tracer")


def test_lora():
    model = CustomLayers()
    built(model, (2, 6))
    model.out.enable_lora(2)
    check_export(model, expect="tracer")


@pytest.mark.skipif(
    KERAS < (3, 13) and keras.backend.backend() == "numpy",
    reason="Keras cannot hang a mask on a NumPy array before 3.13",
)
def test_masks_reach_custom_layers():
    class Pool(layers.Layer):
        def call(self, x, mask=None):
            weights = ops.cast(mask, "float32")[..., None]
            return ops.sum(x * weights, axis=1) / ops.sum(weights, axis=1)

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.embed, self.pool = layers.Embedding(7, 4, mask_zero=True), Pool()

        def call(self, ids):
            return self.pool(self.embed(ids))

    model = Model()
    model(np.ones((1, 4), "int32"))
    ids = np.array([[1, 2, 0, 0], [3, 0, 0, 0]], "int32")
    check_export(model, [(ids,)], input_signature=[((None, 4), "int32")], expect="tracer")


class Autoencoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.encode, self.decode = layers.Dense(4), layers.Dense(6, activation="sigmoid")
        self.seed = keras.random.SeedGenerator(1)

    def call(self, x, training=False):
        mean, variance = ops.split(self.encode(x), 2, axis=-1)
        if training:
            noise = keras.random.normal(ops.shape(mean), seed=self.seed)
            mean = mean + ops.exp(0.5 * variance) * noise
        return self.decode(mean)


def test_variational_autoencoder_without_noise_in_inference():
    check_export(built(Autoencoder(), (2, 6)), expect="tracer")


class Speech(keras.Model):
    def __init__(self):
        super().__init__()
        self.mel = layers.MelSpectrogram(
            fft_length=64, sequence_stride=32, num_mel_bins=8, sampling_rate=1000, max_freq=400
        )
        self.conv, self.out = layers.Conv1D(4, 3), layers.Dense(3, activation="softmax")

    def call(self, audio):
        x = ops.transpose(self.mel(audio), (0, 2, 1))
        return self.out(ops.mean(self.conv(x), axis=1))


def test_speech():
    check_export(built(Speech(), (2, 320)), expect="tracer", tolerance=1e-4)


def test_functional_model_with_a_custom_layer_is_traced():
    x = keras.Input((6,), name="features")
    model = keras.Model(x, {"y": layers.Dense(2)(Residual(6, 2)(x))})
    file, _ = check_export(model, expect="tracer")
    assert [info.name for info in file.inputs] == ["features"]


def test_keras_model_is_read_directly():
    x = keras.Input((None, None, 3), name="image")
    y = layers.Conv2D(4, 3, strides=2, activation="relu")(x)
    check_export(
        keras.Model(x, layers.GlobalAveragePooling2D()(y)), sizes=((1, 7), (2, 9)), expect="direct"
    )


BACKEND = keras.backend.backend()


class ByBackend(layers.Layer):
    """max(x, x / 2): on this backend by code that cannot be traced, on others by `others`."""

    def __init__(self, others, **kwargs):
        super().__init__(**kwargs)
        self.others, self.calls = others, 0

    def call(self, x):
        self.calls += 1
        if keras.config.backend() == BACKEND:
            array = ops.convert_to_numpy(x)
            return ops.convert_to_tensor(np.maximum(array, array / 2))
        return self.others(x)


class OfByBackend(keras.Model):
    def __init__(self, others):
        super().__init__(name="model")
        self.dense, self.layer = layers.Dense(4), ByBackend(others, name="layer")
        self.dense.build((None, 3))
        self.layer.built = self.built = True

    def call(self, x):
        return self.layer(self.dense(x))


def test_code_for_another_backend():
    _, report = check_export(
        OfByBackend(lambda x: ops.leaky_relu(x, 0.5)),
        input_signature=[((None, 3), "float32")],
        expect="tracer",
    )
    (note,) = report.notes
    assert note.startswith(
        f"the model's code for other backends was traced, as that for {BACKEND} cannot be "
        "(layer: convert_to_numpy() depends on a tensor's value"
    )
    assert keras.config.backend() == keras.backend.backend() == BACKEND


def test_code_for_another_backend_that_fails_too(tmp_path):
    model = OfByBackend(lambda x: 1 / 0)
    with pytest.raises(keras_litert.ExportError, match="convert_to_numpy") as error:
        keras_litert.export(
            model,
            tmp_path / "m.tflite",
            input_signature=[((None, 3), "float32")],
            strategy="tracer",
        )
    assert "division" not in str(error.value)
    assert model.layer.calls == 2 and not list(tmp_path.iterdir())
    assert keras.config.backend() == BACKEND


class HashedFeatures(keras.Model):
    """Embeddings of hashed ids, and of a cross of three, which a Functional model cannot have."""

    def __init__(self):
        super().__init__()
        self.hashing = layers.Hashing(50, mask_value=0, salt=3)
        self.crossing = layers.HashedCrossing(40, dtype="int32")
        self.users = layers.Embedding(50, 3)
        self.crosses = layers.Embedding(40, 2)
        self.score = layers.Dense(1)

    def call(self, user, item, day):
        crossed = self.crosses(self.crossing([user, item, day]))
        return self.score(keras.ops.concatenate([self.users(self.hashing(user)), crossed], -1))


def test_hashed_features():
    rng = np.random.default_rng(3)
    inputs = [tuple(rng.integers(-5, 10**k, (n, 1), "int32") for k in (1, 5, 9)) for n in (7, 2)]
    model = HashedFeatures()
    model(*inputs[0])
    signature = [keras.InputSpec("int32", (None, 1))] * 3
    check_export(model, inputs, expect="tracer", input_signature=signature)


class Augmented(keras.Model):
    """Augments by default, and has no `training` argument that would tell it not to."""

    def __init__(self):
        super().__init__()
        self.augment = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.2)])
        self.convolution = layers.Conv2D(3, 3)
        self.normalization = layers.BatchNormalization()
        self.dropout = layers.Dropout(0.5)

    def call(self, x):
        x = self.convolution(self.augment(x))
        return self.dropout(self.normalization(x))


@pytest.mark.skipif(
    not hasattr(layers.Layer, "_resolve_and_populate_arg"),
    reason="this Keras hands `training` on through layers that take it alone",
)
def test_no_augmentation_in_the_file(tmp_path):
    model = Augmented()
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    model(x)
    oracle.randomize(model)
    path = tmp_path / "m.tflite"
    report = keras_litert.export(model, path)
    assert report.operators == {"CONV_2D": 1}
    got = oracle.Runtime(oracle.File(path.read_bytes()), path.read_bytes(), True)
    got.set([x])
    y = model.normalization(model.convolution(x), training=False)
    assert oracle.relative_error(got.invoke()[0], np.asarray(y), "output_0") < 1e-5
    assert keras_litert.verify(model, path, x)


def relu(x):
    """A user's own, which shares its name with Keras's."""
    return ops.maximum(x, 0.25 * x)


@pytest.mark.parametrize(
    "activation, strategy",
    [
        (ops.relu, "direct"),
        (ops.leaky_relu, "direct"),
        (ops.gelu, "tracer"),  # approximates; keras.activations.gelu does not
        (relu, "tracer"),
    ],
    ids=["same", "same defaults", "other default", "own"],
)
def test_functions_named_as_activations(activation, strategy):
    x = keras.Input((5, 6), name="x")
    y = layers.Dense(4, activation=activation)(x)
    y = layers.Activation(activation)(layers.Conv1D(4, 3)(y))
    y = layers.TimeDistributed(layers.Dense(3, activation=activation))(y)
    check_export(oracle.randomize(keras.Model(x, y)), expect=strategy)
    recurrent = layers.GRU(3, activation=activation)
    check_export(oracle.randomize(keras.Model(x, recurrent(x))), expect=strategy)
