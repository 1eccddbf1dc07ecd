"""export(): strategies, options, paths, errors, what it leaves unchanged."""

import inspect
import pathlib
import signal
import sys
import threading

import keras
import keras_litert
import numpy as np
import oracle
import pytest
from keras import layers, ops
from package.support import check_export, same_bytes


def small():
    return oracle.randomize(
        keras.Sequential(
            [
                layers.Input((8, 8, 2), name="image"),
                layers.Conv2D(3, 3, activation="relu"),
                layers.Flatten(),
                layers.Dense(4),
            ]
        )
    )


class Subclassed(keras.Model):
    def __init__(self, function=ops.relu):
        super().__init__()
        self.dense, self.function = layers.Dense(4, name="dense"), function

    def call(self, x):
        return self.function(self.dense(x))


def test_direct_equals_the_command_line_tool(tmp_path):
    model = small()
    oracle.convert(oracle.save(model, tmp_path), tmp_path / "cli.tflite")
    keras_litert.export(model, tmp_path / "own.tflite", strategy="direct")
    assert (tmp_path / "own.tflite").read_bytes() == (tmp_path / "cli.tflite").read_bytes()


def test_both_strategies_write_the_same_bytes(tmp_path):
    same_bytes(small(), tmp_path)
    same_bytes(small(), tmp_path, trace_layers=True)


def test_convert_file_equals_the_command_line_tool(tmp_path):
    source = oracle.save(small(), tmp_path)
    oracle.convert(source, tmp_path / "cli.tflite")
    report = keras_litert.convert_file(source, tmp_path / "own.tflite")
    assert (tmp_path / "own.tflite").read_bytes() == (tmp_path / "cli.tflite").read_bytes()
    assert report.inputs == [("image", "float32", (-1, 8, 8, 2))]


def test_the_hook(tmp_path, capsys):
    model = small()
    assert model.export(str(tmp_path / "a.tflite"), format="litert", verbose=False) is None
    keras_litert.export(model, tmp_path / "b.tflite")
    assert (tmp_path / "a.tflite").read_bytes() == (tmp_path / "b.tflite").read_bytes()
    assert capsys.readouterr().out == ""
    model.export(tmp_path / "c.tflite", format="litert")
    assert "CONV_2D" in capsys.readouterr().out
    with pytest.raises(ValueError, match="Unrecognized format"):
        model.export(tmp_path / "d", format="nothing")


def test_path_must_end_in_tflite(tmp_path):
    with pytest.raises(ValueError) as error:
        keras_litert.export(small(), "model.lite")
    assert str(error.value) == "the path must end in '.tflite', got 'model.lite'"


def test_unknown_options_have_a_hint(tmp_path):
    with pytest.raises(TypeError) as error:
        keras_litert.export(small(), tmp_path / "m.tflite", input_signatures=None)
    assert (
        str(error.value)
        == "export() has no option 'input_signatures'; did you mean 'input_signature'?"
    )
    with pytest.raises(ValueError) as error:
        keras_litert.export(small(), tmp_path / "m.tflite", strategy="trace")
    assert str(error.value) == (
        "strategy must be one of 'auto', 'direct', 'tracer', got 'trace'; did you mean 'tracer'?"
    )


def wide():
    model = keras.Sequential([layers.Input((40,)), layers.Dense(50, name="a"), layers.Dense(30)])
    return oracle.randomize(model)


@pytest.mark.parametrize("strategy", ["direct", "tracer"])
def test_quantized_export_equals_the_command_line_tool(tmp_path, strategy):
    model = wide()
    saved = oracle.save(model, tmp_path)
    arguments = ("--quantize", "dynamic_int8", "--quantize-rule", "a=float16")
    oracle.convert(saved, tmp_path / "cli.tflite", *arguments)
    recipe = {"recipe": "dynamic_int8", "rules": [{"layer": "a", "recipe": "float16"}]}
    report = keras_litert.export(model, tmp_path / "own.tflite", quantize=recipe, strategy=strategy)
    assert (tmp_path / "own.tflite").read_bytes() == (tmp_path / "cli.tflite").read_bytes()
    assert [op["recipe"] for op in report.quantized] == ["float16", "dynamic_wi8_afp32"]


@pytest.mark.parametrize(
    "options, recipe",
    [
        ({"optimizations": ["DEFAULT"]}, "dynamic_int8"),
        (
            {"optimizations": ["DEFAULT"], "target_spec": {"supported_types": [np.float16]}},
            "float16",
        ),
        ({"optimizations": []}, "float32"),
    ],
)
def test_options_of_tensorflows_converter(tmp_path, options, recipe):
    model = wide()
    keras_litert.export(model, tmp_path / "a.tflite", **options)
    keras_litert.export(model, tmp_path / "b.tflite", quantize=recipe)
    assert (tmp_path / "a.tflite").read_bytes() == (tmp_path / "b.tflite").read_bytes()


