"""Postgres is killed with -9 under load and restarts: no run fails, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

from continuum import RunHandle
from continuum.journal.postgres.schema import migrate_schema
from continuum.local_postgres import EmbeddedPostgres
from tests.postgres.holding import is_over, server_directory, server_of
from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, Site, eventually, site

SCHEMA = "continuum"
RESTARTS = 2
# The number of acknowledged starts between two kills of the server.
BETWEEN = 60


async def start_until_stopped(at: Site, runs: list[RunHandle[str]], stop: asyncio.Event) -> None:
    """Start parcels and signal each, as fast as they are acknowledged."""
    while not stop.is_set():
        run = await at.client.start(flows.parcel, len(runs))
        await run.signal(flows.go, "yes")
        runs.append(run)


async def go_through_restarts(dsn: str, directory: Path) -> None:
    """Kill the server repeatedly while work arrives."""
    async with site(dsn, SCHEMA) as at:
        at.node("north", activity_hosts=1)
        runs: list[RunHandle[str]] = []
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(start_until_stopped(at, runs, stop))
            for _ in range(RESTARTS):
                wanted = len(runs) + BETWEEN
                await at.until(lambda wanted=wanted: reached(runs, wanted), "nothing is acknowledged")  # type: ignore[misc]
                victim = server_of(directory).postmaster
                victim.kill()
                eventually(lambda victim=victim: is_over(victim), "the server lives")  # type: ignore[misc]
            wanted = len(runs) + BETWEEN
            await at.until(lambda: reached(runs, wanted), "nothing is acknowledged after the restart")
            stop.set()
        results = await asyncio.gather(*(run.result(DEADLINE_S) for run in runs))
        assert results == [flows.delivered(number) for number in range(len(runs))]
        assert await at.sql("select state, count(*) from {schema}.runs group by state") == [(4, len(runs))]


async def reached(runs: list[RunHandle[str]], number: int) -> bool:
    """Whether that many starts are acknowledged."""
    return len(runs) >= number


def test_killing_the_server_under_load_loses_nothing() -> None:
    with server_directory() as directory, EmbeddedPostgres(directory, durable=True) as server:
        asyncio.run(migrate_schema(server.dsn, SCHEMA))
        asyncio.run(go_through_restarts(server.dsn, directory))
