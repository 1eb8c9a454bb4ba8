"""The launcher's side of a node: start its processes, exchange messages with them, stop them.

The processes are forked from a new Python process, so the launcher may have threads, loops and connections.
If the launcher ends, however it ends, the whole node ends with it. All methods may be called from any thread;
they block, so a launcher with a loop calls them through `asyncio.to_thread`.
"""

import logging
import os
import pickle
import queue
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from continuum_supervision.errors import ProcessSystemError
from continuum_supervision.process.addresses import resolved
from continuum_supervision.process.control_socket import ControlReader, send_block
from continuum_supervision.process.events import (
    Incoming,
    NodeEnded,
    NodeEvent,
    ProcessDied,
    ProcessReady,
    ProcessStarted,
)
from continuum_supervision.process.limits import (
    EXIT_GRACE_S,
    LAUNCHER_LOOKS_EVERY_S,
    LAUNCHER_SHARE_S,
    START_DEADLINE_S,
    SUPERVISOR_HUNG_AFTER_S,
)
from continuum_supervision.process.liveness import SUPERVISOR_SLOT, LivenessBoard
from continuum_supervision.process.log import LogOutput
from continuum_supervision.process.plan import NodePlan
from continuum_supervision.process.spec import ProcessSpec
from continuum_supervision.process.system_start import SystemStart
from continuum_supervision.process.watchdog import Watcher
from continuum_supervision.process.wire import (
    Address,
    LauncherSends,
    NodeNotStarted,
    NodeStarted,
    ShutdownNode,
)
from continuum_supervision.transport.cookie import random_cookie

