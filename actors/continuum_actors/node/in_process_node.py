"""A whole node in the loop of an application: no processes, no signals, no watchdog.

    InProcessNode           restarts nothing: its own supervisor starts another node
    ├─ JournalKeeper        keeps the journal open while anything below lives
    └─ InProcessEngine      each child restarts alone; stops in order: drain, children, release of the lease
        ├─ control          Recovery, Heartbeater: they may crash without any run noticing
        └─ …                a run host's children, as in `tree.py`

The node is one worker, this process. Its heartbeater runs in the same loop as its runs: an application
that blocks its loop for longer than a lease loses the lease, and other nodes claim its runs, as they should.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from continuum.client.in_process_port import InProcessPort
from continuum.definitions.activity_executor import ActivityExecutor
from continuum.engine.ids import NodeId, WorkerId
from continuum.journal.limits import CONNECTIONS_WITH_LEASES
from continuum.journal.look_port import LookedFor
from continuum.journal.port import Journal, NodeFacts, Worker
from continuum.settings.settings import Settings
from continuum.telemetry.tallies import Tally
from continuum.versions.loaded_code import Code
from continuum_actors.host.host import Host
from continuum_actors.host.thread_pool import ThreadPool
from continuum_actors.node.draining import drain, leave
from continuum_actors.node.garbage_collection import collector
from continuum_actors.node.heartbeater import Heartbeater, Listing
from continuum_actors.node.host_report import HostReporter
from continuum_actors.node.journal_keeper import JournalKeeper, JournalOpening
from continuum_actors.node.lookout import Lookout
from continuum_actors.node.node_reporter import SingleReporter
from continuum_actors.node.recovery import Recovery
from continuum_actors.node.reported_code import reported_code
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

# Time to close connections and to leave an embedded server, which may write its last checkpoint.
CLOSE_SECONDS = 30.0
# Time for the statements that release the lease; if they fail, it runs out by itself.
RELEASE_SECONDS = 5.0


@dataclass(slots=True)
class Leftovers:
    """What an earlier life of the node in this process may have left: its worker's lease, an open journal."""

    worker: Worker | None = None
    closing: set[asyncio.Task[None]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class NodeParts:
    """The parts of an in-process node, the same for each of its starts.

    `earlier` recognises the names of this node's earlier lives: processes of this machine and this
    instance. `without` names the children that are left out. All lives of the node in this process
    share `leftovers`: each one clears away what a killed one left.
    """

    node: NodeId
    earlier: Callable[[str], bool]
    code: Code
    settings: Settings
    opening: JournalOpening
    without: frozenset[str]
    leftovers: Leftovers
    executor: ActivityExecutor | None = None
    tune_collector: bool = False
    port: InProcessPort | None = None


def connections_of(settings: Settings) -> int:
    """Return how many connections to the server an application's node may open."""
    return max(settings.connections, CONNECTIONS_WITH_LEASES)


@dataclass(slots=True)
class OwnProcess:
    """This process as its heartbeater sees it: the only worker of its node."""

    host: Host
    workflows: Sequence[str]
    ask_to_stop: Callable[[], None]
    without: frozenset[str]
    state: str = "up"

    def workers(self) -> Sequence[WorkerId]:
        worker = self.host.worker
        return [] if worker is None else [worker.id]

    def facts(self) -> NodeFacts | None:
        pid = os.getpid()
        address = "embedded"
        if self.without:
            address += f" without {', '.join(sorted(self.without))}"
        threads = self.host.threads
        # Not before they have started, and not if activities are left out.
        waiting = {pid: threads.waiting()} if isinstance(threads, ThreadPool) else {}
        processes = [("run_host", pid)]
        settings = self.host.settings
        connections = connections_of(settings) if settings.listen else 0
        return NodeFacts(
            self.host.node,
            pid,
            address,
            self.state,
            processes,
            self.workflows,
            waiting,
            connections,
            reported_code(
                self.host.code,
                settings,
                executes=not {"dispatcher", "run_supervisor"} & self.without,
                performs=not {"activity_dispatcher", "activity_supervisor"} & self.without,
            ),
        )

    def take_counted(self) -> Sequence[Tally]:
        return self.host.measures.drain()

    def renewed(self) -> None:
        """No launcher wants to know."""

    def drain(self) -> None:
        if self.state != "draining":
            self.state = "draining"
            self.ask_to_stop()


class InProcessNode(Supervisor):
    """A node. When an operator drains it, it ends for good; the application lives on."""

    def __init__(self, parts: NodeParts) -> None:
        self._parts = parts
        self._journal: Journal | None = None
        super().__init__(
            [
                ChildSpec(
                    "journal",
                    lambda: JournalKeeper(parts.opening, self._journal_opened, parts.leftovers.closing),
                    shutdown=CLOSE_SECONDS,
                ),
                ChildSpec("engine", self._engine, shutdown=Shutdown.INFINITY),
            ],
            # If restarts below do not help, only a new node does, and its own supervisor decides about that.
            max_restarts=0,
        )

    def _journal_opened(self, journal: Journal) -> None:
        self._journal = journal

    def _engine(self) -> InProcessEngine:
        assert self._journal is not None, "the journal is the first child"
        return InProcessEngine(self._parts, self._journal, lambda: self.stop(NORMAL))


class InProcessEngine(Supervisor):
    """Everything of the node that uses the journal."""

    def __init__(self, parts: NodeParts, journal: Journal, ask_to_stop: Callable[[], None]) -> None:
        self._parts = parts
        # Only a node that boots tries blocked runs again, not an actor that restarts after a crash.
        self._boot = True
        self.host = Host(journal, parts.node, parts.code, settings=parts.settings)
        self.host.tries_suspects = self.host.takes_deadly = True
        self.host.executor = parts.executor
        self.host.port = parts.port
        self.host.looked_at = self._renew_now
        claims = not {"dispatcher", "run_supervisor"} & parts.without
        self._process = OwnProcess(
            self.host, sorted(parts.code.workflows) if claims else [], ask_to_stop, parts.without
        )
        self._control_actors = Registry()
        children = [
            ChildSpec("control", self._control, shutdown=Shutdown.INFINITY),
            *run_host_children(self.host, parts.without),
        ]
        if not parts.settings.listen:
            children.append(ChildSpec("lookout", self._lookout))
        if parts.leftovers.worker is not None:
            # A killed node has not released its lease; the lease actor does so before it registers anew.
            self.host.worker = parts.leftovers.worker
        super().__init__(
            children, strategy=Strategy.ONE_FOR_ONE, max_restarts=MAX_RESTARTS, max_seconds=MAX_SECONDS
        )

    async def init(self) -> None:
        self.ref.on_exit(self._keep_worker)
        if self._parts.tune_collector:
            collector.tune()
            self.ref.on_exit(lambda _ref, _reason: collector.restore())
        await super().init()

    def _keep_worker(self, ref: ActorRef, reason: ExitReason) -> None:
        if self.host.worker is not None:
            self._parts.leftovers.worker = self.host.worker

    async def terminate(self, reason: ExitReason) -> None:
        """Drain, except after a crash; then stop the children and release the lease."""
        if not isinstance(reason, Crash):
            self._process.state = "draining"
            self._renew_now()
            await drain(self.host)
            await self._drain_executor()
        await super().terminate(reason)
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self.host.journal.retry("retire", "leaving", self._release)
        except TimeoutError:
            log.warning("the lease could not be released; others take over when it has run out")

    async def _drain_executor(self) -> None:
        executor = self.host.executor
        if executor is None:
            return
        try:
            async with asyncio.timeout(self.host.settings.drain):
                await executor.drain()
        except TimeoutError:
            log.warning("drain: out of time; the activity executor has not ended")
        except Exception:
            log.exception("the activity executor could not be drained; the node stops without it")

    async def _release(self) -> None:
        await leave(self.host)
        await self.host.journal.once.retire_node(self.host.node)
        if counted := self.host.measures.drain():
            await self.host.journal.once.renew([], self.host.settings.lease_ttl, None, counted=counted)

    def _control(self) -> Supervisor:
        children = [ChildSpec("heartbeater", self._heartbeater, name="heartbeater")]
        if "recovery" not in self._parts.without:
            children.insert(0, ChildSpec("recovery", self._recovery, name="recovery"))
        return Supervisor(
            children,
            max_restarts=MAX_RESTARTS,
            max_seconds=MAX_SECONDS,
            registry=self._control_actors,
        )

    def _recovery(self) -> Recovery:
        host = self.host
        boot, self._boot = self._boot, False
        return Recovery(
            host.journal,
            host.node,
            host.code,
            boot=boot,
            random_fraction=host.random_fraction,
            namespaces=host.settings.namespaces,
            earlier=self._parts.earlier,
        )

    def _lookout(self) -> Lookout:
        host = self.host

        def wanted() -> LookedFor:
            return LookedFor(
                host.node,
                self._process.workers(),
                host.code.loaded,
                list(host.code.activities),
                host.settings.namespaces,
            )

        return Lookout(
            host.journal,
            wanted,
            lambda topic, ids: host.router.notified(topic, ids),
            longest=host.settings.look_seconds,
            random_fraction=host.random_fraction,
            suspects_wait=host.suspects_wait.set,
        )

    def _heartbeater(self) -> Heartbeater:
        kind = Listing if "heartbeater" in self._parts.without else Heartbeater
        return kind(
            self.host.journal,
            self._process,
            ttl=self.host.settings.lease_ttl,
            expiring=self._expiring,
            reporting=self._reporter().report,
        )

    def _renew_now(self) -> None:
        """Have the heartbeater renew at once."""
        heartbeater = self._control_actors.whereis("heartbeater")
        if heartbeater is not None:
            heartbeater.cast(None)

    def _reporter(self) -> SingleReporter:
        own = HostReporter("run_host", "run_host")
        own.host, own.describe = self.host, self.describe
        return SingleReporter(self.host.node, own, lambda: self._process.state)

    def _expiring(self, seconds: float) -> None:
        recovery = self._control_actors.whereis("recovery")
        if recovery is not None:
            recovery.send(seconds)
