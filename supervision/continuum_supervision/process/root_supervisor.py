"""The root of a node's processes: a Thespian actor in a process without threads, loops or user code.

It starts the processes, restarts those that die, notifies watchers, routes messages and stops everything in
reverse order. `decisions.py` and `peers.py` decide; this module carries out.

The life of a process, step by step:

1. `_start` forks it with `createActor`, sends it a `StartProcess`, and reports `ProcessStarted` to the
   launcher and to the watchers. A process that watches also gets an event for each running sibling and each
   peer.
2. The process sends its outgoing messages in batches (`FromProcess`). `_handle_outgoing` takes each one: it
   queues it for a sibling, passes it to a peer or to the launcher, or kills a sibling.
3. `_flush` sends each process what waits for it, one batch at a time (`child.py`). A notice stays queued
   until the process reports that it has handled it, so that no restart loses one.
4. Something wakes the supervisor: a message, Thespian's notice of a dead child, a timer, the launcher's
   socket. After each of them `_check_children` asks the kernel which processes have exited. Only that counts.
5. `_handle_death` reports `ProcessDied`. If the process has died too often the node stops; otherwise the
   process is started again, after its death notices have been sent.

The end of the node, step by step:

1. The launcher sends `ShutdownNode`, or a process has died too often: `_stop` asks all processes to drain.
2. After each event `NodeShutdown.advance` takes the next step: it asks the process that was started last to
   stop, waits for it, kills it if it exceeds its budget, and continues with the one before it.
3. When no process is left, the supervisor says goodbye to the peers, then `_end_now` sends `NodeEnded` to the
   launcher and exits. The admin and the system process notice the exit and follow.

If the launcher is gone, or the supervisor itself fails, `_end_now` runs at once: processes that are not
supervised must not continue.
"""

# Thespian has no types; what pyright guesses from its source is wrong for what a subclass may do.
# pyright: reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false

import logging
import os
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, assert_never

from thespian.actors import Actor, ActorAddress, ChildActorExited, ThespianWatch, WakeupMessage, WatchMessage
from thespian.system.transport import SendStatus
from thespian.system.transport.IPBase import TCPv4ActorAddress

from continuum_supervision.process.child import Child
from continuum_supervision.process.control_socket import ControlReader, ControlWriter
from continuum_supervision.process.events import (
    Incoming,
    NodeEnded,
    NodeEvent,
    ProcessDied,
    ProcessReady,
    ProcessStarted,
    Report,
    SiblingNotice,
)
from continuum_supervision.process.inherited import (
    close_life_pipe,
    forking_parent,
    inherited,
    restore_logging,
)
from continuum_supervision.process.limits import (
    EXIT_RECHECK_S,
    GOODBYE_GRACE_S,
    RESTART_AFTER_NOTICE_S,
    SUPERVISOR_TICK_S,
)
from continuum_supervision.process.liveness import SUPERVISOR_SLOT
from continuum_supervision.process.parent_death import die_with_parent, end_if_orphaned
from continuum_supervision.process.peer_link import PeerEvent, PeerLink, SendResult
from continuum_supervision.process.plan import StartProcess
from continuum_supervision.process.shutdown import NodeShutdown
from continuum_supervision.process.signals import restore_signals
from continuum_supervision.process.thespian_actor import ProcessActor, intent
from continuum_supervision.process.watchdog import Watchdog
from continuum_supervision.process.wire import (
    Address,
    BecameReady,
    Finished,
    FromProcess,
    Goodbye,
    Hello,
    KillSibling,
    LauncherSends,
    NodeStarted,
    NoticesHandled,
    Outgoing,
    PeerDeliveries,
    ShutdownNode,
    ToLauncher,
    ToPeer,
    ToSibling,
)
from continuum_supervision.transport.trusted_pickle import unpickled

logger = logging.getLogger("continuum.process")

BEGIN = "begin"
_SEND_RESULTS = {
    SendStatus.SENDSTS_SENT: SendResult.ARRIVED,
    SendStatus.SENDSTS_DEADTARGET: SendResult.REFUSED,
}
_TICK, _CHECK, _END = "tick", "check", "end"