@pytest.mark.parametrize(
    "options, kind, message",
    [
        (
            {"representative_dataset": [np.zeros((1, 40))]},
            ValueError,
            "'representative_dataset' has no effect without quantize= or optimizations=['DEFAULT']",
        ),
        (
            {"quantize": "dynamic_int9"},
            keras_litert.ExportError,
            "unknown quantization recipe 'dynamic_int9'",
        ),
        (
            {"quantize": {"recipes": "float16"}},
            ValueError,
            "'quantize' has an unknown key 'recipes'; did you mean 'recipe'?",
        ),
        (
            {"quantize": "float16", "optimizations": ["DEFAULT"]},
            ValueError,
            "give either 'quantize' or 'optimizations', not both",
        ),
    ],
)
def test_quantization_that_is_refused(tmp_path, options, kind, message):
    with pytest.raises(kind) as error:
        keras_litert.export(wide(), tmp_path / "m.tflite", **options)
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name, options, message",
    [
        (
            "model.tflite",
            {"quantize": "best"},
            "quantize-1: unknown quantization recipe 'best'\n    Known are float32, float16, "
            "dynamic_wi8_afp32, dynamic_int8, weight_only_wi8_afp32, weight_only_int8, "
            "static_wi8_ai8, int8, static_wi8_ai16, int16x8, dynamic_wi4_afp32, int4, "
            "dynamic_wi4b32_afp32, int4_block32, dynamic_wi4b64_afp32, int4_block64, "
            "dynamic_wi4b128_afp32, int4_block128.",
        ),
        (
            "missing/model.tflite",
            {},
            "{path}: file-5: cannot be created: No such file or directory\n    "
            "Create the output directory first.",
        ),
    ],
)
def test_what_was_asked_for_is_not_blamed_on_the_model(tmp_path, name, options, message):
    model = Subclassed()
    model(np.zeros((1, 4), "float32"))
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(model, tmp_path / name, **options)
    assert str(error.value) == message.format(path=tmp_path / name)


def test_unbuilt_model_without_signature(tmp_path):
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(Subclassed(), tmp_path / "m.tflite")
    assert [d.code for d in error.value.diagnostics] == ["signature-3"]
    assert "was never built or called" in str(error.value)


@pytest.mark.parametrize(
    "signature",
    [
        [((None, 3), "float32")],
        ((None, 3), "float32"),
        [keras.InputSpec(shape=(None, 3), dtype="float32")],
        keras.KerasTensor((None, 3), "float32"),
        (None, 3),
    ],
)
def test_input_signature_forms(signature):
    file, _ = check_export(Subclassed(), input_signature=signature, randomized=False)
    assert [(i.name, i.dtype, i.signature) for i in file.inputs] == [("x", "float32", (-1, 3))]


def test_example_tensors_as_signature():
    example = np.zeros((2, 3), "float32")
    file, _ = check_export(
        Subclassed(), input_signature=[example], randomized=False, sizes=((2, 3),)
    )
    assert file.inputs[0].shape == (2, 3)


def test_signature_fixes_sizes_of_a_functional_model(tmp_path):
    report = keras_litert.export(
        small(), tmp_path / "m.tflite", input_signature=[((2, 8, 8, 2), "float32")]
    )
    assert report.strategy == "direct"
    assert report.inputs == [("image", "float32", (2, 8, 8, 2))]


def test_signature_that_does_not_fit(tmp_path):
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(
            small(), tmp_path / "m.tflite", input_signature=[((2, 9, 8, 2), "float32")]
        )
    assert [d.code for d in error.value.diagnostics] == ["signature-2"]


def snapshot():
    """Everything public of the Keras modules, by identity."""
    return {
        (name, attribute): id(value)
        for name, module in sorted(sys.modules.items())
        if name.startswith("keras.") and module is not None
        for attribute, value in list(vars(module).items())
        if inspect.isroutine(value) or inspect.isclass(value)
    }


