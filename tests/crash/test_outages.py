"""Postgres or a node is away for longer than a lease and a timeout: no attempt is out of time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest

from continuum import RunHandle
from continuum.engine.events import EventType, event_name
from continuum.journal.postgres.schema import migrate_schema
from continuum.local_postgres import EmbeddedPostgres
from tests.postgres.holding import server_directory
from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, Site, eventually, site

SCHEMA = "continuum"
# Shorter than the outage, and longer than a busy machine lets a renewal wait.
LEASE_S = 4.0
# Far longer than it takes to stop the server or to kill a node, on a slow machine too.
TIMEOUT_S = 10.0


def begun(directory: Path, times: int = 1) -> None:
    """Return once an attempt of every kind has begun, this often."""
    eventually(
        lambda: all(flows.lasting_starts(directory, kind) >= times for kind in flows.KINDS),
        "it did not begin",
    )


def pass_time(until: float) -> None:
    """Let an outage last that long: its length is what the test is about."""
    eventually(lambda: time.monotonic() > until, "the time does not pass")


async def ends_of(run: RunHandle[list[str]], dsn: str) -> list[str]:
    """Return how the activities of a run ended, with a client that has seen no outage."""
    async with site(dsn, SCHEMA) as later:
        return await later.client.handle(run.id, flows.lasting_within).result(DEADLINE_S)


async def two_nodes(at: Site, lease: float = LEASE_S) -> None:
    """Start two nodes that can run every kind of activity."""
    for name in ("north", "south"):
        at.node(name, lease_ttl=lease, activity_hosts=1)


@pytest.mark.parametrize("error", ["", "the answer is no"])
def test_an_answer_during_an_outage_is_delivered_after_it(tmp_path: Path, error: str) -> None:
    """Values and exceptions, of every kind of activity; each effect happens once."""

    async def scenario(server: EmbeddedPostgres) -> None:
        async with site(server.dsn, SCHEMA) as at:
            await two_nodes(at)
            run = await at.client.start(flows.lasting_within, str(tmp_path), TIMEOUT_S)
            begun(tmp_path)
            server.stop()
            # The activities never see a file that is only half written.
            (tmp_path / "writing").write_text(error)
            (tmp_path / "writing").rename(tmp_path / "finished")
            pass_time(time.monotonic() + TIMEOUT_S)
            server.start()
            ends = await ends_of(run, server.dsn)
            assert all(error in end if error else end in flows.KINDS for end in ends), ends
            ending = EventType.ACTIVITY_FAILED if error else EventType.ACTIVITY_COMPLETED
            events = Counter(event.type for event in await at.client.history(run.id))
            assert events == {event_name(EventType.ACTIVITY_SCHEDULED): 4, event_name(ending): 4}
            assert {flows.lasting_starts(tmp_path, kind) for kind in flows.KINDS} == {1}

    on_a_server(scenario)


def test_an_activity_host_that_dies_during_an_outage_is_no_timeout(tmp_path: Path) -> None:
    """Its death is reported at once and recorded much later."""

    async def scenario(server: EmbeddedPostgres) -> None:
        async with site(server.dsn, SCHEMA) as at:
            at.node("north", lease_ttl=LEASE_S, activity_hosts=1)
            run = await at.client.start(flows.lasting_within, str(tmp_path), TIMEOUT_S)
            begun(tmp_path)
            server.stop()
            psutil.Process(int((tmp_path / "lasting-process").read_text())).kill()
            (tmp_path / "finished").touch()
            pass_time(time.monotonic() + TIMEOUT_S)
            server.start()
            assert await ends_of(run, server.dsn) == ["loop", "thread", "queue", "process"]
            assert flows.lasting_starts(tmp_path, "process") == 2

    on_a_server(scenario)


def test_attempts_of_a_node_that_was_lost_whole_are_no_timeouts(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with site(dsn, schema) as at:
            north = at.node("north", lease_ttl=TIMEOUT_S, activity_hosts=1)
            run = await at.client.start(flows.lasting_within, str(tmp_path), TIMEOUT_S)
            begun(tmp_path)
            north.kill_whole()
            at.node("south", lease_ttl=TIMEOUT_S, activity_hosts=1)
            begun(tmp_path, times=2)
            (tmp_path / "finished").touch()
            assert await run.result(DEADLINE_S) == ["loop", "thread", "queue", "process"]

    asyncio.run(scenario())


def on_a_server(scenario: Callable[[EmbeddedPostgres], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on a server of its own, which it may stop and start."""
    with server_directory() as directory, EmbeddedPostgres(directory, durable=True) as server:
        asyncio.run(migrate_schema(server.dsn, SCHEMA))
        asyncio.run(scenario(server))
