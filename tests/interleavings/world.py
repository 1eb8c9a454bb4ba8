"""What a schedule acts on: two workers, two runs, and the record of what was committed in which order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from continuum.engine.ids import RunId
from continuum.journal.parked_run import ParkedRun
from continuum.journal.port import ClaimedRun, Loaded, Worker
from continuum.journal.postgres import PostgresJournal, packed_arrays
from continuum.journal.postgres.connections import Database, Parameters, Rows
from continuum.journal.postgres.driver_errors import translated
from continuum.journal.postgres.statements import statements_for
from tests.contract.builders import new_run, worker_of


class OpenTransaction(Database):
    """A journal's database whose statements all run in one transaction, until the schedule commits it."""

    def __init__(self, dsn: str, schema: str, connection: psycopg.AsyncConnection[Any]) -> None:
        super().__init__(dsn, statements_for(schema))
        self._connection = connection

    async def fetch_text(
        self, text: bytes, parameters: Parameters = (), *, silence: float | None = None
    ) -> Rows:
        cursor = await self._connection.execute(text, parameters)
        return await cursor.fetchall() if cursor.description else []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """Begin the schedule's transaction, which sees one moment and is committed later."""
        await self._connection.execute("set transaction isolation level repeatable read")
        async with translated():
            try:
                yield self._connection
            except BaseException:
                await self._connection.rollback()
                raise

    async def fetch_on_lane(self, statement: str, parameters: Parameters) -> Rows:
        return await self.fetch_text(self.statements[statement], parameters)

    async def fetch_apart(self, statement: str, parameters: Parameters, *, silence: float) -> Rows:
        return await self.fetch_text(self.statements[statement], parameters)


async def journal_in(dsn: str, schema: str, connection: psycopg.AsyncConnection[Any]) -> PostgresJournal:
    """Return a journal that does everything in the transaction of this connection."""
    packed_arrays.register(connection)
    journal = PostgresJournal(dsn, schema=schema)
    journal._database = OpenTransaction(dsn, schema, connection)
    return journal


@dataclass(frozen=True)
class Done:
    """A transaction that was committed: who did what to which runs, and what the journal answered."""

    actor: str
    what: str
    runs: tuple[tuple[RunId, int], ...] = ()
    worker: int = 0
    accepted: bool = True
    consumed: int = 0


@dataclass
class World:
    """The facts of one schedule. Its runs are of a workflow of its own, so that claims find no others."""

    journal: PostgresJournal
    number: int
    ids: list[RunId] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    runs: list[ClaimedRun] = field(default_factory=list)
    committed: list[Done] = field(default_factory=list)
    batches: int = 0
    # The ids of runs that first writes create, by number.
    new_ids: dict[int, RunId] = field(default_factory=lambda: defaultdict(lambda: new_run().id))
    # What each worker has read of parked runs.
    read: dict[int, list[ParkedRun]] = field(default_factory=dict)

    @property
    def secret(self) -> str:
        """Return the key of a post that only its sender knows."""
        return f"\x1f{self.number:032d}"

    @property
    def workflow(self) -> str:
        return f"orders-{self.number}"

    @property
    def code(self) -> Sequence[Loaded]:
        return (Loaded(self.workflow, "v1"),)

    def next_batch(self) -> int:
        """Return a batch number, which must grow."""
        self.batches += 1
        return self.batches

    async def begin(self, *, owned: int) -> None:
        """Register two workers, start two runs, and let the first worker own the first ones of them."""
        self.workers = [await worker_of(self.journal, f"node-{self.number}-{at}") for at in range(2)]
        self.ids = sorted(new_run().id for _ in range(2))
        await self.journal.start([new_run(self.workflow, id=run_id) for run_id in self.ids[:owned]])
        if owned:
            claimed = await self.journal.claim(self.workers[0], self.code, owned)
            self.runs = sorted(claimed, key=lambda run: run.id)
        await self.journal.start([new_run(self.workflow, id=run_id) for run_id in self.ids[owned:]])
