"""Files in CompiledModel, LiteRT's other runtime: XNNPACK on the CPU."""

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel


def run_compiled(path, given, details):
    """Outputs by name; `details` are those of the Interpreter's signature runner.

    The buffers' Python methods know no int16, but copy bytes: both ways they are taken as such.
    """
    model = CompiledModel.from_file(str(path))
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    inputs[0].write(np.ascontiguousarray(given).view(np.uint8))
    model.run_by_index(0, inputs, outputs)
    arrays = {}
    for name, buffer in zip(model.get_signature_by_index(0)["outputs"], outputs, strict=True):
        shape, dtype = tuple(details[name]["shape"]), np.dtype(details[name]["dtype"])
        size = int(np.prod(shape)) * dtype.itemsize
        arrays[name] = np.asarray(buffer.read(size, np.uint8)).view(dtype).reshape(shape)
    return arrays
