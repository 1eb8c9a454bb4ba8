"""Pauses of runs, and of workflows, queues and namespaces."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome, SeenRun
from continuum.journal.facts import Posted, Worker
from continuum.journal.limits import MOST_COUNTED
from continuum.journal.memory.tables import MemoryTables, StoredRun
from continuum.journal.notification import Topic
from continuum.journal.pause_facts import PauseKind, PauseScope, StoredPause
from continuum.journal.pause_port import HeldByPause, PausedHere, PausedRun


class MemoryPauses(MemoryTables):
    """Pauses."""

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
        run = self._latest(run_id)
        posted = self._pause(run, StoredPause(None, self.now(), by, reason), seen)
        return self._recorded(run_id, run, posted, audit)

    def _pause(self, run: StoredRun | None, pause: StoredPause, seen: SeenRun | None) -> Posted:
        if run is None:
            return Posted.NOT_FOUND
        if run.state.terminal:
            return Posted.TERMINAL
        if run.paused is not None:
            return Posted.DUPLICATE
        if seen is not None and (
            seen.run_id != run.start.id or seen.updated_at not in (None, run.updated_at)
        ):
            return Posted.STALE
        run.paused, run.pause_lifted_at = pause, None
        run.updated_at = self.now()
        if run.owner is not None:
            self._notifications.send(Topic.PAUSED, [run.start.id])
        return Posted.ACCEPTED

    async def resume_run(self, run_id: RunId, *, audit: AuditFacts | None = None) -> PausedRun:
        """Let the latest run of a chain continue, if it is paused by itself."""
        run = self._latest(run_id)
        return self._recorded(run_id, run, self._resume_paused(run), audit)

    def _resume_paused(self, run: StoredRun | None) -> Posted:
        if run is None:
            return Posted.NOT_FOUND
        if run.state.terminal:
            return Posted.TERMINAL
        if run.paused is None:
            return Posted.DUPLICATE
        run.paused = None
        run.updated_at = self.now()
        self._notify_of_pauses([run.start.id] if run.owner is not None else [])
        return Posted.ACCEPTED

    def _recorded(
        self, run_id: RunId, run: StoredRun | None, posted: Posted, audit: AuditFacts | None
    ) -> PausedRun:
        found = None if run is None else run.start.id
        if audit is not None:
            self._record(audit._replace(subject=found or run_id), posted)
        return PausedRun(posted, found, None if run is None else run.paused)

    async def pause_together(
        self,
        scope: PauseScope,
        *,
        by: str | None = None,
        reason: str | None = None,
        audit: AuditFacts | None = None,
    ) -> tuple[bool, StoredPause]:
        """Pause a scope; return whether it was not paused before, and the pause as it is now."""
        begun = scope not in self._pauses
        pause = self._pauses.setdefault(scope, StoredPause(scope, self.now(), by, reason))
        self._record(audit, ChangeOutcome.DONE if begun else ChangeOutcome.ALREADY)
        self._notifications.send(Topic.PAUSED)
        return begun, pause

    async def resume_together(self, scope: PauseScope, *, audit: AuditFacts | None = None) -> bool:
        """End the pause of exactly this scope; False without it."""
        ended = self._pauses.pop(scope, None) is not None
        self._record(audit, ChangeOutcome.DONE if ended else ChangeOutcome.ALREADY)
        if ended:
            self._notify_of_pauses([])
        return ended

    async def pauses(self, limit: int) -> list[StoredPause]:
        """Return the pauses of workflows, queues and namespaces, the latest first."""
        return sorted(self._pauses.values(), key=lambda pause: -pause.since)[:limit]

    async def held_by_pause(self, scope: PauseScope, most: int = MOST_COUNTED) -> HeldByPause:
        """Count what such a pause holds, up to `most`."""
        runs = sum(
            not run.state.terminal and scope.holds(run.start.workflow, run.start.namespace)
            for run in self._runs.values()
        )
        tasks = sum(
            task.owner is None
            and (
                task.task.queue == scope.name
                if scope.kind is PauseKind.QUEUE
                else scope.holds(
                    self._runs[task.run_id].start.workflow, self._runs[task.run_id].start.namespace
                )
            )
            for task in self._tasks.values()
        )
        return HeldByPause(min(runs, most), runs > most, min(tasks, most), tasks > most)

    async def paused_here(self, worker: Worker) -> PausedHere:
        """Return what an owner must know: it releases what it owns of it as soon as nothing runs there."""
        scopes = [scope for scope in self._pauses if scope.kind is not PauseKind.QUEUE]
        return PausedHere(frozenset(self._paused_runs_of(worker.id)), scopes)
