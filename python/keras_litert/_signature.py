"""What a model takes: its inputs' structure, names, dtypes and shapes."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import operator
import threading
import weakref
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import keras
from keras.src import backend
from keras_litert.errors import Diagnostic, ExportError


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One input. `shape` has None for sizes that are known only when the file runs.

    `axes`, where given, names each axis: unknown sizes of one name are one size. `value`, where
    given, is what the model's code needs as numbers (nested tuples): no input of the file.
    `guessed`: the dtype is the model's usual one, as nothing tells this input's.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    axes: tuple[str, ...] = ()
    value: Any = None
    guessed: bool = False


@dataclasses.dataclass(frozen=True)
class Signature:
    """The arguments of the model's call.

    Attributes:
        args: Positional arguments, structures of Leaf.
        kwargs: Keyword arguments, likewise.
        given: True where the user gave it.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    given: bool = False

    def leaves(self) -> list[Leaf]:
        """The file's inputs, in its order: dicts by ascending key."""
        return [leaf for leaf in self.all() if leaf.value is None]

    def values(self) -> list[Leaf]:
        """The leaves that have a value in the file."""
        return [leaf for leaf in self.all() if leaf.value is not None]

    def all(self) -> list[Leaf]:
        """What the model takes, in order."""
        return [leaf for leaf in flatten((self.args, self.kwargs)) if isinstance(leaf, Leaf)]


def flatten(structure) -> list[Any]:
    """Leaves in order; dicts by ascending key. Leaf objects are leaves."""
    return [leaf for _, leaf in _with_path(structure)]


def _with_path(structure, path=()) -> list[tuple[tuple, Any]]:
    if isinstance(structure, dict):
        items = [(key, structure[key]) for key in sorted(structure)]
    elif isinstance(structure, (list, tuple)):
        items = list(enumerate(structure))
    else:
        return [(path, structure)]
    return [leaf for key, item in items for leaf in _with_path(item, (*path, key))]


def map_leaves(function, structure):
    """`structure` with `function` applied to every leaf, in the order of flatten()."""
    if isinstance(structure, dict):
        mapped = {key: map_leaves(function, structure[key]) for key in sorted(structure)}
        return {key: mapped[key] for key in structure}
    if isinstance(structure, (list, tuple)):
        items = [map_leaves(function, item) for item in structure]
        return type(structure)(*items) if hasattr(structure, "_fields") else type(structure)(items)
    return function(structure)


def infer(model: keras.Model, given: Any = None) -> Signature:
    """The signature that the user gave, or else the one that the model was built or called with.

    Raises:
        ExportError: the model tells nothing, or what is given does not fit it.
    """
    functional = functional_of(model)
    if functional is not None:
        return _of_functional(functional, given, has_open_batch(model))
    return _of_subclass(model, given)


def functional_of(model: keras.Model):
    """The graph of a Functional or a built Sequential model, or a Function; None for others."""
    if isinstance(model, keras.Function):
        return model
    if isinstance(model, keras.Sequential):
        return getattr(model, "_functional", None)
    return None


def has_open_batch(model) -> bool:
    """Whether a Sequential model's batch size is just that of the data that built it.

    True where no input was given and Keras made one of the first call's shape: it takes any batch
    nevertheless, but for layers with states of its size.
    """
    if not isinstance(model, keras.Sequential) or any(
        getattr(layer, "stateful", False) for layer in model._flatten_layers()
    ):
        return False
    made = getattr(getattr(model._layers[0], "_auto_config", None), "config", {})
    return made.get("batch_shape") is not None and made.get("dtype") is not None


def input_struct(functional):
    """The structure of KerasTensors that the model takes; a list of one is its element."""
    structure = functional._inputs_struct
    if isinstance(structure, (list, tuple)) and len(structure) == 1:
        return structure[0]
    return structure


def _of_functional(functional, given: Any, open_batch: bool) -> Signature:
    structure = input_struct(functional)
    names = []
    for path, x in _with_path(structure):
        if any(isinstance(part, str) for part in path):
            names.append("_".join(map(str, path)))
        else:
            history = getattr(x, "_keras_history", None)
            names.append(history.operation.name if history and history.operation else x.name)
    own = [
        Leaf(
            name,
            backend.standardize_dtype(x.dtype),
            (None, *x.shape[1:]) if open_batch else tuple(x.shape),
        )
        for name, x in zip(names, flatten(structure))
    ]
    leaves = own
    if given is not None:
        specs = _specs(given, len(own), names)
        leaves = [_refine(leaf, spec) for leaf, spec in zip(own, specs)]
    iterator = iter(leaves)
    return Signature(
        (map_leaves(lambda _: next(iterator), structure),), {}, given=given is not None
    )


