"""A node of processes: control, run hosts, an activity host and quarantine hosts, which die independently.

Their main functions are the real ones, with the real `ProcessContext`. Here is the root supervisor: what it
decides is the real `Child` and `NodeShutdown`, what it does to an operating system happens to the simulation.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from continuum.engine.ids import NodeId, WorkerId
from continuum.versions.loaded_code import Code
from continuum_actors.host.host import Host
from continuum_actors.node.node import node_processes
from continuum_actors.node.process_config import ProcessConfig
from continuum_supervision.process.child import Child
from continuum_supervision.process.context import ProcessContext
from continuum_supervision.process.events import Incoming, PeerDown, PeerUp, ProcessDied, ProcessStarted
from continuum_supervision.process.liveness import Liveness
from continuum_supervision.process.log import LogOutput
from continuum_supervision.process.shutdown import NodeShutdown
from continuum_supervision.process.wire import (
    Deliveries,
    KillSibling,
    NoticesHandled,
    Outgoing,
    ToLauncher,
    ToPeer,
    ToSibling,
)
from tests.simulation.machine import SETTINGS, Board, Process, close_runs

if TYPE_CHECKING:
    from tests.simulation.universe import Universe

SECOND = 1_000_000
# In microseconds: how long a message between processes takes, and the root supervisor to notice a death.
QUICK, SLOW = 1_000, 400_000
NOTICED = 5_000
# The parts of [0, 1) of messages that are quick, and of those between nodes that arrive.
FINE, ARRIVES = 0.95, 0.97


class PartProcess(Process):
    """One process of a node."""

    def __init__(self, node: SplitNode, child: SimulatedChild) -> None:
        self.node = node
        self.child = child
        self.incarnation = child.incarnation + 1
        universe = node.universe
        super().__init__(universe, f"{node.name}/{child.spec.id}.{self.incarnation}", node.name)
        self.loop.process = self
        self.board = node.boards[child.spec.id] = Board()
        self.host: Host | None = None
        self.exitcode: int | None = None
        self.random = universe.choices.random_bytes(self.name)
        self.chances = universe.choices.stream(f"threads/{self.name}")
        self._paused_at: float | None = None
        self.context = ProcessContext(
            child.spec.id,
            self.incarnation,
            args=child.spec.args,
            node=node.name,
            directory=Path("/nonexistent"),
            board=cast("Any", node),
            send=self._send,
        )
        self.begin(self._main())

    @property
    def stopping(self) -> bool:
        """Whether the whole node stops."""
        return self.node.stopping

    @property
    def worker(self) -> WorkerId | None:
        """The worker that this process is, if it is one."""
        return WorkerId(self.board.worker_id) if self.board.worker_id else None

    def is_alive(self) -> bool:
        """Whether the process exists, as its parent sees it."""
        return self.alive

    def stop(self) -> None:
        """Stop the node in order."""
        self.node.stop()

    def killed(self, *, reported: bool, returns_after: int) -> None:
        """Die: alone and noticed, or with the whole node."""
        if reported:
            self.end(-9)
        else:
            self.node.lose(returns_after)

    def end(self, exitcode: int) -> None:
        """End at once; the root supervisor notices."""
        if self.alive:
            self.exitcode = exitcode
            self.die()
            self.universe.timeline.after(NOTICED, self.node.died, self)

    def die(self) -> None:
        """End at once, noticed by nobody."""
        super().die()
        self.universe.nodes.remove(self)
        if self.host is not None:
            close_runs(self.host)

    def pause(self, microseconds: int) -> None:
        """Stand still; the root supervisor kills what does so for too long."""
        self._paused_at = self.loop.time()
        limit = self.child.spec.hung_after
        if limit is not None and limit * SECOND < microseconds:
            self.universe.timeline.after(int(limit * SECOND), self._hangs, self._paused_at)
        super().pause(microseconds)

    def last(self) -> Liveness:
        """Return what the process has left on the board."""
        paused = self.loop.paused and self._paused_at is not None
        return self.board.last(cast("float", self._paused_at) if paused else self.loop.time())

    def _hangs(self, since: float) -> None:
        if self.alive and self.loop.paused and self._paused_at == since:
            self.child.hung = True
            self.end(-9)

    def _send(self, message: Outgoing) -> None:
        if not self.loop.dead:
            self.universe.timeline.after(self.node.delay(), self.node.received, self, message)

    async def _main(self) -> None:
        try:
            await self.child.spec.main(self.context)
        except Exception as error:  # noqa: BLE001 - the simulation fails with it
            self.universe.crashed(self, error)
        self.universe.timeline.after(0, self.end, 0)


class SimulatedChild(Child):
    """A child whose process is a simulated one."""

    def kill(self) -> None:
        """Kill the process if it is alive."""
        if self.process is not None:
            cast("PartProcess", self.process).end(-9)


class SplitNode:
    """The node, as its root supervisor and as the others see it."""

    def __init__(self, universe: Universe, name: NodeId, code: Code) -> None:
        self.universe = universe
        self.name = name
        self.code = code
        self.boards: dict[str, Board] = {}
        self.gone = self.stopping = False
        self._number = universe.next_pid()
        chances = universe.choices.stream(f"node/{name}")
        settings = replace(
            SETTINGS, run_hosts=1 + chances.below(2), activity_hosts=1, listen=universe.can_listen(name)
        )
        self._messages = universe.choices.stream(f"messages/{name}")
        config = ProcessConfig("", "simulated", name, (), "simulated", 0, LogOutput(), settings)
        self._children = {spec.id: SimulatedChild(spec) for spec in node_processes(config)}
        self._shutdown = NodeShutdown(self._children, self._wake_after)
        self._peers: dict[NodeId, PeerUp] = {}
        for child in self._children.values():
            self._start(child)
        for other in universe.split_nodes:
            universe.timeline.after(20_000, other.peer_up, self)
            universe.timeline.after(20_000, self.peer_up, other)
        universe.split_nodes.append(self)

    # The liveness board.

    def slot(self, process_id: str) -> Board:
        """Return the slot of a process that starts."""
        return self.boards[process_id]

    def read(self, process_id: str) -> Liveness:
        """Return what is in the slot of a process."""
        return self.boards[process_id].last(0.0)

    # What happens to it.

    def stop(self) -> None:
        """Stop in order, as after SIGTERM."""
        if not self.stopping:
            self.stopping = True
            self._shutdown.begin(self._now(), budget=None, reason=None)
            self._go_on()

    def lose(self, returns_after: int) -> None:
        """Vanish whole; half of the time it returns under its name."""
        self._end()
        for child in self._children.values():
            process = cast("PartProcess | None", child.process)
            if process is not None and process.alive:
                process.die()
        name = self.name if returns_after % 2 else None
        self.universe.timeline.after(returns_after, self.universe.start_node, name)

    def died(self, process: PartProcess) -> None:
        """Notice the death of a process: tell control, and start it again."""
        child = process.child
        if self.gone or child.process is not cast("Any", process):
            return
        self._notify(child.end_life(self._now(), process.last()))
        if not self._shutdown.begun or self._shutdown.still_needs(child):
            self.universe.timeline.after(self.delay(), self._start, child)
        self._go_on()

    def received(self, process: PartProcess, message: Outgoing) -> None:
        """Do what a process asks for."""
        if self.gone:
            return
        match message:
            case ToSibling(target, payload):
                self._children[target].queue_message(payload)
            case ToPeer(node, target, payload):
                self._send_to_peer(NodeId(node), target, payload)
            case ToLauncher():
                self.stop()
            case KillSibling(process_id, incarnation):
                if self._children[process_id].incarnation == incarnation:
                    self._children[process_id].kill()
            case NoticesHandled(up_to):
                process.child.acknowledge_notices(up_to)
            case _:
                # It is ready, or has finished: only its exit counts.
                pass
        self._go_on()

    def peer_up(self, other: SplitNode) -> None:
        """Another node answers."""
        if not self.gone and not other.gone:
            self._peers[other.name] = peer = PeerUp(other.name, "simulated", 1, str(other._number))
            self._notify(peer)
            self._go_on()

    def peer_down(self, other: SplitNode) -> None:
        """Another node is silent."""
        if not self.gone and (peer := self._peers.pop(other.name, None)) is not None:
            self._notify(PeerDown(peer.node, peer.host, peer.port, peer.incarnation))
            self._go_on()

    def delay(self) -> int:
        """Return how long the next message takes."""
        chance = self._messages.fraction(bends=FINE)
        return int(chance * QUICK) if chance < FINE else SLOW

    def _now(self) -> float:
        clocks = self.universe.clocks_of(self.name)
        return (self.universe.timeline.now + clocks.booted) / SECOND

    def _start(self, child: SimulatedChild) -> None:
        if self.gone or child.alive or self._shutdown.over:
            return
        process = PartProcess(self, child)
        self.universe.nodes.append(process)
        if self.universe.tracing:
            self.universe.trace(process.name, "starts", "")
        started = child.begin_life(cast("Any", process), None, self._now())
        if child.spec.watches_siblings:
            for other in self._children.values():
                if other.alive and other is not child:
                    child.queue_notice(pickle.dumps(Incoming(other.started())))
            for peer in self._peers.values():
                child.queue_notice(pickle.dumps(Incoming(peer)))
        self._notify(started)
        self._go_on()

    def _notify(self, notice: ProcessStarted | ProcessDied | PeerUp | PeerDown) -> None:
        about = notice.process_id if isinstance(notice, ProcessStarted | ProcessDied) else None
        for child in self._children.values():
            if child.spec.watches_siblings and child.spec.id != about:
                child.queue_notice(pickle.dumps(Incoming(notice)))

    def _wake_after(self, seconds: float) -> None:
        self.universe.timeline.after(int(seconds * SECOND) + 1, self._go_on)

    def _go_on(self) -> None:
        """Take the next step of a shutdown, and send what waits."""
        if self.gone:
            return
        if self._shutdown.begun and self._shutdown.advance(self._now()):
            self._end()
            self.universe.timeline.after(50_000, self.universe.start_node)
            return
        for child in self._children.values():
            batch = child.next_batch()
            if batch is not None:
                self.universe.timeline.after(self.delay(), self._arrives, child, child.incarnation, batch)

    def _arrives(self, child: SimulatedChild, incarnation: int, batch: Deliveries) -> None:
        if self.gone or child.incarnation != incarnation:
            return
        child.sending = False
        process = cast("PartProcess | None", child.process)
        if process is not None:
            process.loop.call_soon(process.context.deliver, batch)
        self._go_on()

    def _send_to_peer(self, node: NodeId, target: str, payload: bytes) -> None:
        if self._messages.fraction(bends=ARRIVES) < ARRIVES:
            for other in self.universe.split_nodes:
                if other.name == node:
                    self.universe.timeline.after(self.delay(), other.from_peer, target, payload)

    def from_peer(self, target: str, payload: bytes) -> None:
        """Receive a message of another node."""
        if not self.gone and target in self._children:
            self._children[target].queue_message(payload)
            self._go_on()

    def _end(self) -> None:
        self.gone = self.stopping = True
        self.universe.split_nodes.remove(self)
        for other in self.universe.split_nodes:
            self.universe.timeline.after(SECOND, other.peer_down, self)
