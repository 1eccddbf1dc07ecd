"""Compilation for NPUs by LiteRT's own partitioning: apply_plugin of ai_edge_litert with a compiler
plugin of ours (tests/plugin), whose bytecode is the partitions that it was given."""

import pathlib
import platform

import ai_edge_litert
import keras
import keras_litert
import numpy as np
import oracle
import pytest
from keras import layers, ops
from package import npu
from package.partitions import CODES, Compiled, check_values, input_names, interpreter

TOOL = pathlib.Path(ai_edge_litert.__file__).parent / "tools" / "apply_plugin_main"
LIBRARY = "libLiteRtCompilerPlugin_KerasLiteRtTest.so"


@pytest.fixture(scope="module")
def target():
    """target("ADD", …): a target of ai_edge_litert.aot whose NPU has these operators."""
    if not TOOL.is_file():
        where = (platform.system(), platform.machine())
        # ai_edge_litert's wheel has it there, so its absence would be news.
        assert where != ("Linux", "x86_64"), f"{TOOL} is missing"
        pytest.skip(f"ai_edge_litert has no tools/apply_plugin_main for {' '.join(where)}")
    folder = pathlib.Path(oracle.cli()).parents[2] / "tests" / "plugin"
    if not (folder / LIBRARY).is_file():
        pytest.fail(f"no {folder / LIBRARY}: build it (ninja -C {folder.parents[1]})")

    def partition(model, input_model, output_model, component):
        component(input_model, output_model, "KerasLiteRtTest", model, libs=str(folder))

    with npu.vendor("keras_litert_plugin", "KerasLiteRtTest", partition) as targets:
        yield lambda *names: targets("_".join(["ops", *(str(CODES[name]) for name in names)]))


def compile_model(tmp_path, target, model, operators, **options):
    """Exports and compiles; returns the exported file, and the compiled one, checked."""
    if model.built:
        oracle.randomize(model)
    path = tmp_path / "m.tflite"
    npu = target(*operators)
    report = keras_litert.export(model, path, aot_compile_targets=[npu], **options)
    original = path.read_bytes()
    [file] = report.compiled
    assert file.path == str(tmp_path / f"m_{npu}.tflite")
    content = pathlib.Path(file.path).read_bytes()
    compiled = Compiled(original, content, {CODES[name] for name in operators})
    assert file.partitions == compiled.partitions
    return original, compiled


def floats(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype("float32")


# --- Models ---------------------------------------------------------------------------------------


def cnn():
    x = image = layers.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.MaxPooling2D()(layers.Add()([x, y]))
    x = layers.Flatten()(layers.Conv2D(4, 3, use_bias=False)(x))
    return keras.Model(image, layers.Dense(5, activation="softmax")(x))


@pytest.mark.parametrize(
    "options", [{}, {"static_batch": 2}, {"quantize": "dynamic_int8"}, {"quantize": "float16"}]
)
def test_convolutions(tmp_path, target, options):
    operators = ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"]
    original, compiled = compile_model(tmp_path, target, cnn(), operators, **options)
    [(_, taken, _, partitions)] = compiled.partitions
    assert (taken, partitions) == (4, 3)
    check_values(original, compiled, [floats(2, 8, 8, 3)])


def test_dict_of_inputs_and_outputs(tmp_path, target):
    """Names and the signature stay, also where an input goes into a partition and past it."""
    age, code = layers.Input((1,), name="age"), layers.Input((3,), dtype="int32", name="code")
    x = layers.Flatten()(layers.Embedding(9, 4)(code))
    x = layers.Concatenate()([x, layers.Rescaling(2.0, 0.5)(age)])
    x = layers.Dense(4, activation="tanh")(x)
    model = keras.Model(
        {"age": age, "code": code}, {"score": layers.Dense(1)(x), "sum": age + x, "x": x}
    )
    original, compiled = compile_model(tmp_path, target, model, ["FULLY_CONNECTED", "ADD", "MUL"])
    codes = np.random.default_rng(0).integers(0, 9, (3, 3)).astype("int32")
    arrays = {"age": floats(3, 1), "code": codes}
    check_values(original, compiled, [arrays[name] for name in input_names(original)])


def test_attention(tmp_path, target):
    x = inputs = layers.Input((None, 8))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    model = keras.Model(inputs, layers.Dense(8, activation="gelu")(x))
    operators = ["BATCH_MATMUL", "FULLY_CONNECTED", "ADD", "MUL", "SOFTMAX"]
    original, compiled = compile_model(tmp_path, target, model, operators)
    check_values(original, compiled, [floats(2, 5, 8)])


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU])
def test_loop_of_any_number_of_steps(tmp_path, target, kind):
    """Operators of a loop's body are taken, too; the loop calls the graphs that it called."""
    inputs = layers.Input((None, 3))
    x = kind(4, return_sequences=True)(layers.Dense(3)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    operators = ["FULLY_CONNECTED", "ADD", "MUL", "LOGISTIC", "TANH"]
    original, compiled = compile_model(tmp_path, target, model, operators)
    # Of the whole blocks of steps, and of those that are left. The conditions have none of them.
    assert [taken > 0 for _, taken, _, _ in compiled.partitions] == [True, False, True, False, True]
    check_values(original, compiled, [floats(2, 5, 3)])


def test_branches(tmp_path, target):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, x):
            y = self.dense(x)
            return ops.cond(ops.sum(y) > 0.0, lambda: ops.exp(y) * x, lambda: self.dense(x + y))

    model = Model()
    model(floats(2, 3))
    original, compiled = compile_model(tmp_path, target, model, ["FULLY_CONNECTED", "ADD", "MUL"])
    assert len(compiled.partitions) == 3
    check_values(original, compiled, [floats(2, 3)])