class ProcessSupervisor(Actor):  # type: ignore[misc]
    """Keeps the processes of a node running until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self._parent_pid = forking_parent()
        die_with_parent(self._parent_pid)
        restore_signals(keep_child_signal=True)
        restore_logging()
        held = inherited()
        # The system process watches the pipe of the launcher; here only the control socket is needed.
        close_life_pipe()
        self._plan = held.plan
        self._control = held.control
        self._reader, self._writer = ControlReader(held.control), ControlWriter(held.control)
        self._children = {spec.id: Child(spec) for spec in self._plan.specs}
        self._watchdog = Watchdog(self._children.values(), held.board)
        self._own_liveness = held.board.slot(SUPERVISOR_SLOT)
        self._peers: PeerLink | None = None
        self._shutdown = NodeShutdown(self._children, self._wake_after)

    def receiveMessage(self, message: Any, sender: Any) -> ThespianWatch:  # noqa: N802 - Thespian's name
        try:
            self._handle(message)
            self._check_children()
            self._flush()
        except Exception:
            # Thespian would log the error, call this method again and continue: a half-working supervisor
            # would go unnoticed.
            logger.exception("the root supervisor failed, the node ends")
            self._end_now("the root supervisor failed, its log says why")
        return ThespianWatch([self._control.fileno()])

    def _handle(self, message: object) -> None:
        match message:
            case str() if message == BEGIN:
                self._begin()
            case FromProcess():
                self._receive_batch(message)
            case WatchMessage():
                self._receive_from_launcher()
            case WakeupMessage(payload=payload) if payload == _TICK:
                self._tick()
            case WakeupMessage(payload=payload) if payload == _END:
                self._end_now(self._shutdown.reason)
            case Hello() | Goodbye() | PeerDeliveries() if self._peers is None:
                # A node that stood at this address before was known to others. They greet again.
                pass
            case Hello() | Goodbye():
                self._peer_link.receive(message)
            case PeerDeliveries():
                for target, payload in self._peer_link.accept(message):
                    self._deliver(target, payload)
            case ChildActorExited():
                # It may come before the process is gone, or not at all: check the process itself.
                self.wakeupAfter(timedelta(seconds=EXIT_RECHECK_S), _CHECK)
            case _:
                # A wake-up, or a message of Thespian's own: only check the children.
                pass

    @property
    def _peer_link(self) -> PeerLink:
        assert self._peers is not None
        return self._peers

    def _begin(self) -> None:
        host, port = self._address_of(self.myAddress)
        self._peers = PeerLink(
            self._plan, (host, port), self._send_to_node, self._report_peers, time.monotonic
        )
        held = inherited()
        self._writer.send(
            NodeStarted((host, port), os.getpid(), self._parent_pid, held.system_pid, str(held.directory))
        )
        for child in self._children.values():
            self._start(child)
        self._tick()

    def _tick(self) -> None:
        end_if_orphaned(self._parent_pid)
        self._own_liveness.beat()
        self._watchdog.look()
        if not self._shutdown.begun:
            self._peer_link.tick()
        self.wakeupAfter(timedelta(seconds=min(SUPERVISOR_TICK_S, self._watchdog.look_every)), _TICK)

    def _start(self, child: Child) -> None:
        forked_before = len(getattr(self._myRef, "_child_procs", ()))
        address = self.createActor(ProcessActor)
        forked = self._myRef._child_procs
        if len(forked) <= forked_before:
            raise RuntimeError(f"the operating system gave no process for {child.spec.id}")
        started = child.begin_life(forked[-1].childProc, address, time.monotonic())
        start = StartProcess(child.spec, child.incarnation, self._plan.node, str(inherited().directory))
        self._myRef._send_intent(intent(address, start, on_done=_ignore))
        if child.spec.watches_siblings:
            for other in self._children.values():
                if other.alive and other is not child:
                    child.queue_notice(pickle.dumps(Incoming(other.started())))
            for peer in self._peer_link.present():
                child.queue_notice(pickle.dumps(Incoming(peer)))
        self._notify_watchers([started])

    def _check_children(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.has_exited():
                self._handle_death(child, now)
        due = [child for child in self._children.values() if child.restart_due]
        for child in due:
            if now >= child.deaths[-1] + RESTART_AFTER_NOTICE_S:
                self._start(child)
            else:
                self.wakeupAfter(timedelta(seconds=RESTART_AFTER_NOTICE_S), _CHECK)
        if self._shutdown.begun:
            self._continue_stopping(now)

    def _handle_death(self, child: Child, now: float) -> None:
        died = child.end_life(now, inherited().board.read(child.spec.id))
        self._notify_watchers([died])
        if self._shutdown.begun and not self._shutdown.still_needs(child):
            return
        if child.has_died_too_often(now):
            spec = child.spec
            self._stop(
                None,
                f"process {spec.id} died {len(child.deaths)} times within {spec.max_restarts_within:g} s, "
                f"the node ends: its log says why",
            )
            return
        # With 0 it has said itself why it ends.
        expected = died.ended_itself or died.exit_code == 0
        logger.log(
            logging.INFO if expected else logging.WARNING,
            "process %s (pid %d) ended with exit code %s and is started again",
            died.process_id,
            died.pid,
            died.exit_code,
        )
        child.restart_due = True

    def _receive_batch(self, batch: FromProcess) -> None:
        child = self._children[batch.process_id]
        for outgoing in batch.outgoing:
            self._handle_outgoing(child, batch.incarnation, outgoing)

    def _handle_outgoing(self, child: Child, incarnation: int, outgoing: Outgoing) -> None:
        current = child.alive and child.incarnation == incarnation
        match outgoing:
            case ToSibling(target, payload, urgent):
                self._deliver(target, payload, urgent=urgent)
            case ToPeer(node, target, payload):
                self._peer_link.send(node, target, payload)
            case ToLauncher(payload):
                self._writer.send(Report(child.spec.id, incarnation, unpickled(payload)))
            case KillSibling(process_id, victim):
                self._kill(process_id, victim)
            case BecameReady():
                if current:
                    child.ready = True
                    self._writer.send(ProcessReady(child.spec.id, incarnation))
            case NoticesHandled(up_to):
                child.acknowledge_notices(up_to)
            case Finished():
                # Its exit follows, and only the exit counts.
                pass
            case never:
                assert_never(never)

    def _deliver(self, target: str, payload: bytes, *, urgent: bool = False) -> None:
        child = self._children.get(target)
        if child is None:
            logger.warning("a message for %s was dropped: this node has no such process", target)
            return
        child.queue_message(payload, urgent=urgent)

    def _kill(self, process_id: str, incarnation: int) -> None:
        child = self._children.get(process_id)
        if child is not None and child.incarnation == incarnation:
            child.kill()

    def _notify_watchers(self, notices: Sequence[NodeEvent]) -> None:
        for notice in notices:
            self._writer.send(notice)
            if not isinstance(notice, SiblingNotice):
                continue
            payload = pickle.dumps(Incoming(notice))
            about = notice.process_id if isinstance(notice, ProcessStarted | ProcessDied) else None
            for child in self._children.values():
                if child.spec.watches_siblings and child.spec.id != about:
                    child.queue_notice(payload)

    def _flush(self) -> None:
        self._writer.flush()
        for child in self._children.values():
            batch = child.next_batch()
            if batch is not None:
                self._myRef._send_intent(intent(child.address, batch, on_done=self._delivered_to(child)))

    def _delivered_to(self, child: Child) -> Any:
        incarnation = child.incarnation

        def delivered(_status: Any, _intent: Any) -> None:
            if child.incarnation == incarnation:
                child.sending = False
                self._flush()

        return delivered

    def _receive_from_launcher(self) -> None:
        messages, present = self._reader.read_available()
        if not present:
            # No launcher is left to request an orderly end or to see it.
            self._end_now("the launcher is gone")
        for message in messages:
            match message:
                case LauncherSends(target, payload):
                    self._deliver(target, payload)
                case ShutdownNode(budget):
                    self._stop(budget, None)

    def _stop(self, budget: float | None, reason: str | None) -> None:
        now = time.monotonic()
        self._shutdown.begin(now, budget=budget, reason=reason)
        self._continue_stopping(now)

    def _continue_stopping(self, now: float) -> None:
        if self._shutdown.advance(now):
            reason = self._shutdown.reason
            self._peer_link.say_goodbye(then=lambda: self._end_now(reason))
            self.wakeupAfter(timedelta(seconds=GOODBYE_GRACE_S), _END)

    def _wake_after(self, seconds: float) -> None:
        self.wakeupAfter(timedelta(seconds=seconds), _CHECK)

    def _end_now(self, reason: str | None) -> None:
        """End the node: kill the children and exit; admin and system process notice that and exit too."""
        for child in self._children.values():
            child.kill()
        self._writer.send(NodeEnded(reason))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0 if reason is None else 1)

    def _report_peers(self, events: list[PeerEvent]) -> None:
        # Called by the transport too, between two messages: nothing else would flush then.
        self._notify_watchers(events)
        self._flush()

    def _send_to_node(self, address: Address, message: object, on_done: Callable[[SendResult], None]) -> None:
        def done(status: Any, _intent: Any) -> None:
            on_done(_SEND_RESULTS.get(type(status), SendResult.LOST))

        self._myRef._send_intent(
            intent(ActorAddress(TCPv4ActorAddress(*address, external=True)), message, on_done=done)
        )

    @staticmethod
    def _address_of(address: Any) -> tuple[str, int]:
        host, port = address.addressDetails.sockname[:2]
        return str(host), int(port)


def _ignore(_status: Any, _intent: Any) -> None:
    """Do nothing: a process that did not get its StartProcess has died, and its death is noticed."""