@pytest.mark.parametrize("fails", [False, True])
def test_keras_and_the_model_are_unchanged(tmp_path, fails):
    def broken(x):
        raise RuntimeError("on purpose")

    model = Subclassed(broken if fails else ops.relu)
    if fails:
        model.dense.build((None, 3))
        model.built = True
    else:
        model(np.zeros((1, 3), "float32"))
    weights = [np.array(v) for v in model.get_weights()]
    attributes = set(vars(model)), set(vars(model.dense))
    classes = [keras.layers.Layer, keras.Operation, keras.Variable, keras.Model]
    members = [dict(vars(c)) for c in classes]
    before = snapshot()
    if fails:
        with pytest.raises(keras_litert.ExportError, match="on purpose"):
            keras_litert.export(
                model,
                tmp_path / "m.tflite",
                input_signature=[((None, 3), "float32")],
                strategy="tracer",
            )
        assert not list(tmp_path.iterdir())
    else:
        keras_litert.export(model, tmp_path / "m.tflite")
    after = snapshot()
    assert {key: after.get(key) for key in before} == before
    assert [dict(vars(c)) for c in classes] == members
    assert (set(vars(model)), set(vars(model.dense))) == attributes
    for old, new in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_both_reasons_in_one_error(tmp_path):
    x = keras.Input((3,))

    class Bad(layers.Layer):
        def call(self, t):
            return np.sin(t)

        def compute_output_shape(self, shape):
            return shape

    layer = Bad(name="bad")
    model = keras.Model(x, layer(x), name="model")
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(model, tmp_path / "m.tflite")
    text = str(error.value)
    assert "'model' cannot be exported." in text
    assert "model-2: the file uses classes that are not Keras's own: 'Bad'" in text
    assert "bad: trace-4: np.sin is called on a tensor of the model" in text
    assert "Call keras.ops.sin instead" in text
    assert not list(tmp_path.iterdir())


def test_python_condition_on_a_tensor(tmp_path):
    def branch(x):
        return x if ops.sum(x) > 0 else -x

    signature = [((None, 3), "float32")]
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(Subclassed(branch), tmp_path / "m.tflite", input_signature=signature)
    assert "a Python condition depends on a tensor's value" in str(error.value)
    assert "keras.ops.cond" in str(error.value)


def test_python_number_of_a_dynamic_size(tmp_path):
    def loop(x):
        return sum(x[i] for i in range(ops.shape(x)[0]))

    model = Subclassed(loop)
    model(np.zeros((2, 3), "float32"))
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(model, tmp_path / "m.tflite")
    assert "known only when the file runs" in str(error.value)
    assert "Fix the size in input_signature" in str(error.value)


def test_threads_do_not_disturb_each_other(tmp_path):
    models = [Subclassed() for _ in range(4)]
    for model in models:
        model(np.zeros((1, 3), "float32"))
        oracle.randomize(model)
    expected = []
    for i, model in enumerate(models):
        keras_litert.export(model, tmp_path / f"{i}.tflite")
        expected.append((tmp_path / f"{i}.tflite").read_bytes())
    errors = []

    def work(i):
        try:
            for _ in range(3):
                keras_litert.export(models[i], tmp_path / f"t{i}.tflite")
                assert ops.add(np.ones(2), np.ones(2)) is not None
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for i in range(4):
        assert (tmp_path / f"t{i}.tflite").read_bytes() == expected[i]


def test_interrupt_leaves_no_file(tmp_path):
    def interrupt(number, frame):
        raise KeyboardInterrupt

    model = keras.Sequential([layers.Input((1024,)), layers.Dense(1024), layers.Dense(1024)])
    path = tmp_path / "m.tflite"
    path.write_bytes(b"before")
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        # Whichever line the signal meets, the file is the one before or a complete one.
        for delay in (0.001, 0.003, 0.006, 0.01, 0.02):
            with pytest.raises(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, delay)
                while True:
                    keras_litert.export(model, path)
            assert [file.name for file in tmp_path.iterdir()] == ["m.tflite"]
            content = path.read_bytes()
            assert content == b"before" or oracle.File(content).signature_keys
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_pathlike(tmp_path):
    keras_litert.export(small(), pathlib.Path(tmp_path) / "m.tflite")
    assert (tmp_path / "m.tflite").exists()


def test_sequential_without_an_input_takes_any_batch(tmp_path):
    def layers_of():
        return [layers.Dense(5, activation="relu"), layers.Dense(3)]

    model = keras.Sequential(layers_of())
    model(np.ones((8, 4)))
    for strategy in ("direct", "tracer"):
        _, report = check_export(model, strategy=strategy)
        assert report.inputs[0][2] == (-1, 4)
    fixed = keras.Sequential([keras.Input((4,), batch_size=8), *layers_of()])
    assert check_export(fixed)[1].inputs[0][2] == (8, 4)
    states = keras.Sequential([layers.GRU(3, stateful=True), layers.Dense(3)])
    states(np.ones((2, 5, 4)))
    assert keras_litert.export(states, tmp_path / "m.tflite").inputs[0][2] == (2, 5, 4)
