"""`FamilyWalk`: all runs that have events of one, and those that continue them as new.

A run shares events with those that it was reset to or made from, with its forks and theirs. What a relative
has undone is not known any more once it is removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.facts import RunRow, RunState
from continuum.journal.forked_run import StoredFork
from continuum.journal.port import Histories, Runs
from continuum.operations.cut_facts import Relative, Undone
from continuum.operations.history_cuts import readable, unreadable
from continuum.operations.undone_effects import first_effect


class CutRuns(Runs, Histories, Protocol):
    """Runs and their histories."""


@dataclass(slots=True)
class Family:
    """What other runs have done about the events of one; `seen` says how many events each of them had.

    The `rows` are those of the relatives.
    """

    relatives: list[Relative] = field(default_factory=list)
    rows: list[RunRow] = field(default_factory=list)
    undone: list[Undone] = field(default_factory=list)
    seen: list[tuple[RunId, int]] = field(default_factory=list)
    # Whether the run continues one as new that had done something.
    inherits: bool = False


def shared_events(events: Sequence[Event], others: Sequence[Event]) -> int:
    """Return how many events two histories have in common."""
    pairs = enumerate(zip(events, others, strict=False))
    return next((seq for seq, (one, other) in pairs if one != other), min(len(events), len(others)))


class _Step(NamedTuple):
    """The way to a run, which shares at most so many events, or `continues` as new a run that shares them."""

    run_id: RunId
    shared: int
    continues: bool


class FamilyWalk:
    """Goes from a run to all that have events of it, and to those that continue them as new."""

    def __init__(
        self,
        journal: CutRuns,
        forks: Sequence[StoredFork],
        events: Sequence[Event],
        within: RunId | None = None,
    ) -> None:
        self._journal = journal
        self._forks = forks
        self._made = {fork.fork: fork for fork in forks}
        self._events = events
        # The chain whose own runs say nothing new.
        self._within = within
        self._found = Family()
        self._met: set[RunId] = set()
        self._todo: list[_Step] = []

    async def from_run(self, origin: RunRow) -> Family:
        """Return the relatives of a run."""
        self._met.add(origin.id)
        await self._look_around(origin, len(self._events), continues=False)
        while self._todo:
            await self._visit(self._todo.pop())
        return self._found

    async def _visit(self, step: _Step) -> None:
        if step.run_id in self._met:
            return
        self._met.add(step.run_id)
        row = await self._journal.get_run(step.run_id)
        if row is None:
            self._go_past(step)
            return
        events = readable((await self._journal.load([row.id]))[row.id])
        shared = step.shared if step.continues else shared_events(self._events, events)
        if (row.root or row.id) != self._within:
            own = events if step.continues else events[shared:]
            self._found.relatives.append(Relative(row.id, shared, own, step.continues))
            self._found.rows.append(row)
            self._found.seen.append((row.id, max((event.seq + 1 for event in events), default=0)))
            if unreadable(events) is not None:
                self._lose(step.shared, f"run {row.id}, which has events of this one, cannot be read; it may")
        await self._look_around(row, shared, continues=step.continues)

    async def _look_around(self, row: RunRow, shared: int, *, continues: bool) -> None:
        # Two runs of a chain may have all events of this run in common.
        most = shared if continues else len(self._events)
        if row.continued_to is not None:
            as_new = row.state is RunState.CONTINUED
            self._todo.append(_Step(row.continued_to, shared if as_new else most, continues or as_new))
        if row.continued_from is not None:
            before = await self._journal.get_run(row.continued_from)
            if before is not None and before.state is not RunState.CONTINUED:
                self._todo.append(_Step(before.id, most, continues))
        elif row.id in self._made:
            await self._go_up(self._made[row.id], most, continues=continues)
        self._todo += [_Step(fork.fork, shared, continues) for fork in self._forks if fork.origin == row.id]

    async def _go_up(self, made: StoredFork, shared: int, *, continues: bool) -> None:
        """Go to the run that a fork was made from, or past it if that was removed."""
        while await self._journal.get_run(made.origin) is None:
            if made.root in self._met:
                return
            shared = shared if continues else min(shared, made.events)
            if made.is_lost:
                self._lose(shared, f"run {made.origin}, whose first events these are, was removed; it may")
            self._met.add(made.root)
            self._go_down(made.root, shared, continues=continues)
            above = self._made.get(made.root)
            if above is None:
                return
            made = above
        self._todo.append(_Step(made.origin, shared, continues))

    def _go_past(self, step: _Step) -> None:
        """Go to the forks of one that was removed."""
        made = self._made.get(step.run_id)
        shared = step.shared if step.continues or made is None else min(step.shared, made.events)
        self._lose(shared, f"run {step.run_id}, which began with events of this one, was removed; it may")
        self._go_down(step.run_id, shared, continues=step.continues)

    def _go_down(self, root: RunId, shared: int, *, continues: bool) -> None:
        self._todo += [_Step(fork.fork, shared, continues) for fork in self._forks if fork.root == root]

    def _lose(self, shared: int, why: str) -> None:
        first = first_effect(self._events[:shared])
        if first is not None:
            why = f"{why} have undone what was done from event {first.seq} on ({first.body[0]})"
            self._found.undone.append(Undone(first.seq, why, shared))
