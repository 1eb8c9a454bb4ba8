"""The Thespian actor of one process: it passes messages in and out, nothing else.

It runs in the main thread of its own OS process. While one batch is on its way to the supervisor the next one
gathers, so many messages become few large ones.
"""

# Thespian has no types; what pyright guesses from its source is wrong for what a subclass may do.
# pyright: reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false

import logging
import os
import socket
import sys
from datetime import timedelta
from typing import Any

from thespian.actors import Actor, ThespianWatch
from thespian.system.transport import TransmitIntent

from continuum_supervision.process.inherited import (
    close_launcher_connections,
    forking_parent,
    inherited,
    restore_logging,
)
from continuum_supervision.process.limits import SEND_GIVE_UP_S, SEND_RETRY_EVERY_S
from continuum_supervision.process.parent_death import die_with_parent, end_if_orphaned
from continuum_supervision.process.plan import StartProcess
from continuum_supervision.process.signals import restore_signals
from continuum_supervision.process.thread import ProcessThread
from continuum_supervision.process.wire import Deliveries, Finished, FromProcess, Outgoing


def intent(target: Any, message: object, *, on_done: Any) -> TransmitIntent:
    """Make a send of limited duration that calls `on_done(status, intent)` however it ends."""
    return TransmitIntent(
        target,
        message,
        on_done,
        on_done,
        timedelta(seconds=SEND_GIVE_UP_S),
        timedelta(seconds=SEND_RETRY_EVERY_S),
    )


class ProcessActor(Actor):  # type: ignore[misc]
    """Connects the thread of a process's main function to the root supervisor."""

    def __init__(self) -> None:
        super().__init__()
        self._parent_pid = forking_parent()
        die_with_parent(self._parent_pid)
        restore_signals(keep_child_signal=False)
        restore_logging()
        close_launcher_connections()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._supervisor: Any = None
        self._start: StartProcess | None = None
        self._thread: ProcessThread | None = None
        self._gathered: list[Outgoing] = []
        self._sending = False

    def receiveMessage(self, message: Any, sender: Any) -> ThespianWatch:  # noqa: N802 - Thespian's name
        end_if_orphaned(self._parent_pid)
        match message:
            case StartProcess() if self._thread is None:
                self._supervisor, self._start = sender, message
                self._thread = ProcessThread(message, inherited().board, self._wake)
            case Deliveries() if self._thread is not None:
                self._thread.deliver(message)
            case _:
                # A wake-up, or a message of Thespian's own: only look at the outbox.
                pass
        self._drain()
        return ThespianWatch([self._woken.fileno()])

    def _wake(self) -> None:
        try:
            self._waker.send(b"w")
        except BlockingIOError:
            # The socket is full, so the actor will wake anyway.
            return

    def _drain(self) -> None:
        try:
            while self._woken.recv(4096):
                pass
        except BlockingIOError:
            self._gather_and_send()

    def _gather_and_send(self) -> None:
        if self._thread is None or self._start is None:
            return
        self._gathered += self._thread.take_outgoing()
        if self._sending or not self._gathered:
            return
        self._sending = True
        batch = FromProcess(self._start.spec.id, self._start.incarnation, tuple(self._gathered))
        self._gathered = []
        self._myRef._send_intent(intent(self._supervisor, batch, on_done=self._sent))

    def _sent(self, _status: Any, sent: TransmitIntent) -> None:
        self._sending = False
        last = sent.message.outgoing[-1]
        if isinstance(last, Finished):
            _end_process(last.exit_code)
        self._gather_and_send()


def _end_process(exit_code: int) -> None:
    # Thespian's own exit asks the admin and takes seconds; this way the supervisor sees the end at once.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
