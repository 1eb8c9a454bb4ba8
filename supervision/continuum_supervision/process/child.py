"""One process as the root supervisor sees it: its incarnations, deaths and waiting messages. No Thespian."""

import logging
import os
import signal
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

from continuum_supervision.process.decisions import Stopping, recent_deaths, too_many_deaths
from continuum_supervision.process.events import ProcessDied, ProcessStarted
from continuum_supervision.process.limits import MESSAGES_KEPT_WHILE_DOWN
from continuum_supervision.process.liveness import Liveness
from continuum_supervision.process.spec import ProcessSpec
from continuum_supervision.process.wire import Deliveries, Delivery

logger = logging.getLogger("continuum.process")


@dataclass(slots=True)
class Child:
    """The state of one process across its restarts."""

    spec: ProcessSpec
    incarnation: int = 0
    process: BaseProcess | None = None
    address: Any = None
    deadline: float | None = None
    asked_to_stop: bool = False
    sending: bool = False
    drain_unsent: bool = False
    shutdown_unsent: bool = False
    restart_due: bool = False
    ready: bool = False
    hung: bool = False
    started_at: float = 0.0
    deaths: tuple[float, ...] = ()
    dropped: int = 0
    _waiting: deque[Delivery] = field(default_factory=deque)
    _notices: deque[Delivery] = field(default_factory=deque)
    _last_notice: int = 0

    @property
    def alive(self) -> bool:
        return self.process is not None

    @property
    def pid(self) -> int:
        assert self.process is not None
        assert self.process.pid is not None
        return self.process.pid

    def begin_life(self, process: BaseProcess, address: Any, now: float) -> ProcessStarted:
        """Record a new process; it gets the notices that its predecessor did not acknowledge."""
        self.incarnation += 1
        self.process, self.address = process, address
        self.sending = self.restart_due = self.ready = self.hung = False
        self.started_at = now
        self._waiting.extendleft(reversed(self._notices))
        return self.started()

    def started(self) -> ProcessStarted:
        return ProcessStarted(self.spec.id, self.spec.role, self.incarnation, self.pid)

    def end_life(self, now: float, last: Liveness) -> ProcessDied:
        """Record that the process has exited."""
        assert self.process is not None
        exit_code = self.process.exitcode
        died = ProcessDied(
            self.spec.id, self.spec.role, self.incarnation, self.pid, exit_code, last, now, self.hung
        )
        self.process = self.address = None
        # A waiting notice is in `_notices` as well; `begin_life` puts it back from there.
        self._waiting = deque(delivery for delivery in self._waiting if delivery.notice is None)
        self.deaths = (*recent_deaths(self.deaths, now=now, within=self.spec.max_restarts_within), now)
        return died

    def has_died_too_often(self, now: float) -> bool:
        return too_many_deaths(
            self.deaths, now=now, max_restarts=self.spec.max_restarts, within=self.spec.max_restarts_within
        )

    def has_exited(self) -> bool:
        return self.process is not None and not self.process.is_alive()

    def queue_message(self, payload: bytes, *, urgent: bool = False) -> None:
        """Queue a message; if too many wait, drop the oldest."""
        if len(self._waiting) - len(self._notices) >= MESSAGES_KEPT_WHILE_DOWN:
            self._drop_oldest_message()
        self._waiting.append(Delivery(payload, urgent=urgent))

    def queue_notice(self, payload: bytes) -> None:
        """Queue a notice; it is kept until it is acknowledged, across restarts."""
        self._last_notice += 1
        notice = Delivery(payload, self._last_notice)
        self._notices.append(notice)
        if self.alive:
            self._waiting.append(notice)

    def acknowledge_notices(self, up_to: int) -> None:
        """Drop the notices up to this number: the process has handled them."""
        while self._notices and (self._notices[0].notice or 0) <= up_to:
            self._notices.popleft()

    def next_batch(self) -> Deliveries | None:
        """Take everything that waits; None if there is nothing, or while an earlier batch is being sent."""
        if self.sending or not self.alive:
            return None
        if not (self._waiting or self.drain_unsent or self.shutdown_unsent):
            return None
        batch = Deliveries(tuple(self._waiting), self.drain_unsent, self.shutdown_unsent)
        self._waiting.clear()
        self.drain_unsent = self.shutdown_unsent = False
        self.sending = True
        return batch

    def ask_to_drain(self) -> None:
        self.drain_unsent = True

    def ask_to_stop(self) -> None:
        self.asked_to_stop = self.shutdown_unsent = True

    def kill(self) -> None:
        """Kill the process if it is alive: after it is reaped its pid may belong to another one."""
        if self.process is not None and self.process.is_alive():
            os.kill(self.pid, signal.SIGKILL)

    def stopping(self) -> Stopping:
        return Stopping(self.spec.id, self.alive, self.deadline, asked=self.asked_to_stop)

    def _drop_oldest_message(self) -> None:
        for position, delivery in enumerate(self._waiting):
            if delivery.notice is None:
                del self._waiting[position]
                if self.dropped == 0:
                    logger.warning(
                        "messages for process %s are dropped: %d wait already",
                        self.spec.id,
                        len(self._waiting),
                    )
                self.dropped += 1
                return
