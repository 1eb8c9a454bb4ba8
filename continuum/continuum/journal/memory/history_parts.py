"""Histories that are looked at in parts."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.history_port import HistoryBin
from continuum.journal.memory.tables import MemoryTables


class MemoryHistoryParts(MemoryTables):
    """Parts of histories."""

    async def load_part(self, run_id: RunId, first: int, most: int) -> list[Event]:
        """Return the events from seq `first` on, up to `most` of them."""
        run = self._runs.get(run_id)
        return [] if run is None else [event for event in run.events if first <= event.seq < first + most]

    async def outline(self, run_id: RunId, bins: int) -> Sequence[HistoryBin]:
        """Return when the events of a history were written, in up to `bins` parts of equal duration."""
        run = self._runs.get(run_id)
        if run is None or not run.events:
            return []
        times = [event.at for event in run.events]
        begin, length = min(times), max(times) - min(times) + 1
        found: dict[int, list[Event]] = {}
        for event in run.events:
            found.setdefault((event.at - begin) * bins // length, []).append(event)
        return [
            HistoryBin(
                min(event.seq for event in events),
                max(event.seq for event in events),
                min(event.at for event in events),
                max(event.at for event in events),
                len(events),
            )
            for _, events in sorted(found.items())
        ]

    async def published_names(self, run_id: RunId, most: int) -> list[str]:
        """Return names under which a run's chain has published values."""
        run = self._runs.get(run_id)
        return [] if run is None else sorted(self._published.get(run.chain, ()))[:most]
