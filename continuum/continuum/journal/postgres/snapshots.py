"""Histories, as events and with their beginnings from snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.engine.snapshot_history import CompactHistory
from continuum.journal.event_codec import CorruptBody
from continuum.journal.event_rows import events_of
from continuum.journal.facts import StoredHistory
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connections import Database
from continuum.journal.snapshot_codec import (
    SNAPSHOT_FORMAT,
    Part,
    Uncompactable,
    pack_snapshot,
    unpack_parts,
)


async def load(database: Database, known: Mapping[RunId, int]) -> dict[RunId, list[Event]]:
    """Return the events of each run from the seq given with it."""
    histories: dict[RunId, list[Event]] = {run_id: [] for run_id in known}
    broken: set[str] = set()
    for run_id, seq, type, at, payload in await database.fetch(
        "load", (packed_arrays.uuids(list(known)), packed_arrays.integers(list(known.values())))
    ):
        if run_id in broken:
            continue
        history = histories[run_id]
        try:
            if at is None:
                raise CorruptBody("an infinite time")
            events = events_of(seq, type, at, payload)
        except CorruptBody:
            broken.add(run_id)
            history.append(Event(-1, type, 0, ()))
            continue
        first = known[run_id]
        history += events if seq >= first else events[first - seq :]
    return histories


async def load_compact(database: Database, runs: Sequence[tuple[RunId, str]]) -> dict[RunId, StoredHistory]:
    """Two statements: snapshots, then the events after them."""
    run_ids = [run_id for run_id, _ in runs]
    parts: dict[RunId, list[Part]] = {run_id: [] for run_id in run_ids}
    for run_id, *part in await database.fetch(
        "snapshots",
        (
            packed_arrays.uuids(run_ids),
            packed_arrays.texts([version for _, version in runs]),
            SNAPSHOT_FORMAT,
        ),
    ):
        parts[run_id].append(Part(*part))
    compact: dict[RunId, CompactHistory | None] = {
        run_id: unpack_parts(stored) for run_id, stored in parts.items()
    }
    events = await load(
        database, {run_id: 0 if part is None else part.end for run_id, part in compact.items()}
    )
    return {run_id: StoredHistory(compact[run_id], events[run_id]) for run_id in run_ids}


async def take_snapshot(database: Database, run_id: RunId, version: str, first: int) -> int:
    """Compact the events from `first` on and store them; packing many keeps a thread busy for a while."""
    events = (await load(database, {run_id: first}))[run_id]
    if not events or events[-1].seq < 0:
        return first
    try:
        payload = await asyncio.to_thread(pack_snapshot, events)
    except Uncompactable:
        return first
    await database.fetch(
        "save_snapshot",
        (run_id, first, len(events), SNAPSHOT_FORMAT, version, payload, run_id, first, version, first),
    )
    return first + len(events)
