"""Any actor of a control process may die: it renews leases, finds dead workers and forwards all the same."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from continuum.engine.ids import NodeId, WorkerId
from continuum.errors import JournalUnavailable
from continuum.journal.node_report_port import GivenReport, WantedReport
from continuum.journal.port import Loaded, Renewal, Topic
from continuum.journal.postgres import PostgresJournal
from continuum.journal.resilient import ResilientJournal
from continuum.versions.loaded_code import Code
from continuum_actors.host import limits
from continuum_actors.host.messages import Forwarded, NodeHello
from continuum_actors.node.heartbeater import Heartbeater
from continuum_actors.node.node_reporter import Leases
from continuum_actors.node.recovery import GRACE_SECONDS, Recovery
from continuum_actors.tree import host_supervisor
from continuum_supervision import SHUTDOWN, ChildSpec, SystemClock
from continuum_supervision.process.events import PeerUp
from tests.process.actors.controlling import NODE, TestedNode, control_on, never_early
from tests.process.actors.hosting import DEADLINE_S, eventually, stage
from tests.process.actors.orders import order

SHORT_LEASE_S = 1.5


async def test_a_killed_heartbeater_loses_no_lease(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        control = await control_on(on, ttl=SHORT_LEASE_S)
        worker = await on.journal.register_worker(NODE, "run_host", 4711, SHORT_LEASE_S)
        control.node.registered.append(worker.id)
        for _ in range(3):
            await control.kill("heartbeater")
        (killed_at,) = (await on.sql("select clock_timestamp()"))[0]
        later = (
            "select coalesce(max(expires_at) > %s + %s * interval '1 second', false) from {schema}.workers"
        )
        await on.until(lambda: on.holds(later, killed_at, 2 * SHORT_LEASE_S), "the lease is not renewed")


async def test_a_failed_renewal_is_retried(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """ACT27, B21: a lease is given up when the journal says that it is lost, not when it is silent."""
    renew, failures = PostgresJournal.renew, [2]

    async def failing(journal: PostgresJournal, *args: Any, **options: Any) -> Renewal:
        if failures[0]:
            failures[0] -= 1
            raise JournalUnavailable("the connection is gone")
        return await renew(journal, *args, **options)

    async with stage(dsn, schema) as on:
        worker = await on.journal.register_worker(NODE, "run_host", 4711, SHORT_LEASE_S)
        (ends,) = (await on.sql("select expires_at from {schema}.workers"))[0]
        monkeypatch.setattr(PostgresJournal, "renew", failing)
        control = await control_on(on, ttl=SHORT_LEASE_S)
        heartbeater = control.registry.whereis("heartbeater")
        control.node.registered.append(worker.id)
        await on.until(lambda: on.holds("select expires_at > %s from {schema}.workers", ends), "no renewal")
        assert failures == [0]
        assert control.registry.whereis("heartbeater") is heartbeater
        assert "renewing leases: the connection is gone" in caplog.text


async def test_leases_are_renewed_whatever_happens_to_a_report(
    dsn: str, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[WantedReport] = []

    async def failing(wanted: WantedReport, leases: Leases, seconds: float) -> GivenReport:
        asked.append(wanted)
        raise ValueError("odd")

    async with stage(dsn, schema) as on:
        worker = await on.journal.register_worker(NODE, "run_host", 4711, SHORT_LEASE_S)
        control = await control_on(on, ttl=SHORT_LEASE_S, reporting=failing)
        heartbeater = control.registry.whereis("heartbeater")
        control.node.registered.append(worker.id)
        await on.until(lambda: on.holds("select exists (select from {schema}.nodes)"), "no renewal")
        await on.journal.want_report(NODE, 60.0, stacks=True)
        await eventually(lambda: len(asked) > 2, "nobody reports")
        (ends,) = (await on.sql("select expires_at from {schema}.workers"))[0]
        await on.until(lambda: on.holds("select expires_at > %s from {schema}.workers", ends), "no renewal")
        assert control.registry.whereis("heartbeater") is heartbeater
        assert "could not be gathered" in caplog.text
        assert set(asked) == {WantedReport(stacks=1)}


async def test_a_heartbeater_stops_when_its_renewal_has_been_answered(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewal that is executed later would list a node again that has left; so would a cancelled one."""
    renew, under_way, answered = PostgresJournal.renew, asyncio.Event(), asyncio.Event()
    renewed: list[Renewal] = []

    async def slow(journal: PostgresJournal, *args: Any, **options: Any) -> Renewal:
        under_way.set()
        await answered.wait()
        renewed.append(await renew(journal, *args, **options))
        return renewed[-1]

    async with stage(dsn, schema) as on:
        monkeypatch.setattr(PostgresJournal, "renew", slow)
        control = await control_on(on, ttl=SHORT_LEASE_S)
        await under_way.wait()
        heartbeater = control.registry.whereis("heartbeater")
        assert heartbeater is not None
        stopping = asyncio.ensure_future(heartbeater.stop(SHUTDOWN))
        for _ in range(20):
            await asyncio.sleep(0)
        answered.set()
        await stopping
        assert len(renewed) == 1


