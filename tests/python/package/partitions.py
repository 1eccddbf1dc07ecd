"""Compares a file that LiteRT compiled for an NPU with the exported one.

The NPU is that of tests/plugin: its bytecode is the partitions, as a .tflite file.
"""

import collections
import itertools

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from flatbuffers import flexbuffers

CODES = {
    name: value for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
}

# What the plugin puts behind the bytecode.
END = b"END OF BYTECODE"


# --- What a file says -----------------------------------------------------------------------------


def unpack(content):
    return schema.ModelT.InitFromPackedBuf(bytearray(content), 0)


def plain(value):
    """Tables, arrays and bytes as what can be compared and hashed."""
    if isinstance(value, np.ndarray):
        return tuple(value.tolist())
    if isinstance(value, list):
        return tuple(map(plain, value))
    if hasattr(value, "__dict__"):
        fields = ((name, plain(field)) for name, field in sorted(vars(value).items()))
        return (type(value).__name__, *fields)
    return value


def tensor(model, graph, index):
    """A tensor with all that is said of it, and its bytes if it is a constant."""
    entry = graph.tensors[index]
    data = model.buffers[entry.buffer].data
    fields = {**vars(entry), "buffer": None if data is None else bytes(data)}
    # What stands for nothing differs between writers, and so do indices of tensors.
    quantization = entry.quantization
    details = None if quantization is None else quantization.details
    if details is not None:
        fields["quantization"] = (details.blockSize, tensor(model, graph, details.scales))
    elif quantization is None or quantization.scale is None or not len(quantization.scale):
        fields["quantization"] = None
    fields["shape"] = [] if entry.shape is None else entry.shape
    fields["shapeSignature"] = (
        entry.shapeSignature
        if entry.shapeSignature is not None and len(entry.shapeSignature)
        else fields["shape"]
    )
    return tuple((name, plain(fields[name])) for name in sorted(fields))


def code(model, operator):
    entry = model.operatorCodes[operator.opcodeIndex]
    return max(entry.builtinCode, entry.deprecatedBuiltinCode)


def present(indices):
    """The operands that are there. LiteRT leaves absent ones out when it saves."""
    return [] if indices is None else [index for index in indices if index != -1]


def describe(model, graph, operator):
    """An operator with all that is said of it."""
    return (
        code(model, operator),
        model.operatorCodes[operator.opcodeIndex].version,
        plain(operator.builtinOptions),
        plain(operator.builtinOptions2),
        tuple(tensor(model, graph, index) for index in present(operator.inputs)),
        tuple(tensor(model, graph, index) for index in present(operator.outputs)),
    )


def describe_tensors(model, graph, indices):
    return [tensor(model, graph, index) for index in present(indices)]


def signatures(model):
    return [
        (
            entry.signatureKey,
            entry.subgraphIndex,
            *(
                [
                    (info.name, tensor(model, model.subgraphs[entry.subgraphIndex], index))
                    for info in infos
                    for index in [info.tensorIndex]
                ]
                for infos in (entry.inputs, entry.outputs)
            ),
        )
        for entry in model.signatureDefs
    ]


