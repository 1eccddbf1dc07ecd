"""Random functions: recorded with a seed that the file can hold."""

from __future__ import annotations

import inspect

from keras.src.random.seed_generator import SeedGenerator

HANDLERS = {}

_FUNCTIONS = ("categorical", "normal", "randint", "shuffle", "truncated_normal", "uniform")


def _recorder(name: str):
    def record(trace, original, *args, **kwargs):
        given = inspect.signature(original).bind(*args, **kwargs).arguments
        given["seed"] = _seed(trace, given.get("seed"))
        return trace.record(f"random.{name}", (), given)

    return record


def _seed(trace, seed):
    """None, a number, or a generator's own with the count of calls that took it."""
    if isinstance(seed, SeedGenerator):
        if seed._initial_seed is None:  # Keras chose one, for this process alone
            return None
        calls = trace.__dict__.setdefault("seeded_calls", {})
        calls[id(seed)] = calls.get(id(seed), 0) + 1
        return (int(seed._initial_seed), calls[id(seed)])
    return seed if seed is None else int(seed)


for _name in _FUNCTIONS:
    HANDLERS[f"random.{_name}"] = _recorder(_name)
