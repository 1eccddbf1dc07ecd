"""KerasHub's models in integers: calibrated, run in LiteRT, no noisier than their report says."""

import importlib.util

import pytest

if importlib.util.find_spec("keras_hub") is None:
    pytest.skip("keras_hub is not installed", allow_module_level=True)

import checks
import families
import keras
import numpy as np
import oracle
from keras_litert import hub

SAMPLES = 4
# The report was measured with XNNPACK; LiteRT's own kernels round otherwise.
SLACK_DB = {True: 1, False: 8}
# SigLIP's normalized embeddings lose 16 dB by these.
SLACK_DB_OF = {"siglip": {True: 1, False: 18}}


def cases():
    # But for models that the NumPy backend does not run, diffusion in several files, and 400 MB.
    return [
        pytest.param(case, id=case.id)
        for case in families.cases()
        if case.backend == "numpy" and case.family not in ("basnet", "stable_diffusion_3")
    ]


@pytest.mark.skipif(keras.backend.backend() != "numpy", reason="the files would be the same")
@pytest.mark.parametrize("case", cases())
def test_int8(case, tmp_path):
    keras.utils.set_random_seed(1)
    model = case.build()
    checks.randomize(model)
    path = tmp_path / "model.tflite"
    plain = hub.export(model, path, **case.options)
    signature, sizes = checks.exported_signature(case, model, plain)
    names = [leaf.name for leaf in signature.leaves()]
    batch = signature.leaves()[0].shape[0] or 1
    samples = [
        checks.draw(case, model, signature, batch, sizes[0], seed) for seed in range(SAMPLES)
    ]
    report = hub.export(
        model,
        path,
        **case.options,
        quantize="int8",
        representative_dataset=[dict(zip(names, sample)) for sample in samples],
    )
    assert any(entry["recipe"] == "static_wi8_ai8" for entry in report.quantized)

    expected = [checks.keras_outputs(model, signature, sample) for sample in samples]
    content = path.read_bytes()
    file = oracle.File(content)
    for xnnpack in (True, False):
        slack = SLACK_DB_OF.get(case.family, SLACK_DB)[xnnpack]
        runtime = oracle.Runtime(file, content, xnnpack)
        outputs = []
        for sample in samples:
            runtime.set(sample)
            outputs.append(dict(zip([info.name for info in file.outputs], runtime.invoke())))
        for error in report.output_errors:
            name = error["name"]
            signal = sum(np.sum(np.square(want[name], dtype="float64")) for want in expected)
            noise = sum(
                np.sum(np.square(got[name] - want[name], dtype="float64"))
                for got, want in zip(outputs, expected)
            )
            assert np.isfinite(noise), name
            if error["sqnr_db"] is not None:
                assert 10 * np.log10(signal / noise) > error["sqnr_db"] - slack, name
