"""The part of the port about pauses: nothing of a paused run begins, and what runs ends (P23).

A pause is of one run, or of many together: of a workflow, in one namespace or in all, or of a namespace. A
paused queue holds its activity tasks, whatever their runs do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts, SeenRun
from continuum.journal.facts import Posted, Worker
from continuum.journal.pause_facts import PauseScope, StoredPause


class PausedRun(NamedTuple):
    """What became of a request about the latest run of a chain, that run, and its own pause if it has one.

    DUPLICATE: it was so before.
    """

    posted: Posted
    run_id: RunId | None
    pause: StoredPause | None = None


class HeldByPause(NamedTuple):
    """How many open runs and waiting tasks a pause holds, each as far as it was counted."""

    runs: int
    more_runs: bool
    tasks: int
    more_tasks: bool


class PausedHere(NamedTuple):
    """The paused runs that a worker owns, and the scopes of the pauses that hold runs together."""

    runs: frozenset[RunId]
    scopes: Sequence[PauseScope]


class Pauses(Protocol):
    """Pauses. A change that carries `AuditFacts` is recorded (P20)."""

    async def pause_run(
        self,
        run_id: RunId,
        *,
        by: str | None = None,
        reason: str | None = None,
        seen: SeenRun | None = None,
        audit: AuditFacts | None = None,
    ) -> PausedRun:
        """Pause the latest run of a chain (P23). With `seen`, one that has changed since stays (STALE)."""
        ...

    async def resume_run(self, run_id: RunId, *, audit: AuditFacts | None = None) -> PausedRun:
        """Let the latest run of a chain continue, if it is paused by itself."""
        ...

    async def pause_together(
        self,
        scope: PauseScope,
        *,
        by: str | None = None,
        reason: str | None = None,
        audit: AuditFacts | None = None,
    ) -> tuple[bool, StoredPause]:
        """Pause a scope; return whether it was not paused before, and the pause as it is now."""
        ...

    async def resume_together(self, scope: PauseScope, *, audit: AuditFacts | None = None) -> bool:
        """End the pause of exactly this scope; False without it."""
        ...

    async def pauses(self, limit: int) -> list[StoredPause]:
        """Return the pauses of workflows, queues and namespaces, the latest first."""
        ...

    async def held_by_pause(self, scope: PauseScope) -> HeldByPause:
        """Count what such a pause holds, up to `MOST_COUNTED`."""
        ...

    async def paused_here(self, worker: Worker) -> PausedHere:
        """Return what an owner must know: it releases what it owns of it as soon as nothing runs there."""
        ...
