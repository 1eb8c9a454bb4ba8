"""The part of the port about histories that are looked at in parts. Only people do; no engine uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from continuum.engine.events import Event
from continuum.engine.ids import RunId


class HistoryBin(NamedTuple):
    """So many `events`, from seq `first` to `last`, that were written from `since` until `until`."""

    first: int
    last: int
    since: int
    until: int
    events: int


class HistoryParts(Protocol):
    """Parts of histories, however long these are."""

    async def load_part(self, run_id: RunId, first: int, most: int) -> list[Event]:
        """Return the events from seq `first` on, up to `most` of them, as `load` does.

        Those after one that cannot be read are left out; `first` may be behind it.
        """
        ...

    async def outline(self, run_id: RunId, bins: int) -> Sequence[HistoryBin]:
        """Return when the events of a history were written, in up to `bins` parts of equal duration.

        Events of one write count for the time of the first. Parts without events are left out.
        """
        ...

    async def published_names(self, run_id: RunId, most: int) -> list[str]:
        """Return names under which a run's chain has published values, up to `most` of them, in order."""
        ...
