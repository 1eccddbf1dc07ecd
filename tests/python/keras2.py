"""Files as Keras 2 wrote them, made from Keras 3 models, so that Keras 3's outputs are the oracle.

No old Keras is needed: the layout is documented by the code that reads it to this day
(keras.src.legacy) and by the files of those years. What differs from a file of Keras 3:

    model_config    byte strings; no modules; batch_input_shape; the calls of a Functional model as
                    [[layer, call, tensor, {kwargs}], …]; calls of nested models counted from 1;
                    before 2.2.3 a Sequential's config is the bare list of its layers, without an
                    InputLayer
    model_weights   "dense_1/kernel:0"; trainable weights first, the rest behind them
    .keras          (2.12 to 2.15) modules and registered names, but the calls as above; in 2.12 the
                    weights under _layer_checkpoint_dependencies
"""

import io
import json
import zipfile

import h5py
import keras
import numpy as np

# Arguments that Keras 2 did not have.
_NEW_KEYS = {
    "lora_alpha",
    "lora_rank",
    "quantization_config",
    "renorm",
    "renorm_clipping",
    "renorm_momentum",
    "synchronized",
    "zero_output_for_mask",
}
_NOT_2018 = {"groups", "keepdims", "ragged", "dtype"}
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
_MODELS = ("Functional", "Model", "Sequential")


def _is_serialized(value):
    return isinstance(value, dict) and "class_name" in value and "config" in value


def _value(value, version, first=False):
    """A value of a layer's config."""
    if _is_serialized(value):
        if value["class_name"] == "DTypePolicy":
            return value["config"]["name"]
        if value.get("registered_name") == "function" or value["class_name"] == "function":
            return value["config"]
        if value["class_name"] in _MODELS or "trainable" in (value["config"] or {}):
            return layer(value, version, first)
        return {"class_name": value["class_name"], "config": _value(value["config"], version)}
    if isinstance(value, dict):
        return {key: _value(item, version) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(item, version) for item in value]
    return value


def layer(serialized, version, first=False):
    """A serialized layer as Keras 2 had it. `first`: a Sequential's, which holds the input."""
    class_name, config = serialized["class_name"], serialized["config"]
    if class_name == "Functional":
        config = functional(config, version)
        class_name = "Functional" if version >= (2, 4) else "Model"
    elif class_name == "Sequential":
        config = sequential(config, version)
    else:
        new = _NEW_KEYS | (_NOT_2018 if version < (2, 3) and not first else set())
        config = {
            _RENAMED.get((class_name, key), key): _value(value, version)
            for key, value in config.items()
            if key not in new
        }
        if class_name == "InputLayer":
            config["batch_input_shape"] = config.pop("batch_shape")
            config["dtype"] = serialized["config"]["dtype"]
            config.pop("optional", None)
        if class_name == "LSTM" and version < (2, 3):
            config["implementation"] = 1
    result = {"class_name": class_name, "config": config}
    if version >= (2, 12):
        result |= {"module": "keras.layers", "registered_name": None}
    return result


def sequential(config, version):
    layers = config["layers"]
    if version >= (2, 4):
        return {"name": config["name"], "layers": [layer(one, version) for one in layers]}
    shape = layers[0]["config"]["batch_shape"]
    converted = [layer(one, version, first=i == 0) for i, one in enumerate(layers[1:])]
    if converted[0]["class_name"] not in _MODELS:
        converted[0]["config"] |= {
            "batch_input_shape": shape,
            "dtype": layers[0]["config"]["dtype"],
        }
    return converted if version < (2, 2, 3) else {"name": config["name"], "layers": converted}