def _specs(given, count: int, names: list[str]) -> list[Leaf]:
    """The leaves of what the user gave for a model of `count` inputs, in its order."""
    while isinstance(given, (list, tuple)) and len(given) == 1 and not _is_leaf(given):
        given = given[0]
    if isinstance(given, dict) and set(given) != set(names) and len(names) == len(given):
        pass
    specs = [_leaf(x) for x in _flatten_given(given)]
    if len(specs) != count:
        raise ExportError(
            [
                Diagnostic(
                    "",
                    "signature-1",
                    f"input_signature has {len(specs)} inputs, the model has {count}: "
                    f"{', '.join(names)}",
                    "Give one (shape, dtype), keras.InputSpec or tensor for each, in the model's "
                    "structure.",
                )
            ]
        )
    return specs


def _refine(own: Leaf, spec: Leaf) -> Leaf:
    """The model's input with the sizes that the user fixes."""
    fits = len(own.shape) == len(spec.shape) and all(
        a is None or b is None or a == b for a, b in zip(own.shape, spec.shape)
    )
    if not fits:
        raise ExportError(
            [
                Diagnostic(
                    "",
                    "signature-2",
                    f"input '{own.name}' has the shape {own.shape}, input_signature says "
                    f"{spec.shape}",
                    "",
                )
            ]
        )
    shape = tuple(b if a is None else a for a, b in zip(own.shape, spec.shape))
    return dataclasses.replace(own, shape=shape)


# What each model was called with first: a structure of Leaf for each argument, without names.
_calls: weakref.WeakKeyDictionary[keras.Model, dict[str, Any]] = weakref.WeakKeyDictionary()

_own_calls = threading.local()


def remember_call(model: keras.Model, arguments: dict[str, Any]) -> None:
    """Keeps shapes and dtypes of the tensors that a model is called with, for the first call.

    Keras keeps a shape alone, and of the first argument. Batches are open, other sizes as they are.
    """
    if model in _calls or getattr(_own_calls, "running", False):
        return
    try:
        _calls[model] = {name: _map_tensors(x) for name, x in arguments.items()}
    except (AttributeError, TypeError, ValueError):
        pass  # A tensor of unknown rank, or a structure that no signature can have.


@contextlib.contextmanager
def own_calls() -> Iterator[None]:
    """Calls of models that this package makes in here, by a guess or a trace, tell nothing."""
    _own_calls.running = True
    try:
        yield
    finally:
        _own_calls.running = False


def with_integers(signature: Signature, names: Collection[str]) -> Signature:
    """The signature with int32 for the inputs of these names."""
    args, kwargs = map_leaves(
        lambda leaf: (
            dataclasses.replace(leaf, dtype="int32", guessed=False) if leaf.name in names else leaf
        ),
        (signature.args, signature.kwargs),
    )
    return dataclasses.replace(signature, args=args, kwargs=kwargs)


def _map_tensors(x):
    if isinstance(x, Mapping):
        return {key: _map_tensors(item) for key, item in x.items()}
    if isinstance(x, (list, tuple)):
        return [_map_tensors(item) for item in x]
    shape = tuple(None if size is None else operator.index(size) for size in x.shape)
    return Leaf("", backend.standardize_dtype(x.dtype), (None, *shape[1:]) if shape else ())


