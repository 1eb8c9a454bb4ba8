"""The part of the port about changes of the states of runs; the promise is in `port.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

from continuum.engine.ids import RunId
from continuum.journal.facts import RunState

# A place among all changes: they grow in the order in which readers see changes.
Position: TypeAlias = int


class StateChanged(NamedTuple):
    """A run entered a state, or was started if `state` is None. `at` is the journal's time."""

    position: Position
    run_id: RunId
    workflow: str
    namespace: str
    state: RunState | None
    at: int


class StateChangesRead(NamedTuple):
    """The changes that were asked for among those up to `scanned`; `more` says that later ones wait."""

    entries: Sequence[StateChanged]
    scanned: Position
    more: bool


class StateChanges(Protocol):
    """The changes of the states of runs, oldest first."""

    async def state_changes(
        self, after: Position | None, limit: int, *, namespace: str | None = None, workflow: str | None = None
    ) -> StateChangesRead:
        """Look through up to `limit` changes after a position, or from the oldest that is kept (P19).

        Changes of runs that have been removed are not returned. Raises `CursorExpired` if changes after the
        position have been removed, or if it is none of this journal.
        """
        ...

    async def latest_position(self) -> Position:
        """Return a position that every change which is made from now on comes after."""
        ...
