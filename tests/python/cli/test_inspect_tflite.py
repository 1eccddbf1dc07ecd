"""`keras-litert inspect`: what it says of LiteRT files."""

import json

import flatbuffers
import numpy as np
import oracle
from ai_edge_litert import schema_py_generated as schema
from cli.support import FILE, OK, check
from oracle import run_cli


def test_inspect_tflite(saved):
    path = saved / "small.tflite"
    report = json.loads(check(run_cli("inspect", path, "--json"), OK).stdout)
    assert report["format"] == "tflite"
    assert report["file_bytes"] == path.stat().st_size
    assert report["signatures"] == [
        {
            "key": "serving_default",
            "inputs": [{"name": "image", "dtype": "float32", "shape": [-1, 6, 5, 2]}],
            "outputs": [{"name": "output_0", "dtype": "float32", "shape": [-1, 3]}],
        }
    ]
    assert report["subgraphs"] == 1
    assert report["operators"] == oracle.File(path.read_bytes()).operators
    sizes = [weight["bytes"] for weight in report["weights"]]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 48 * 3 * 4
    assert report["weight_bytes"] == sum(sizes)
    text = check(run_cli("inspect", path), OK).stdout
    assert "signature serving_default\n    input   image     float32[?, 6, 5, 2]\n" in text
    assert "    1  CONV_2D\n" in text


def test_inspect_cut_tflite(saved, tmp_path):
    content = (saved / "small.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    for cut in np.linspace(0, len(content) - 1, 40).astype(int):
        path.write_bytes(content[:cut])
        completed = check(run_cli("inspect", path), FILE)
        assert completed.stdout == "" and completed.stderr


def test_inspect_damaged_tflite(saved, tmp_path):
    """Whatever a byte becomes, the file is read or refused."""
    content = (saved / "small.tflite").read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.tflite"
    for place in rng.integers(8, len(content), 60):
        damaged = bytearray(content)
        damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        assert run_cli("inspect", path).returncode in (OK, FILE)


def test_inspect_tflite_of_another_writer(tmp_path):
    """No signature, an operator that LiteRT does not have, a shape without shape_signature."""
    tensors = []
    for name, buffer in (("x", 0), ("table", 1), ("y", 0)):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, [2, 3], buffer
        tensor.type = schema.TensorType.INT8
        tensors.append(tensor)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "Mine"
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1], [2]
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs = tensors, [0], [2]
    graph.operators = [operator]
    model = schema.ModelT()
    model.version, model.description = 3, "by hand"
    model.operatorCodes, model.subgraphs = [code], [graph]
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.arange(6, dtype=np.uint8)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "other.bin"  # The content tells what it is.
    path.write_bytes(builder.Output())

    report = json.loads(check(run_cli("inspect", path, "--json"), OK).stdout)
    assert report["model_name"] == "by hand"
    assert report["signatures"] == [
        {
            "key": "",
            "inputs": [{"name": "x", "dtype": "int8", "shape": [2, 3]}],
            "outputs": [{"name": "y", "dtype": "int8", "shape": [2, 3]}],
        }
    ]
    assert report["operators"] == {"CUSTOM Mine": 1}
    assert report["weights"] == [{"name": "table", "dtype": "int8", "shape": [2, 3], "bytes": 6}]
    assert report["weight_elements"] == 6