def test_state_is_lost(tmp_path, target):
    """LiteRT's partitioning drops the operator that gives variables their first values."""
    inputs = layers.Input(batch_shape=(2, 4, 3))
    model = keras.Model(inputs, layers.SimpleRNN(3, stateful=True)(inputs))
    path = tmp_path / "m.tflite"
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(model, path, aot_compile_targets=[target("FULLY_CONNECTED")])
    assert str(error.value) == (
        f"'{path}' is written, but not compiled for every NPU:\n"
        "KerasLiteRtTest_ops_9: aot-3: the compiled file would lack CALL_ONCE, which gives the "
        "model's variables their first values: LiteRT's compiler drops it\n"
        "    Export a model that takes its state as inputs and gives it as outputs."
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.tflite"]
    # With no operator for the NPU nothing is dropped.
    compile_model(tmp_path, target, model, ["SIN"])


def test_blocks_of_weights(tmp_path, target):
    inputs = layers.Input((64,))
    x = layers.Dense(64, activation="sigmoid")(inputs)
    model = keras.Model(inputs, layers.Dense(64)(x))
    original, compiled = compile_model(
        tmp_path, target, model, ["FULLY_CONNECTED"], quantize="int4_block32"
    )
    assert compiled.partitions == [(0, 2, 3, 2)]
    check_values(original, compiled, [floats(2, 64)])


def test_integers(tmp_path, target):
    model = cnn()
    operators = ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MAX_POOL_2D"]
    original, compiled = compile_model(
        tmp_path,
        target,
        model,
        operators,
        quantize="int8",
        representative_dataset=lambda: ([floats(1, 8, 8, 3, seed=i)] for i in range(3)),
    )
    check_values(original, compiled, [floats(2, 8, 8, 3)])


def test_everything(tmp_path, target):
    """One partition: its bytecode is the model, so it computes what Keras computes."""
    model = cnn()
    operators = ["CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D", "RESHAPE"]
    operators += ["FULLY_CONNECTED", "SOFTMAX"]
    _, compiled = compile_model(tmp_path, target, model, operators)
    assert compiled.names == [["partition_0"]]
    runner = interpreter(compiled.bytecode).get_signature_runner("partition_0")
    image = floats(3, 8, 8, 3)
    [result] = runner(image=image).values()
    assert oracle.relative_error(result, np.asarray(model(image))) < 1e-5


def test_nothing_to_take(tmp_path, target, capsys):
    """The compiled file has the exported operators. Nothing is printed, no progress either."""
    _, compiled = compile_model(tmp_path, target, cnn(), ["SIN"])
    assert compiled.bytecode is None
    assert capsys.readouterr() == ("", "")


def test_compiler_that_fails(tmp_path, target):
    npu = target()
    npu.model = "broken"
    path = tmp_path / "m.tflite"
    with pytest.raises(keras_litert.ExportError) as error:
        keras_litert.export(cnn(), path, aot_compile_targets=[npu])
    assert str(error.value) == (
        f"'{path}' is written, but not compiled for every NPU:\n"
        "KerasLiteRtTest_broken: aot-2: the compiler fails at 'Applying plugin' and gives no reason"
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.tflite"]
