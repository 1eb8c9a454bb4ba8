"""What a check of modules says, for the process that has asked for it. Data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# A laptop looks at so many in a second or two; the database of a team may have more.
LOOKED_AT_RUNS = 2_000


@dataclass(frozen=True, slots=True)
class CheckedModules:
    """What modules define; with `error` they are not to be served. `files` have their times in nanoseconds.

    `wrong_use` if the modules cannot be what was meant: another save will not help.
    """

    digest: str
    workflows: Sequence[str]
    activities: Sequence[str]
    warnings: Sequence[str]
    files: Mapping[str, int]
    error: str | None
    wrong_use: bool = False


@dataclass(frozen=True, slots=True)
class LeftRun:
    """An open run that code could not continue, why, and code that would serve old and new runs."""

    run_id: str
    workflow: str
    reason: str
    suggestion: str


@dataclass(frozen=True, slots=True)
class CheckedOpenRuns:
    """The open runs that code could not continue, among those that were looked at."""

    left: Sequence[LeftRun]
    looked_at: int

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> CheckedOpenRuns:
        """Return what `asdict` has made JSON of."""
        return cls([LeftRun(**each) for each in read["left"]], read["looked_at"])
