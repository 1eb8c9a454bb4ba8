"""What the main function of a process is given, and the thread whose loop runs it. Knows no Thespian.

Inbound: the actor's thread hands deliveries over with `call_soon_threadsafe`. Outbound: everything is
appended to an outbox and the actor's thread is woken, which sends all that has gathered as one message.
Messages are pickled where they are sent, so that an unpicklable one is the sender's error.
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
    Deliveries,
    KillSibling,
    NoticesTaken,
    Outgoing,
    SaidReady,
    ToLauncher,
    ToPeer,
    ToSibling,
)
from continuum_supervision.transport.trusted_pickle import unpickled

logger = logging.getLogger("continuum.process")


class ProcessContext:
    """A process's way to siblings, other nodes and the launcher. What sends may be called from any thread."""

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
        # Set in all processes at once when the node begins to stop: from now on take up nothing new.
        self.drain_requested = asyncio.Event()
        # Set when it is this process's turn to end; whoever started later has ended already.
        self.shutdown_requested = asyncio.Event()
        self._send = send
        self._inbox: deque[tuple[Incoming, int | None]] = deque()
        self._arrived = asyncio.Event()
        self._callback: Callable[[Incoming], None] | None = None
        self._handed_out: int | None = None

    async def receive(self) -> Incoming:
        """Wait for the next message. Asking for the next one says that the last one has been dealt with."""
        self._acknowledge()
        while not self._inbox:
            self._arrived.clear()
            await self._arrived.wait()
        incoming, self._handed_out = self._inbox.popleft()
        return incoming

    def on_message(self, callback: Callable[[Incoming], None]) -> None:
        """Have messages given to a callback in the loop instead of `receive`, waiting ones first."""
        self._callback = callback
        self._hand_to_callback()

    def ready(self) -> None:
        """Say that this process serves; the launcher waits for everybody to say so."""
        self._send(SaidReady())

    def send(self, process_id: str, message: object) -> None:
        """Send to a sibling, at most once; it is kept while the sibling is being restarted."""
        self._send(ToSibling(process_id, pickle.dumps(Incoming(message, self.process_id, None))))

    def send_to_peer(self, node: str, process_id: str, message: object) -> None:
        """Send to a process of another node, at most once; dropped if no such node is up."""
        incoming = Incoming(message, self.process_id, self.node)
        self._send(ToPeer(node, process_id, pickle.dumps(incoming)))

    def report(self, message: object) -> None:
        """Tell the launcher."""
        self._send(ToLauncher(pickle.dumps(message)))

    def kill(self, process_id: str, incarnation: int) -> None:
        """Have a sibling killed with SIGKILL, if it is still that incarnation."""
        self._send(KillSibling(process_id, incarnation))

    def deliver(self, arrived: Deliveries) -> None:
        """Take what has arrived; called in the loop."""
        for delivery in arrived.deliveries:
            try:
                incoming = unpickled(delivery.payload)
                assert isinstance(incoming, Incoming)
            except Exception:
                logger.exception(
                    "process %s cannot read a message: do all processes run the same code?", self.process_id
                )
                continue
            self._inbox.append((incoming, delivery.notice))
        if arrived.drain:
            self.drain_requested.set()
        if arrived.shutdown:
            self.shutdown_requested.set()
        self._arrived.set()
        self._hand_to_callback()

    def _hand_to_callback(self) -> None:
        while self._callback is not None and self._inbox:
            incoming, self._handed_out = self._inbox.popleft()
            self._callback(incoming)
            self._acknowledge()

    def _acknowledge(self) -> None:
        if self._handed_out is not None:
            self._send(NoticesTaken(self._handed_out))
            self._handed_out = None
