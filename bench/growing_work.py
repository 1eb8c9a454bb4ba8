"""What work costs as there is more of it: ends of children, claims, mail of many runs, results of ended runs.

Each figure has a schema of its own, which SQL fills in the engine's form. Children end in a session that has
made its plans while there were few, in tables that nobody analyzes: a family may grow faster than one sees.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, LiteralString, TypeAlias

import psycopg
from psycopg.sql import SQL, Identifier

import continuum
from bench.database import Server, fresh_schema
from bench.flows import steps_in_a_row
from continuum.engine.ids import NodeId, RunId
from continuum.journal.port import Loaded, RunState, RunWrite, Transition, Worker
from continuum.journal.postgres import PostgresJournal

Figures: TypeAlias = dict[str, float]
Tell: TypeAlias = Callable[[str], None]
ENDS, ENDS_AT_ONCE = 10, 50
WORKFLOWS, CLAIMS, CLAIMED_AT_ONCE = 20, 5, 250
# As many as a host names in one query.
NAMED_RUNS = 500
ROUNDS = 3
RESULTS = 1_000
LEASE_SECONDS = 3_600.0
# Long ago for a client: it looks for a run that has just begun a moment later.
ENDED_FOR_SECONDS = 1.0

_PARENT: LiteralString = """
insert into {schema}.runs (id, workflow, version, namespace, input, owner, token, attempt, fresh, state,
                           has_children)
select gen_random_uuid(), 'parent', 'v1', 'mine', '', %(worker)s::bigint, 1, 1, false, 2, true
returning id::text
"""
_CHILDREN: LiteralString = """
insert into {schema}.runs (id, workflow, version, namespace, input, owner, token, attempt, fresh, state,
                           parent_id, parent_seq, close_policy, depth)
select gen_random_uuid(), 'child', 'v1', 'mine', '', %(worker)s::bigint, 1, 1, false, 1,
       %(parent)s::uuid, i, 1, 1
