"""Snapshots in memory: they save no time here, but let tests exercise snapshots."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.ids import RunId
from continuum.journal.memory.tables import MemoryTables, StoredSnapshots
from continuum.journal.port import StoredHistory
from continuum.journal.snapshot_codec import Part, Uncompactable, pack_snapshot, unpack_parts


class MemorySnapshots(MemoryTables):
    """Snapshots."""

    async def load_compact(self, runs: Sequence[tuple[RunId, str]]) -> dict[RunId, StoredHistory]:
        """Return histories for replay by code of these versions."""
        return {run_id: self._stored_history(run_id, version) for run_id, version in runs}

    def _stored_history(self, run_id: RunId, version: str) -> StoredHistory:
        run = self._runs.get(run_id)
        if run is None:
            return StoredHistory(None, [])
        stored = run.snapshots
        compact = unpack_parts(stored.parts) if stored is not None and stored.version == version else None
        return StoredHistory(compact, run.events[0 if compact is None else compact.end :])

    async def take_snapshot(self, run_id: RunId, version: str, first: int) -> int:
        """Store a compact copy of the events from seq `first` on; return where it ends."""
        run = self._runs.get(run_id)
        events = [] if run is None else run.events[first:]
        if run is None or not events:
            return first
        try:
            part = Part(first, len(events), pack_snapshot(events))
        except Uncompactable:
            return first
        before = run.snapshots
        kept = before.parts if before is not None and before.version == version else ()
        parts = (*(earlier for earlier in kept if earlier.first < first), part)
        run.snapshots = StoredSnapshots(version, parts)
        return first + len(events)
