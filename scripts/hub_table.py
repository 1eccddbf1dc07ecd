#!/usr/bin/env python3
"""Writes the table of docs/keras_hub.md from what scripts/hub measured.

scripts/hub_table.py RESULTS.jsonl
"""

import json
import pathlib
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "keras_hub.md"
MARK = "<!-- made by scripts/hub -->\n"
sys.path.insert(0, str(REPOSITORY / "tests" / "python" / "hub"))


def main(results: str) -> None:
    import families

    found = {}
    for line in pathlib.Path(results).read_text().splitlines():
        entry = json.loads(line)
        found[entry["id"]] = entry
    cases = families.cases()
    lines = [
        f"{sum(case.id in found for case in cases)} of {len(cases)} models.\n\n",
        "| family | model | task | backend | operators | KB | export, s | error | notes |\n",
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- |\n",
    ]
    for case in cases:
        entry = found.get(case.id)
        start = f"| {case.family} | {case.name} | {case.task} "
        if entry is None:
            reason = case.missing or "not measured in the last run"
            lines.append(f"{start}| {case.backend} | | | | | missing: {reason} |\n")
            continue
        notes = "; ".join(note.split(" (")[0] for note in entry["notes"])
        size = entry["file_bytes"]
        kilobytes = f"{size / 1e3:.0f}" if size else ""
        lines.append(
            f"{start}| {entry['backend']} | {entry['operators']} | {kilobytes} "
            f"| {entry['seconds']:.2f} | {entry['error']:.0e} | {notes} |\n"
        )
    head = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(head + MARK + "\n" + "".join(lines))


if __name__ == "__main__":
    main(sys.argv[1])