from generate_series(1, %(runs)s::integer) i returning id::text
"""
_READY: LiteralString = """
insert into {schema}.runs (id, workflow, namespace, input, due_at)
select gen_random_uuid(), 'flow' || i %% %(workflows)s::integer, 'mine', '', now()
from generate_series(1, %(runs)s::integer) i
returning id::text
"""
_MAILED: LiteralString = """
with owned as (
    insert into {schema}.runs (id, workflow, version, namespace, input, owner, token, attempt, fresh, state)
    select gen_random_uuid(), 'flow', 'v1', 'mine', '', %(worker)s::bigint, 1, 1, false, 2
    from generate_series(1, %(runs)s::integer) returning id
)
insert into {schema}.inbox (run_id, kind, name, payload) select id, 1, 'go', '\\x91c400' from owned
returning run_id::text
"""
_END: LiteralString = """
update {schema}.runs set state = 4, due_at = null, result = '\\x0100', completed_at = now()
"""


class _Place:
    """A journal in a schema that is being filled, and a worker that owns what is to be owned."""

    def __init__(self, dsn: str, schema: str, journal: PostgresJournal, worker: Worker) -> None:
        self.dsn, self.schema = dsn, schema
        self.journal, self.worker = journal, worker
        self._connection = psycopg.connect(dsn, autocommit=True)

    def fill(self, statement: LiteralString, **values: Any) -> list[RunId]:
        """Make runs and return their ids."""
        text = SQL(statement).format(schema=Identifier(self.schema))
        rows = self._connection.execute(text, {"worker": self.worker.id, **values}).fetchall()
        return [RunId(run_id) for (run_id,) in rows]

    def do(self, statement: LiteralString) -> None:
        """Execute a statement about the schema."""
        self._connection.execute(SQL(statement).format(schema=Identifier(self.schema)))

    def wal_bytes(self) -> int:
        """Return how much the server has written to its log so far."""
        row = self._connection.execute("select (pg_current_wal_insert_lsn() - '0/0')::bigint").fetchone()
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        """Close the connection that fills."""
        self._connection.close()


_Measure: TypeAlias = Callable[[_Place, int], Coroutine[Any, Any, Figures]]


def of_work(server: Server, runs: int, tell: Tell) -> Figures:
    """Measure a tenth as many siblings and ready runs, a hundredth as many with mail, and ended runs."""
    measures: list[_Measure] = [_ends_of_children, _claims, _mail, _results]
    figures: Figures = {}
    for measure in measures:
        with fresh_schema(server.dsn) as schema:
            found = asyncio.run(_in_place(server.dsn, schema, measure, runs))
        figures.update(found)
        tell("; ".join(f"{name} {value:,.2f}" for name, value in found.items()))
    return figures


async def _in_place(dsn: str, schema: str, measure: _Measure, runs: int) -> Figures:
    async with _place(dsn, schema) as place:
        return await measure(place, runs)


@asynccontextmanager
async def _place(dsn: str, schema: str) -> AsyncIterator[_Place]:
    journal = PostgresJournal(dsn, schema=schema, listen=False)
    await journal.open()
    try:
        worker = await journal.register_worker(NodeId("north"), "run_host", 1, LEASE_SECONDS)
        place = _Place(dsn, schema, journal, worker)
        try:
            yield place
        finally:
            place.close()
    finally:
        await journal.close()


async def _ends_of_children(place: _Place, runs: int) -> Figures:
    """Return milliseconds for each child of commits in which many of them end."""
    place.do("alter table {schema}.runs set (autovacuum_enabled = off)")
    (parent,) = place.fill(_PARENT)
    batch = 0

    async def end(children: list[RunId]) -> float:
        nonlocal batch
        batch += 1
        ended = Transition(RunState.COMPLETED, result=b"\x01\xc0")
        writes = [RunWrite(child, 1, transition=ended, depth=1, parent=parent) for child in children]
        begin = time.perf_counter()
        committed = await place.journal.commit(place.worker, batch, writes)
        if committed.rejected:
            raise AssertionError("a child had another owner")
        return (time.perf_counter() - begin) * 1e3 / len(children)

    for child in place.fill(_CHILDREN, parent=parent, runs=ENDS):
        await end([child])
    siblings = place.fill(_CHILDREN, parent=parent, runs=max(runs // 10, ENDS))
    step = max(1, min(ENDS_AT_ONCE, len(siblings) // ENDS))
    taken = [await end(siblings[number * step : (number + 1) * step]) for number in range(ENDS)]
    return {"end of a child among a tenth as many siblings, ms": median(taken)}


async def _claims(place: _Place, runs: int) -> Figures:
    """Return kilobytes of WAL and milliseconds of a claim beside many ready runs."""
    place.fill(_READY, runs=max(runs // 10, CLAIMS * CLAIMED_AT_ONCE), workflows=WORKFLOWS)
    place.do("vacuum analyze {schema}.runs")
    code = [Loaded(f"flow{number}", "v1") for number in range(WORKFLOWS)]
    written: list[int] = []
    taken: list[float] = []
    for _ in range(CLAIMS):
        before, begin = place.wal_bytes(), time.perf_counter()
        claimed = await place.journal.claim(place.worker, code, CLAIMED_AT_ONCE)
        taken.append((time.perf_counter() - begin) * 1e3)
        written.append(place.wal_bytes() - before)
        if len(claimed) != CLAIMED_AT_ONCE:
            raise AssertionError(f"{len(claimed)} runs were claimed instead of {CLAIMED_AT_ONCE}")
    name = f"claim of {CLAIMED_AT_ONCE} of a tenth as many ready runs, {WORKFLOWS} workflows"
    return {f"{name}, KB of WAL": median(written) / 1e3, f"{name}, ms": median(taken)}


async def _mail(place: _Place, runs: int) -> Figures:
    """Return how long a host waits for the mail of many of its runs: the first part of it, and all."""
    mailed = place.fill(_MAILED, runs=max(runs // 100, 1))
    place.do("vacuum analyze {schema}.runs, {schema}.inbox")
    firsts: list[float] = []
    named: list[float] = []
    unnamed: list[float] = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for at in range(0, len(mailed), NAMED_RUNS):
            await place.journal.inbox(place.worker, mailed[at : at + NAMED_RUNS])
            if not at:
                firsts.append((time.perf_counter() - begin) * 1e3)
        named.append((time.perf_counter() - begin) * 1e3)
        begin = time.perf_counter()
        rows = await place.journal.inbox(place.worker, None)
        unnamed.append((time.perf_counter() - begin) * 1e3)
        if len(rows) != len(mailed):
            raise AssertionError(f"{len(rows)} of {len(mailed)} messages were found")
    return {
        f"mail of a hundredth as many runs: the first {NAMED_RUNS}, ms": min(firsts),
        f"the same, all in parts of {NAMED_RUNS}, ms": min(named),
        "the same, all in one query, ms": min(unnamed),
    }


async def _results(place: _Place, runs: int) -> Figures:
    """Return how long a client waits for the results of runs that have ended before it has asked."""
    seconds: list[float] = []
    for at_once in (False, True):
        async with continuum.connect(place.dsn, schema=place.schema) as client:
            starts = (client.start(steps_in_a_row, 0) for _ in range(min(runs, RESULTS)))
            handles = await asyncio.gather(*starts)
            place.do(_END)
            await asyncio.sleep(ENDED_FOR_SECONDS)
            begin = time.perf_counter()
            if at_once:
                await asyncio.gather(*(handle.result() for handle in handles))
            else:
                for handle in handles:
                    await handle.result()
            seconds.append(time.perf_counter() - begin)
    one_by_one, together = (each * 1e3 for each in seconds)
    return {
        f"results of {RESULTS:,} ended runs, one by one, ms": one_by_one,
        "the same, at once, ms": together,
    }
