"""Claims of activity tasks beside a great many tasks of paused runs of the same queue.

Each run has one task, and those of paused runs are older, so claims meet them first. Claims follow one
another, as those of a node do, until they have the tasks of the other runs; then the pause ends, and they
claim a quarter of the rest. Nothing is executed. What a claim does in one transaction is a part of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

from bench.database import Server, fresh_schema
from bench.series import quantile
from bench.sizes import Sizes
from continuum.engine.ids import NodeId
from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.journal.port import InboxKind, TaskResult, Worker
from continuum.journal.postgres import PostgresJournal

Results = dict[str, Any]
Tell = Callable[[str], None]
Execute = Callable[..., Awaitable[psycopg.AsyncCursor[Any]]]
# Tasks of runs that are not paused, behind those that are; and how many a claim has room for.
OTHERS = 500
ROOM = 64
CLAIMS_OF_NOTHING = 20
LEASE_SECONDS = 3600.0
# As many runs as one step of a change of many.
RESUMED_AT_ONCE = 500
PAUSES = {
    "nothing": None,
    "their workflow": PauseScope(PauseKind.WORKFLOW, "held"),
    "their namespace": PauseScope(PauseKind.NAMESPACE, "apart"),
    "a queue of theirs": PauseScope(PauseKind.QUEUE, "slow"),
    "each run": None,
}
FILL: LiteralString = """
INSERT INTO {schema}.runs (id, workflow, version, namespace, state, input)
SELECT gen_random_uuid(), %(workflow)s, 'v1', %(namespace)s, 2, '\\x0190' FROM generate_series(1, %(runs)s);
INSERT INTO {schema}.tasks
    (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments, timeout)
SELECT r.id, 1, 1, 1, %(queue)s, 0, false, 'send', '', 0 FROM {schema}.runs r WHERE r.workflow = %(workflow)s
"""
PAUSE_EACH: LiteralString = """
UPDATE {schema}.runs SET paused_at = clock_timestamp() WHERE workflow = 'held'
"""
RESUME_SOME: LiteralString = """
SELECT cardinality({schema}.resume_runs(ARRAY(
    SELECT r.id FROM {schema}.runs r WHERE r.paused_at IS NOT NULL AND r.completed_at IS NULL
    LIMIT %(runs)s FOR NO KEY UPDATE)))
"""


def of_many_tasks(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure claims for each kind of pause."""
    results = {}
    for paused in PAUSES:
        with fresh_schema(server.dsn) as schema:
            found = results[paused] = asyncio.run(_measure(server.dsn, schema, paused, sizes.bulk))
        tell(
            f"paused {paused}: the other tasks claimed after {found['first_ms']:,.0f} to "
            f"{found['others_ms']:,.0f} ms, parts {found['part_ms']:.1f} ms, at most "
            f"{found['longest_part_ms']:.1f}; a claim of nothing then {found['nothing_ms']:.1f} ms; resume "
            f"{found['resume_ms']:.1f} ms, parts {found['resumed_part_ms']:.1f} ms, at most "
            f"{found['longest_resumed_part_ms']:.1f}"
        )
    return {"tasks": sizes.bulk, "paused": results}


async def _measure(dsn: str, schema: str, paused: str, tasks: int) -> Results:
    journal = PostgresJournal(dsn, schema=schema, listen=False)
    await journal.open()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:

        async def execute(text: LiteralString, **given: Any) -> psycopg.AsyncCursor[Any]:
            cursor = psycopg.AsyncClientCursor(connection)
            return await cursor.execute(SQL(text).format(schema=Identifier(schema)), given or None)

        scope = PAUSES[paused]
        queue = scope.name if scope is not None and scope.kind is PauseKind.QUEUE else "mail"
        await execute(FILL, runs=tasks, workflow="held", namespace="apart", queue=queue)
        await execute(FILL, runs=OTHERS, workflow="others", namespace="default", queue="mail")
        await execute("VACUUM ANALYZE {schema}.runs")
        await execute("VACUUM ANALYZE {schema}.tasks")
        worker = await journal.register_worker(NodeId("north"), "run_host", 1, LEASE_SECONDS)
        parts = _timed_parts(journal)
        if scope is not None:
            await journal.pause_together(scope)
        elif paused == "each run":
            await execute(PAUSE_EACH)
        await _claim(journal, worker)
        first_ms = sum(parts)
        for _ in range(OTHERS // ROOM):
            await _claim(journal, worker)
        others = parts.copy()
        parts.clear()
        for _ in range(CLAIMS_OF_NOTHING if paused != "nothing" else 0):
            await _claim(journal, worker)
        nothing = parts.copy()
        began = time.perf_counter()
        if scope is not None:
            await journal.resume_together(scope)
        elif paused == "each run":
            await execute(RESUME_SOME, runs=RESUMED_AT_ONCE)
        resume_ms = (time.perf_counter() - began) * 1e3
        parts.clear()
        for _ in range(tasks // ROOM // 4):
            await _claim(journal, worker)
    await journal.close()
    return {
        "first_ms": first_ms,
        "others_ms": sum(others),
        "parts": len(others),
        "part_ms": quantile(others, 0.5),
        "longest_part_ms": max(others),
        "nothing_ms": quantile(nothing, 0.5) if nothing else 0.0,
        "resume_ms": resume_ms,
        "resumed_part_ms": quantile(parts, 0.5),
        "longest_resumed_part_ms": max(parts),
    }


def _timed_parts(journal: PostgresJournal) -> list[float]:
    """Return a list to which each claim of tasks adds the milliseconds of each of its transactions."""
    fetch, parts = journal._database.fetch, []

    async def timed(name: str, *arguments: Any) -> Any:
        began = time.perf_counter()
        found = await fetch(name, *arguments)
        if name == "claim_tasks":
            parts.append((time.perf_counter() - began) * 1e3)
        return found

    setattr(journal._database, "fetch", timed)  # noqa: B010  # a method is not assigned to
    return parts


async def _claim(journal: PostgresJournal, worker: Worker) -> None:
    """Claim tasks, and complete them."""
    found = await journal.claim_tasks(
        worker, ["send"], isolated=False, limits={}, unlisted_limit=ROOM, limit=ROOM
    )
    if found:
        done = [TaskResult(task, InboxKind.ACTIVITY_COMPLETED, (None,)) for task in found]
        await journal.complete_tasks(worker, done)
