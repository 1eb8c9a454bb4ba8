"""The processes of a simulation: nodes that run the engine, and clients that use it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from continuum.client import Client
from continuum.client.in_process_port import InProcessPort
from continuum.engine.ids import NodeId, WorkerId
from continuum.journal.port import Journal
from continuum.settings.settings import Settings
from continuum.versions.loaded_code import Code
from continuum_actors.host.host import Host
from continuum_actors.node.death_causes import EndOfProcess, death_of
from continuum_actors.node.in_process_node import Leftovers, NodeParts
from continuum_supervision import SHUTDOWN, ActorRef, Crash, spawn
from continuum_supervision.process.liveness import Liveness
from tests.simulation.network import Link
from tests.simulation.virtual_time import ProcessLoop

if TYPE_CHECKING:
    from tests.simulation.universe import Universe

SETTINGS = Settings(
    lease_ttl=10.0, poll=5.0, drain=2.0, snapshot_events=6, live_suspended_runs=2, longest_nap=10.0
)


class Process:
    """One process: a loop, a link to the database, and the power to die at any moment."""

    def __init__(self, universe: Universe, name: str, machine: str) -> None:
        self.universe = universe
        self.name = name
        self.pid = universe.next_pid()
        self.loop = ProcessLoop(universe.timeline, universe.clocks_of(machine))
        self.link = Link(universe, name, self.loop, self.pid)
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def alive(self) -> bool:
        """Whether the process exists."""
        return not self.loop.dead

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in a task of this process."""
        task = self.loop.create_task(work)
        self._tasks.append(task)
        return task

    def die(self) -> None:
        """End at once: nothing that is under way here continues, and no clean-up has any effect."""
        self.link.dead = True
        self.loop.die()
        self.universe.graveyard.append(self)

    def pause(self, microseconds: int) -> None:
        """Stand still for a while, as after SIGSTOP."""
        self.loop.paused = True
        self.universe.timeline.after(microseconds, self.loop.resume)


class Board:
    """A pulse: the traces of user code that outlive a process."""

    def __init__(self) -> None:
        self.running: bytes | None = None
        self.trial: bytes | None = None
        self.threads: dict[int, bytes] = {}
        self.worker_id = 0
        self.ended = False

    def executing(self, trace: bytes) -> None:
        if not self.ended:
            self.running = trace

    def clear(self) -> None:
        if not self.ended:
            self.running = None

    def thread_begins(self, trace: bytes) -> int | None:
        place = len(self.threads)
        if not self.ended:
            self.threads[place] = trace
        return place

    def thread_ends(self, place: int | None) -> None:
        if not self.ended and place is not None:
            del self.threads[place]

    def ends_itself(self, seconds: float | None) -> None:
        """No process of the simulator ends itself."""

    def on_trial(self, trace: bytes | None) -> None:
        if not self.ended:
            self.trial = trace

    def set_worker_id(self, worker_id: int) -> None:
        self.worker_id = worker_id

    def last(self, beat_at: float) -> Liveness:
        """Return what the process has left, whose loop has turned last at that time."""
        threads = tuple(self.threads.items())
        return Liveness(1, beat_at, self.worker_id, self.running, threads, None, self.trial)


class NodeProcess(Process):
    """A node in one process: Recovery, Heartbeater, and the run host's whole tree."""

    def __init__(self, universe: Universe, name: str, node: NodeId, code: Code) -> None:
        super().__init__(universe, name, node)
        self.node = node
        self.code = code
        self.stopping = False
        self.ref: ActorRef | None = None
        self.link.listens = universe.can_listen(name)
        parts = NodeParts(
            node,
            lambda _: False,
            code,
            replace(SETTINGS, listen=self.link.listens),
            cast("Any", None),
            frozenset(),
            Leftovers(),
            port=InProcessPort(),
        )
        self.engine = engine = universe.make_engine(parts, cast("Journal", self.link), self._ask_to_stop)
        engine.host.pulse = self.board = Board()
        engine.host.random_bytes = universe.choices.random_bytes(name).randbytes
        self._port, self._client = parts.port, cast("Client | None", None)
        self.begin(self._live())

    @property
    def client(self) -> Client:
        """A client beside the run host, for code in this loop."""
        if self._client is None:
            self._client = client_of(self, f"{self.name}/client", self._port)
        return self._client

    @property
    def worker(self) -> WorkerId | None:
        """The worker that this process has registered as last."""
        return None if self.engine.host.worker is None else self.engine.host.worker.id

    def stop(self) -> None:
        """Stop in order, as after SIGTERM."""
        if self.ref is not None and not self.stopping:
            self.stopping = True
            self.begin(self._stop(self.ref))

    def killed(self, *, reported: bool, returns_after: int) -> None:
        """Die; with `reported` the node's leases end at once, else when they have run out."""
        universe = self.universe
        worker, death = self.worker, death_of(self.board.last(self.loop.time()), EndOfProcess())
        self.die()
        universe.nodes.remove(self)
        universe.left(self)
        if reported and worker is not None:
            universe.timeline.after(5_000, universe.bury, worker, death)
        universe.timeline.after(returns_after, universe.start_node, self.node if reported else None)

    def die(self) -> None:
        """End at once; the code of the runs must not notice, not even when it is collected."""
        super().die()
        close_runs(self.engine.host)

    async def _live(self) -> None:
        self.ref = ref = await spawn(self.engine)
        reason = await ref.wait()
        if isinstance(reason, Crash) and not self.stopping:
            self.universe.crashed(self, reason.exception)

    async def _stop(self, ref: ActorRef) -> None:
        await ref.stop(SHUTDOWN, timeout=None)
        self.universe.node_stopped(self)

    def _ask_to_stop(self) -> None:
        self.stop()


def close_runs(host: Host) -> None:
    """Close the executions of the runs that were live in a dead process."""
    with suppress(AttributeError):
        for ref in host.runs.which_children():
            actor = ref._actor
            if actor is not None:
                cast("Any", actor)._execution.close()


class ClientProcess(Process):
    """A process that starts and signals runs."""

    def __init__(self, universe: Universe, name: str) -> None:
        super().__init__(universe, name, name)
        self.client = client_of(self, name)


def client_of(process: Process, name: str, port: InProcessPort | None = None) -> Client:
    """Return a client in this process; `port` leads to a run host in the same loop."""
    randomness = process.universe.choices.random_bytes(name).randbytes
    return Client(cast("Any", process.link), name=name, randomness=randomness, port=port)
