"""What reads cost as the table of runs grows: milliseconds and pages, in schemas that `parked_runs.py` fills.

Each read is called several times, so that caches are full; the fastest call counts, because others are slowed
by what else the machine does. Pages are those of all statements of a call, as the server explains them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from statistics import median
from typing import Any

from bench.database import Server, fresh_schema
from bench.growing_work import of_work
from bench.parked_runs import owner_of_some, park_runs
from bench.processes import node, run_program
from bench.sizes import Sizes
from continuum.errors import UnindexedQuery
from continuum.journal.port import Loaded, NodeFacts, Query, RunState, Worker
from continuum.journal.postgres import PostgresJournal
from continuum.operations.explain import explain
from continuum.operations.health_check import check_health

Results = dict[str, Any]
Tell = Callable[[str], None]
Ask = Callable[[PostgresJournal], Awaitable[object]]
CALLS = 5
# A read that takes long is not slowed much by other things: it is called less often.
CALL_SECONDS = 5.0
OWNED = 200
LEASE_SECONDS = 3_600.0
PAGE = 26
OPEN_RUNS_AT_ONCE = 500
SWEPT_TABLES, SWEPT_ROWS = 6, 2_000
SWEPT_AFTER = "018bcfe5-6900-0000-0000-000000000000"
EXPLAIN = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
LATEST = ("started_at", True)
# Microseconds since 1970: later than anything.
FAR_AWAY = 10**17
# What a host that has loaded five workflows of the parked runs asks for.
LOADED = [Loaded(f"flow{number}", "v1") for number in range(5)]

LISTS: Mapping[str, Query] = {
    "runs with an attribute (eq)": Query(
        None, [(("attributes", "customer"), "eq", 7)], ("id", False), PAGE, None
    ),
    "all namespaces, the latest first": Query(None, [], LATEST, PAGE, None),
    "suspended, all namespaces": Query(None, [("state", "eq", RunState.SUSPENDED)], LATEST, PAGE, None),
    "running (none)": Query(None, [("state", "eq", RunState.RUNNING)], LATEST, PAGE, None),
    "failed (one in 3,000)": Query(None, [("state", "eq", RunState.FAILED)], LATEST, PAGE, None),
    "a workflow of one run in 10,000": Query(None, [("workflow", "eq", "rare")], LATEST, PAGE, None),
    "an attribute that a sixth of the runs have": Query(
        None, [(("attributes", "vip"), "eq", True)], LATEST, PAGE, None
    ),
    "order_by updated_at": Query(None, [], ("updated_at", True), PAGE, None),
    "completed_at after a time that none has": Query(
        None, [("completed_at", "ge", FAR_AWAY)], LATEST, PAGE, None
    ),
}


def of_reads(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure reads and a run by itself beside more and more parked runs, and work as there is more of it."""
    results: Results = {}
    for runs in sizes.growth:
        with fresh_schema(server.dsn) as schema:
            begin = time.monotonic()
            park_runs(server.dsn, schema, runs)
            tell(f"{runs:,} runs made in {time.monotonic() - begin:.0f} s")
            results[str(runs)] = {
                "reads": asyncio.run(_reads(server.dsn, schema)),
                "lone_ms": _lone(server.dsn, schema, sizes.lone_runs),
            }
        tell(f"a run by itself beside them {results[str(runs)]['lone_ms']:.1f} ms")
        results[str(runs)]["work"] = of_work(server, runs, tell)
    return results


async def _reads(dsn: str, schema: str) -> Results:
    owner = owner_of_some(dsn, schema, OWNED)
    asked: dict[str, Ask] = {
        "all mail of a worker of 200 runs": lambda journal: journal.inbox(owner, None),
        "part of a sweep": _sweep,
        "health": check_health,
        "explain of a suspended run": _explain,
        "versions, their open runs counted": lambda journal: journal.versions(),
        "versions, whether they have open runs": lambda journal: journal.versions(counted=1),
        "nodes, their runs counted": lambda journal: journal.nodes(),
        "claim, with nothing to claim": lambda journal: _claim(journal, owner),
        "when the next run is due": lambda journal: journal.next_due(LOADED),
        **{name: _list_of(query) for name, query in LISTS.items()},
        "all open runs, by pages of 500": _open_runs,
    }
    journal = PostgresJournal(dsn, schema=schema, listen=False)
    await journal.open()
    try:
        await journal.renew([], LEASE_SECONDS, NodeFacts(owner.node, 1, "", "up"))
        return {name: await _cost(journal, ask) for name, ask in asked.items()}
    finally:
        await journal.close()


def _list_of(query: Query) -> Ask:
    return lambda journal: journal.query(query)


async def _claim(journal: PostgresJournal, owner: Worker) -> None:
    if await journal.claim(owner, LOADED, OWNED):
        raise AssertionError("a parked run was claimed; its cost would be another one")


async def _explain(journal: PostgresJournal) -> None:
    (row,) = await journal.query(Query(None, [("state", "eq", RunState.SUSPENDED)], LATEST, 1, None))
    if await explain(journal, row.id) is None:
        raise AssertionError("the run is gone; its cost would be another one")


async def _sweep(journal: PostgresJournal) -> None:
    await journal._database.fetch("sweep", ([SWEPT_AFTER] * SWEPT_TABLES, SWEPT_ROWS))


async def _open_runs(journal: PostgresJournal) -> None:
    last = None
    while rows := await journal.open_runs(last, OPEN_RUNS_AT_ONCE):
        last = rows[-1].id


async def _cost(journal: PostgresJournal, ask: Ask) -> Results:
    """Return milliseconds and pages of a call, and whether it is refused for want of an index."""
    taken: list[float] = []
    refused = False
    while len(taken) < CALLS and sum(taken) < CALL_SECONDS:
        begin = time.perf_counter()
        try:
            await ask(journal)
        except UnindexedQuery:
            refused = True
        taken.append(time.perf_counter() - begin)
    return {"ms": min(taken) * 1e3, "pages": await _pages(journal, ask), "refused": refused}


async def _pages(journal: PostgresJournal, ask: Ask) -> int:
    database = journal._database
    pages = 0
    fetch = database.fetch_text

    async def explained(text: bytes, parameters: Any = (), **options: Any) -> Any:
        nonlocal pages
        ((plan,),) = await fetch(EXPLAIN + text, parameters)
        pages += plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
        return await fetch(text, parameters, **options)

    database.fetch_text = explained  # type: ignore[method-assign]  # what the journal asks is explained
    try:
        await ask(journal)
    except UnindexedQuery:
        # It has read what it may.
        pass
    finally:
        database.fetch_text = fetch  # type: ignore[method-assign]
    return pages


def _lone(dsn: str, schema: str, runs: int) -> float:
    """Return the median milliseconds of a no-op run beside a node of one host."""
    given = {"dsn": dsn, "schema": schema, "embedded": False, "steps": 0}
    with node(dsn, schema, run_hosts=1):
        seconds: list[float] = run_program("engine_latency", runs=runs, **given)["seconds"]
    return median(seconds) * 1e3
