"""The cost of a kill -9 of a run host, with a thousand runs in flight in a node of two.

A separate connection reads the journal every few milliseconds. A run of the dead process has
resumed when another worker has claimed it and journaled an event for it: the end of the step that was
running in the dead process, which has begun again. Once that event can be read, it is committed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

import continuum
from bench.database import Server, fresh_schema
from bench.flows import slow_steps
from bench.processes import node
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]
RUN_HOSTS = 2
LOOK_SECONDS = 0.003
DEADLINE_SECONDS = 120.0


def after_a_kill(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Kill the run host that owns the most runs, `rounds` times, each time in a new node."""
    rounds: list[Results] = []
    for _ in range(sizes.rounds):
        with (
            fresh_schema(server.dsn) as schema,
            node(dsn=server.dsn, schema=schema, run_hosts=RUN_HOSTS, activity_hosts=0),
        ):
            rounds.append(asyncio.run(_kill_one(server.dsn, schema, sizes)))
        tell(
            f"first progress {rounds[-1]['first_progress_ms']:.0f} ms after the kill, "
            f"all {rounds[-1]['owned_by_the_dead']} runs resumed after {rounds[-1]['all_resumed_ms']:.0f} ms"
        )
    names = ("owned_by_the_dead", "first_progress_ms", "all_resumed_ms", "all_done_ms")
    summary = {name: median(one[name] for one in rounds) for name in names}
    return {
        "runs_in_flight": sizes.runs_in_flight,
        **summary,
        "first_progress_ms_worst": max(one["first_progress_ms"] for one in rounds),
        "rounds": rounds,
    }


async def _kill_one(dsn: str, schema: str, sizes: Sizes) -> Results:
    async with (
        continuum.connect(dsn, schema=schema) as client,
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection,
    ):
        watch = _Watch(connection, schema)
        handles = await asyncio.gather(
            *(client.start(slow_steps, sizes.slow_steps) for _ in range(sizes.runs_in_flight))
        )
        await watch.until_all_are_in_flight(sizes.runs_in_flight)
        worker, pid = await watch.busiest()
        owned = await watch.owned_by(worker)
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        first = await watch.until_resumed(owned, 1)
        all_of_them = await watch.until_resumed(owned, len(owned))
        results = await asyncio.gather(*(handle.result(DEADLINE_SECONDS) for handle in handles))
        done = time.monotonic()
        if results != [sizes.slow_steps] * sizes.runs_in_flight:
            raise AssertionError("a run ended with a wrong result")
        return {
            "owned_by_the_dead": len(owned),
            "first_progress_ms": (first - killed) * 1e3,
            "all_resumed_ms": (all_of_them - killed) * 1e3,
            "all_done_ms": (done - killed) * 1e3,
        }


class _Watch:
    """Reads the tables of the journal."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], schema: str) -> None:
        self._connection = connection
        self._schema = Identifier(schema)

    async def until_all_are_in_flight(self, runs: int) -> None:
        """Return once every run has been claimed and has journaled something."""
        text = "SELECT count(DISTINCT run_id) FROM {}.events"
        await self._until(lambda rows: rows[0][0] >= runs, text, ())

    async def busiest(self) -> tuple[int, int]:
        """Return worker and pid of the run host that owns the most runs."""
        rows = await self._rows(
            "SELECT w.id, w.pid FROM {s}.workers w JOIN {s}.runs r ON r.owner = w.id AND r.state <= 2"
            " GROUP BY w.id, w.pid ORDER BY count(*) DESC LIMIT 1",
            (),
        )
        return rows[0]

    async def owned_by(self, worker: int) -> list[tuple[Any, ...]]:
        """Return the runs that a worker owns, each with its token and its last event."""
        text = "SELECT r.id, r.token, max(e.seq) FROM {s}.runs r JOIN {s}.events e ON e.run_id = r.id"
        return await self._rows(f"{text} WHERE r.state <= 2 AND r.owner = %s GROUP BY r.id", (worker,))

    async def until_resumed(self, runs: list[tuple[Any, ...]], how_many: int) -> float:
        """Return the time when that many of the runs have resumed elsewhere."""
        text = (
            "SELECT count(*) FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) k (id, token, seq)"
            " JOIN {s}.runs r ON r.id = k.id AND r.token > k.token"
            " WHERE EXISTS (SELECT FROM {s}.events e WHERE e.run_id = k.id AND e.seq > k.seq)"
        )
        columns = tuple(map(list, zip(*runs, strict=True)))
        await self._until(lambda rows: rows[0][0] >= how_many, text, columns)
        return time.monotonic()

    async def _until(
        self, enough: Callable[[list[tuple[Any, ...]]], bool], text: str, parameters: tuple[object, ...]
    ) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not enough(await self._rows(text.replace("{}", "{s}"), parameters)):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {DEADLINE_SECONDS:.0f} s: {text}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _rows(self, text: Any, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
        cursor = await self._connection.execute(SQL(text).format(s=self._schema), parameters)
        return await cursor.fetchall()
