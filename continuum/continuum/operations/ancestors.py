"""What the ancestors of a run have undone of what it did, and of what its relatives did before they parted.

A compensation of a parent may undo all that its child did, and so all that a fork of the child counts on. So
may one of a fork of the parent, which has got the same end of the child, or one of an earlier ancestor.
"""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.facts import RunRow
from continuum.operations.call_ends import answers_of
from continuum.operations.cut_facts import Relative
from continuum.operations.family_walk import CutRuns, FamilyWalk
from continuum.operations.history_cuts import readable
from continuum.operations.undone_effects import reaches_back, starts_child, undoing, verb_of


class Ancestors:
    """The ancestors of a run and of its relatives; `seen` gets how many events each of those had."""

    def __init__(self, journal: CutRuns, origin: RunRow, seen: list[tuple[RunId, int]]) -> None:
        self._journal = journal
        self._origin = origin
        self._seen = seen
        # Runs with the event that started the child in question.
        self._met: set[tuple[RunId, int]] = set()

    async def undone(self, relatives: Sequence[RunRow]) -> list[str]:
        """Return which compensations may have undone all that the run, or one of its relatives, did."""
        found = [await self._above(run) for run in (self._origin, *relatives)]
        return [why for why in found if why is not None]

    async def _above(self, run: RunRow) -> str | None:
        child = run
        while child.parent is not None and child.parent_seq is not None:
            parent = await self._journal.get_run(child.parent)
            if parent is None or (parent.id, child.parent_seq) in self._met:
                break
            self._met.add((parent.id, child.parent_seq))
            why = await self._undone_in(parent, child.parent_seq, self._words(run, child, parent))
            if why is not None:
                return why
            child = parent
        return None

    def _words(self, run: RunRow, child: RunRow, parent: RunRow) -> str:
        kin = "parent" if child is run else "ancestor"
        return f"its {kin} {parent.id}" if run is self._origin else f"run {parent.id}, {kin} of run {run.id}"

    async def _undone_in(self, parent: RunRow, seq: int, words: str) -> str | None:
        """Return what may have undone the child that event `seq` has started, and so what the run did."""
        events = readable((await self._journal.load([parent.id]))[parent.id])
        if not any(starts_child(event) for event in events[seq : seq + 1]):
            return None
        self._seen.append((parent.id, max(event.seq + 1 for event in events)))
        compensation = undoing(events[seq:], seq)
        if compensation is not None:
            return _why(compensation, events, words)
        forks = await self._journal.forks_of([parent.root or parent.id])
        family = await FamilyWalk(self._journal, forks, events).from_run(parent)
        self._seen += family.seen
        for other in family.relatives:
            compensation = _undoing_in(other, seq)
            if compensation is not None:
                return _why(compensation, other.events, f"run {other.run_id}, relative of {words}")
        return next((lost.why for lost in family.undone if lost.seq <= seq < lost.before), None)


def _undoing_in(other: Relative, seq: int) -> Event | None:
    """Return a compensation of a relative of the parent, if that has the child too."""
    if other.shared <= seq:
        return None
    if other.continues:
        return next(filter(reaches_back, other.events), None)
    return undoing(other.events, seq)


def _why(compensation: Event, events: Sequence[Event], words: str) -> str:
    verb = verb_of(answers_of(events).get(compensation.seq))
    return f"{compensation.body[0]} (event {compensation.seq} of {words}) {verb} what the run did"
