"""Runs that wait without an owner, and the part of the port that reads what it takes to resume them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.facts import ClaimedRun, InboxRow
from continuum.journal.resumed_run import ResumedRun


class ParkedRun(NamedTuple):
    """A run as a claim of it will be once its first write has taken it, with its history and its mail."""

    claim: ClaimedRun
    before: int
    events: list[Event]
    mail: list[InboxRow]

    @property
    def resumed(self) -> ResumedRun:
        """What the first write takes."""
        return ResumedRun(self.before, self.claim.version)


class ParkedRuns(Protocol):
    """Runs that nobody owns."""

    async def parked(self, run_ids: Sequence[RunId]) -> list[ParkedRun]:
        """Return those of these runs that a first write may take, as they are at one moment.

        They are suspended, have a version and no parent, and no code has refused them. A run whose history is
        longer than `PARKED_EVENTS` is left to claims, which read snapshots. The token of each is larger than
        any that the run had (P7).
        """
        ...
