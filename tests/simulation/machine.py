"""The processes of a simulation: nodes that run the engine, and clients that use it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from continuum.client import Client
from continuum.engine.ids import NodeId, WorkerId
from continuum.journal.port import Journal
from continuum.journal.suspect_port import UNEXPLAINED, Death
from continuum.settings.settings import Settings
from continuum.versions.loaded_code import Code
from continuum_actors.host.traces import read_trace
from continuum_actors.node.in_process_node import InProcessEngine, Leftovers, NodeParts
from continuum_supervision import SHUTDOWN, ActorRef, Crash, spawn
from tests.simulation.network import Link
from tests.simulation.virtual_time import ProcessLoop

if TYPE_CHECKING:
    from tests.simulation.universe import Universe

SETTINGS = Settings(
    lease_ttl=10.0, poll=5.0, drain=2.0, snapshot_events=6, live_suspended_runs=2, longest_nap=10.0
)


class Process:
    """One process: a loop, a link to the database, and the power to die at any moment."""

    def __init__(self, universe: Universe, name: str) -> None:
        self.universe = universe
        self.name = name
        self.pid = universe.next_pid()
        self.loop = ProcessLoop(universe.timeline)
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
        self.ended = False

    def executing(self, trace: bytes) -> None:
        self.running = trace

    def clear(self) -> None:
        if not self.ended:
            self.running = None

    def thread_begins(self, trace: bytes) -> int | None:
        raise AssertionError("no simulated code runs in a thread")

    def thread_ends(self, place: int | None) -> None:
        raise AssertionError("no simulated code runs in a thread")

    def on_trial(self, trace: bytes | None) -> None:
        self.trial = trace

    def set_worker_id(self, worker_id: int) -> None:
        """The process itself knows its worker."""

    def death(self) -> Death:
        """Return what the process that left these traces died of."""
        trace = self.running or self.trial
        return UNEXPLAINED if trace is None else Death(read_trace(trace))


class NodeProcess(Process):
    """A node in one process: Recovery, Heartbeater, and the run host's whole tree."""

    def __init__(self, universe: Universe, name: str, node: NodeId, code: Code) -> None:
        super().__init__(universe, name)
        self.node = node
        self.code = code
        self.stopping = False
        self.ended = False
        self.engine: InProcessEngine | None = None
        self.ref: ActorRef | None = None
        parts = NodeParts(
            node,
            lambda _: False,
            code,
            SETTINGS,
            cast("Any", None),
            frozenset(),
            Leftovers(),
        )
        self.engine = engine = universe.make_engine(parts, cast("Journal", self.link), self._ask_to_stop)
        engine.host.pulse = self.board = Board()
        engine.host.random_bytes = universe.choices.random_bytes(name).randbytes
        self.begin(self._live())

    @property
    def worker(self) -> WorkerId | None:
        """The worker that this process has registered as last."""
        assert self.engine is not None, "made with the process"
        return None if self.engine.host.worker is None else self.engine.host.worker.id

    def stop(self) -> None:
        """Stop in order, as after SIGTERM."""
        if self.ref is not None and not self.stopping:
            self.stopping = True
            self.begin(self._stop(self.ref))

    def die(self) -> None:
        """End at once; the code of the runs must not notice, not even when it is collected."""
        super().die()
        assert self.engine is not None, "made with the process"
        for run in _live_runs(self.engine):
            run.close()

    async def _live(self) -> None:
        assert self.engine is not None, "made with the process"
        self.ref = ref = await spawn(self.engine)
        reason = await ref.wait()
        self.ended = True
        if isinstance(reason, Crash) and not self.stopping:
            self.universe.node_crashed(self, reason)

    async def _stop(self, ref: ActorRef) -> None:
        await ref.stop(SHUTDOWN, timeout=None)
        self.universe.node_stopped(self)

    def _ask_to_stop(self) -> None:
        self.stop()


def _live_runs(engine: InProcessEngine) -> list[Any]:
    """Return the executions of the runs that are live in a process."""
    found = []
    with suppress(AttributeError):
        for ref in engine.host.runs.which_children():
            actor = ref._actor
            if actor is not None:
                found.append(cast("Any", actor)._execution)
    return found


class ClientProcess(Process):
    """A process that starts and signals runs."""

    def __init__(self, universe: Universe, name: str) -> None:
        super().__init__(universe, name)
        self.client = Client(
            cast("Any", self.link), name=name, randomness=universe.choices.random_bytes(name).randbytes
        )
