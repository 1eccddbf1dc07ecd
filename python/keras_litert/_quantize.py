"""What a caller says about quantization, as the core takes it."""

from __future__ import annotations

import difflib
import json
import numbers
import os
from collections.abc import Mapping, Sequence
from typing import Any

from keras_litert import _samples

# Options of TensorFlow's converter, which Keras's exporters pass on.
NAMES = (
    "optimizations",
    "representative_dataset",
    "target_spec",
    "inference_input_type",
    "inference_output_type",
    "quant_config",
)
# What quantize="auto" is told.
SEARCH = ("min_sqnr", "max_loss", "max_size", "metric", "auto_recipes")
# Options of export() about quantization.
KNOWN = (*NAMES, *SEARCH, "save_recipe", "advise", "report")
# How ranges follow from samples, as --calibrate-method.
METHODS = ("minmax", "moving_average", "percentile", "mse")
_INT16_OPERATORS = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
_OPERATOR_SETS = ("TFLITE_BUILTINS", "TFLITE_BUILTINS_INT8", _INT16_OPERATORS)
_RULE_KEYS = ("layer", "op", "recipe")


def options(
    quantize: Any, given: Mapping[str, Any], inputs: Sequence[Any] | None = None
) -> dict[str, Any]:
    """What the core takes: recipe, rules, samples, types of inputs and outputs.

    Args:
        quantize: A recipe's name, or {"recipe": …, "rules": [{"layer", "op", "recipe"}, …],
            "method": …} as in a recipe file, or the file's pathlib.Path; None asks for nothing.
        given: Those of KNOWN that were given.
        inputs: The model's, for samples without names; None where they are not known.

    Raises:
        TypeError, ValueError: something else than the above.
    """
    given = {name: value for name, value in given.items() if _is_given(value)}
    if "quant_config" in given:
        raise ValueError("'quant_config' is not known here; give 'quantize' instead")
    result: dict[str, Any] = {"recipe": "", "rules": [], "method": ""}
    if quantize is None:
        result["recipe"] = _of_converter(given)
    else:
        for name in ("optimizations", "target_spec"):
            if name in given:
                raise ValueError(f"give either 'quantize' or '{name}', not both")
        result.update(_of_quantize(quantize))
    result["search"] = _search(result["recipe"], given)
    for name in ("save_recipe", "advise", "report"):
        if name in given and quantize is None:
            raise ValueError(f"'{name}' has no effect without quantize=")
    result["advise"] = bool(given.get("advise", False))
    for name in ("report", "save_recipe"):
        result[name] = os.fspath(given.get(name, ""))
    result["samples"] = _samples.collect(given.get("representative_dataset"), inputs)
    result["runtime"] = _samples.runtime()
    for name in ("input", "output"):
        value = given.get(f"inference_{name}_type")
        result[f"{name}_type"] = "" if value is None else _name(value)
    return result


def _is_given(value: Any) -> bool:
    empty = isinstance(value, (Mapping, list, tuple)) and not value
    return value is not None and not empty


def _of_quantize(quantize: Any) -> dict[str, Any]:
    if isinstance(quantize, os.PathLike):
        with open(quantize, encoding="utf-8") as file:
            quantize = json.load(file)
    if isinstance(quantize, str):
        return {"recipe": quantize}
    if not isinstance(quantize, Mapping):
        raise TypeError(
            "'quantize' must be a recipe's name, a dict or a pathlib.Path, got "
            f"{type(quantize).__name__}"
        )
    _check_keys(quantize, ("recipe", "rules", "method"), "'quantize'")
    method = str(quantize.get("method", ""))
    if method and method not in METHODS:
        near = difflib.get_close_matches(method, METHODS, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"'method' must be one of {', '.join(METHODS)}, got '{method}'{hint}")
    rules = []
    for rule in quantize.get("rules", ()):
        _check_keys(rule, _RULE_KEYS, "a rule of 'quantize'")
        if not rule.get("recipe"):
            raise ValueError(f"a rule of 'quantize' names no recipe: {rule}")
        rules.append(tuple(str(rule.get(key, "")) for key in _RULE_KEYS))
    return {"recipe": str(quantize.get("recipe", "")), "rules": rules, "method": method}


