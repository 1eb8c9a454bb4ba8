"""How runs ended, and the part of the port that tells it: what a caller who waits for a result reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from continuum.engine.ids import RunId
from continuum.journal.facts import RunState


class EndedRun(NamedTuple):
    """The columns of an ended run that its result depends on; `root` is the first run of its chain."""

    id: RunId
    state: RunState
    result: bytes | None
    error: bytes | None
    reason: str | None
    root: RunId
    continued_to: RunId | None


class EndedRuns(Protocol):
    """Which of some runs have ended, and how."""

    async def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        """Return those of these runs that have ended, in no order."""
        ...

    async def missing(self, run_ids: Sequence[RunId]) -> list[RunId]:
        """Return those of these ids that no run has (any more)."""
        ...