class Compiled:
    """A compiled file and its bytecode, checked against the exported file.

    names[graph]  the partitions of a subgraph, by the names of their calls
    bytecode      a .tflite file with a signature for each partition
    """

    def __init__(self, original, compiled, taken):
        before, after = unpack(original), unpack(compiled)
        self.names, self.partitions = [], []
        self.bytecode = None
        calls = [self.calls(after, graph) for graph in after.subgraphs]
        for options in itertools.chain(*calls):
            start, size = options["bytecode_offset"], options["bytecode_size"]
            assert start + size <= len(compiled)
            content = compiled[start : start + size]
            assert content.endswith(END)
            content = content.removesuffix(END)
            assert self.bytecode in (None, content)
            self.bytecode = content
        blob = unpack(self.bytecode) if self.bytecode else None
        slices = (
            {}
            if blob is None
            else {entry.signatureKey.decode(): entry for entry in blob.signatureDefs}
        )
        assert signatures(after) == signatures(before)
        assert len(after.subgraphs) == len(before.subgraphs)
        for index, (old, new) in enumerate(zip(before.subgraphs, after.subgraphs, strict=True)):
            assert new.name == old.name
            for name in ("inputs", "outputs"):
                assert describe_tensors(after, new, getattr(new, name)) == describe_tensors(
                    before, old, getattr(old, name)
                )
            self.check_operators(index, (before, old), (after, new), (blob, slices), taken)
        # Every partition is called once.
        assert sorted(itertools.chain(*self.names)) == sorted(slices)

    @staticmethod
    def calls(model, graph):
        return [
            flexbuffers.Loads(bytes(operator.customOptions))
            for operator in graph.operators
            if code(model, operator) == CODES["CUSTOM"]
        ]

    def check_operators(self, index, before, after, bytecode, taken):
        (old_model, old), (model, graph), (blob, slices) = before, after, bytecode
        names, left, cut = [], [], []
        known = {i for i, entry in enumerate(graph.tensors) if is_constant(model, entry)}
        known.update(present(graph.inputs))
        for operator in graph.operators:
            assert known.issuperset(present(operator.inputs))
            known.update(present(operator.outputs))
            if code(model, operator) != CODES["CUSTOM"]:
                left.append(describe(model, graph, operator))
                continue
            assert model.operatorCodes[operator.opcodeIndex].customCode == b"DISPATCH_OP"
            names.append(flexbuffers.Loads(bytes(operator.customOptions))["name"])
            partition = blob.subgraphs[slices[names[-1]].subgraphIndex]
            for name in ("inputs", "outputs"):
                assert describe_tensors(model, graph, getattr(operator, name)) == (
                    describe_tensors(blob, partition, getattr(partition, name))
                )
            cut += [describe(blob, partition, part) for part in partition.operators]
        whole = [describe(old_model, old, operator) for operator in old.operators]
        wanted = [entry[0] in taken for entry in whole]
        # What was taken and what was left together are the exported operators, each once, with
        # their options, names, types, shapes and constants.
        assert collections.Counter(cut) == collections.Counter(
            entry for entry, mine in zip(whole, wanted, strict=True) if mine
        )
        assert collections.Counter(left) == collections.Counter(
            entry for entry, mine in zip(whole, wanted, strict=True) if not mine
        )
        # Operators that follow each other go together.
        runs = sum(mine for mine, _ in itertools.groupby(wanted))
        assert len(names) == runs
        self.names.append(names)
        self.partitions.append((index, sum(wanted), len(whole), runs))


def is_constant(model, entry):
    data = model.buffers[entry.buffer].data
    return data is not None and len(data) > 0


# --- What the partitions compute ------------------------------------------------------------------


def interpreter(content, **options):
    return Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        num_threads=1,
        **options,
    )


def check_values(original, compiled, arrays):
    """Each partition of the main graph gives the exported file's values where it was cut out."""
    whole = interpreter(original, experimental_preserve_all_tensors=True)
    graph = unpack(original).subgraphs[0]
    for index, array in zip(graph.inputs, arrays, strict=True):
        whole.resize_tensor_input(index, array.shape)
    whole.allocate_tensors()
    for index, array in zip(graph.inputs, arrays, strict=True):
        whole.set_tensor(index, array)
    whole.invoke()
    values = {entry.name.decode(): index for index, entry in enumerate(graph.tensors)}
    parts = interpreter(compiled.bytecode)
    for name in compiled.names[0]:
        runner = parts.get_signature_runner(name)
        inputs = {key: whole.get_tensor(values[key]) for key in runner.get_input_details()}
        for key, value in runner(**inputs).items():
            np.testing.assert_array_equal(value, whole.get_tensor(values[key]), err_msg=key)


def input_names(content):
    return [entry.name.decode() for entry in unpack(content).signatureDefs[0].inputs]
