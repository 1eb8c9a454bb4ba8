"""Two nodes on one database: one dies or leaves, the other continues its runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from continuum import RunCancelled
from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, Site, eventually, site
from tests.process.supervision.observing import free_port

ORDERS = 20
# A busy machine lets no renewal wait for so long.
SHORT_LEASE_S = 4.0
COOKIE = "a cookie of at least 32 bytes, really"


async def test_a_node_that_is_killed_whole_is_replaced_when_its_lease_runs_out(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", lease_ttl=SHORT_LEASE_S)
        runs = await at.orders(ORDERS)
        at.node("south", lease_ttl=SHORT_LEASE_S)
        north.kill_whole()
        await at.all_ship(runs)


async def test_another_node_runs_the_activity_of_a_killed_node(dsn: str, schema: str, tmp_path: Path) -> None:
    """CLA1"""
    async with site(dsn, schema) as at:
        north = at.node("north", lease_ttl=SHORT_LEASE_S)
        run = await at.client.start(flows.brewing, str(tmp_path), 1)
        eventually(lambda: len(flows.starts(tmp_path)) == 1, "the activity did not begin")
        at.node("south", lease_ttl=SHORT_LEASE_S)
        north.kill_whole()
        eventually(lambda: len(flows.starts(tmp_path)) == 2, "it does not run again")
        (tmp_path / "brewed").touch()
        assert await run.result(DEADLINE_S) == 1
        assert [event.type for event in await run.history()] == [
            "activity_scheduled",
            "activity_completed",
        ]


async def test_a_node_that_stops_releases_its_runs_at_once(dsn: str, schema: str) -> None:
    """CLE1"""
    async with site(dsn, schema) as at:
        north = at.node("north", activity_hosts=1)
        runs = await at.orders(ORDERS)
        at.node("south")
        assert north.terminate() == 0
        eventually(lambda: not north.left(), f"left behind: {north.left()}")
        await at.all_ship(runs)
        assert await at.row("north") is None


async def test_a_node_that_stops_lets_its_activities_end(dsn: str, schema: str, tmp_path: Path) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", activity_hosts=1)
        run = await at.client.start(flows.printing, str(tmp_path), 1)
        eventually(lambda: len(flows.traces(tmp_path)) == 1, "the activity did not begin")
        north.launcher.terminate()
        (tmp_path / "release-1").touch()
        assert north.launcher.wait(DEADLINE_S) == 0
        at.node("south")
        assert await run.result(DEADLINE_S) == 1
        assert len(flows.traces(tmp_path)) == 1


async def south_without_listen(at: Site, north: int, cookie: str) -> None:
    """Start a node that cannot listen, joined to the one at this port."""
    at.node(
        "south",
        listen=False,
        # So rare that polls explain nothing.
        poll=600.0,
        bind=("127.0.0.1", free_port()),
        join=("127.0.0.1", north),
        environment={"CONTINUUM_COOKIE": cookie},
    )


async def test_a_node_without_listen_receives_work_signals_and_cancels_through_another(
    dsn: str, schema: str
) -> None:
    """ENG3, CLB1"""
    async with site(dsn, schema) as at:
        port = free_port()
        at.node("north", modules=[], bind=("127.0.0.1", port), environment={"CONTINUUM_COOKIE": COOKIE})
        await south_without_listen(at, port, COOKIE)

        async def claims_work() -> bool:
            # A run started before the nodes have met is claimed together with a later one.
            await at.client.start(flows.order, -1)
            owned = await at.sql("select count(*) from {schema}.runs where owner is not null")
            return bool(owned[0][0])

        await at.until(claims_work, "it receives no notification of work")
        runs = await at.orders(3)
        await at.all_ship(runs)
        cancelled = (await at.orders(1))[0]
        await cancelled.cancel()
        with pytest.raises(RunCancelled):
            await cancelled.result(DEADLINE_S)
        assert {row.node for row in await at.journal.nodes()} == {"north", "south"}


async def test_i12_a_node_whose_clock_is_an_hour_ahead_keeps_the_times_of_the_database(
    dsn: str, schema: str
) -> None:
    """C13, B31, B72"""
    async with site(dsn, schema) as at:
        at.node("ahead", modules=["tests.process.node.ahead"])
        run = await at.client.start(flows.clocked, 0.2)
        before, after, machine = await run.result(DEADLINE_S)
        (started,) = (await at.sql("select extract(epoch from started_at)::float8 from {schema}.runs"))[0]
        assert machine - started > 3500
        assert abs(before - started) < 600
        assert 0.2 <= after - before < 600
