"""Blame for deaths, and quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from continuum.engine.ids import RunId, WorkerId
from continuum.journal.limits import MANY_SUSPECTS, SUSPICION_SECONDS
from continuum.journal.memory.claims import LoadedCode, MemoryClaims, within
from continuum.journal.memory.tables import (
    MICROSECONDS,
    StoredRun,
    StoredSuspect,
    StoredTask,
    Suspicion,
)
from continuum.journal.memory.tasks import MemoryTasks
from continuum.journal.port import ClaimedRun, ClaimedTask, InboxKind, Loaded, RunState, Worker
from continuum.journal.suspect_port import Death, EarlierDeaths, Executed, Place


def _most_together(level: Suspicion) -> int:
    """Return how many suspects of a level may be tried together."""
    return MANY_SUSPECTS >> (level - Suspicion.MANY)


def _halved(suspects: int) -> Suspicion:
    """Return the level at which about half of so many suspects are tried together."""
    large_enough = (
        level
        for level in Suspicion
        if level >= Suspicion.MANY and _most_together(level) >= (suspects + 1) // 2
    )
    return max(large_enough, default=Suspicion.MANY)


class MemorySuspects(MemoryClaims, MemoryTasks):
    """Suspects."""

    async def blame(self, worker: WorkerId, death: Death, *, only_expired: bool = False) -> RunId | None:
        """Blame what killed a worker's process, before the worker is retired."""
        stored = self._workers.get(worker)
        if stored is None or (only_expired and stored.expires_at > self.now()):
            return None
        culprit, named = death
        if culprit is None and not named:
            culprit = self._blame_everything(worker)
        for executed in named:
            self._suspect(worker, self._place_of(executed), _halved(len(named)))
        return None if culprit is None else self._blame_culprit(worker, culprit)

    def _blame_everything(self, worker: WorkerId) -> Executed | None:
        """Suspect all that the worker did; return the suspect that was alone there, if one was."""
        running = [
            (run_id, None)
            for run_id in self._workers[worker].runs
            if self._runs[run_id].state == RunState.RUNNING
        ]
        places: list[Place] = [*running, *(place for place, t in self._tasks.items() if t.owner == worker)]
        alone = [
            place
            for place in places
            if (suspect := self._suspects.get(place)) is not None and suspect.level == Suspicion.ALONE
        ]
        if len(alone) == 1:
            run_id, seq = alone[0]
            return Executed(run_id, seq, 0 if seq is None else self._tasks[run_id, seq].task.dispatch)
        levels = {place: self._level_of(place) for place in places}
        # One of those on trial, or else of those that were there at a death before: next time half of them.
        before = Suspicion.MANY if max(levels.values(), default=0) > Suspicion.ANY else Suspicion.ANY
        found_again = [place for place, level in levels.items() if level >= before]
        for place in found_again:
            self._suspect(worker, place, _halved(len(found_again)))
        for place in places:
            self._suspect(worker, place, Suspicion.ANY)
        return None

    def _level_of(self, place: Place) -> Suspicion:
        suspect = self._suspects.get(place)
        recent = suspect is not None and suspect.since >= self.now() - SUSPICION_SECONDS * MICROSECONDS
        return suspect.level if suspect is not None and recent else Suspicion.NONE

    def _blame_culprit(self, worker: WorkerId, culprit: Executed) -> RunId | None:
        """Count a crash against an attempt; return the run if its own code is the culprit."""
        run_id, seq, dispatch = culprit
        run = self._runs.get(run_id)
        if run is None or run.state > RunState.SUSPENDED:
            return None
        owned = run.owner == worker
        if seq is None:
            if owned:
                self._convict(worker, (run_id, None), self._seconds_lived(worker, (run_id, None)))
            return run_id if owned else None
        task = self._tasks.get((run_id, seq))
        if task is None:
            blamed = owned
        else:
            blamed = task.owner == worker and task.task.dispatch == dispatch and not task.overdue(self.now())
        if blamed:
            place = self._place_of(culprit)
            lived = self._seconds_lived(worker, place)
            if task is not None:
                self._drop_task(run_id, seq)
            if self._deliver(run, InboxKind.ACTIVITY_CRASHED, str(seq), (), str(dispatch)):
                self._notify_of_mail([run])
            self._convict(worker, place, lived)
        return None

    def _convict(self, worker: WorkerId, place: Place, lived: float) -> None:
        """Suspect what has killed the worker's process as nothing else is."""
        self._suspect(worker, place, Suspicion.ALONE)
        suspect = self._suspects[place]
        self._suspects[place] = replace(suspect, killed_at=self.now(), lived=max(suspect.lived, lived))

    def _seconds_lived(self, worker: WorkerId, place: Place) -> float:
        """Return how long a run or task has been with its owner."""
        run_id, seq = place
        task = self._tasks.get((run_id, seq)) if seq is not None else None
        claimed_at = self._runs[run_id].claimed_at if task is None else task.claimed_at
        until = min(self.now(), self._workers[worker].expires_at)
        return 0.0 if not claimed_at else max(0.0, (until - claimed_at) / MICROSECONDS)

    def _place_of(self, executed: Executed) -> Place:
        place = (executed.run_id, executed.seq)
        return place if place in self._tasks else (executed.run_id, None)

    def _suspect(self, worker: WorkerId, place: Place, least: Suspicion) -> None:
        now = self.now()
        before = self._suspects.get(place)
        level, acquittals, killed_at = least, 0, None
        if before is not None:
            if before.worker == worker:
                return
            if before.since >= now - SUSPICION_SECONDS * MICROSECONDS:
                level = max(least, Suspicion(min(before.level + 1, Suspicion.ALONE)))
                acquittals = before.acquittals + (before.level == Suspicion.NONE)
            killed_at = before.killed_at
        self._suspects[place] = StoredSuspect(
            level, worker, now, acquittals, self._seconds_lived(worker, place), killed_at
        )

    async def claim_suspects(
        self, worker: Worker, code: Sequence[Loaded], *, namespaces: Sequence[str] | None = None
    ) -> list[ClaimedRun]:
        """Claim suspected runs to be tried together: a few, or one alone."""
        holder = self._leased(worker)
        loaded = LoadedCode(code)
        waiting = [
            (suspect, run)
            for (run_id, seq), suspect in self._quarantined()
            if seq is None and self._may_try(run := self._runs[run_id], loaded, namespaces)
        ]
        if not waiting:
            return []
        level = waiting[0][0].level
        group = [run for suspect, run in waiting if suspect.level == level][: _most_together(level)]
        return [self._own(holder, run, loaded) for run in group]

    async def claim_deadly(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        limit: int,
        *,
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        """Claim runs of the workflows that are kept apart."""
        holder = self._leased(worker)
        loaded, deadly = LoadedCode(code), self._deadly_workflows()
        due = [
            run
            for run in self._runs.values()
            if run.start.workflow in deadly
            and not self._in_quarantine(run.start.id)
            and self._may_try(run, loaded, namespaces)
        ]
        return [self._own(holder, run, loaded) for run in due[:limit]]

    def _may_try(self, run: StoredRun, loaded: LoadedCode, namespaces: Sequence[str] | None) -> bool:
        due = run.claimable and run.due_at is not None and run.due_at <= self.now()
        paused = self._pause_of(run) is not None
        return due and not paused and within(namespaces, run) and (loaded.has(run) or loaded.may_try(run))

    async def claim_suspected_tasks(
        self, worker: Worker, activities: Sequence[str], *, namespaces: Sequence[str] | None = None
    ) -> list[ClaimedTask]:
        """Claim suspected tasks to be tried together: a few, or one alone."""
        self._leased(worker)
        waiting = [
            (suspect.level, task)
            for (run_id, seq), suspect in self._quarantined()
            if seq is not None
            and (task := self._tasks.get((run_id, seq))) is not None
            and self._may_take(task, worker, activities)
            and within(namespaces, self._runs[run_id])
        ]
        if not waiting:
            return []
        first = waiting[0][0]
        group = [task for level, task in waiting if level == first][: _most_together(first)]
        for task in group:
            task.owner, task.claimed_at = worker.id, self.now()
        return [self._as_claimed(task) for task in group]

    def _may_take(self, task: StoredTask, worker: Worker, activities: Sequence[str]) -> bool:
        return (
            task.owner is None
            and not self._is_task_paused(task)
            and not task.task.isolated
            and task.task.activity in activities
            and task.task.node in (None, worker.node)
        )

    def _quarantined(self) -> Iterable[tuple[Place, StoredSuspect]]:
        """Return the suspects in the order in which they are tried."""
        found = [entry for entry in self._suspects.items() if entry[1].level > Suspicion.ANY]
        return sorted(found, key=lambda entry: (entry[1].level, entry[1].since))

    async def acquit(self, suspects: Sequence[Place]) -> None:
        """Suspect these runs and tasks no more; when their processes died before is remembered."""
        for place in suspects:
            suspect = self._suspects.get(place)
            if suspect is None or suspect.level == Suspicion.NONE:
                continue
            self._suspects[place] = replace(suspect, level=Suspicion.NONE, since=self.now())
            run_id, seq = place
            if seq is None and (run := self._runs.get(run_id)) is not None and run.claimable:
                self._make_claimable(run)

    async def earlier_deaths(self, suspects: Sequence[Place]) -> EarlierDeaths:
        """Return what is known for a trial of these: the most of each."""
        found = [suspect for place in suspects if (suspect := self._suspects.get(place)) is not None]
        return EarlierDeaths(
            max((suspect.lived for suspect in found), default=0.0),
            max((suspect.acquittals for suspect in found), default=0),
        )

    async def lone_suspects_lived(self) -> float | None:
        """Return how long those that are tried alone had lived at most at a death; None without any."""
        alone = (
            suspect.lived
            for (run_id, _), suspect in self._suspects.items()
            if suspect.level == Suspicion.ALONE and self._runs[run_id].state <= RunState.SUSPENDED
        )
        return max(alone, default=None)

    async def suspects_wait(self) -> bool:
        """Whether any run or task in quarantine is due and has no owner, or a workflow is kept apart."""
        now = self.now()
        return bool(self._deadly_workflows()) or any(
            (run := self._runs[run_id]).claimable
            and run.due_at is not None
            and run.due_at <= now
            and self._pause_of(run) is None
            if seq is None
            else (task := self._tasks.get((run_id, seq))) is not None
            and task.owner is None
            and not self._is_task_paused(task)
            for (run_id, seq), _ in self._quarantined()
        )
