"""The control process: leases, recovery and membership of one node.

It holds no run, so that it can crash and restart without any run noticing: leases outlive several
missed renewals, and the node keeps the notices of deaths for it meanwhile.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Sequence

from continuum.engine.ids import NodeId, WorkerId
from continuum.journal.limits import ACTIVITY_HOST_CONNECTIONS, CONTROL_CONNECTIONS
from continuum.journal.look_port import LookedFor
from continuum.journal.port import NodeFacts, Workers
from continuum.journal.postgres import PostgresJournal
from continuum.journal.resilient import ResilientJournal
from continuum.journal.silence import Silence
from continuum.journal.suspect_port import Death
from continuum.settings.settings import Settings
from continuum.telemetry.measures import Measures
from continuum.telemetry.tallies import Sums, Tally
from continuum.versions.loaded_code import Code, load_code
from continuum_actors.host import limits
from continuum_actors.host.messages import (
    FindRun,
    Forwarded,
    HasCounted,
    HasMail,
    LookedAt,
    NodeHello,
    RunFound,
    SuspectsWait,
)
from continuum_actors.host.traces import read_trace
from continuum_actors.node.cluster import Cluster
from continuum_actors.node.death_causes import EndOfProcess, death_of, manner_of
from continuum_actors.node.fatal_calls import faulty_thread
from continuum_actors.node.heartbeater import Heartbeater
from continuum_actors.node.host_process import (
    CONTROL,
    QUARANTINE_HOST,
    connected,
    let_tasks_end,
    set_up_logging,
    until_set,
)
from continuum_actors.node.host_report import HostReporter
from continuum_actors.node.launcher_reports import Counted, DrainRequested, Renewed
from continuum_actors.node.lookout import Lookout
from continuum_actors.node.node_reporter import KnownProcess, NodeReporter
from continuum_actors.node.process_config import ProcessConfig
from continuum_actors.node.recovery import LookForSuspects, Recovery, WorkerDied
from continuum_actors.node.report_messages import StacksTold, StateTold, TellStacks, TellState
from continuum_actors.node.reported_code import loaded_or_stored, reported_code
from continuum_actors.tree import host_supervisor
from continuum_supervision import Actor, ActorRef, ChildSpec, Registry, RegistryActor, SystemClock
from continuum_supervision.process.context import ProcessContext
from continuum_supervision.process.events import Incoming, PeerDown, PeerUp, ProcessDied, ProcessStarted


class ControlledNode:
    """This node as its heartbeater and its cluster actor see it; notices about processes update it."""

    def __init__(self, context: ProcessContext, config: ProcessConfig, code: Code) -> None:
        self._context = context
        self._workflows = sorted(code.workflows)
        self._code = reported_code(code, config.settings)
        self._config = config
        self._started: dict[str, ProcessStarted] = {}
        # Every pid this node ever had.
        self._pids: set[int] = set()
        # How processes ended last, by their ids.
        self._ends: dict[str, str | None] = {}
        self.state = "up"
        self._sums = Sums()
        self._measures = Measures()

    def started(self, notice: ProcessStarted) -> None:
        """Add a process that has started."""
        self._started[notice.process_id] = notice
        self._pids.add(notice.pid)

    def died(self, notice: ProcessDied) -> None:
        """Remove a process that has died."""
        if (known := self._started.get(notice.process_id)) and known.incarnation == notice.incarnation:
            del self._started[notice.process_id]
        self._ends[notice.process_id] = self.manner_of(notice)
        if self.state == "up":
            self._measures.process_restarted(notice.role)

    def known_processes(self) -> Sequence[KnownProcess]:
        """Return every process beside control."""
        return [self._known(notice) for host, notice in self._started.items() if host != CONTROL]

    def known_control(self) -> KnownProcess:
        """Return this process."""
        own = ProcessStarted(CONTROL, CONTROL, self._context.incarnation, os.getpid())
        return self._known(own)

    def _known(self, notice: ProcessStarted) -> KnownProcess:
        last = self._context.liveness.read(notice.process_id)
        return KnownProcess(
            notice.process_id,
            notice.role,
            notice.pid,
            notice.incarnation - 1,
            self._ends.get(notice.process_id),
            last.worker_id or None,
            last.beat_at,
        )

    def ask(self, process_id: str, message: TellState | TellStacks) -> None:
        """Ask a process how it is, or urgently where it is."""
        if isinstance(message, TellStacks):
            self._context.send_urgently(process_id, message)
        else:
            self._context.send(process_id, message)

    def restarted(self) -> None:
        """Count that this process itself has been started again."""
        self._measures.process_restarted(CONTROL)

    def count(self, counted: Sequence[Tally]) -> None:
        """Add what has been counted; the launcher has it at once, whether or not the database answers."""
        self._sums.add(counted)
        if counted and self._config.reports:
            self._context.report(Counted(tuple(counted)))

    def take_counted(self) -> Sequence[Tally]:
        self.count(self._measures.drain())
        return self._sums.take()

    def renewed(self) -> None:
        if self._config.reports:
            self._context.report(Renewed(self.state))

    def pids(self) -> Collection[int]:
        """Return every pid that this node ever had."""
        return self._pids

    def cause_of(self, notice: ProcessDied) -> Death | None:
        """Return what a process died of; None if it was stopped with its node."""
        if self.state != "up":
            return None
        fault = faulty_thread(self._context.directory, notice.process_id, notice.incarnation)
        # A status that nobody could read may be anything.
        by_signal = notice.exit_code is None or notice.exit_code < 0
        alone = notice.role == "activity_host"
        return death_of(notice.last, EndOfProcess(notice.hung, fault, by_signal, alone))

    def manner_of(self, notice: ProcessDied) -> str | None:
        """Return how a process ended."""
        return manner_of(notice, self._config.settings.watchdog)

    def try_suspects(self) -> None:
        """Have the quarantine hosts of this node try suspects."""
        for process_id, notice in self._started.items():
            if notice.role == QUARANTINE_HOST:
                self._context.send(process_id, SuspectsWait())

    def workers(self) -> Sequence[WorkerId]:
        """Return the workers of the hosts that live: those that have registered."""
        hosts = [process_id for process_id in self._started if process_id != CONTROL]
        found = [self._context.liveness.read(host).worker_id for host in hosts]
        return [WorkerId(worker) for worker in found if worker]

    def facts(self) -> NodeFacts | None:
        config = self._config
        listed = [("launcher", config.launcher_pid)]
        # The root supervisor is the parent that forked this process.
        listed.append(("node_supervisor", os.getppid()))
        listed += sorted((notice.role, notice.pid) for notice in self._started.values())
        waiting = {
            notice.pid: self._context.liveness.read(process_id).backlog
            for process_id, notice in self._started.items()
        }
        return NodeFacts(
            config.node,
            config.launcher_pid,
            config.address,
            self.state,
            listed,
            self._workflows,
            waiting,
            connections_of(config.settings),
            self._code,
            self._silent(),
        )

    def _silent(self) -> dict[int, Silence]:
        """Return the processes whose loops have not turned of late; the watchdog spares those that stop."""
        now, watchdog = time.monotonic(), self._config.settings.watchdog
        limit = watchdog if self.state == "up" else None
        found = {}
        for process_id, notice in self._started.items():
            last = self._context.liveness.read(process_id)
            if last.beats and process_id != CONTROL and now - last.beat_at > limits.REPORT_SILENCE_SECONDS:
                executed = None if last.executing is None else read_trace(last.executing)
                what = (None, None) if executed is None else (executed.run_id, executed.seq)
                found[notice.pid] = Silence(now - last.beat_at, limit, *what)
        return found

    def drain(self) -> None:
        if self.state != "draining":
            self.state = "draining"
            self._context.report(DrainRequested())

    def to_node(self, node: str, message: object) -> None:
        self._context.send_to_peer(node, CONTROL, message)

    def to_process(self, node: str, process_id: str, message: object) -> None:
        if node == self._config.node:
            self._context.send(process_id, message)
        else:
            self._context.send_to_peer(node, process_id, message)

    def to_hosts(self, message: object) -> None:
        for process_id in self._started:
            if process_id != CONTROL:
                self._context.send(process_id, message)


def connections_of(settings: Settings) -> int:
    """Return how many connections to the server a node may open, without what tries suspects."""
    if not settings.listen:
        return 0
    hosts = settings.run_hosts * settings.connections + settings.activity_hosts * ACTIVITY_HOST_CONNECTIONS
    return hosts + CONTROL_CONNECTIONS


def last_sign_of_life(notice: ProcessDied) -> float:
    """Return until when the process lived: a run host until its loop turned last, for it may have been stuck.

    An activity host lived until its death: an activity may hold the interpreter lock, and the loop up.
    """
    turned = notice.last.beat_at
    return turned if turned and notice.role != "activity_host" else notice.died_at


async def control_main(context: ProcessContext) -> None:
    """Run the control process until the node stops."""
    config: ProcessConfig = context.args
    set_up_logging(config, context.process_id)
    stored = PostgresJournal(
        config.dsn,
        schema=config.schema,
        listen=config.settings.listen,
        connections=CONTROL_CONNECTIONS,
        application=f"continuum control {config.node}",
    )
    journal = ResilientJournal(stored, SystemClock(), random_fraction)

    # Not until the drain: hosts that drain need their leases, even if this process has only just started.
    if not await connected(journal, context.shutdown_requested):
        return
    code = load_code(config.modules)
    # What their hosts have stored when they are ready.
    code.pinned_are_stored()
    node = ControlledNode(context, config, code)
    if context.incarnation > 1:
        node.restarted()
    own = HostReporter(CONTROL, CONTROL)
    reporter = NodeReporter(config.node, node, own)
    registry = Registry()

    def expiring(seconds: float) -> None:
        actor = registry.whereis("recovery")
        if actor is not None:
            actor.send(seconds)

    def heartbeater() -> Actor:
        return Heartbeater(
            journal,
            node,
            ttl=config.settings.lease_ttl,
            expiring=expiring,
            reporting=reporter.report,
        )

    # Only a node that boots tries blocked runs again, not an actor or a process that restarts.
    boot = context.incarnation == 1
    peers: dict[str, bool | None] = {}

    def recovery() -> Actor:
        nonlocal boot
        first, boot = boot, False
        return Recovery(
            journal,
            config.node,
            code,
            boot=first,
            random_fraction=random_fraction,
            namespaces=config.settings.namespaces,
            suspects_wait=node.try_suspects,
            asks_for_suspects=config.settings.listen,
        )

    children = [
        ChildSpec("registry", lambda: RegistryActor(registry)),
        ChildSpec("recovery", recovery, name="recovery"),
        ChildSpec(
            "cluster",
            lambda: Cluster(journal, config.node, node, listens=config.settings.listen, peers=peers),
            name="cluster",
        ),
        ChildSpec("heartbeater", heartbeater, name="heartbeater"),
    ]
    if not config.settings.listen:
        children.append(ChildSpec("lookout", lambda: _lookout(journal, node, config, code), name="lookout"))
    supervisor = host_supervisor(children, registry)
    try:
        async with supervisor:
            own.describe = supervisor.describe
            context.on_message(lambda incoming: _received(node, registry, reporter, incoming))
            context.ready()
            await until_set(context.drain_requested, supervisor.ref)
            node.state = "draining"
            _cast(registry.whereis("heartbeater"), None)
            # Renew the leases of the hosts that drain until the last of them is gone.
            await until_set(context.shutdown_requested, supervisor.ref)
        await journal.retry("retire", "leaving", retire, journal.once, node, config.node)
        if counted := node.take_counted():
            # What the hosts have counted since the last renewal.
            await journal.renew([], config.settings.lease_ttl, None, counted=counted)
    finally:
        await let_tasks_end()
        await journal.close()


def _lookout(journal: ResilientJournal, node: ControlledNode, config: ProcessConfig, code: Code) -> Lookout:
    loaded = loaded_or_stored(code)

    def wanted() -> LookedFor:
        return LookedFor(
            config.node, node.workers(), loaded, list(code.activities), config.settings.namespaces
        )

    return Lookout(
        journal,
        wanted,
        lambda topic, ids: node.to_hosts(Forwarded(topic, tuple(ids))),
        longest=config.settings.look_seconds,
        random_fraction=random_fraction,
        suspects_wait=node.try_suspects,
    )


async def retire(journal: Workers, node: ControlledNode, name: NodeId) -> None:
    """Release what killed processes held, then delete the node.

    Only workers of our own pids: a successor of the same name may run already.
    """
    for worker, pid in await journal.node_workers(name):
        if pid in node.pids():
            await journal.retire_worker(
                worker, executing=None, poison_after=limits.POISON_AFTER_DEATHS, dead_for=math.inf
            )
    await journal.retire_node(name)


def random_fraction() -> float:
    """Return a random number in [0, 1)."""
    return int.from_bytes(os.urandom(4), "big") / (1 << 32)


def _received(node: ControlledNode, registry: Registry, reporter: NodeReporter, incoming: Incoming) -> None:
    message = incoming.message
    match message:
        case StateTold() | StacksTold():
            reporter.told(message)
        case LookedAt():
            # Its renewal says what is wanted.
            _cast(registry.whereis("heartbeater"), None)
        case ProcessStarted():
            node.started(message)
            _cast(registry.whereis("heartbeater"), None)
            if message.role == QUARANTINE_HOST:
                _cast(registry.whereis("recovery"), LookForSuspects())
        case ProcessDied():
            node.died(message)
            _cast(registry.whereis("heartbeater"), None)
            if message.last.worker_id:
                _cast(
                    registry.whereis("recovery"),
                    WorkerDied(
                        WorkerId(message.last.worker_id),
                        node.cause_of(message),
                        last_sign_of_life(message),
                        out_of_time=message.ended_itself,
                        manner=node.manner_of(message),
                    ),
                )
        case HasCounted(counted):
            node.count(counted)
        case HasMail():
            _cast(registry.whereis("cluster"), message)
            _cast(registry.whereis("lookout"), None)
        case PeerUp() | PeerDown() | NodeHello() | Forwarded() | FindRun() | RunFound():
            _cast(registry.whereis("cluster"), message)
        case _:
            raise AssertionError(f"the control process does not understand {message!r}")


def _cast(actor: ActorRef | None, message: object) -> None:
    if actor is not None:
        actor.cast(message)
