#!/usr/bin/env python3
"""Writes the tables of docs/keras_hub.md from what scripts/hub measured.

scripts/hub_table.py RESULTS.jsonl
"""

import json
import pathlib
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "keras_hub.md"
MARK = "<!-- made by scripts/hub -->\n"
BACKENDS = {"numpy": "NumPy", "jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}
RECIPES = ("float16", "dynamic_int8")
sys.path.insert(0, str(REPOSITORY / "tests" / "python" / "hub"))


def main(results: str) -> None:
    import families

    found, quantized = {}, {}
    for line in pathlib.Path(results).read_text().splitlines():
        entry = json.loads(line)
        if "recipe" in entry:
            quantized[entry["id"], entry["recipe"]] = entry
        else:
            found[entry["id"], entry["backend"]] = entry
    cases = families.cases()
    lines = [MARK, "\n", *_models(cases, found)]
    if quantized:
        lines += ["\n", *_quantized(quantized)]
    head = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(head + "".join(lines))


def _models(cases, found):
    def good(case):
        entries = [found[case.id, b] for b in BACKENDS if (case.id, b) in found]
        return entries and not any("failed" in entry for entry in entries)

    counts = ", ".join(
        f"{sum((case.id, backend) in found for case in cases)} on {name}"
        for backend, name in BACKENDS.items()
    )
    passed = sum(bool(good(case)) for case in cases)
    yield f"{passed} of {len(cases)} models; run were {counts}.\n\n"
    names = " | ".join(BACKENDS.values())
    yield f"| family | model | task | {names} | operators | KB | export, s | notes |\n"
    yield "| --- | --- | --- |" + " ---: |" * (len(BACKENDS) + 3) + " --- |\n"
    for case in cases:
        entries = {b: found.get((case.id, b)) for b in BACKENDS}
        errors = " | ".join(_error(case, b, entry) for b, entry in entries.items())
        shown = [entry for entry in entries.values() if entry and "failed" not in entry]
        start = f"| {case.family} | {case.name} | {case.task} | {errors} "
        reasons = [entry["failed"] for entry in entries.values() if entry and "failed" in entry]
        if not shown:
            reason = case.missing or "; ".join(reasons) or "not run"
            yield f"{start}| | | | missing: {reason} |\n"
            continue
        notes = [note.split(" (")[0] for note in shown[0]["notes"]] + reasons
        yield (
            f"{start}| {shown[0]['operators']} | {shown[0]['file_bytes'] / 1e3:.0f} "
            f"| {shown[0]['seconds']:.2f} | {'; '.join(notes)} |\n"
        )


def _error(case, backend, entry) -> str:
    if entry is None:
        import families

        needs = (case.family, backend) in families.NEEDS
        return "n/a" if needs or (backend == "numpy" and case.backend == "jax") else ""
    return "failed" if "failed" in entry else f"{entry['error']:.0e}"


def _quantized(quantized):
    yield "Quantized, one model of each modality: the largest difference from Keras's float32\n"
    yield "model, as a fraction of the output's range, and the file's size.\n\n"
    yield "| model | " + " | ".join(f"{r}: error | KB" for r in RECIPES) + " | float32: KB |\n"
    yield "| --- |" + " ---: | ---: |" * len(RECIPES) + " ---: |\n"
    for name in dict.fromkeys(name for name, _ in quantized):
        cells = []
        for recipe in RECIPES:
            entry = quantized[name, recipe]
            cells.append(f"{entry['error']:.0e} | {entry['file_bytes'] / 1e3:.0f}")
        size = quantized[name, RECIPES[0]]["float_bytes"]
        yield f"| {name} | {' | '.join(cells)} | {size / 1e3:.0f} |\n"


if __name__ == "__main__":
    main(sys.argv[1])
