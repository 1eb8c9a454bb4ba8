"""What the scanner reports: one line for each place, with a stable code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error refuses the definition; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class DeterminismWarning(UserWarning):
    """Workflow code may do something that replay cannot repeat; the scanner cannot decide."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place in workflow code that replay could not repeat, and what to write instead."""

    file: str
    line: int
    column: int
    code: str
    message: str
    severity: Severity

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.code} {self.message}"


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that refuse a definition."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]
