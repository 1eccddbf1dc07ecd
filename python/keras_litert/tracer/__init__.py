"""Strategy "tracer": the model's own `call`, run on symbolic tensors.

For the time of one call the functions of the active Keras backend are replaced by ones that record
what they are asked for, by the operation's name, where a symbolic tensor or size is among the
arguments. Layers run as they are: autocast, masks and Python control flow included.

    sizes       dynamic dimensions
    tensors     the symbolic tensor
    trace       one trace: constants, arguments, recording
    structural  functions that are answered instead of recorded (shape, is_tensor, …)
    guess       inputs whose dtype nothing tells
    indexing    x[key] where tensors are among the indices
    foreign     functions of a backend that models call without Keras
    control     cond, while_loop, scan … : functions that take functions
    patches     replacing the backend's functions, and putting them back
"""

from keras_litert.tracer.convert import convert

__all__ = ["convert"]
