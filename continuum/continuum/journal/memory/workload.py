"""How much there is to do in the memory journal, for people who watch. Everything is counted."""

from __future__ import annotations

from collections import Counter, defaultdict

from continuum.journal.memory.tables import MemoryTables, StoredRun, StoredTask
from continuum.journal.port import RunState
from continuum.journal.wait import NOTHING, could_end
from continuum.journal.workload_port import Backlog, OpenWork, QueueLoad, WaitedFor


class MemoryWorkload(MemoryTables):
    """The workload of the journal."""

    async def backlog(self) -> Backlog:
        """Return how many runs are due and unclaimed."""
        now = self.now()
        due = [
            run.due_at
            for run in self._runs.values()
            if run.claimable
            and run.due_at is not None
            and run.due_at <= now
            and not self._in_quarantine(run.start.id)
            and self._pause_of(run) is None
        ]
        return Backlog(len(due), False, min(due, default=None))

    async def queue_loads(self) -> list[QueueLoad]:
        """Return the queues that have tasks, by name."""
        queues: defaultdict[str, list[StoredTask]] = defaultdict(list)
        for stored in self._tasks.values():
            queues[stored.task.queue].append(stored)
        found = []
        for name, tasks in sorted(queues.items()):
            waiting = [stored.queued_at for stored in tasks if stored.owner is None]
            claimed = len(tasks) - len(waiting)
            found.append(QueueLoad(name, len(waiting), min(waiting, default=None), claimed, False))
        return found

    async def open_work(self, workflow: str | None = None) -> OpenWork:
        """Return what open runs do."""
        runs = [
            run
            for run in self._runs.values()
            if not run.state.terminal and workflow in (None, run.start.workflow)
        ]
        waits: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for run in runs:
            for wait, since in _waits_of(run).items():
                waits[wait].append(since)
        found = [
            WaitedFor(kind, name, len(times), min(times, default=0) if kind != NOTHING else None)
            for (kind, name), times in waits.items()
        ]
        found.sort(key=lambda wait: (-wait.runs, wait.kind, wait.name))
        states = Counter(run.state for run in runs)
        return OpenWork(
            {state.name.lower(): states[state] for state in RunState if states[state]},
            found,
            len(runs),
            False,
        )


def _waits_of(run: StoredRun) -> dict[tuple[str, str], int]:
    """Return since when a run waits for what, by kind and name."""
    if run.state is not RunState.SUSPENDED or run.waits is None:
        return {}
    found: dict[tuple[str, str], int] = {}
    for wait in run.waits:
        place = (wait.kind, wait.name)
        found[place] = min(wait.since, found.get(place, wait.since))
    if not could_end(run.waits):
        found[NOTHING, ""] = 0
    return found
