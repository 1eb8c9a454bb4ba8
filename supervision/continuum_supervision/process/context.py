"""What the main function of a process is given to reach the others. Knows no Thespian.

Inbound: the actor's thread schedules `deliver` in the loop of main. Outbound: messages are appended to an
outbox and the actor's thread is woken; it sends all that has gathered as one message (`thread.py`). Messages
are pickled where they are sent, so that one that cannot be pickled raises in the sender.
"""

import asyncio
import logging
import pickle
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from continuum_supervision.process.events import Incoming
from continuum_supervision.process.liveness import LivenessBoard, LivenessSlot
from continuum_supervision.process.wire import (
    BecameReady,
    Deliveries,
    Delivery,
    KillSibling,
    NoticesHandled,
    Outgoing,
    ToLauncher,
    ToPeer,
    ToSibling,
)
from continuum_supervision.transport.trusted_pickle import unpickled

logger = logging.getLogger("continuum.process")


class ProcessContext:
    """Connects a process to its siblings, to other nodes and to the launcher. Send from any thread."""

    def __init__(
        self,
        process_id: str,
        incarnation: int,
        *,
        args: Any,
        node: str,
        directory: Path,
        board: LivenessBoard,
        send: Callable[[Outgoing], None],
    ) -> None:
        self.process_id = process_id
        self.incarnation = incarnation
        self.args = args
        self.node = node
        self.directory = directory
        self.liveness = board
        self.own_liveness: LivenessSlot = board.slot(process_id)
        # Set in all processes at once when the node begins to stop: from now on start no new work.
        self.drain_requested = asyncio.Event()
        # Set when this process is to end; the processes that started after it have ended by then.
        self.shutdown_requested = asyncio.Event()
        self._send = send
        self._inbox: deque[tuple[Incoming, int | None]] = deque()
        self._arrived = asyncio.Event()
        self._callback: Callable[[Incoming], None] | None = None
        self._urgent_callback: Callable[[Incoming], None] | None = None
        self._unacknowledged: int | None = None

    async def receive(self) -> Incoming:
        """Wait for the next message. This call acknowledges the one before."""
        self._acknowledge()
        while not self._inbox:
            self._arrived.clear()
            await self._arrived.wait()
        incoming, self._unacknowledged = self._inbox.popleft()
        return incoming

    def on_message(self, callback: Callable[[Incoming], None]) -> None:
        """Pass messages to a callback in the loop instead of `receive`, those that wait first."""
        self._callback = callback
        self._call_back()

    def on_urgent(self, callback: Callable[[Incoming], None]) -> None:
        """Pass urgent messages to a callback in the main thread of the process; others are dropped.

        It must be quick, touch nothing of the loop's, and raise nothing that it can answer.
        """
        self._urgent_callback = callback

    def ready(self) -> None:
        """Report that this process is ready; the launcher waits until every process has."""
        self._send(BecameReady())

    def send(self, process_id: str, message: object) -> None:
        """Send to a sibling, at most once; the message is kept while the sibling is being restarted."""
        self._send(ToSibling(process_id, pickle.dumps(Incoming(message, self.process_id, None))))

    def send_urgently(self, process_id: str, message: object) -> None:
        """Send to a sibling as `send` does; its `on_urgent` gets it, also while its loop is stuck."""
        self._send(ToSibling(process_id, pickle.dumps(Incoming(message, self.process_id, None)), urgent=True))

    def send_to_peer(self, node: str, process_id: str, message: object) -> None:
        """Send to a process of another node, at most once; dropped if no such node is up."""
        incoming = Incoming(message, self.process_id, self.node)
        self._send(ToPeer(node, process_id, pickle.dumps(incoming)))

    def report(self, message: object) -> None:
        """Send to the launcher."""
        self._send(ToLauncher(pickle.dumps(message)))

    def kill(self, process_id: str, incarnation: int) -> None:
        """Kill a sibling with SIGKILL, if it is still that incarnation."""
        self._send(KillSibling(process_id, incarnation))

    def deliver(self, arrived: Deliveries) -> None:
        """Receive a batch; called in the loop."""
        for delivery in arrived.deliveries:
            incoming = None if delivery.urgent else self._opened(delivery)
            if incoming is not None:
                self._inbox.append((incoming, delivery.notice))
        if arrived.drain:
            self.drain_requested.set()
        if arrived.shutdown:
            self.shutdown_requested.set()
        self._arrived.set()
        self._call_back()

    def deliver_urgent(self, arrived: Deliveries) -> None:
        """Receive what is urgent of a batch; called in the main thread of the process."""
        for delivery in arrived.deliveries:
            incoming = self._opened(delivery) if delivery.urgent else None
            if incoming is None or self._urgent_callback is None:
                continue
            try:
                self._urgent_callback(incoming)
            except Exception:
                # It would end the thread that sends and receives for this process.
                logger.exception("process %s could not handle an urgent message", self.process_id)

    def _opened(self, delivery: Delivery) -> Incoming | None:
        try:
            incoming = unpickled(delivery.payload)
            assert isinstance(incoming, Incoming)
        except Exception:
            logger.exception(
                "process %s cannot read a message: do all processes run the same code?", self.process_id
            )
            return None
        return incoming

    def _call_back(self) -> None:
        while self._callback is not None and self._inbox:
            incoming, self._unacknowledged = self._inbox.popleft()
            self._callback(incoming)
            self._acknowledge()

    def _acknowledge(self) -> None:
        if self._unacknowledged is not None:
            self._send(NoticesHandled(self._unacknowledged))
            self._unacknowledged = None
