"""The relatives of a run that is cut: what they do on the same events may undo what these say.

A run shares events with those that it was reset to or made from, with its forks and theirs. Runs that
continue one of these as new count on what was done before they began. `family_of` reads all of them; for a
run without forks and successors it reads nothing more.

What a relative has undone is not known any more once it is removed. A fork that was removed may have undone
what it began with; so may a removed run for its forks, if it was open when they were made or later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from continuum.engine.events import Event, EventType, is_whole
from continuum.engine.ids import RunId, parse_run_id
from continuum.journal.facts import RunRow, RunState
from continuum.journal.forked_run import StoredFork
from continuum.journal.port import Histories, Runs
from continuum.operations.call_ends import answers_of
from continuum.operations.cut_facts import History, Relative, Undone
from continuum.operations.history_cuts import readable, undone_by_relatives, unreadable
from continuum.operations.undone_effects import first_effect, undoing, verb_of


class CutRuns(Runs, Histories, Protocol):
    """Runs and their histories."""


@dataclass(slots=True)
class Family:
    """What other runs have done about the events of one; `seen` says how many events each of them had."""

    relatives: list[Relative] = field(default_factory=list)
    undone: list[Undone] = field(default_factory=list)
    seen: list[tuple[RunId, int]] = field(default_factory=list)


async def family_of(journal: CutRuns, origin: RunRow, events: Sequence[Event]) -> Family:
    """Return the relatives of a run, and what was undone elsewhere of what it did by others."""
    root = origin.root or origin.id
    children = {str(event.body[3]): event for event in events if _starts_child(event)}
    forks = await journal.forks_of([root, *map(parse_run_id, children)])
    family = await _Walk(journal, forks, events).from_run(origin)
    for child in {fork.root for fork in forks if fork.root in children}:
        why = await _why_undone(journal, forks, child)
        if why is not None:
            family.undone.append(Undone(children[child].seq, f"its child {child}: {why}"))
    first = first_effect(events)
    if first is not None:
        why = await _undone_by_parent(journal, origin)
        if why is not None:
            family.undone.append(Undone(first.seq, why))
    return family


async def shared_with_successor(journal: CutRuns, row: RunRow) -> int:
    """Return how many of its events a run has that it was reset to; 0 if there is none."""
    if row.continued_to is None or row.state is RunState.CONTINUED:
        return 0
    loaded = await journal.load([row.id, row.continued_to])
    return _shared(loaded[row.id], loaded[row.continued_to])


def _starts_child(event: Event) -> bool:
    return event.type == EventType.CHILD_STARTED and is_whole(event)


async def _why_undone(journal: CutRuns, forks: Sequence[StoredFork], child: RunId) -> str | None:
    """Return why what a child did does not count any more: a fork of it has undone it."""
    row = await journal.get_run(child)
    if row is None:
        return "it was forked and removed, and what its forks have undone of it is not known"
    while row is not None:
        if row.continued_to is None or row.state is RunState.CONTINUED:
            events = readable((await journal.load([row.id]))[row.id])
            found = await _Walk(journal, forks, events, within=child).from_run(row)
            history = History(row.id, events, lambda _: True, found.relatives, found.undone)
            why = undone_by_relatives(history)
            if why is not None:
                return why
        row = None if row.continued_to is None else await journal.get_run(row.continued_to)
    return None


async def _undone_by_parent(journal: CutRuns, origin: RunRow) -> str | None:
    """Return which compensation of the parent may have undone all that a run did."""
    parent = None if origin.parent is None else await journal.get_run(origin.parent)
    while parent is not None and origin.parent_seq is not None:
        events = readable((await journal.load([parent.id]))[parent.id])
        if not any(_starts_child(event) for event in events[origin.parent_seq : origin.parent_seq + 1]):
            # It was reset to before that.
            break
        compensation = undoing(events, origin.parent_seq)
        if compensation is not None:
            where = f"event {compensation.seq} of its parent {parent.id}"
            verb = verb_of(answers_of(events).get(compensation.seq))
            return f"{compensation.body[0]} ({where}) {verb} what the run did"
        if parent.state is RunState.CONTINUED:
            break
        parent = None if parent.continued_to is None else await journal.get_run(parent.continued_to)
    return None


def _shared(events: Sequence[Event], others: Sequence[Event]) -> int:
    """Return how many events two histories have in common."""
    pairs = enumerate(zip(events, others, strict=False))
    return next((seq for seq, (one, other) in pairs if one != other), min(len(events), len(others)))


class _Step(NamedTuple):
    """The way to a run, which shares at most so many events, or `continues` as new a run that shares them."""

    run_id: RunId
    shared: int
    continues: bool


class _Walk:
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
        shared = step.shared if step.continues else _shared(self._events, events)
        if (row.root or row.id) != self._within:
            own = events if step.continues else events[shared:]
            self._found.relatives.append(Relative(row.id, shared, own, step.continues))
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
            self._found.undone.append(Undone(first.seq, why))
