"""Where a run is live, asked of all processes of a cluster, and notifications that go straight there."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from continuum import RunHandle
from continuum.journal.port import Topic
from continuum_actors.host.messages import FindRun, Forwarded, HasCounted, HasMail, NodeHello, Place, RunFound
from continuum_actors.node.cluster import Cluster
from continuum_supervision import ActorRef, WhereIs, spawn
from continuum_supervision.process.events import PeerUp
from tests.process.actors.hosting import DEADLINE_S, Stage, Tree, stage
from tests.process.actors.orders import order


@dataclass
class Wires:
    """Connects the hosts and cluster actors of two nodes, in place of processes and TCP."""

    clusters: dict[str, ActorRef] = field(default_factory=dict)
    hosts: dict[str, Tree] = field(default_factory=dict)
    received: asyncio.Queue[tuple[str, Forwarded]] = field(default_factory=asyncio.Queue)


@dataclass
class NodeLinks:
    """What one node sees of the wires."""

    wires: Wires
    node: str
    process_id: str = "run_host-1"

    def to_node(self, node: str, message: object) -> None:
        """Send to the cluster actor of another node."""
        if node in self.wires.clusters:
            self.wires.clusters[node].cast(message)

    def to_process(self, node: str, process_id: str, message: object) -> None:
        """Send to the one host of a node."""
        assert process_id == self.process_id
        NodeLinks(self.wires, node).to_hosts(message)

    def to_hosts(self, message: object) -> None:
        """Do what the process of a host does with a message."""
        if isinstance(message, Forwarded):
            self.wires.received.put_nowait((self.node, message))
        elif isinstance(message, FindRun):
            self.wires.hosts[self.node].host.locator.find(message)

    def send(self, message: HasMail | RunFound | HasCounted) -> None:
        """Send from the host to the cluster actor of its node."""
        self.wires.clusters[self.node].cast(message)


async def two_nodes(on: Stage) -> tuple[Wires, RunHandle[str]]:
    """Start two nodes that know each other; one of them owns the run that is returned."""
    wires = Wires()
    for node, flows in (("north", [order]), ("south", [])):
        links = NodeLinks(wires, node)
        wires.hosts[node] = await on.tree(*flows, node=node)
        wires.hosts[node].host.control = links
        cluster = Cluster(on.journal, node, links, listens=True)
        wires.clusters[node] = await spawn(cluster)
        on.exits.push_async_callback(wires.clusters[node].stop)
    for node, other in (("north", "south"), ("south", "north")):
        wires.clusters[node].cast(PeerUp(other, "127.0.0.1", 1, "first"))
        wires.clusters[node].cast(NodeHello(other, True))
    run = await on.client.start(order, 1)
    await on.until_state(run, "suspended")
    return wires, run


async def test_a_node_finds_a_run_that_another_node_owns(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        wires, run = await two_nodes(on)
        for node in ("north", "south"):
            place = await wires.clusters[node].call(WhereIs(run.id), DEADLINE_S)
            assert isinstance(place, Place)
            assert (place.node, place.process_id, place.pid) == ("north", "run_host-1", os.getpid())
            owner = await run.owner()
            assert owner is not None
            assert owner.node == place.node
            assert place.since <= await on.count(
                "select (extract(epoch from clock_timestamp()) * 1000000)::bigint"
            )


async def test_nobody_has_a_run_that_is_asleep(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        wires, run = await two_nodes(on)
        live = wires.hosts["north"].host.registry.whereis(run.id)
        assert live is not None
        await live.stop()
        assert await wires.clusters["south"].call(WhereIs(run.id), DEADLINE_S) is None


async def test_a_notification_of_mail_goes_to_the_owner_alone(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        wires, run = await two_nodes(on)
        for _ in range(2):
            # A notification that comes twice, or at once, changes nothing.
            wires.hosts["south"].host.hint([run.id])
            async with asyncio.timeout(DEADLINE_S):
                assert await wires.received.get() == ("north", Forwarded(Topic.WAKE, (run.id,)))
        assert wires.received.empty()


async def test_the_mail_of_a_run_that_nobody_has_is_work_for_all(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        wires, run = await two_nodes(on)
        live = wires.hosts["north"].host.registry.whereis(run.id)
        assert live is not None
        await live.stop()
        wires.hosts["south"].host.hint([run.id])
        async with asyncio.timeout(DEADLINE_S):
            assert await wires.received.get() == ("south", Forwarded(Topic.WORK, ()))
