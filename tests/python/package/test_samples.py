"""representative_dataset: every form in which a user may have samples gives the same file."""

import keras
import keras_litert
import numpy as np
import oracle
import pytest
from keras import layers


def one_input():
    x = keras.Input((6,), name="x")
    y = layers.Dense(50, activation="relu", name="a")(x)
    return oracle.randomize(keras.Model(x, layers.Dense(3, name="b")(y)))


def two_inputs():
    x, y = keras.Input((6,), name="left"), keras.Input((4,), name="right")
    return oracle.randomize(keras.Model([x, y], layers.Dense(3)(layers.Concatenate()([x, y]))))


ROWS = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")


class Tensor:
    """As TensorFlow's and PyTorch's tensors: converted by a method."""

    def __init__(self, value):
        self.value, self.shape, self.dtype = value, value.shape, value.dtype

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.value


FORMS = {
    "array": lambda: ROWS,
    "float64 array": lambda: ROWS.astype("float64"),
    "dict of arrays": lambda: {"x": ROWS},
    "generator function": lambda: lambda: ([row[None]] for row in ROWS),
    "generator of rows": lambda: (row for row in ROWS),
    "list of batches": lambda: [ROWS[:8], ROWS[8:]],
    "batches with labels": lambda: [(ROWS[:8], np.zeros(8)), (ROWS[8:], np.zeros(8))],
    "dicts": lambda: [{"x": ROWS[:5]}, {"x": ROWS[5:]}],
    "dicts with labels": lambda: [({"x": ROWS}, np.zeros(16))],
    "tensors": lambda: [Tensor(ROWS)],
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "m.tflite"
    report = keras_litert.export(one_input(), path, quantize="int8", representative_dataset=ROWS)
    assert report.operators == {"FULLY_CONNECTED": 2, "DEQUANTIZE": 1, "QUANTIZE": 1}
    return path.read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_forms(form, reference, tmp_path):
    path = tmp_path / "m.tflite"
    keras_litert.export(one_input(), path, quantize="int8", representative_dataset=FORMS[form]())
    assert path.read_bytes() == reference


@pytest.mark.parametrize("strategy", ["direct", "tracer"])
def test_several_inputs(strategy, tmp_path):
    left, right = ROWS, ROWS[:, :4]
    for dataset in ({"left": left, "right": right}, [[left, right]], [((left, right), left)]):
        report = keras_litert.export(
            two_inputs(),
            tmp_path / "m.tflite",
            quantize="int8",
            strategy=strategy,
            representative_dataset=dataset,
            inference_input_type=np.int8,
            inference_output_type="uint8",
        )
        assert [entry[1] for entry in report.inputs] == ["int8", "int8"]
        assert report.outputs[0][1] == "uint8"


def test_saved_file(tmp_path, reference):
    saved = oracle.save(one_input(), tmp_path)
    path = tmp_path / "m.tflite"
    for dataset in ([ROWS], {"x": ROWS}):
        keras_litert.convert_file(saved, path, quantize="int8", representative_dataset=dataset)
        assert path.read_bytes() == reference


def test_options_of_tensorflows_converter(tmp_path, reference):
    path = tmp_path / "m.tflite"
    options = {"optimizations": ["DEFAULT"], "representative_dataset": ROWS}
    keras_litert.export(one_input(), path, **options)
    assert path.read_bytes() == reference
    wide = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
    report = keras_litert.export(
        one_input(), path, target_spec={"supported_ops": [wide]}, **options
    )
    assert {op["recipe"] for op in report.quantized} == {"static_wi8_ai16"}


def test_moving_average(tmp_path, reference):
    path = tmp_path / "m.tflite"
    recipe = {"recipe": "int8", "method": "moving_average"}
    dataset = [ROWS[:8], ROWS[8:]]
    keras_litert.export(one_input(), path, quantize=recipe, representative_dataset=dataset)
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    scales = [t["quantization"][0] for t in interpreter.get_tensor_details()]
    low = min(ROWS[:8].min(), 0) * 0.9 + min(ROWS[8:].min(), 0) * 0.1
    high = ROWS[:8].max() * 0.9 + ROWS[8:].max() * 0.1
    assert np.isclose(scales, (high - low) / 255, rtol=1e-5).any(), scales


@pytest.mark.parametrize(
    "dataset, kind, message",
    [
        (None, keras_litert.ExportError, "samples-1: quantizing activations needs samples"),
        ([], keras_litert.ExportError, "samples-1"),
        ([ROWS * np.inf], keras_litert.ExportError, "sample 1: samples-5: "),
        ({"y": ROWS}, keras_litert.ExportError, "the model has no input 'y'"),
        ([ROWS[:, :5]], ValueError, "sample 0 of 'representative_dataset': the input 'x' has"),
        ([[ROWS, ROWS]], ValueError, "has 2 arrays, the model has 1 inputs"),
        (3, TypeError, "must be a callable, an iterable of samples"),
    ],
)
def test_bad_samples(tmp_path, dataset, kind, message):
    with pytest.raises(kind) as error:
        keras_litert.export(
            one_input(), tmp_path / "m.tflite", quantize="int8", representative_dataset=dataset
        )
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("recipe", ["dynamic_int8", "int8"])
def test_parts_of_a_batch(recipe, tmp_path):
    """What is observed behind slices has the samples' batch size."""
    x = keras.Input((6, 8), name="x")
    y = keras.ops.roll(layers.Dense(160)(x), 2, axis=1)
    model = oracle.randomize(keras.Model(x, layers.Dense(10)(y)))
    samples = np.random.default_rng(0).normal(size=(16, 6, 8)).astype("float32")
    report = keras_litert.export(
        model, tmp_path / "m.tflite", quantize=recipe, representative_dataset=samples
    )
    assert report.output_errors[0]["sqnr_db"] > 25


class Queries(layers.Layer):
    """A detector's queries: a layer with weights that looks at nothing but other weights."""

    def build(self, shape):
        self.queries = self.add_weight(shape=(1, 9, 16), initializer="normal")
        self.dense = layers.Dense(16)
        self.dense.build((1, 9, 16))

    def call(self, x):
        return x + self.dense(self.queries)


def test_product_of_a_constant(tmp_path):
    x = keras.Input((9, 16))
    model = keras.Model(x, Queries()(layers.Dense(16)(x)))
    samples = np.random.default_rng(0).normal(size=(6, 9, 16)).astype("float32")
    report = keras_litert.export(
        model, tmp_path / "m.tflite", quantize="int8", representative_dataset=samples
    )
    assert report.operators["FULLY_CONNECTED"] == 2
    assert report.output_errors[0]["sqnr_db"] > 25


class Sums(layers.Layer):
    """Sums of every third row. LiteRT learns their number only when the file runs."""

    def compute_output_shape(self, shape):
        return (3, shape[1])

    def call(self, x):
        ids = keras.ops.mod(keras.ops.arange(keras.ops.shape(x)[0]), 3)
        return keras.ops.segment_sum(x, keras.ops.cast(ids, "int32"), num_segments=3)


def test_sizes_that_only_the_run_tells(tmp_path):
    x = keras.Input((6,), name="x")
    y = Sums()(layers.Dense(5, activation="relu")(x))
    model = oracle.randomize(keras.Model(x, layers.Dense(3)(y)))
    report = keras_litert.export(
        model, tmp_path / "m.tflite", quantize="int8", representative_dataset=[ROWS]
    )
    assert report.output_errors[0]["sqnr_db"] > 25
    assert keras_litert.verify(model, tmp_path / "m.tflite", ROWS, tolerance=0.1)