def functional(config, version):
    classes = {one["name"]: one["class_name"] for one in config["layers"]}

    def reference(name, call, tensor):
        return [name, call + (classes[name] in _MODELS), tensor]

    def tensors(arguments):
        """The tensors of a call, and its other arguments."""
        if _is_serialized(arguments) and arguments["class_name"] == "__keras_tensor__":
            return [reference(*arguments["config"]["keras_history"])]
        assert isinstance(arguments, (list, tuple)), arguments
        return [tensor for item in arguments for tensor in tensors(item)]

    def keyword(value):
        if _is_serialized(value) and value["class_name"] == "__keras_tensor__":
            return reference(*value["config"]["keras_history"])
        return [keyword(item) for item in value] if isinstance(value, (list, tuple)) else value

    def call(node):
        keywords = {
            key: keyword(value)
            for key, value in node["kwargs"].items()
            if value is not None and key not in ("training", "mask")
        }
        return [[*tensor, keywords] for tensor in tensors(node["args"])]

    def leaves(structure):
        """Keras 3 counts nested Functionals' calls from 1 here, but not those of Sequentials."""
        if isinstance(structure[0], str):
            name, number, tensor = structure
            return [[name, number + (classes[name] == "Sequential"), tensor]]
        return [leaf for item in structure for leaf in leaves(item)]

    return {
        "name": config["name"],
        "layers": [
            {
                **layer(one, version),
                "name": one["name"],
                "inbound_nodes": [call(node) for node in one["inbound_nodes"]],
            }
            for one in config["layers"]
            if not one["module"].startswith("keras.src.ops")  # masks: implicit in Keras 2
        ],
        "input_layers": leaves(config["input_layers"]),
        "output_layers": leaves(config["output_layers"]),
    }


def model_config(model, version):
    return layer(keras.saving.serialize_keras_object(model), version)


def write_config_and_weights(path, config, weights, version="2.2.4", chunks=False):
    """`weights`: layer name → {weight name: array}, in the layer's order."""

    def names(group, key, values):
        array = np.array([np.bytes_(value) for value in values] or np.zeros(0, "S1"))
        if not chunks:
            group.attrs[key] = array
            return
        for index in range(max(1, len(array))):
            group.attrs[f"{key}{index}"] = array[index : index + 1]

    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = np.bytes_(version)
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["model_config"] = np.bytes_(json.dumps(config))
        root = file.create_group("model_weights")
        names(root, "layer_names", weights)
        root.attrs["keras_version"] = np.bytes_(version)
        for layer_name, arrays in weights.items():
            group = root.create_group(layer_name)
            names(group, "weight_names", arrays)
            for name, array in arrays.items():
                group[name] = array


def write_h5(model, path, version="2.2.4", chunks=False, edit=lambda config: config):
    """The whole model as an .h5 file of that version."""
    number = tuple(map(int, version.split(".")))
    weights = {}
    for one in model.layers:
        variables = [*one.trainable_variables, *one.non_trainable_variables]
        weights[one.name] = {
            f"{variable.path}:0": np.asarray(variable)
            for variable in variables
            if "seed_generator" not in variable.path
        }
    config = edit(model_config(model, number))
    write_config_and_weights(path, config, weights, version, chunks)
    return path


def write_keras(model, path, version="2.15.0", old_names=False):
    """The model as a .keras file of TensorFlow's Keras; `old_names`: as 2.12 names weights."""
    number = tuple(map(int, version.split(".")))
    saved = path.with_name("keras3.keras")
    model.save(saved)
    config = model_config(model, number) | {"build_config": {}, "compile_config": None}
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as target:
        target.writestr("metadata.json", json.dumps({"keras_version": version}))
        target.writestr("config.json", json.dumps(config))
        content = source.read("model.weights.h5")
        if old_names:
            renamed = io.BytesIO()
            with h5py.File(io.BytesIO(content)) as old, h5py.File(renamed, "w") as new:

                def copy(name, item):
                    if isinstance(item, h5py.Dataset):
                        new[name.replace("layers/", "_layer_checkpoint_dependencies/")] = item[()]

                old.visititems(copy)
            content = renamed.getvalue()
        target.writestr("model.weights.h5", content)
    return path
