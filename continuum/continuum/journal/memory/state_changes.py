"""The changes of the states of runs, in the order in which they were made."""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter

from continuum.errors import CursorExpired
from continuum.journal.change_port import Position, StateChangesRead
from continuum.journal.limits import STATE_CHANGES_KEPT_SECONDS
from continuum.journal.memory.tables import MICROSECONDS, MemoryTables

_position = attrgetter("position")


class MemoryStateChanges(MemoryTables):
    """State changes."""

    async def state_changes(
        self, after: Position | None, limit: int, *, namespace: str | None = None, workflow: str | None = None
    ) -> StateChangesRead:
        """Look through up to `limit` changes after a position, or from the oldest that is kept (P19)."""
        if after is not None and not self._removed_changes <= after <= self._latest_change():
            raise CursorExpired
        first = 0 if after is None else bisect_right(self._changes, after, key=_position)
        looked_at = self._changes[first : first + limit]
        entries = [
            change
            for change in looked_at
            if change.run_id in self._runs
            and namespace in (None, change.namespace)
            and workflow in (None, change.workflow)
        ]
        scanned = looked_at[-1].position if looked_at else after or self._removed_changes
        return StateChangesRead(entries, scanned, len(self._changes) > first + limit)

    async def latest_position(self) -> Position:
        """Return a position that every change which is made from now on comes after."""
        return self._latest_change()

    def _latest_change(self) -> Position:
        return self._changes[-1].position if self._changes else self._removed_changes

    def _sweep_changes(self) -> int:
        """Remove changes that are older than is promised; return how many."""
        before = self.now() - STATE_CHANGES_KEPT_SECONDS * MICROSECONDS
        old = 0
        while old < len(self._changes) and self._changes[old].at < before:
            old += 1
        if old:
            self._removed_changes = self._changes[old - 1].position
            del self._changes[:old]
        return old
