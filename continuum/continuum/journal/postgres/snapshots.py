"""Histories, as events and with their beginnings from snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.engine.snapshot_history import CompactHistory
from continuum.journal.event_codec import CorruptBody
from continuum.journal.event_rows import calls_of, events_of
from continuum.journal.facts import StoredHistory
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connections import Database, Rows
from continuum.journal.repeated_calls import Call, CallsOfRuns, MissingCall
from continuum.journal.snapshot_codec import (
    SNAPSHOT_FORMAT,
    Part,
    Uncompactable,
    pack_snapshot,
    unpack_parts,
)


async def load(database: Database, known: Mapping[RunId, int]) -> dict[RunId, list[Event]]:
    """Return the events of each run from the seq given with it.

    One statement, and further ones if they refer to calls before these events: of each row, one call is found
    missing at a time.
    """
    rows = await database.fetch(
        "load", (packed_arrays.uuids(list(known)), packed_arrays.integers(list(known.values())))
    )
    return await events_in(database, rows, known)


async def events_in(database: Database, rows: Rows, known: Mapping[RunId, int]) -> dict[RunId, list[Event]]:
    """Return the events that these rows have, from the seq on that is given with each run."""
    calls: dict[RunId, dict[int, Call]] = {run_id: {} for run_id in known}
    histories, missing = _histories(rows, known, calls)
    sought: set[tuple[RunId, int]] = set()
    while not missing <= sought:
        await _add_calls(database, calls, missing - sought)
        sought |= missing
        histories, missing = _histories(rows, known, calls)
    return histories


def whole_history(run_id: RunId, rows: Iterable[Sequence[Any]]) -> list[Event]:
    """Return a history from all of its rows, in order: seq, type, time and payload."""
    named = [(run_id, *row) for row in rows]
    histories, _ = _histories(named, {run_id: 0}, {run_id: {}})
    return histories[run_id]


def _histories(
    rows: Rows, known: Mapping[RunId, int], calls: Mapping[RunId, dict[int, Call]]
) -> tuple[dict[RunId, list[Event]], set[tuple[RunId, int]]]:
    """Return the histories that rows are, and the calls that they refer to and that are not there."""
    histories: dict[RunId, list[Event]] = {run_id: [] for run_id in known}
    missing: set[tuple[RunId, int]] = set()
    broken: set[RunId] = set()
    for run_id, seq, type, at, payload in rows:
        try:
            if at is None:
                raise CorruptBody("an infinite time")
            events = events_of(seq, type, at, payload, calls[run_id])
        except MissingCall as error:
            missing.add((run_id, error.seq))
            events = None
        except CorruptBody:
            events = None
        if run_id in broken:
            continue
        if events is None:
            broken.add(run_id)
            histories[run_id].append(Event(-1, type, 0, ()))
        else:
            first = known[run_id]
            histories[run_id] += events if seq >= first else events[first - seq :]
    return histories, missing


async def _add_calls(
    database: Database, calls: Mapping[RunId, dict[int, Call]], missing: Set[tuple[RunId, int]]
) -> None:
    """Add the calls that are missing, as far as their rows can be read."""
    wanted = sorted(missing)
    for run_id, seq, type, payload in await database.fetch(
        "rows_with",
        (
            packed_arrays.uuids([run_id for run_id, _ in wanted]),
            packed_arrays.integers([seq for _, seq in wanted]),
        ),
    ):
        try:
            calls[run_id].update(calls_of(seq, type, payload))
        except CorruptBody:
            # The events that refer to it are corrupt, too.
            continue


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


async def take_snapshot(
    database: Database, calls: CallsOfRuns, run_id: RunId, version: str, first: int
) -> int:
    """Compact the events from `first` on and store them; packing many keeps a thread busy for a while."""
    events = (await load(database, {run_id: first}))[run_id]
    # What is written from now on need not refer to events that the snapshot replaces.
    calls.forget([packed_arrays.uuid_bytes(run_id)])
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
