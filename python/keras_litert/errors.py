"""What an export raises."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Diagnostic:
    """One problem of a model.

    Attributes:
        path: The layer, "encoder/dense_3", or empty.
        code: Stable, kebab-case: "dense-1".
        message: What is wrong, with the values that show it.
        hint: What can be done about it; may be empty.
    """

    path: str
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = ": ".join(part for part in (self.path, self.code, self.message) if part)
        return f"{text}\n    {self.hint}" if self.hint else text


class ExportError(ValueError):
    """A model that cannot be exported. No file was written.

    Attributes:
        diagnostics: Every problem that was found, in order.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic], headline: str = ""):
        self.diagnostics = list(diagnostics)
        lines = [headline] if headline else []
        lines += [str(diagnostic) for diagnostic in self.diagnostics]
        super().__init__("\n".join(lines))


def raise_for(errors: list[tuple[str, str, str, str]] | None) -> None:
    """Raises what the C++ core reported, if anything."""
    if errors:
        raise ExportError(Diagnostic(*error) for error in errors)
