"""The rows and histories of a Postgres journal, for a check of the whole.

Everything is read in one read-only transaction, which sees one moment while nodes work. It
takes no lock that a node waits for, and reads a batch of runs at a time, so that a million fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from continuum.engine.ids import RunId
from continuum.journal.event_codec import CorruptBody
from continuum.journal.event_rows import events_of
from continuum.journal.facts import InboxKind
from continuum.journal.postgres.connections import Parameters
from continuum.journal.postgres.connector import Connector
from continuum.journal.postgres.driver_errors import translated
from continuum.journal.postgres.inbox_rows import inbox_row
from continuum.journal.postgres.statements import Statements, statements_for
from continuum.journal.repeated_calls import Call
from continuum.journal.snapshot_codec import Part
from continuum.journal.stored_facts import (
    DuplicateKey,
    Relative,
    StoredCluster,
    StoredEvent,
    StoredMail,
    StoredRunFacts,
    StoredSnapshot,
    StoredTaskRow,
    StoredWorkerRow,
)
from continuum.journal.wait import waits_from_json

# A sample looks at so many pages more than it has runs: in a small table at all.
SAMPLED_PAGES = 100
# Histories of this many runs are in memory at once.
BATCH = 500


@asynccontextmanager
async def stored_facts(dsn: str, schema: str) -> AsyncIterator[PostgresFacts]:
    """Open a view of what a schema holds at this moment."""
    async with translated():
        connection = await Connector(dsn).connect_for_schema()
        async with connection:
            await connection.set_autocommit(False)
            await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
            await connection.set_read_only(True)
            # The caller may take its time between two batches; no lock is held that others wait for.
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield PostgresFacts(connection, statements_for(schema))
            await connection.rollback()


class PostgresFacts:
    """One moment of a schema."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], statements: Statements) -> None:
        self._connection = connection
        self._statements = statements

    async def cluster(self, *, whole: bool = True) -> StoredCluster:
        """Return what belongs to no single run; if not `whole`, without what needs a look at all rows."""
        workers = await self._fetch("facts_workers")
        keys = await self._fetch("facts_duplicate_keys") if whole else []
        orphans = await self._fetch("facts_orphans") if whole else []
        # The sequence is not part of the transaction: read last, it has every token that the runs have.
        ((now, last_token),) = await self._fetch("facts_cluster")
        return StoredCluster(
            now,
            last_token,
            [StoredWorkerRow(*row) for row in workers],
            [DuplicateKey(*row) for row in keys],
            [(table, RunId(run_id)) for table, run_id in orphans],
        )

    async def orphans_of(self, run_id: RunId) -> list[tuple[str, RunId]]:
        """Return the tables with rows of a run that does not exist."""
        found = await self._fetch("facts_orphans_of", {"run": run_id})
        return [(table, RunId(id)) for table, id in found]

    async def duplicate_key_of(self, run_id: RunId) -> list[DuplicateKey]:
        """Return the idempotency key of a run, if others have it as well."""
        return [DuplicateKey(*row) for row in await self._fetch("facts_duplicate_key_of", (run_id,))]

    async def runs(
        self,
        *,
        namespace: str | None = None,
        run_ids: Sequence[RunId] | None = None,
        since: int | None = None,
    ) -> AsyncIterator[list[StoredRunFacts]]:
        """Yield the runs in batches."""
        wanted: dict[str, Any] = {"namespace": namespace, "limit": BATCH, "after": None, "since": since}
        wanted["ids"] = None if run_ids is None else list(run_ids)
        while rows := await self._fetch("facts_runs", wanted):
            wanted["after"] = rows[-1][0]
            yield await self._whole([_run(*row) for row in rows])

    async def sample(self, size: int) -> list[RunId]:
        """Return up to `size` runs of pages chosen at random."""
        ((pages,),) = await self._fetch("facts_pages")
        # A page has a run or two at least, unless most of its rows are dead.
        percent = 100.0 * min(1.0, (SAMPLED_PAGES + size) / max(1, pages))
        sampled = await self._fetch("facts_sample", {"percent": percent, "size": size})
        return [RunId(run_id) for (run_id,) in sampled]

    async def _whole(self, runs: list[StoredRunFacts]) -> list[StoredRunFacts]:
        """Add to each run what other tables have of it."""
        by_id = {run.id: run for run in runs}
        ids = (list(by_id),)
        calls: dict[str, dict[int, Call]] = {run.id: {} for run in runs}
        for run_id, seq, type, at, payload in await self._fetch("facts_events", ids):
            by_id[run_id].events += _stored_events(seq, type, at, bytes(payload), calls[run_id])
        for run_id, id, kind, name, key, payload in await self._fetch("facts_inbox", ids):
            read = inbox_row(id, RunId(run_id), kind, name, bytes(payload), key)
            body = None if read.kind is InboxKind.CORRUPT else read.body
            by_id[run_id].inbox.append(StoredMail(id, kind, name, key, body))
        for run_id, *task in await self._fetch("facts_tasks", ids):
            by_id[run_id].tasks.append(StoredTaskRow(*task))
        for run_id, first, events, blob, format, version in await self._fetch("facts_snapshots", ids):
            by_id[run_id].snapshots.append(StoredSnapshot(Part(first, events, bytes(blob)), format, version))
        published: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        chains = list({run.chain for run in runs})
        for root, name, value in await self._fetch("facts_published", (chains,)):
            published[root][name] = bytes(value)
        for run in runs:
            run.published = published[run.chain]
        for row in await self._fetch("facts_children", ids):
            child = Relative(*row)
            if child.parent is not None:
                by_id[child.parent].children.append(child)
        near = {run.id: (run.parent, run.continued_from, run.continued_to) for run in runs}
        asked = {id for ids_near in near.values() for id in ids_near if id is not None}
        found = (
            [Relative(*row) for row in await self._fetch("facts_relatives", (list(asked),))] if asked else []
        )
        by_relative = {relative.id: relative for relative in found}
        for run in runs:
            run.relatives = {
                id: by_relative[id] for id in near[run.id] if id is not None and id in by_relative
            }
        return runs

    async def _fetch(self, statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        cursor = await self._connection.execute(self._statements[statement], parameters)
        return await cursor.fetchall()


def _run(*row: Any) -> StoredRunFacts:
    run = StoredRunFacts(*row)
    run.waits = waits_from_json(run.waits)
    return run


def _stored_events(seq: int, type: int, at: int, payload: bytes, calls: dict[int, Call]) -> list[StoredEvent]:
    """Return the events of a row; one without a body stands for all those of a row that cannot be read."""
    try:
        return [StoredEvent(*event) for event in events_of(seq, type, at, payload, calls)]
    except CorruptBody:
        return [StoredEvent(seq, type, at, None)]
