"""Situations of runs: one statement for the rows, at one moment, and one for the end of the history."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from typing import Any, Self

from continuum.engine.ids import RunId
from continuum.journal.facts import InboxRow, RunRow, RunState
from continuum.journal.limits import SITUATION_COUNT, SITUATION_EVENT_ROWS, SITUATION_ROWS
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.inbox_rows import inbox_row
from continuum.journal.postgres.pauses import stored_pause
from continuum.journal.postgres.queries import run_row
from continuum.journal.postgres.snapshots import load
from continuum.journal.situation import KnownVersion, Lease, OpenChild, Situation, Suspicion, TaskPlace
from continuum.journal.version_facts import Fault, Refusal

_COLUMNS_OF_A_RUN = len(RunRow.__dataclass_fields__)
_LIMITS = {"rows": SITUATION_ROWS, "most": SITUATION_COUNT, "events": SITUATION_EVENT_ROWS}


class PostgresSituations:
    """What may explain why a run does not continue."""

    _database: Database
    schema: str

    @asynccontextmanager
    async def one_moment(self) -> AsyncIterator[Self]:
        """Have all statements in one transaction."""
        async with self._database.moment() as database:
            view = copy(self)
            view._database = database
            yield view

    async def unread(self, run_ids: Sequence[RunId], most: int) -> list[InboxRow]:
        rows = await self._database.fetch("unread", (packed_arrays.uuids(run_ids), most))
        return [
            inbox_row(id, RunId(run), kind, name, bytes(body), key) for id, run, kind, name, body, key in rows
        ]

    async def situation(self, run_id: RunId) -> Situation | None:
        """Two statements; what a history says is never older than the rows."""
        statements = self._database.statements
        columns, _, source = statements["run_columns"].rpartition(b"\nFROM ")
        text = columns + b",\n" + statements["situation"] + b"\nFROM " + source + b" WHERE r.id = %(run)s"
        rows = await self._database.fetch_text(text, {"run": run_id, **_LIMITS})
        if not rows:
            return None
        row, further = rows[0][:_COLUMNS_OF_A_RUN], rows[0][_COLUMNS_OF_A_RUN:]
        first = further[-1]
        events = (await load(self._database, {run_id: first}))[run_id]
        readable = [event for event in events if event.seq >= 0]
        return replace(_situation(run_row(row), further, readable, first), schema=self.schema)


def _situation(run: RunRow, further: tuple[Any, ...], events: Any, first: int) -> Situation:
    now, attempt, deaths, lease, mail, tasks, children, heartbeats, refusals, versions, *more, _ = further
    suspicions, deadly, active, queues, never_due = more
    return Situation(
        now=now,
        run=run,
        attempt=attempt,
        deaths=deaths,
        lease=None if lease is None else Lease(*lease),
        events=events,
        first=first,
        tasks=[TaskPlace(*task) for task in tasks or ()],
        mail={(kind, name): number for kind, name, number in mail or ()},
        children=[
            OpenChild(RunId(id), seq, workflow, RunState(state))
            for id, seq, workflow, state in children or ()
        ],
        heartbeats={seq: base64.b64decode(details) for seq, details in heartbeats or ()},
        refusals=[
            Refusal(version, reason, Fault.from_json(fault)) for version, reason, fault in refusals or ()
        ],
        versions=[KnownVersion(*version) for version in versions or ()],
        suspicions={seq: Suspicion(*suspicion) for seq, *suspicion in suspicions or ()},
        deadly=bool(deadly),
        active=active or {},
        never_due=never_due,
        paused_queues={
            pause.scope.name: pause
            for queue in queues or ()
            if (pause := stored_pause(queue)) is not None and pause.scope is not None
        },
    )
