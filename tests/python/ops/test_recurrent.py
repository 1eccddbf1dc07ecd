"""keras.src.backend.rnn's lstm and gru by name, as a tracer reports them.

No Functional model has nodes of them: the file of one with the layer is rewritten.
"""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from oracle import check, save


def _constant(array):
    array = np.asarray(array)
    return {
        "class_name": "__tensor__",
        "config": {"value": array.tolist(), "dtype": str(array.dtype)},
    }


def _as_operation(model, folder):
    """The model's file, its recurrent layer called as an operation on its weights."""
    layer = model.layers[-1]
    path = save(model, folder)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        metadata = archive.read("metadata.json")
    inner = config["config"]
    saved = inner["layers"][-1]
    ((sequence, *states),) = [[node["args"][0]] + (node["kwargs"].get("initial_state") or [])
                              for node in saved["inbound_nodes"]]  # fmt: skip
    names = ["initial_state_h", "initial_state_c"]
    if isinstance(layer, layers.GRU):
        names = ["initial_state"]
    keywords = dict(zip(names, states)) | {
        "kernel": _constant(layer.cell.kernel),
        "recurrent_kernel": _constant(layer.cell.recurrent_kernel),
        "bias": _constant(layer.cell.bias) if layer.use_bias else None,
        "activation": keras.activations.serialize(layer.cell.activation),
        "recurrent_activation": keras.activations.serialize(layer.cell.recurrent_activation),
    }
    for key in ("return_sequences", "go_backwards", "unroll", "reset_after"):
        if hasattr(layer, key):
            keywords[key] = getattr(layer, key)
    saved |= {
        "module": "keras.src.ops.rnn",
        "config": {"name": layer.name},
        "inbound_nodes": [{"args": [sequence], "kwargs": keywords}],
    }
    # The layer gives (output, states…), the operation (last output, outputs, states…).
    for output in inner["output_layers"]:
        output[2] = output[2] + 1 if output[2] or layer.return_sequences else 0
    empty = io.BytesIO()
    h5py.File(empty, "w").close()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", metadata)
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", empty.getvalue())
    return path


@pytest.mark.parametrize(
    "layer, options",
    [
        (layers.LSTM, {}),
        (layers.LSTM, {"return_sequences": True, "go_backwards": True}),
        (layers.LSTM, {"activation": "relu", "recurrent_activation": "hard_sigmoid"}),
        (layers.LSTM, {"use_bias": False, "unroll": True}),
        (layers.GRU, {"return_sequences": True}),
        (layers.GRU, {"reset_after": False, "go_backwards": True}),
        (layers.GRU, {"use_bias": False, "activation": "softsign"}),
    ],
)
@pytest.mark.parametrize("time", [5, None])
def test_fused_recurrences(layer, options, time):
    if options.get("unroll") and time is None:
        pytest.skip("unrolling needs a number of steps")
    for with_states in (False, True):
        x = keras.Input((time, 3), name="x")
        states = [keras.Input((4,), name=f"state_{i}") for i in range(1 + (layer is layers.LSTM))]
        if not with_states:
            states = []
        recurrent = layer(4, return_state=True, **options)
        outputs = recurrent(x, initial_state=states) if states else recurrent(x)
        check(keras.Model([x, *states], outputs), write=_as_operation, size=((6,), (9,)))
