"""Runs that nobody owns, read for a worker that resumes one before it owns it."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.ids import RunId
from continuum.journal.limits import PARKED_EVENTS
from continuum.journal.memory.claims import MemoryClaims
from continuum.journal.memory.tables import StoredRun, StoredWorker
from continuum.journal.parked_run import ParkedRun
from continuum.journal.port import ClaimedRun, RunWrite
from continuum.journal.resumed_run import ResumedRun


class MemoryParkedRuns(MemoryClaims):
    """Parked runs, and the writes that take them."""

    async def parked(self, run_ids: Sequence[RunId]) -> list[ParkedRun]:
        """Return those of these runs that a first write may take."""
        found = (self._runs.get(run_id) for run_id in dict.fromkeys(run_ids))
        return [
            self._parked(run)
            for run in found
            if run is not None and self._may_be_resumed(run) and len(run.events) <= PARKED_EVENTS
        ]

    def _parked(self, run: StoredRun) -> ParkedRun:
        claim = ClaimedRun(
            id=run.start.id,
            token=next(self._tokens),
            workflow=run.start.workflow,
            version=run.version or "",
            namespace=run.start.namespace,
            input=run.start.input,
            started_at=run.started_at,
            attempt=run.attempt + 1,
            trace_context=run.start.trace_context,
            fresh=False,
            root=run.chain,
        )
        return ParkedRun(claim, run.token, list(run.events), list(run.inbox.values()))

    def _resume(self, holder: StoredWorker, write: RunWrite, resumed: ResumedRun) -> None:
        """Make a worker the owner of a run that nobody has owned since it was read."""
        run = self._runs.get(write.run_id)
        if run is not None and self._may_be_resumed(run) and (run.token, run.version) == resumed:
            self._own_with(holder, run, write.token, resumed.version)
