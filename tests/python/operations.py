"""Many operations in one functional model: the oracle for operation nodes."""

import keras
from oracle import check


def check_operations(tensors, operations, **options):
    """Checks a model with one output for each operation.

    tensors     name → (shape without the batch, dtype); the batch is unknown.
    operations  name → function of the KerasTensors, by name. They name the file's outputs, so
                that a failure says which it was. A function may return a structure.
    """
    inputs = {
        name: keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in tensors.items()
    }
    outputs = {}
    for name, function in operations.items():
        for index, output in enumerate(keras.tree.flatten(function(**inputs))):
            outputs[f"{name}:{index}" if index else name] = output
    return check(keras.Model(inputs, outputs), **options)
