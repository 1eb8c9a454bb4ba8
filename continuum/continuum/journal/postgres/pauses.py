"""Pauses: rows of runs and of the table of pauses, each change in one transaction with its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts, SeenRun
from continuum.journal.facts import Posted, Worker
from continuum.journal.limits import MOST_COUNTED
from continuum.journal.pause_facts import PauseKind, PauseScope, StoredPause
from continuum.journal.pause_port import HeldByPause, PausedHere, PausedRun
from continuum.journal.postgres.changes import stored_facts
from continuum.journal.postgres.connections import Database


def stored_pause(columns: Sequence[Any] | None) -> StoredPause | None:
    """Return the pause of a run from the columns of `run_columns`."""
    if columns is None:
        return None
    kind, name, namespace, since, by, reason = columns
    scope = _scope(kind, name, namespace)
    return StoredPause(scope, since, by, reason)


def _scope(kind: str, name: str, namespace: str) -> PauseScope | None:
    """Return a scope; None for a single run, and for what somebody wrote by hand."""
    return PauseScope(PauseKind(kind), name, namespace) if kind in set(PauseKind) else None


class PostgresPauses:
    """The pauses of the journal."""

    _database: Database

    async def pause_run(
        self,
        run_id: RunId,
        *,
        by: str | None = None,
        reason: str | None = None,
        seen: SeenRun | None = None,
        audit: AuditFacts | None = None,
    ) -> PausedRun:
        asked = (run_id, by, reason, *(seen or (None, None)), stored_facts(audit))
        ((posted, found, since, paused_by, why),) = await self._database.fetch("pause_run", asked)
        pause = None if since is None else StoredPause(None, since, paused_by, why)
        return PausedRun(Posted(posted), found, pause)

    async def resume_run(self, run_id: RunId, *, audit: AuditFacts | None = None) -> PausedRun:
        ((posted, found),) = await self._database.fetch("resume_run", (run_id, stored_facts(audit)))
        return PausedRun(Posted(posted), found)

    async def pause_together(
        self,
        scope: PauseScope,
        *,
        by: str | None = None,
        reason: str | None = None,
        audit: AuditFacts | None = None,
    ) -> tuple[bool, StoredPause]:
        asked = (*scope, by, reason, stored_facts(audit))
        ((begun, since, paused_by, why),) = await self._database.fetch("pause_together", asked)
        return begun, StoredPause(scope, since or 0, paused_by, why)

    async def resume_together(self, scope: PauseScope, *, audit: AuditFacts | None = None) -> bool:
        rows = await self._database.fetch("resume_together", (*scope, stored_facts(audit)))
        return bool(rows[0][0])

    async def pauses(self, limit: int) -> list[StoredPause]:
        found = map(stored_pause, await self._database.fetch("pauses", (limit,)))
        return [pause for pause in found if pause is not None and pause.scope is not None]

    async def held_by_pause(self, scope: PauseScope) -> HeldByPause:
        rows = await self._database.fetch("held_by_pause", (*scope, MOST_COUNTED))
        return HeldByPause(*rows[0])

    async def paused_here(self, worker: Worker) -> PausedHere:
        ((runs, scopes),) = await self._database.fetch("paused_here", (worker.id,))
        found = [_scope(*scope) for scope in scopes]
        return PausedHere(frozenset(map(RunId, runs)), [scope for scope in found if scope is not None])
