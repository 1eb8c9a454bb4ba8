"""The control process's actors in the loop of a test, for workers that a test registers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from continuum.engine.ids import NodeId, WorkerId
from continuum.journal.port import NodeFacts
from continuum.journal.postgres import PostgresJournal
from continuum.journal.resilient import ResilientJournal
from continuum.telemetry.tallies import Tally
from continuum.versions.loaded_code import Code
from continuum_actors.node.cluster import Cluster
from continuum_actors.node.heartbeater import Heartbeater, Reporting
from continuum_actors.node.recovery import Recovery
from continuum_actors.tree import host_supervisor
from continuum_supervision import ChildSpec, Registry, Supervisor, SystemClock
from tests.process.actors.hosting import Stage, eventually

NODE = NodeId("north")


def never_early() -> float:
    """Return the middle of the range in place of a random number."""
    return 0.5


@dataclass
class TestedNode:
    """A node in which only the workers are real."""

    __test__ = False

    registered: list[WorkerId] = field(default_factory=list)
    sent: asyncio.Queue[tuple[str, object]] = field(default_factory=asyncio.Queue)
    drains: int = 0
    counted: list[Tally] = field(default_factory=list)

    def workers(self) -> Sequence[WorkerId]:
        """Return the workers as if each had a process."""
        return self.registered

    def facts(self) -> NodeFacts | None:
        """Return facts that any node might have."""
        return NodeFacts(NODE, 4711, "local", "up", ())

    def take_counted(self) -> Sequence[Tally]:
        """Return what a test has put there."""
        taken, self.counted = self.counted, []
        return taken

    def renewed(self) -> None:
        """No launcher wants to know."""

    def drain(self) -> None:
        """Count the requests to drain."""
        self.drains += 1

    def to_node(self, node: str, message: object) -> None:
        """Record the message."""
        self.sent.put_nowait((node, message))

    def to_process(self, node: str, process_id: str, message: object) -> None:
        """Record the message."""
        self.sent.put_nowait((f"{process_id} of {node}", message))

    def to_hosts(self, message: object) -> None:
        """Record the message."""
        self.sent.put_nowait(("own hosts", message))


@dataclass
class Control:
    """The three actors, running."""

    supervisor: Supervisor
    registry: Registry
    node: TestedNode

    async def kill(self, name: str) -> None:
        """Kill an actor and wait for its successor."""
        victim = self.registry.whereis(name)
        assert victim is not None
        victim.kill()
        await eventually(lambda: self.registry.whereis(name) not in (None, victim), f"no other {name}")


async def control_on(on: Stage, *, ttl: float, reporting: Reporting | None = None) -> Control:
    """Start the actors; they stop at the end of the test."""
    journal = PostgresJournal(on.dsn, schema=on.schema)
    await journal.open()
    on.exits.push_async_callback(journal.close)
    resilient = ResilientJournal(journal, SystemClock(), never_early)
    node, registry = TestedNode(), Registry()
    peers: dict[str, bool | None] = {}

    def expiring(seconds: float) -> None:
        recovery = registry.whereis("recovery")
        if recovery is not None:
            recovery.send(seconds)

    children = [
        ChildSpec(
            "recovery",
            lambda: Recovery(resilient, NODE, Code([]), boot=False, random_fraction=never_early),
            name="recovery",
        ),
        ChildSpec("cluster", lambda: Cluster(journal, NODE, node, listens=True, peers=peers), name="cluster"),
        ChildSpec(
            "heartbeater",
            lambda: Heartbeater(resilient, node, ttl=ttl, expiring=expiring, reporting=reporting),
            name="heartbeater",
        ),
    ]
    supervisor = host_supervisor(children, registry)
    await on.exits.enter_async_context(supervisor)
    return Control(supervisor, registry, node)
