"""What the runs that a run continues as new have done: it began with that, so that each cut counts on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

from continuum.journal.facts import RunRow, RunState
from continuum.journal.forked_run import StoredFork
from continuum.operations.cut_facts import History
from continuum.operations.family_walk import CutRuns, Family, FamilyWalk
from continuum.operations.history_cuts import readable, undone_by_relatives
from continuum.operations.undone_effects import first_effect


class Predecessors:
    """The runs that one continues as new, itself or as one that was reset or forked; the latest first."""

    def __init__(self, journal: CutRuns, origin: RunRow, forks: Sequence[StoredFork]) -> None:
        self._journal = journal
        self._origin = origin
        self._forks = forks
        self._made = {fork.fork: fork for fork in forks}

    async def did_anything(self) -> bool:
        """Return whether one of them has begun anything that may have to be undone."""
        async for row in self._rows():
            if (
                row is None
                or first_effect(readable((await self._journal.load([row.id]))[row.id])) is not None
            ):
                return True
        return False

    async def undone(self, family: Family) -> list[str]:
        """Return why what they have done may not count any more: others than the family have undone it."""
        rows = [row async for row in self._rows() if row is not None]
        # What one of them has undone before it continued is not what the run began with.
        known = {self._origin.id, *(row.id for row in rows), *(other.run_id for other in family.relatives)}
        whys = [(row, await self._undone_of(row, family, known)) for row in rows]
        return [f"the run continues run {row.id}: {why}" for row, why in whys if why is not None]

    async def _undone_of(self, row: RunRow, family: Family, known: Collection[str]) -> str | None:
        events = readable((await self._journal.load([row.id]))[row.id])
        walked = await FamilyWalk(self._journal, self._forks, events).from_run(row)
        family.seen += [entry for entry in walked.seen if entry[0] not in known]
        others = [other for other in walked.relatives if other.run_id not in known]
        return undone_by_relatives(History(row.id, events, lambda _: True, others, walked.undone))

    async def _rows(self) -> AsyncIterator[RunRow | None]:
        """Yield them; None for what is not known, because it was removed."""
        row = self._origin
        while True:
            made = self._made.get(row.id)
            before = row.continued_from or (None if made is None else made.origin)
            if before is None:
                return
            found = await self._journal.get_run(before)
            if found is None:
                # The first run of a chain continues none.
                if made is None or made.origin != made.root:
                    yield None
                return
            if row.continued_from is not None and found.state is RunState.CONTINUED:
                yield found
            row = found
