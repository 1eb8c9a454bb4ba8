"""Timers that are due at once: how late the next step of each run runs, parked in memory or evicted.

A run sleeps until an instant that all share, and its next step, an activity, returns how much later it is. So
the lateness includes the commit that records what fired and what begins. All runs are parked before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.sql import Identifier

import continuum
from bench.database import Server, fresh_schema
from bench.flows import sleep_then_look
from bench.processes import cpu_seconds, node
from bench.series import quantile
from bench.sizes import Sizes
from bench.statements import server_seconds
from continuum.client.client import Client

Results = dict[str, Any]
Tell = Callable[[str], None]
HOSTS = 2
# Starting and parking so many runs takes a second, also on a slow day.
PARKED_PER_SECOND = 400
AT_ONCE = 1_000
# Before that moment nothing else happens.
QUIET_SECONDS = 2.0
LOOK_SECONDS = 0.1
DEADLINE_SECONDS = 300.0


def due_at_once(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure a node that keeps all runs in memory, and one that evicts nearly all of them."""
    results: Results = {}
    for runs in sizes.timers:
        for kind, kept in (("live", runs), ("evicted", sizes.kept_live_when_evicting)):
            with (
                fresh_schema(server.dsn) as schema,
                node(
                    server.dsn, schema, run_hosts=HOSTS, activity_hosts=0, live_suspended_runs=kept
                ) as running,
            ):
                figures = asyncio.run(_measure(server.dsn, schema, running.pids, runs, kept, kind))
            results[f"{runs} {kind}"] = figures
            tell(
                f"{runs:,} {kind}: p50 {figures['p50_ms']:,.0f} ms late, p99 {figures['p99_ms']:,.0f} ms, "
                f"{figures['per_second']:,.0f} a second"
            )
    return results


async def _measure(
    dsn: str, schema: str, pids: Callable[[], list[int]], runs: int, kept: int, kind: str
) -> Results:
    async with continuum.connect(dsn, schema=schema) as client:
        due = time.time() + QUIET_SECONDS + 1 + runs / PARKED_PER_SECOND
        handles = []
        for begin in range(0, runs, AT_ONCE):
            handles += await _start(client, min(AT_ONCE, runs - begin), due)
        await _until_parked(dsn, schema, runs, kept if kind == "evicted" else runs, HOSTS)
        if time.time() > due - QUIET_SECONDS:
            raise AssertionError(f"{runs} runs were not parked {QUIET_SECONDS} s before they were due")
        await asyncio.sleep(due - time.time() - QUIET_SECONDS / 2)
        of_node = pids()
        hosts, served = cpu_seconds(of_node), server_seconds(dsn)
        await asyncio.sleep(max(0.0, due - time.time()))
        await _until_ended(dsn, schema, runs)
        hosts, served = cpu_seconds(of_node) - hosts, server_seconds(dsn) - served
        late = [await handle.result(DEADLINE_SECONDS) * 1e3 for handle in handles]
    return {
        "p50_ms": quantile(late, 0.5),
        "p99_ms": quantile(late, 0.99),
        "most_ms": max(late),
        "per_second": runs / max(late) * 1e3,
        "hosts_us": hosts / runs * 1e6,
        "server_us": served / runs * 1e6,
    }


async def _start(client: Client, runs: int, due: float) -> list[continuum.RunHandle[float]]:
    when = datetime.fromtimestamp(due, UTC)
    return list(await asyncio.gather(*(client.start(sleep_then_look, when, due) for _ in range(runs))))


async def _until_parked(dsn: str, schema: str, runs: int, kept: int, hosts: int) -> None:
    """Return once all runs are suspended, and no host has more of them in memory than it keeps."""

    def parked(suspended: int, owned: int) -> bool:
        return suspended == runs and owned <= kept * hosts

    await _until(dsn, schema, "count(*) FILTER (WHERE state = 2), count(owner)", parked)


async def _until_ended(dsn: str, schema: str, runs: int) -> None:
    """Return once all runs have ended."""
    text = "count(*) FILTER (WHERE state = 4), count(owner)"
    await _until(dsn, schema, text, lambda ended, _: ended == runs)


async def _until(dsn: str, schema: str, counted: str, holds: Callable[[int, int], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    text = f"SELECT {counted} FROM ".encode() + Identifier(schema, "runs").as_bytes()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        while True:
            row = await (await connection.execute(text)).fetchone()
            assert row is not None
            if holds(*row):
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"after {DEADLINE_SECONDS:.0f} s there are {row} instead")
            await asyncio.sleep(LOOK_SECONDS)