logger = logging.getLogger("continuum.process")


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A process that is alive."""

    id: str
    role: str
    pid: int
    incarnation: int


class ProcessSystem:
    """The processes of a running node. Made by `start`; over with the event `NodeEnded`."""

    def __init__(
        self,
        system: "subprocess.Popen[bytes]",
        control: socket.socket,
        life: int,
        ids: frozenset[str],
        hung_after: float,
    ) -> None:
        self._system = system
        self._control = control
        self._life = life
        self._ids = ids
        self._hung_after = hung_after
        self._events: queue.Queue[NodeEvent] = queue.Queue()
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._running: dict[str, ProcessStarted] = {}
        self._ready: set[str] = set()
        self._started: NodeStarted | None = None
        self._not_started: str | None = None
        self._killed_for = NodeEnded("the node was killed")
        self._ended: NodeEnded | None = None
        # What watches the root supervisor: used by the listening thread alone.
        self._watched: tuple[Watcher, LivenessBoard] | None = None
        self._listener = threading.Thread(target=self._listen, name="continuum node events", daemon=True)
        self._listener.start()

    @classmethod
    def start(
        cls,
        specs: Sequence[ProcessSpec],
        *,
        node: str,
        bind: Address | None = None,
        join: Address | None = None,
        cookie: bytes | None = None,
        hung_after: float = SUPERVISOR_HUNG_AFTER_S,
        system: SystemStart | None = None,
        log: LogOutput | None = None,
    ) -> "ProcessSystem":
        """Start a node; return when its root supervisor runs, raise ProcessSystemError if it does not.

        A node whose root supervisor does not answer for `hung_after` seconds is ended. `system` is
        a system process that was started ahead. `log` is how the supervisor logs; the processes below it
        set up their own logging.
        """
        if not specs:
            raise ProcessSystemError("a node without processes has nothing to do: name at least one")
        if cookie is None and (bind is not None or join is not None):
            raise ProcessSystemError(
                "a node that others can reach needs a cookie: give all nodes the same cookie file"
            )
        bind = resolved(bind, purpose="bind to") if bind is not None else None
        join = resolved(join, purpose="join at") if join is not None else None
        if join is not None and bind is None and not join[0].startswith("127."):
            raise ProcessSystemError(
                f"node {node} cannot be called back from {join[0]}: bind to an address as well"
            )
        plan = NodePlan(node, tuple(specs), cookie or random_cookie(), bind, join, log or LogOutput())
        running = cls._launch(plan, hung_after, system)
        try:
            running._wait_until_started()
        except BaseException:
            running.kill()
            raise
        return running

    @classmethod
    def _launch(cls, plan: NodePlan, hung_after: float, system: SystemStart | None) -> "ProcessSystem":
        pickled = pickle.dumps(plan)
        with system or SystemStart() as started:
            started.send_plan(pickled)
        ids = frozenset(spec.id for spec in plan.specs)
        return cls(started.process, started.control, started.life, ids, hung_after)

    def wait_ready(self, timeout: float, *, first_lives: bool = False) -> None:
        """Wait until every process has reported that it is ready.

        With `first_lives` none of them may die meanwhile; otherwise it is started again, as at any time.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._ready >= self._ids or self._ended is not None or (first_lives and self._died()),
                timeout,
            )
            if self._ended is not None:
                raise ProcessSystemError(self._ended.reason or "the node was shut down before it was ready")
            missing = sorted(self._ids - self._ready)
            if missing and first_lives and (died := self._died()):
                raise ProcessSystemError(f"{', '.join(died)} ended while the node started: its log says why")
        if missing:
            raise ProcessSystemError(
                f"not ready within {timeout:g} s: {', '.join(missing)}; their log says why"
            )

    def _died(self) -> list[str]:
        """Return the processes that had to be started again."""
        return sorted(each.process_id for each in self._running.values() if each.incarnation > 1)

    def receive(self, timeout: float | None = None) -> NodeEvent | None:
        """Return the next event, None if there is none in time. After `NodeEnded` there is none."""
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    def messages(self) -> Iterator[NodeEvent]:
        """Yield every event as it comes; the last one is `NodeEnded`."""
        while True:
            event = self._events.get()
            yield event
            if isinstance(event, NodeEnded):
                return

    def send(self, process_id: str, message: object) -> None:
        """Send to one of the processes."""
        if process_id not in self._ids:
            raise ProcessSystemError(
                f"this node has no process {process_id}: it has {', '.join(sorted(self._ids))}"
            )
        self._send(LauncherSends(process_id, pickle.dumps(Incoming(message))))

    def processes(self) -> list[RunningProcess]:
        with self._changed:
            return [
                RunningProcess(p.process_id, p.role, p.pid, p.incarnation) for p in self._running.values()
            ]

    @property
    def address(self) -> Address:
        """The address at which the root supervisor listens."""
        return self._node.address

    @property
    def directory(self) -> Path:
        """The node's private directory, removed when the node ends."""
        return Path(self._node.directory)

    def own_pids(self) -> dict[str, int]:
        """Return the pids of the system process, the admin and the supervisor."""
        node = self._node
        return {"system": node.system_pid, "admin": node.admin_pid, "supervisor": node.supervisor_pid}

    @property
    def alive(self) -> bool:
        return self._system.poll() is None

    @property
    def ended(self) -> NodeEnded | None:
        return self._ended

    def shutdown(self, budget: float | None = None) -> NodeEnded:
        """Stop everything in reverse order; returns when it is over. May be called any number of times.

        The supervisor kills what exceeds the budget, and the launcher a supervisor that does not.
        """
        if budget is None:
            self._send(ShutdownNode(None))
        else:
            self._send(ShutdownNode(max(budget - LAUNCHER_SHARE_S, budget / 2)))
        return self._wait_for_end(budget)

    def kill(self) -> NodeEnded:
        """End the node at once, whatever it is doing."""
        if self._system.poll() is None:
            self._system.kill()
        return self._wait_for_end(None)

    def _wait_for_end(self, timeout: float | None) -> NodeEnded:
        try:
            self._system.wait(timeout)
        except subprocess.TimeoutExpired:
            self._kill_for(NodeEnded(f"the node did not stop within {timeout:g} s and was killed"))
        self._listener.join()
        assert self._ended is not None
        return self._ended

    @property
    def _node(self) -> NodeStarted:
        assert self._started is not None
        return self._started

    def _wait_until_started(self) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._started is not None or self._ended is not None, START_DEADLINE_S
            )
            if self._started is None:
                raise ProcessSystemError(
                    self._not_started or "the processes of the node could not be started: their log says why"
                )

    def _send(self, message: object) -> None:
        with self._sending:
            if self._ended is None:
                try:
                    send_block(self._control, pickle.dumps(message))
                except (BrokenPipeError, ConnectionResetError):
                    # The listener is about to report how the node ended.
                    return

    def _listen(self) -> None:
        reader = ControlReader(self._control)
        present = True
        last: NodeEnded | None = None
        arrived = select.poll()
        arrived.register(self._control, select.POLLIN)
        while present:
            if not arrived.poll(LAUNCHER_LOOKS_EVERY_S * 1000):
                self._end_if_hung()
                continue
            messages, present = reader.read_available()
            for message in messages:
                last = self._record(message) or last
            if last is not None:
                # Whatever else it sends does not matter; the admin holds the socket until it ends.
                break
        # The root supervisor has ended, and what is above it follows.
        try:
            self._system.wait(EXIT_GRACE_S)
        except subprocess.TimeoutExpired:
            logger.warning("the processes above the root supervisor did not end with it and are killed")
            self._system.kill()
            self._system.wait()
        self._finish(last or (NodeEnded(self._not_started) if self._not_started else self._killed_for))

    def _end_if_hung(self) -> None:
        if self._started is None or self._system.poll() is not None:
            return
        if self._watched is None:
            board = LivenessBoard.open(Path(self._started.directory) / "liveness")
            self._watched = (Watcher.awake(time.monotonic()), board)
        watcher, board = self._watched
        watcher.look(time.monotonic())
        if watcher.silence(board.read(SUPERVISOR_SLOT).beat_at) > self._hung_after:
            reason = (
                f"the root supervisor (pid {self._started.supervisor_pid}) has not answered for"
                f" {self._hung_after:g} s: the node is killed and can be started again"
            )
            self._kill_for(NodeEnded(reason, hung=True))

    def _kill_for(self, end: NodeEnded) -> None:
        """Kill the system process; the kernel ends those below it, stopped ones included."""
        self._killed_for = end
        self._system.kill()
        self._system.wait()

    def _record(self, message: object) -> NodeEnded | None:
        with self._changed:
            match message:
                case NodeStarted():
                    self._started = message
                case NodeNotStarted(reason):
                    self._not_started = reason
                case NodeEnded():
                    return message
                case ProcessStarted(process_id):
                    self._running[process_id] = message
                    self._events.put(message)
                case ProcessDied(process_id):
                    self._running.pop(process_id, None)
                    self._ready.discard(process_id)
                    self._events.put(message)
                case ProcessReady(process_id):
                    self._ready.add(process_id)
                    self._events.put(message)
                case event:
                    self._events.put(event)  # type: ignore[arg-type]
            self._changed.notify_all()
        return None

    def _finish(self, ended: NodeEnded) -> None:
        if self._started is not None:
            # The system process removes it, unless it was killed.
            shutil.rmtree(self._started.directory, ignore_errors=True)
        with self._sending:
            self._control.close()
            os.close(self._life)
            with self._changed:
                self._ended = ended
                self._running.clear()
                self._changed.notify_all()
        self._events.put(ended)