async def test_a_restarted_recovery_finds_dead_workers_of_other_nodes(dsn: str, schema: str) -> None:
    """B17"""
    async with stage(dsn, schema) as on:
        control = await control_on(on, ttl=SHORT_LEASE_S)
        stranger = await on.journal.register_worker(NodeId("south"), "run_host", 4711, SHORT_LEASE_S)
        await on.client.start(order, 1)
        claimed = await on.journal.claim(stranger, [Loaded(order.name, order.version_hash)], 10)
        assert len(claimed) == 1
        for _ in range(3):
            await control.kill("recovery")
        await on.until(lambda: on.holds("select owner is null from {schema}.runs"), "the run is not released")


async def test_leases_are_judged_only_after_owners_had_time_to_renew(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage every lease has run out, and some process renews first."""
    # Every renewal is as late as after an outage.
    monkeypatch.setattr(limits, "LATE_RENEWAL_SECONDS", -math.inf)
    reported: asyncio.Queue[float] = asyncio.Queue()
    async with stage(dsn, schema) as on:
        await on.journal.register_worker(NodeId("south"), "run_host", 4711, 0.0)
        resilient = ResilientJournal(on.journal, SystemClock(), never_early)
        async with host_supervisor(
            [
                ChildSpec(
                    "heartbeater",
                    lambda: Heartbeater(
                        resilient, TestedNode(), ttl=SHORT_LEASE_S, expiring=reported.put_nowait
                    ),
                )
            ]
        ):
            assert await reported.get() == limits.RECONNECTING_SECONDS


async def test_an_answer_that_an_outage_has_delayed_ends_no_worker(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says who was late while nobody could renew."""
    expired_workers, failures = PostgresJournal.expired_workers, [1]

    async def failing(journal: PostgresJournal) -> list[WorkerId]:
        if failures[0]:
            failures[0] -= 1
            raise JournalUnavailable("the connection is gone")
        return await expired_workers(journal)

    async with stage(dsn, schema) as on:
        monkeypatch.setattr(PostgresJournal, "expired_workers", failing)
        await on.journal.register_worker(NodeId("south"), "run_host", 4711, 0.0)
        resilient = ResilientJournal(on.journal, SystemClock(), never_early)
        recovery = Recovery(resilient, NODE, Code([]), boot=False, random_fraction=never_early)
        async with host_supervisor([ChildSpec("recovery", lambda: recovery)]):
            recovery.ref.send(-GRACE_SECONDS)
            await eventually(lambda: failures == [0], "it does not look")
            for _ in range(20):
                await on.sql("select 1")
            assert await on.count("select count(*) from {schema}.workers") == 1
            recovery.ref.send(0.0)
            await on.until(
                lambda: on.holds("select count(*) = 0 from {schema}.workers"), "the worker is not ended"
            )


async def test_a_node_may_sweep_soon_after_its_start(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nodes that are restarted twice a minute would never sweep."""
    monkeypatch.setattr(limits, "SWEEP_SECONDS", 3600.0)
    async with stage(dsn, schema) as on:
        run = await on.client.start(order, 1)
        await run.cancel(force=True)
        await on.sql(
            "insert into {schema}.inbox (run_id, kind, name, payload) values (%s, 2, '0', '')", str(run.id)
        )
        resilient = ResilientJournal(on.journal, SystemClock(), never_early)
        recovery = Recovery(resilient, NODE, Code([]), boot=False, random_fraction=lambda: 0.0)
        async with host_supervisor([ChildSpec("recovery", lambda: recovery)]):
            await on.until(lambda: on.holds("select count(*) = 0 from {schema}.inbox"), "the mail is left")


async def test_a_restarted_cluster_actor_forwards_to_nodes_that_cannot_listen(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        control = await control_on(on, ttl=600.0)
        cluster = control.registry.whereis("cluster")
        assert cluster is not None
        cluster.cast(PeerUp("south", "127.0.0.1", 1, "a life"))
        cluster.cast(NodeHello("south", listens=False))
        for _ in range(2):
            # It greets a peer that comes up, and answers a greeting.
            assert isinstance((await control.node.sent.get())[1], NodeHello)
        await control.kill("cluster")
        await on.client.start(order, 1)
        async with asyncio.timeout(DEADLINE_S):
            while True:
                node, message = await control.node.sent.get()
                if isinstance(message, Forwarded) and message.topic == Topic.WORK:
                    break
        assert node == "south"


async def test_a_notification_reaches_every_node_that_cannot_listen_though_the_first_is_dead(
    dsn: str, schema: str
) -> None:
    """ENG2, B40: its death is not known yet; the live node must be notified all the same."""
    async with stage(dsn, schema) as on:
        control = await control_on(on, ttl=600.0)
        cluster = control.registry.whereis("cluster")
        assert cluster is not None
        for deaf in ("dead", "south"):
            cluster.cast(PeerUp(deaf, "127.0.0.1", 1, "a life"))
            cluster.cast(NodeHello(deaf, listens=False))
        await on.client.start(order, 1)
        notified: set[str] = set()
        async with asyncio.timeout(DEADLINE_S):
            while notified != {"dead", "south"}:
                node, message = await control.node.sent.get()
                if isinstance(message, Forwarded) and message.topic == Topic.WORK and message.ids == ():
                    notified.add(node)
