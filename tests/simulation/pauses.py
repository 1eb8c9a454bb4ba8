"""Pauses by people: when what is paused, that nothing of it begins meanwhile, and that its owners leave it.

People reach the database whatever happens to nodes. Once everything is calm, every pause ends.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from continuum.engine.ids import RunId
from continuum.journal.memory.tables import StoredRun
from continuum.journal.pause_facts import PauseKind, PauseScope
from tests.simulation.choices import Choices

if TYPE_CHECKING:
    from tests.simulation.model_journal import ModelJournal
    from tests.simulation.universe import Universe

SECOND = 1_000_000
MOST_PAUSES = 3
KINDS = ("run", "run", "workflow", "queue", "namespace")
# An owner has left after this if nothing goes wrong: it polls, and the longest activity ends.
LEFT_AFTER = 40 * SECOND
Asked = Coroutine[Any, Any, object]


class PlannedPause(NamedTuple):
    """A pause; `number`, in [0, 1), chooses what is paused. Some last until all has been calm for long."""

    at: int
    ends: int
    kind: str
    number: float

    def begin(self, universe: Universe) -> None:
        """Pause something, and resume it later."""
        journal = universe.journal
        target = self._target(journal)
        if target is None:
            return
        if universe.tracing:
            universe.trace("person", "pauses", str(target))
        resume: Callable[[], Asked]
        if isinstance(target, PauseScope):
            _ask(journal.pause_together(target))
            resume = partial(journal.resume_together, target)
        else:
            _ask(journal.pause_run(target))
            resume = partial(journal.resume_run, target)
        universe.timeline.at(self.ends, self._end, universe, resume)

    def _end(self, universe: Universe, resume: Callable[[], Asked]) -> None:
        """Resume what was paused; its owners have left it if there was time."""
        if universe.tracing:
            universe.trace("person", "resumes", self.kind)
        for wrong in owned_in_vain(universe.journal):
            universe.failed(wrong)
        _ask(resume())

    def _target(self, journal: ModelJournal) -> PauseScope | RunId | None:
        match self.kind:
            case "queue":
                return PauseScope(PauseKind.QUEUE, "work")
            case "namespace":
                return PauseScope(PauseKind.NAMESPACE, "default")
        open_runs = [run for run in journal._runs.values() if not run.state.terminal]
        if not open_runs:
            return None
        run = open_runs[int(self.number * len(open_runs))]
        return run.start.id if self.kind == "run" else PauseScope(PauseKind.WORKFLOW, run.start.workflow)


def planned_pauses(choices: Choices, calm: int) -> list[PlannedPause]:
    """Return the pauses of a seed, in no order."""
    pauses: list[PlannedPause] = []
    for number in range(MOST_PAUSES):
        chances = choices.stream(f"pause/{number}")
        if chances.fraction() < 0.75:
            continue
        at = int(chances.fraction() ** 2 * 8 * SECOND)
        lasts = int(chances.fraction() * 12 * SECOND)
        ends = calm + LEFT_AFTER + lasts if chances.below(4) == 1 else at + lasts
        pauses.append(PlannedPause(at, ends, KINDS[chances.below(len(KINDS))], chances.fraction()))
    return pauses


def begun_while_paused(journal: ModelJournal) -> Iterator[str]:
    """Yield what somebody has claimed although it was paused."""
    for run, since in _owned_and_paused(journal):
        if run.claimed_at is not None and run.claimed_at > since:
            yield f"run {run.start.id} was claimed while it was paused"
    for task in journal._tasks.values():
        if task.owner is None or task.claimed_at is None:
            continue
        queue = journal._pauses.get(PauseScope(PauseKind.QUEUE, task.task.queue))
        pause = journal._pause_of(journal._runs[task.run_id])
        if any(each is not None and task.claimed_at > each.since for each in (queue, pause)):
            yield f"activity {task.task.seq} of run {task.run_id} was claimed while it was paused"


def owned_in_vain(journal: ModelJournal) -> Iterator[str]:
    """Yield the runs whose owner should have left them."""
    for run, since in _owned_and_paused(journal):
        if journal.now() - since > LEFT_AFTER:
            yield f"run {run.start.id} is paused, and worker {run.owner} has not left it"


def _owned_and_paused(journal: ModelJournal) -> Iterator[tuple[StoredRun, int]]:
    for run in journal._runs.values():
        pause = None if run.owner is None else journal._pause_of(run)
        if pause is not None:
            yield run, pause.since


def _ask(request: Asked) -> None:
    try:
        request.send(None)
    except StopIteration:
        return
    raise AssertionError("the database answers at once")
