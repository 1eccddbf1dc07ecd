"""What a caller says about quantization, as the core takes it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

# Options of TensorFlow's converter, which Keras's exporters pass on.
NAMES = (
    "optimizations",
    "representative_dataset",
    "target_spec",
    "inference_input_type",
    "inference_output_type",
    "quant_config",
)
_RULE_KEYS = ("layer", "op", "recipe")


def options(quantize: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe and its rules: {"recipe": str, "rules": [(layer, op, recipe)]}.

    Args:
        quantize: A recipe's name, or {"recipe": …, "rules": [{"layer", "op", "recipe"}, …]} as in
            a recipe file; None asks for nothing.
        given: Those options of TensorFlow's converter (NAMES) that were given.

    Raises:
        NotImplementedError: a calibrated recipe is asked for.
        TypeError, ValueError: something else than the above.
    """
    converter = {name: value for name, value in given.items() if value not in (None, [], {}, ())}
    if quantize is None:
        return {"recipe": _of_converter(converter), "rules": []}
    if converter:
        raise ValueError(f"give either 'quantize' or '{next(iter(converter))}', not both")
    if isinstance(quantize, str):
        return {"recipe": quantize, "rules": []}
    if not isinstance(quantize, Mapping):
        raise TypeError(
            f"'quantize' must be a recipe's name or a dict, got {type(quantize).__name__}"
        )
    _check_keys(quantize, ("recipe", "rules"), "'quantize'")
    rules = []
    for rule in quantize.get("rules", ()):
        _check_keys(rule, _RULE_KEYS, "a rule of 'quantize'")
        if not rule.get("recipe"):
            raise ValueError(f"a rule of 'quantize' names no recipe: {rule}")
        rules.append(tuple(str(rule.get(key, "")) for key in _RULE_KEYS))
    return {"recipe": str(quantize.get("recipe", "")), "rules": rules}


def _of_converter(given: Mapping[str, Any]) -> str:
    """optimizations=[DEFAULT] alone is dynamic_int8; with supported_types=[float16], float16."""
    for name in given:
        if name not in ("optimizations", "target_spec"):
            raise NotImplementedError(
                f"'{name}' asks for calibrated quantization, which this version does not do. "
                'quantize="dynamic_int8" and "float16" need no calibration.'
            )
    optimizations = [_name(value) for value in given.get("optimizations", ())]
    unknown = [name for name in optimizations if name != "DEFAULT"]
    if unknown:
        raise ValueError(f"'optimizations' may hold 'DEFAULT', got {unknown[0]!r}")
    target = given.get("target_spec", {})
    if not isinstance(target, Mapping):
        target = {"supported_types": getattr(target, "supported_types", ())}
    _check_keys(target, ("supported_types",), "'target_spec'")
    types = [_name(value) for value in target.get("supported_types", ())]
    if not optimizations:
        if types:
            raise ValueError("'target_spec' has no effect without optimizations=['DEFAULT']")
        return ""
    if types in ([], ["int8"]):
        return "dynamic_wi8_afp32"
    if types == ["float16"]:
        return "float16"
    raise ValueError(f"'supported_types' may be ['float16'] or ['int8'], got {types}")


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
