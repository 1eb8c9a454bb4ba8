"""Engines that are broken on purpose, to see that the simulator notices."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from continuum.engine.ids import WorkerId
from continuum.journal.announced_run import TakenRun
from continuum.journal.memory.tables import StoredRun, StoredWorker
from continuum.journal.pause_facts import StoredPause
from continuum.journal.pause_port import PausedHere
from continuum.journal.port import (
    ClaimedRun,
    Committed,
    InboxKind,
    Journal,
    Released,
    RunWrite,
    Worker,
)
from continuum.journal.resilient import LostClaims
from continuum.journal.resumed_run import ResumedRun
from continuum_actors.node.in_process_node import InProcessEngine, NodeParts
from tests.simulation.model_journal import ModelJournal
from tests.simulation.universe import Parts


class PlainJoin(ModelJournal):
    """A fence that joins rows without their locks: a commit sees neither a lost lease nor a token."""

    _committing = False

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        """Commit without the fence."""
        self._committing = True
        try:
            return await super().commit(worker, batch, writes)
        finally:
            self._committing = False

    async def retire_worker(self, worker: WorkerId, **options: Any) -> Released:
        """Retire a worker, and remember it."""
        self._retired = getattr(self, "_retired", {}) | {worker: self._workers.get(worker)}
        return await super().retire_worker(worker, **options)

    def _leased(self, worker: Worker) -> StoredWorker:
        if self._committing:
            retired: StoredWorker | None = getattr(self, "_retired", {}).get(worker.id)
            if retired is not None:
                return retired
        return super()._leased(worker)

    def _holds_token(self, worker: Worker, write: RunWrite) -> bool:
        run = self._runs.get(write.run_id)
        return run is not None and not run.state.terminal


class WakeWithoutMark(ModelJournal):
    """Mail wakes a run by a notification alone: a run that is given up with unread mail is not due."""

    def _make_claimable(self, run: StoredRun) -> None:
        inbox, run.inbox = run.inbox, {}
        try:
            super()._make_claimable(run)
        finally:
            run.inbox = inbox


class NeverInDoubt(LostClaims):
    """A claim whose answer was lost is simply made again."""

    def in_doubt(self, now: float, *, failed: bool) -> bool:
        """Release nothing."""
        return False


def with_unconfirmed_claims(
    parts: NodeParts, journal: Journal, ask_to_stop: Callable[[], None]
) -> InProcessEngine:
    """Return an engine whose claims are not confirmed."""
    engine = InProcessEngine(parts, journal, ask_to_stop)
    host: Any = engine.host
    host.journal._runs = host.journal._tasks = NeverInDoubt()
    return engine


def by_the_wall_clock(parts: NodeParts, journal: Journal, ask_to_stop: Callable[[], None]) -> InProcessEngine:
    """Return an engine that takes the time from its machine, not from the database."""
    engine = InProcessEngine(parts, journal, ask_to_stop)
    journal_of_host: Any = engine.host.journal
    journal_of_host.now = lambda: time.time_ns() // 1_000
    return engine


class ForgetsSuspects(ModelJournal):
    """No node learns that suspects wait for a trial."""

    async def suspects_wait(self) -> bool:
        """Report none."""
        return False


class ChargesCompany(ModelJournal):
    """A death is charged to everything that its process ran."""

    _retiring = False

    async def retire_worker(self, worker: WorkerId, **options: Any) -> Released:
        """Retire a worker, and charge its tasks."""
        self._retiring = True
        try:
            return await super().retire_worker(worker, **options)
        finally:
            self._retiring = False

    def _release_tasks(self, worker: WorkerId, lost_as: InboxKind, *more: Any) -> int:
        kind = InboxKind.ACTIVITY_CRASHED if self._retiring else lost_as
        return super()._release_tasks(worker, kind, *more)


class TakesOwned(ModelJournal):
    """A first write takes the run that it was announced, although somebody has claimed it since."""

    def _take(self, holder: StoredWorker, write: RunWrite, taken: TakenRun) -> None:
        """Take it from its owner, if it has one."""
        run = self._runs[write.run_id]
        owner, token = run.owner, run.token
        run.owner, run.token = None, 0
        super()._take(holder, write, taken)
        if run.owner is None:
            run.owner, run.token = owner, token
        elif owner is not None and owner != run.owner:
            del self._workers[owner].runs[write.run_id]


class ResumesOwned(ModelJournal):
    """A first write resumes the run that it was read from, although somebody has owned it since."""

    def _resume(self, holder: StoredWorker, write: RunWrite, resumed: ResumedRun) -> None:
        """Resume it from its owner too, and also if it has had one."""
        run = self._runs[write.run_id]
        if not run.state.terminal:
            self._release(run)
            self._own_with(holder, run, write.token, resumed.version)


class ClaimsPaused(ModelJournal):
    """A claim asks for no pause."""

    _claiming = False

    async def claim(self, *args: Any, **options: Any) -> list[ClaimedRun]:
        """Claim what is due."""
        self._claiming = True
        try:
            return await super().claim(*args, **options)
        finally:
            self._claiming = False

    def _pause_of(self, run: StoredRun) -> StoredPause | None:
        return None if self._claiming else super()._pause_of(run)


class TellsNoOwner(ModelJournal):
    """No owner learns that its runs are paused."""

    async def paused_here(self, worker: Worker) -> PausedHere:
        """Report none."""
        return PausedHere(frozenset(), ())


BROKEN: Mapping[str, Parts] = {
    "fence-by-plain-join": Parts(make_journal=PlainJoin),
    "wake-without-mark": Parts(make_journal=WakeWithoutMark),
    "take-of-owned": Parts(make_journal=TakesOwned),
    "resume-of-owned": Parts(make_journal=ResumesOwned),
    "innocent-charged": Parts(make_journal=ChargesCompany),
    "claim-not-confirmed": Parts(make_engine=with_unconfirmed_claims),
    "time-by-wall-clock": Parts(make_engine=by_the_wall_clock),
    "suspects-not-tried": Parts(make_journal=ForgetsSuspects),
    "paused-and-claimed": Parts(make_journal=ClaimsPaused),
    "paused-and-kept": Parts(make_journal=TellsNoOwner),
}
