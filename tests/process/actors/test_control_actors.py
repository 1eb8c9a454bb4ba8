"""Any actor of a control process may die: leases are kept, the dead are found, the deaf hear."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from continuum.engine.ids import NodeId
from continuum.errors import JournalUnavailable
from continuum.journal.port import Loaded, Renewal, Topic
from continuum.journal.postgres import PostgresJournal
from continuum_actors.host.messages import Forwarded, NodeHello
from continuum_supervision.process.events import PeerUp
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


async def test_a_renewal_that_could_not_be_made_is_made_again(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """ACT27, B21: only the journal's word that a lease is gone ends anything, not its silence."""
    renew, failures = PostgresJournal.renew, [2]

    async def failing(journal: PostgresJournal, *args: Any) -> Renewal:
        if failures[0]:
            failures[0] -= 1
            raise JournalUnavailable("the connection is gone")
        return await renew(journal, *args)

    async with stage(dsn, schema) as on:
        worker = await on.journal.register_worker(NODE, "run_host", 4711, SHORT_LEASE_S)
        (ends,) = (await on.sql("select expires_at from {schema}.workers"))[0]
        monkeypatch.setattr(PostgresJournal, "renew", failing)
        control = await control_on(on, ttl=SHORT_LEASE_S)
        heartbeater = control.registry.whereis("heartbeater")
        control.node.workers.append(worker.id)
        await on.until(lambda: on.holds("select expires_at > %s from {schema}.workers", ends), "no renewal")
        assert failures == [0]
        assert control.registry.whereis("heartbeater") is heartbeater
        assert "renewing leases: the connection is gone" in caplog.text


async def test_the_dead_of_other_nodes_are_found_by_a_recovery_that_was_killed(dsn: str, schema: str) -> None:
    """B17"""
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


async def test_a_hint_goes_to_every_deaf_node_though_the_first_is_dead(dsn: str, schema: str) -> None:
    """ENG2, B40: nobody knows yet that it is; the living one must hear of it all the same."""
    async with stage(dsn, schema) as on:
        control = await control_on(on, ttl=600.0)
        cluster = control.registry.whereis("cluster")
        assert cluster is not None
        for deaf in ("dead", "south"):
            cluster.cast(PeerUp(deaf, "127.0.0.1", 1, "a life"))
            cluster.cast(NodeHello(deaf, listens=False))
        await on.client.start(order, 1)
        told: set[str] = set()
        async with asyncio.timeout(DEADLINE_S):
            while told != {"dead", "south"}:
                node, message = await control.node.sent.get()
                if isinstance(message, Forwarded) and message.topic == Topic.WORK and message.ids == ():
                    told.add(node)
