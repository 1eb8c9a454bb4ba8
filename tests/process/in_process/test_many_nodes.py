"""Nodes in several applications, and several instances in one, on a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

import continuum
from continuum import RunNotFound, SchemaOutOfDate
from continuum_supervision import Supervisor
from tests.postgres_server import migrated_schema
from tests.process.in_process import flows
from tests.process.in_process.hosts import (
    DEADLINE_S,
    LONG_LEASE_S,
    WORKFLOWS,
    host_process,
    until,
    until_owned,
    until_suspended,
)


@pytest.fixture
def other_schema(dsn: str) -> Iterator[str]:
    """Yield a second schema in the same database."""
    with migrated_schema(dsn) as name:
        yield name


async def test_another_node_claims_the_runs_of_a_stopped_node_at_once(dsn: str, schema: str) -> None:
    async with continuum.connect(dsn, schema=schema) as client:
        leaving = continuum.children(
            name="leaving", dsn=dsn, schema=schema, workflows=WORKFLOWS, heartbeater={"ttl": LONG_LEASE_S}
        )
        async with Supervisor(leaving):
            run = await client.start(flows.order, 1)
            await until_suspended(run)
            await until_owned(client, "leaving")
        staying = continuum.children(name="staying", dsn=dsn, schema=schema, workflows=WORKFLOWS)
        async with Supervisor(staying):
            assert [row.node.partition("@")[0] for row in await client.nodes()] == ["staying"]
            await run.signal(flows.go, "yes")
            assert await run.result(DEADLINE_S) == flows.shipped(1)


async def test_runs_of_a_killed_application_continue_elsewhere_after_its_lease(dsn: str, schema: str) -> None:
    """RCV1"""
    async with continuum.connect(dsn, schema=schema) as client:
        with host_process(name="first", dsn=dsn, schema=schema, heartbeater={"ttl": 1}) as host:
            run = await client.start(flows.order, 1)
            await until_suspended(run)
            await until_owned(client, "first")
            other = continuum.children(name="other", dsn=dsn, schema=schema, workflows=WORKFLOWS)
            async with Supervisor(other):
                host.kill()
                await run.signal(flows.go, "yes")
                assert await run.result(DEADLINE_S) == flows.shipped(1)


async def test_a_restarted_application_resumes_its_runs_without_waiting_for_a_lease(
    dsn: str, schema: str
) -> None:
    async with continuum.connect(dsn, schema=schema) as client:
        lease = {"ttl": LONG_LEASE_S}
        with host_process(name="app", dsn=dsn, schema=schema, heartbeater=lease) as host:
            run = await client.start(flows.order, 1)
            await until_suspended(run)
            await until_owned(client, "app")
            host.kill()
        with host_process(name="app", dsn=dsn, schema=schema, heartbeater=lease):
            await run.signal(flows.go, "yes")
            assert await run.result(DEADLINE_S) == flows.shipped(1)
            assert len(await client.nodes()) == 1, "the dead node is still listed"


async def test_an_application_that_blocks_its_loop_loses_its_runs_and_does_no_harm(
    dsn: str, schema: str
) -> None:
    """CLF1"""
    async with continuum.connect(dsn, schema=schema) as client:
        with host_process(name="blocked", dsn=dsn, schema=schema, heartbeater={"ttl": 1}) as host:
            run = await client.start(flows.order, 1)
            await until_suspended(run)
            await until_owned(client, "blocked")
            other = continuum.children(name="other", dsn=dsn, schema=schema, workflows=WORKFLOWS)
            async with Supervisor(other):
                host.write("4")
                await run.signal(flows.go, "yes")
                assert await run.result(DEADLINE_S) == flows.shipped(1)
                events = [event.type for event in await run.history()]
                await asyncio.to_thread(host.expect, "awake")
                # It continues under a new lease.
                late = await client.start(flows.order, 2)
                await late.signal(flows.go, "yes")
                assert await late.result(DEADLINE_S) == flows.shipped(2)
                assert [event.type for event in await run.history()] == events
                host.write("")
                assert await asyncio.to_thread(host.process.wait, DEADLINE_S) == 0


async def test_two_instances_on_two_schemas_do_not_touch_each_other(
    dsn: str, schema: str, other_schema: str
) -> None:
    billing = continuum.children(name="billing", dsn=dsn, schema=schema, workflows=WORKFLOWS)
    stock = continuum.children(name="stock", dsn=dsn, schema=other_schema, workflows=WORKFLOWS)
    async with (
        Supervisor([*billing, *stock]) as supervisor,
        continuum.connect(name="stock") as in_stock,
    ):
        async with continuum.connect(name="billing") as in_billing:
            one = await in_billing.start(flows.order, 1, idempotency_key="same")
            two = await in_stock.start(flows.order, 2, idempotency_key="same")
            assert one.id != two.id
            await until_suspended(one)
            await until_suspended(two)
            with pytest.raises(RunNotFound):
                await in_stock.get_run(one.id)
            assert len(await in_billing.nodes()) == len(await in_stock.nodes()) == 1
        await supervisor.terminate_child("continuum.billing")
        await two.signal(flows.go, "yes")
        assert await two.result(DEADLINE_S) == flows.shipped(2)
        await supervisor.restart_child("continuum.billing")
        async with continuum.connect(name="billing") as in_billing:
            again = in_billing.handle(one.id, flows.order)
            assert await again.state() == "suspended"
            await again.signal(flows.go, "yes")
            assert await again.result(DEADLINE_S) == flows.shipped(1)


async def test_a_signal_reaches_one_of_two_instances_with_the_same_run_id(
    dsn: str, schema: str, other_schema: str
) -> None:
    same = "3f0f2f64-0a4c-4c1e-8d07-6a0b8e4a8a01"
    billing = continuum.children(name="billing", dsn=dsn, schema=schema, workflows=WORKFLOWS)
    stock = continuum.children(name="stock", dsn=dsn, schema=other_schema, workflows=WORKFLOWS)
    async with (
        Supervisor([*billing, *stock]),
        continuum.connect(name="billing") as in_billing,
        continuum.connect(name="stock") as in_stock,
    ):
        one = await in_billing.start(flows.order, 1, id=same)
        two = await in_stock.start(flows.order, 2, id=same)
        await until_suspended(two)
        await one.signal(flows.go, "yes")
        assert await one.result(DEADLINE_S) == flows.shipped(1)
        assert await two.state() == "suspended"


async def test_the_error_of_a_missing_schema_names_the_command_that_creates_it(
    dsn: str, empty_name: str
) -> None:
    with pytest.raises(SchemaOutOfDate, match="continuum migrate"):
        async with Supervisor(continuum.children(name="early", dsn=dsn, schema=empty_name)):
            pass


async def test_a_start_without_a_database_can_be_cancelled(unused_port: int) -> None:
    node = continuum.children(name="alone", dsn=f"postgresql://nobody@127.0.0.1:{unused_port}/none")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), Supervisor(node):
            pass
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_node_renews_its_own_lease(dsn: str, schema: str) -> None:
    node = continuum.children(name="app", dsn=dsn, schema=schema, heartbeater={"ttl": 1})
    async with Supervisor(node), await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        question = SQL("select id, expires_at from {}.workers").format(Identifier(schema))

        async def lease() -> tuple[int, datetime]:
            row = await (await connection.execute(question)).fetchone()
            assert row is not None, "the node has no lease"
            return row[0], row[1]

        worker, first_end = await lease()

        async def is_longer() -> bool:
            now, end = await lease()
            assert now == worker, "it is another lease"
            return end > first_end

        await until(is_longer, "the lease was not renewed")


async def test_an_activity_may_last_longer_than_a_lease(dsn: str, schema: str) -> None:
    """ACT20, ACT21, B16: a lease says that its process lives; it does not limit an activity."""
    flows.gates["long"] = asyncio.Event()
    node = continuum.children(name="app", dsn=dsn, schema=schema, workflows=WORKFLOWS, heartbeater={"ttl": 1})
    async with (
        Supervisor(node),
        continuum.connect(dsn, schema=schema) as client,
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection,
    ):
        run = await client.start(flows.patient, "long")

        async def has_begun() -> bool:
            return "long" in flows.begun

        await until(has_begun, "the activity did not begin")
        worker_and_time = SQL("select id, clock_timestamp() from {}.workers").format(Identifier(schema))
        worker, began = await (await connection.execute(worker_and_time)).fetchone() or (None, None)
        renewed = SQL("select id = %s and expires_at > %s + interval '3 seconds' from {}.workers").format(
            Identifier(schema)
        )

        async def two_leases_later() -> bool:
            row = await (await connection.execute(renewed, (worker, began))).fetchone()
            return bool(row and row[0])

        await until(two_leases_later, "the lease was not renewed")
        flows.gates["long"].set()
        assert await run.result(DEADLINE_S) == "long"
        assert flows.begun.count("long") == 1