def _search(recipe: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The budget of quantize="auto"."""
    for name in SEARCH:
        if name in given and recipe != "auto":
            raise ValueError(f"'{name}' has no effect without quantize='auto'")
    result: dict[str, Any] = {name: None for name in ("min_sqnr", "max_loss", "max_size")}
    for name in result:
        if name not in given:
            continue
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not value >= 0:
            raise ValueError(f"'{name}' must be a number of at least 0, got {value!r}")
        result[name] = int(value) if name == "max_size" else float(value)
    metric = given.get("metric")
    if metric is not None and not callable(metric):
        raise TypeError(
            "'metric' must be a function of a file's path that gives a number, more is better, "
            f"got {type(metric).__name__}"
        )
    if metric is not None and result["max_loss"] is None and result["max_size"] is None:
        raise ValueError(
            "with 'metric', 'max_loss' says how much less than the float file's it may be"
        )
    recipes = given.get("auto_recipes", ())
    if isinstance(recipes, str):
        recipes = [recipes]
    return {**result, "metric": metric, "recipes": [str(name) for name in recipes]}


def _of_converter(given: Mapping[str, Any]) -> str:
    """The recipe that TensorFlow's converter would use.

    optimizations=[DEFAULT] alone is dynamic_int8, with supported_types=[float16] float16; with
    samples int8, with the operator set of int16 activations int16x8.
    """
    optimizations = [_name(value) for value in given.get("optimizations", ())]
    unknown = [name for name in optimizations if name != "DEFAULT"]
    if unknown:
        raise ValueError(f"'optimizations' may hold 'DEFAULT', got {unknown[0]!r}")
    target = given.get("target_spec", {})
    if not isinstance(target, Mapping):
        keys = ("supported_types", "supported_ops")
        target = {key: getattr(target, key, ()) for key in keys}
    _check_keys(target, ("supported_types", "supported_ops"), "'target_spec'")
    types = [_name(value) for value in target.get("supported_types", ())]
    operators = [_name(value) for value in target.get("supported_ops", ())]
    unknown = [name for name in operators if name not in _OPERATOR_SETS]
    if unknown:
        raise ValueError(
            f"'supported_ops' may hold {', '.join(_OPERATOR_SETS)}, got '{unknown[0]}'"
        )
    samples = "representative_dataset" in given
    if not optimizations:
        for name in ("representative_dataset", "inference_input_type", "inference_output_type"):
            if name in given:
                raise ValueError(
                    f"'{name}' has no effect without quantize= or optimizations=['DEFAULT']"
                )
        if types or len(operators) > operators.count("TFLITE_BUILTINS"):
            raise ValueError("'target_spec' has no effect without optimizations=['DEFAULT']")
        return ""
    if types not in ([], ["int8"], ["float16"]):
        raise ValueError(f"'supported_types' may be ['float16'] or ['int8'], got {types}")
    if types == ["float16"]:
        return "float16"
    if _INT16_OPERATORS in operators:
        return "int16x8"
    return "int8" if samples or "TFLITE_BUILTINS_INT8" in operators else "dynamic_int8"


def _name(value: Any) -> str:
    """ "DEFAULT" of tf.lite.Optimize.DEFAULT, "float16" of tf.float16 or np.float16."""
    for attribute in ("name", "__name__"):
        name = getattr(value, attribute, None)
        if isinstance(name, str):
            return name
    return str(value).rsplit(".", 1)[-1]


def _check_keys(value: Any, known: tuple[str, ...], what: str) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} must be a dict, got {type(value).__name__}")
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"{what} has an unknown key '{key}'{hint}")
