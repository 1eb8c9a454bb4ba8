"""A whole node in the loop of a host application: no processes, no signals, no watchdog.

    EmbeddedNode            restarts nothing: its own supervisor makes another
    ├─ JournalKeeper        the journal, for as long as anything below lives
    └─ EmbeddedEngine       rest-for-one; stops in order: drain, then its children, then farewell
        ├─ control          Recovery, Heartbeater: they may crash without any run noticing
        └─ …                a run host's children, as in `tree.py`

The node is one worker, this process. Its heartbeater runs in the loop it vouches for: a host
application that blocks its loop for longer than a lease loses the lease, and its runs go to
others, as they should.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from continuum.engine.ids import NodeId
from continuum.journal.port import Journal, NodeFacts, Worker
from continuum.settings import Settings
from continuum.versions.loaded_code import Code
from continuum_actors.host import limits
from continuum_actors.host.backoff import until_available
from continuum_actors.host.host import Host
from continuum_actors.node.draining import drain
from continuum_actors.node.heartbeater import Alive, Heartbeater
from continuum_actors.node.journal_keeper import JournalKeeper, JournalOpening
from continuum_actors.node.recovery import Recovery
from continuum_actors.tree import MAX_RESTARTS, MAX_SECONDS, run_host_children
from continuum_supervision import (
    NORMAL,
    ActorRef,
    ChildSpec,
    Crash,
    ExitReason,
    Registry,
    Shutdown,
    Strategy,
    Supervisor,
)

log = logging.getLogger("continuum.node")

# Closing connections, and leaving an embedded server, which may write its last checkpoint.
CLOSE_SECONDS = 30.0
# One question to the database; without an answer the lease runs out by itself.
FAREWELL_SECONDS = 5.0


@dataclass(slots=True)
class Remains:
    """What an earlier life of a node in this process may have left: its worker's lease, an open journal."""

    worker: Worker | None = None
    closing: set[asyncio.Task[None]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Embedding:
    """What an embedded node is made of; the same for every time it is started.

    `earlier` tells the names of nodes that were this one before: processes of this machine
    and this instance. `without` names the children that are left out. `remains` is
    shared by all lives of the node in this process: each clears away what a killed one left.
    """

    node: NodeId
    earlier: Callable[[str], bool]
    code: Code
    settings: Settings
    opening: JournalOpening
    without: frozenset[str]
    remains: Remains


@dataclass(slots=True)
class OwnProcess:
    """This process as its heartbeater sees it: the one worker of its node."""

    host: Host
    workflows: Sequence[str]
    ask_to_stop: Callable[[], None]
    state: str = "up"

    def processes(self) -> Sequence[Alive]:
        worker = getattr(self.host, "worker", None)
        return [] if worker is None else [Alive("embedded", worker.id, 0.0)]

    def facts(self) -> NodeFacts | None:
        pid = os.getpid()
        return NodeFacts(self.host.node, pid, "embedded", self.state, [("run_host", pid)], self.workflows)

    def kill(self, process_id: str) -> None:
        raise AssertionError("a process whose heartbeater runs is not silent")

    def drain(self) -> None:
        if self.state != "draining":
            self.state = "draining"
            self.ask_to_stop()


class EmbeddedNode(Supervisor):
    """A node. Asked by an operator to drain, it ends for good and its host application lives on."""

    def __init__(self, embedding: Embedding) -> None:
        self._embedding = embedding
        self._journal: Journal | None = None
        super().__init__(
            [
                ChildSpec(
                    "journal",
                    lambda: JournalKeeper(embedding.opening, self._journal_opened, embedding.remains.closing),
                    shutdown=CLOSE_SECONDS,
                ),
                ChildSpec("engine", self._engine, shutdown=Shutdown.INFINITY),
            ],
            # What cannot be mended below is mended by a new node, which is for its own supervisor to decide.
            max_restarts=0,
        )

    def _journal_opened(self, journal: Journal) -> None:
        self._journal = journal

    def _engine(self) -> EmbeddedEngine:
        assert self._journal is not None, "the journal is the first child"
        return EmbeddedEngine(self._embedding, self._journal, lambda: self.stop(NORMAL))


class EmbeddedEngine(Supervisor):
    """What works on the journal."""

    def __init__(self, embedding: Embedding, journal: Journal, ask_to_stop: Callable[[], None]) -> None:
        self._embedding = embedding
        # Blocked runs are tried again by a node that boots, not by an actor that comes back from a crash.
        self._boots = iter((True,))
        self.host = Host(journal, embedding.node, embedding.code, settings=embedding.settings)
        claims = "dispatcher" not in embedding.without
        self._process = OwnProcess(self.host, sorted(embedding.code.workflows) if claims else [], ask_to_stop)
        self._named = Registry()
        children = [
            ChildSpec("control", self._control, shutdown=Shutdown.INFINITY),
            *run_host_children(self.host, embedding.without),
        ]
        if embedding.remains.worker is not None:
            # After a kill nobody has said farewell; the lease actor gives it back before it registers anew.
            self.host.worker = embedding.remains.worker
        super().__init__(
            children, strategy=Strategy.REST_FOR_ONE, max_restarts=MAX_RESTARTS, max_seconds=MAX_SECONDS
        )

    async def init(self) -> None:
        self.ref.on_exit(self._leave_behind)
        await super().init()

    def _leave_behind(self, ref: ActorRef, reason: ExitReason) -> None:
        if hasattr(self.host, "worker"):
            self._embedding.remains.worker = self.host.worker

    async def terminate(self, reason: ExitReason) -> None:
        """Hand everything over; after a crash at once."""
        if not isinstance(reason, Crash):
            self._process.state = "draining"
            heartbeater = self._named.whereis("heartbeater")
            if heartbeater is not None:
                heartbeater.cast(None)
            await drain(self.host)
        await super().terminate(reason)
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await until_available(self._leave, "leaving", self.host.fraction)
        except TimeoutError:
            log.warning("leaving without a word; others take over when the lease has run out")

    async def _leave(self) -> None:
        """What is still ours goes to others now, not when the lease runs out."""
        journal = self.host.journal
        await journal.retire_worker(
            self.host.worker.id, executing=None, poison_after=limits.POISON_AFTER_DEATHS
        )
        await journal.retire_node(self.host.node)

    def _control(self) -> Supervisor:
        children = [ChildSpec("heartbeater", self._heartbeater, name="heartbeater")]
        if "recovery" not in self._embedding.without:
            children.insert(0, ChildSpec("recovery", self._recovery, name="recovery"))
        return Supervisor(
            children,
            max_restarts=MAX_RESTARTS,
            max_seconds=MAX_SECONDS,
            registry=self._named,
        )

    def _recovery(self) -> Recovery:
        host = self.host
        return Recovery(
            host.journal,
            host.node,
            host.code,
            boot=next(self._boots, False),
            draw=host.fraction,
            earlier=self._embedding.earlier,
        )

    def _heartbeater(self) -> Heartbeater:
        return Heartbeater(
            self.host.journal,
            self._process,
            ttl=self.host.settings.lease_ttl,
            draw=self.host.fraction,
            expiring=self._expiring,
            watchdog=math.inf,
        )

    def _expiring(self, seconds: float) -> None:
        recovery = self._named.whereis("recovery")
        if recovery is not None:
            recovery.send(seconds)