def _of_subclass(model: keras.Model, given: Any) -> Signature:
    names = _argument_names(model)
    if given is not None:
        return _given_for_subclass(given, names, _argument_names(model, masks=True))
    called = _calls.get(model) if isinstance(model, keras.Model) else None
    if called and set(_argument_names(model, required=True)) <= set(called):
        known = {*names, *_argument_names(model, masks=True)}
        arguments = {name: x for name, x in called.items() if name in known}
        return _positional(_name(arguments, lambda leaf: (leaf.dtype, leaf.shape)), names)
    # What the model was built with, by argument.
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        raise ExportError(
            [
                Diagnostic(
                    "",
                    "signature-3",
                    f"the model '{model.name}' was never built or called: its inputs are not known",
                    "Call it once, or give input_signature=[((None, 28, 28, 1), 'float32')].",
                )
            ]
        )
    required = _argument_names(model, required=True)
    if len(shapes) < len(required):
        raise ExportError(
            [
                Diagnostic(
                    "",
                    "signature-5",
                    f"the call of '{model.name}' takes {', '.join(required)}; Keras keeps the "
                    "shape of the first alone",
                    "Give input_signature, with one (shape, dtype) for each, or import "
                    "keras_litert before the model's first call.",
                )
            ]
        )
    dtype = model.input_dtype
    arguments = {}
    for index, (key, shape) in enumerate(shapes.items()):
        name = key.removesuffix("_shape")
        if name in ("input", "inputs") or (len(shapes) == 1 and name not in names):
            name = names[0] if names else "inputs"
        arguments[name] = _map_shapes(lambda s: ("spec", s), shape)
    named = _name(arguments, lambda spec: (dtype, (None, *spec[1][1:])))
    named = map_leaves(lambda leaf: dataclasses.replace(leaf, guessed=True), named)
    return _positional(named, names)


def _positional(arguments: dict[str, Any], names: list[str]) -> Signature:
    args = []
    rest = dict(arguments)
    for name in names:
        if name not in rest:
            break
        args.append(rest.pop(name))
    return Signature(tuple(args), rest)


def _given_for_subclass(given: Any, names: list[str], masks: list[str]) -> Signature:
    if _is_leaf(given):
        arguments = {names[0] if names else "inputs": given}
    elif isinstance(given, dict):
        if set(names[:1]) <= set(given) <= {*names, *masks}:
            arguments = dict(given)
        else:
            arguments = {names[0] if names else "inputs": given}
    elif len(given) > len(names) and len(names) == 1:
        arguments = {names[0]: given}
    else:
        if len(given) > len(names):
            raise ExportError(
                [
                    Diagnostic(
                        "",
                        "signature-1",
                        f"input_signature has {len(given)} arguments, the model's call takes "
                        f"{len(names)}: {', '.join(names)}",
                        "",
                    )
                ]
            )
        arguments = dict(zip(names, given))
    named = _name(arguments, lambda spec: (_leaf(spec).dtype, _leaf(spec).shape), _leaf_name)
    signature = _positional(named, names)
    return dataclasses.replace(signature, given=True)


def _name(arguments: dict[str, Any], type_of, own_name=lambda spec: None) -> dict[str, Any]:
    """Structures of specs as structures of Leaf, named by dict keys, else by argument."""
    used: set[str] = set()

    def build(structure, path):
        if isinstance(structure, dict):
            built = {key: build(structure[key], (*path, key)) for key in sorted(structure)}
            return {key: built[key] for key in structure}
        if (
            isinstance(structure, (list, tuple))
            and not _is_leaf(structure)
            and not (len(structure) == 2 and structure[0] == "spec")
        ):
            items = [build(item, (*path, index)) for index, item in enumerate(structure)]
            return type(structure)(items)
        dtype, shape = type_of(structure)
        in_dict = any(isinstance(part, str) for part in path[1:])
        name = own_name(structure) if not in_dict else None
        if name is None:
            name = "_".join(map(str, path[1:] if in_dict else path))
        if name in used:
            name = "_".join(map(str, path))
        used.add(name)
        return Leaf(name, dtype, shape)

    return {key: build(structure, (key,)) for key, structure in arguments.items()}


def for_inference(model) -> dict[str, bool]:
    """The arguments by which Keras calls a model for inference, and its own exporters do.

    Layers that have no such argument hand it on to those inside. Without it a layer that defaults
    to training (RandomFlip and its like) puts all that are called behind it into training, too.
    """
    return {"training": False} if isinstance(model, keras.Layer) else {}


def _argument_names(model: keras.Model, required: bool = False, masks: bool = False) -> list[str]:
    """The arguments of `call` that can be tensors. `masks`: with `mask`, which Keras fills in."""
    names = []
    for parameter in inspect.signature(model.call).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name in ("training", "self") or (parameter.name == "mask" and not masks):
            continue
        if required and parameter.default is not parameter.empty:
            continue
        names.append(parameter.name)
    return names


def _is_shape(x) -> bool:
    return isinstance(x, (list, tuple)) and all(
        size is None or (isinstance(size, int) and not isinstance(size, bool)) for size in x
    )


