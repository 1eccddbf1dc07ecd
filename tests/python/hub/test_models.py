"""Every KerasHub model: export, run in LiteRT, compare with Keras (see families.py, checks.py)."""

import importlib.util

import pytest

if importlib.util.find_spec("keras_hub") is None:
    pytest.skip("keras_hub is not installed", allow_module_level=True)

import checks
import families
import keras
from keras_litert import ExportError


def _marks(case):
    marks = []
    # PyTorch and TensorFlow run these, too.
    if case.backend == "jax" and keras.backend.backend() in ("numpy", "jax"):
        marks.append(pytest.mark.jax)
    if case.missing:
        marks.append(pytest.mark.xfail(reason=case.missing, raises=ExportError, strict=True))
    return marks


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.id, marks=_marks(case)) for case in families.cases()]
)
def test_model(case):
    needed = families.NEEDS.get((case.family, keras.backend.backend()))
    if needed is not None:
        backend = keras.backend.backend()
        pytest.importorskip(needed, reason=f"KerasHub's {case.family} needs {needed} on {backend}")
    try:
        result = checks.check(case)
    except Exception as error:
        checks.record(case, error)
        raise
    checks.record(case, result)
