"""Any actor of a control process may die: leases are kept, the dead are found, the deaf hear."""

from __future__ import annotations

import asyncio

from continuum.engine.ids import NodeId
from continuum.journal.port import Loaded, Topic
from continuum_actors.messages import Forwarded, NodeHello
from continuum_supervision.process import PeerUp
from tests.process.actors.controlling import NODE, control_on
from tests.process.actors.hosting import DEADLINE_S, stage
from tests.process.actors.orders import order

SHORT_LEASE_S = 1.5


async def test_leases_outlive_the_heartbeater(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        control = await control_on(on, ttl=SHORT_LEASE_S)
        worker = await on.journal.register_worker(NODE, "run_host", 4711, SHORT_LEASE_S)
        control.node.workers.append(worker.id)
        for _ in range(3):
            await control.kill("heartbeater")
        (killed_at,) = (await on.sql("select clock_timestamp()"))[0]
        later = (
            "select coalesce(max(expires_at) > %s + %s * interval '1 second', false) from {schema}.workers"
        )
        await on.until(lambda: on.holds(later, killed_at, 2 * SHORT_LEASE_S), "nobody renews")


async def test_the_dead_of_other_nodes_are_found_by_a_recovery_that_was_killed(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        control = await control_on(on, ttl=SHORT_LEASE_S)
        stranger = await on.journal.register_worker(NodeId("south"), "run_host", 4711, SHORT_LEASE_S)
        await on.client.start(order, 1)
        claimed = await on.journal.claim(stranger, [Loaded(order.name, order.version_hash)], 10)
        assert len(claimed) == 1
        for _ in range(3):
            await control.kill("recovery")
        await on.until(lambda: on.holds("select owner is null from {schema}.runs"), "nobody frees the run")


async def test_a_cluster_actor_that_was_killed_still_forwards_to_the_deaf(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        control = await control_on(on, ttl=600.0)
        cluster = control.registry.whereis("cluster")
        assert cluster is not None
        cluster.cast(PeerUp("south", "127.0.0.1", 1, "a life"))
        cluster.cast(NodeHello("south", listens=False))
        for _ in range(2):
            # It greets whoever comes up, and answers who greets it.
            assert isinstance((await control.node.sent.get())[1], NodeHello)
        await control.kill("cluster")
        await on.client.start(order, 1)
        async with asyncio.timeout(DEADLINE_S):
            while True:
                node, message = await control.node.sent.get()
                if isinstance(message, Forwarded) and message.topic == Topic.WORK:
                    break
        assert node == "south"