def _map_shapes(function, structure):
    if isinstance(structure, dict):
        return {key: _map_shapes(function, item) for key, item in structure.items()}
    if _is_shape(structure):
        return function(tuple(structure))
    return [_map_shapes(function, item) for item in structure]


def _is_leaf(x) -> bool:
    """InputSpec, KerasTensor, TensorSpec, an array or tensor, (shape, dtype), or a bare shape."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return True
    if isinstance(x, (list, tuple)):
        if len(x) == 2 and _is_shape(x[0]) and _is_dtype(x[1]):
            return True
        return len(x) > 0 and _is_shape(x)
    return False


def _is_dtype(x) -> bool:
    if x is None or isinstance(x, (int, list, tuple, dict)):
        return False
    try:
        backend.standardize_dtype(x)
    except (TypeError, ValueError):
        return False
    return True


def _flatten_given(given) -> list[Any]:
    if _is_leaf(given):
        return [given]
    if isinstance(given, dict):
        return [leaf for key in sorted(given) for leaf in _flatten_given(given[key])]
    if isinstance(given, (list, tuple)):
        return [leaf for item in given for leaf in _flatten_given(item)]
    return [given]


def _leaf_name(spec) -> str | None:
    name = getattr(spec, "name", None)
    return name if isinstance(name, str) and not isinstance(spec, keras.KerasTensor) else None


def _leaf(spec) -> Leaf:
    if isinstance(spec, (list, tuple)):
        if _is_shape(spec):
            return Leaf("", backend.floatx(), tuple(spec))
        shape, dtype = spec
        return Leaf("", backend.standardize_dtype(dtype), tuple(shape))
    shape, dtype = getattr(spec, "shape", None), getattr(spec, "dtype", None)
    if shape is None or dtype is None:
        raise ExportError(
            [
                Diagnostic(
                    "",
                    "signature-4",
                    f"input_signature has a {type(spec).__name__} without shape or dtype: {spec}",
                    "Give keras.InputSpec(shape=…, dtype=…), (shape, dtype), or a tensor.",
                )
            ]
        )
    if hasattr(shape, "as_list"):  # tf.TensorShape
        shape = shape.as_list()
    return Leaf(
        getattr(spec, "name", None) or "",
        backend.standardize_dtype(dtype),
        tuple(None if size is None else int(size) for size in shape),
    )


def outputs_of(structure) -> list[tuple[str, Any]]:
    """Name and value of each of the file's outputs, in its order.

    Mappings are in ascending order of keys; named tuples and dataclasses give names too. None is
    no output. What has no name is `output_0` …, by its place among all.
    """
    named = []
    for path, value in _output_paths(structure):
        if any(isinstance(part, str) for part in path):
            named.append(("_".join(map(str, path)), value))
        else:
            named.append((f"output_{len(named)}", value))
    return named


def _output_paths(structure, path=()) -> list[tuple[tuple, Any]]:
    if structure is None:
        return []
    if isinstance(structure, Mapping):
        items = [(key, structure[key]) for key in sorted(structure)]
    elif dataclasses.is_dataclass(structure) and not isinstance(structure, type):
        items = [(field.name, getattr(structure, field.name)) for field in _fields(structure)]
    elif isinstance(structure, (list, tuple)):
        names = getattr(structure, "_fields", range(len(structure)))
        items = list(zip(names, structure))
    else:
        return [(path, structure)]
    return [leaf for key, item in items for leaf in _output_paths(item, (*path, key))]


def _fields(structure):
    return [field for field in dataclasses.fields(structure) if hasattr(structure, field.name)]


def zeros(signature: Signature, unknown: int = 1):
    """Arguments of zeros in the signature's shapes, as backend tensors.

    Unknown sizes are `unknown`, an unknown first one 1.
    """

    def make(leaf):
        shape = tuple(
            size if size is not None else unknown if axis else 1
            for axis, size in enumerate(leaf.shape)
        )
        return keras.ops.zeros(shape, leaf.dtype)

    args, kwargs = map_leaves(make, (signature.args, signature.kwargs))
    return args, kwargs


def output_names_of_file(interpreter) -> list[str]:
    """The outputs of the signature in the graph's order."""
    runner = interpreter.get_signature_runner("serving_default")
    index = {detail["index"]: name for name, detail in runner.get_output_details().items()}
    names = [index[d["index"]] for d in interpreter.get_output_details() if d["index"] in index]
    # A tensor that is an output twice has two names.
    return names if len(names) == len(index) else list(runner.get_output_details())
