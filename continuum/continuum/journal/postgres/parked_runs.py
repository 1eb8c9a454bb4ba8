"""Parked runs with their histories and their mail, read with one statement."""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern
from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.facts import ClaimedRun
from continuum.journal.parked_run import ParkedRun
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.inbox_rows import inbox_row
from continuum.journal.postgres.snapshots import whole_history


async def parked_runs(database: Database, run_ids: Sequence[RunId]) -> list[ParkedRun]:
    """Return those of these runs that a first write may take."""
    named = packed_arrays.uuids(list(dict.fromkeys(run_ids)))
    return [_parked(*row) for row in await database.fetch("parked", (named,))]


def _parked(
    run_id: RunId,
    token: int,
    workflow: str,
    version: str,
    namespace: str,
    input: bytes,
    started_at: int,
    attempt: int,
    trace_context: str | None,
    root: RunId,
    before: int,
    *columns: Sequence[Any] | None,
) -> ParkedRun:
    events, mail = (
        zip(*(column or () for column in part), strict=True) for part in (columns[:4], columns[4:])
    )
    history = whole_history(run_id, events)
    entries = [inbox_row(id, run_id, kind, name, payload, key) for id, kind, name, payload, key in mail]
    claim = ClaimedRun(
        run_id,
        token,
        intern(workflow),
        intern(version),
        intern(namespace),
        input,
        started_at,
        # As the row will say.
        min(attempt, 2_147_483_646) + 1,
        trace_context,
        False,
        root=root,
    )
    return ParkedRun(claim, before, history, entries)
