"""The relatives of a run that is cut: what they do on the same events may undo what these say.

A run shares events with those that it was reset to or made from, with its forks and theirs. Runs that
continue one of these as new count on what was done before they began. `family_of` reads all of them; for a
run without forks and successors it reads nothing more. What the ancestors of any of them have undone counts
as well.

What a relative has undone is not known any more once it is removed. A fork that was removed may have undone
what it began with; so may a removed run for its forks, if it was open when they were made or later.
"""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.events import Event
from continuum.engine.ids import RunId, parse_run_id
from continuum.journal.facts import RunRow, RunState
from continuum.journal.forked_run import StoredFork
from continuum.operations.ancestors import Ancestors
from continuum.operations.cut_facts import History, Undone
from continuum.operations.family_walk import CutRuns, Family, FamilyWalk, shared_events
from continuum.operations.history_cuts import readable, undone_by_relatives
from continuum.operations.predecessors import Predecessors
from continuum.operations.undone_effects import NOWHERE, first_effect, reaches_back, starts_child


async def family_of(journal: CutRuns, origin: RunRow, events: Sequence[Event]) -> Family:
    """Return the relatives of a run, and what was undone elsewhere of what it did by others."""
    root = origin.root or origin.id
    children = {str(event.body[3]): event for event in events if starts_child(event)}
    forks = await journal.forks_of([root, *map(parse_run_id, children)])
    family = await FamilyWalk(journal, forks, events).from_run(origin)
    for child in {fork.root for fork in forks if fork.root in children}:
        why = await _why_undone(journal, forks, child)
        if why is not None:
            family.undone.append(Undone(children[child].seq, f"its child {child}: {why}"))
    first = first_effect(events)
    if first is not None:
        shared = [other.shared for other in family.relatives]
        rows = [row for row, most in zip(family.rows, shared, strict=True) if first.seq < most]
        for why in await Ancestors(journal, origin, family.seen).undone(rows):
            family.undone.append(Undone(first.seq, why))
    before = Predecessors(journal, origin, forks)
    if forks:
        family.undone += [Undone(NOWHERE, why) for why in await before.undone(family)]
    own = (events, *(other.events for other in family.relatives))
    if any(reaches_back(event) for each in own for event in each):
        family.inherits = await before.did_anything()
    return family


async def shared_with_successor(journal: CutRuns, row: RunRow) -> int:
    """Return how many of its events a run has that it was reset to; 0 if there is none."""
    if row.continued_to is None or row.state is RunState.CONTINUED:
        return 0
    loaded = await journal.load([row.id, row.continued_to])
    return shared_events(loaded[row.id], loaded[row.continued_to])


async def _why_undone(journal: CutRuns, forks: Sequence[StoredFork], child: RunId) -> str | None:
    """Return why what a child did does not count any more: a fork of it has undone it."""
    row = await journal.get_run(child)
    if row is None:
        return "it was forked and removed, and what its forks have undone of it is not known"
    while row is not None:
        if row.continued_to is None or row.state is RunState.CONTINUED:
            events = readable((await journal.load([row.id]))[row.id])
            found = await FamilyWalk(journal, forks, events, within=child).from_run(row)
            history = History(row.id, events, lambda _: True, found.relatives, found.undone)
            why = undone_by_relatives(history)
            if why is not None:
                return why
        row = None if row.continued_to is None else await journal.get_run(row.continued_to)
    return None
