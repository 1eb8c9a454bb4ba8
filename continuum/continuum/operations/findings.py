"""What `health` and `doctor` report: a finding, and the table of the codes that it may have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

# Longer than the chance that two of some thousand findings share one needs, short enough to type.
FINGERPRINT_CHARACTERS = 12


class Severity(StrEnum):
    """How bad a finding is; a note alone leaves the exit code 0."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(NamedTuple):
    """A code: how bad it is, what it means, and what to do about it."""

    severity: Severity
    meaning: str
    way_out: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong. The sentence ends in what to do; each fix is an exact command.

    A fix that ends in a semicolon is SQL, any other is for a shell. `since` is in microseconds on the
    journal's clock. With `more` there are more than `count`. `evidence` is what matters about it beside code
    and subject: no counts and no times. `latest` is when what it is about became more last, if that matters:
    a review that is older does not cover it. Nor does a review of other `parts`, such as runs, if it has
    some: they are given where no time says when it became more.
    """

    code: str
    severity: Severity
    subject: str
    sentence: str
    fixes: tuple[str, ...] = ()
    since: int | None = None
    count: int | None = None
    more: bool = False
    evidence: tuple[str, ...] = ()
    latest: int | None = None
    parts: tuple[str, ...] = ()

    def is_covered(self, reviewed: Mapping[str, int]) -> bool:
        """Return whether a person has looked at all of it, by when findings and parts were reviewed."""
        at = reviewed.get(self.fingerprint)
        if at is None or (self.latest is not None and self.latest > at):
            return False
        return all(part in reviewed for part in self.fingerprints_of_parts)

    @property
    def fingerprint(self) -> str:
        """A name for this finding that stays until what matters about it changes."""
        return self._named(*self.evidence)

    @property
    def fingerprints_of_parts(self) -> tuple[str, ...]:
        """A name for each of its parts."""
        return tuple(self._named(*self.evidence, "part", part) for part in self.parts)

    def _named(self, *evidence: str) -> str:
        said = "\0".join((self.code, self.subject, *evidence))
        return hashlib.sha256(said.encode()).hexdigest()[:FINGERPRINT_CHARACTERS]


def amount(count: int, noun: str, *, more: bool = False) -> str:
    """Return a count with its noun in words: `1 run`, `more than 10,000 runs`."""
    text = f"{count:,} {noun}{'' if count == 1 and not more else 's'}"
    return f"more than {text}" if more else text


def verb(count: int, one: str, many: str, *, more: bool = False) -> str:
    """Return the verb that goes with an `amount`."""
    return one if count == 1 and not more else many


def serious(findings: Sequence[Finding]) -> bool:
    """Return whether any of these is more than a note."""
    return any(finding.severity is not Severity.NOTE for finding in findings)


def table_of(codes: Mapping[str, Code]) -> str:
    """Return a table of codes as Markdown, for the documents."""
    lines = ["| code | severity | what it means | what to do |", "|---|---|---|---|"]
    lines += [
        f"| `{code}` | {severity} | {meaning} | {out} |" for code, (severity, meaning, out) in codes.items()
    ]
    return "\n".join(lines) + "\n"
