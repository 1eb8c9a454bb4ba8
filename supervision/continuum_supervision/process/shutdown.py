"""Carries out an orderly shutdown: all processes drain at once, then each stops, the last started first.

They drain at the same time because one after the other each would claim the work that the one before it has
released.
"""

import logging
from collections.abc import Callable, Mapping
from typing import assert_never

from continuum_supervision.process.child import Child
from continuum_supervision.process.decisions import (
    AllStopped,
    AskToStop,
    KillOverdue,
    WaitForExit,
    next_shutdown_step,
)
from continuum_supervision.process.limits import EXIT_RECHECK_S

logger = logging.getLogger("continuum.process")


class NodeShutdown:
    """The shutdown of one node: not begun, begun, or over. `reason` is None if the launcher requested it."""

    def __init__(self, children: Mapping[str, Child], wake_after: Callable[[float], None]) -> None:
        self._children = children
        self._wake_after = wake_after
        self._until: float | None = None
        self._killed: set[str] = set()
        self.begun = False
        self.over = False
        self.reason: str | None = None

    def begin(self, now: float, *, budget: float | None, reason: str | None) -> None:
        """Begin; if it has begun already, shorten it to a new overall budget."""
        if budget is not None:
            self._until = now + budget
            self._shorten_deadlines(now, self._until)
        if self.begun:
            return
        self.begun, self.reason = True, reason
        for child in self._children.values():
            child.ask_to_drain()
            if child.spec.drains:
                self._set_deadline(child, now)

    def still_needs(self, child: Child) -> bool:
        """Whether a process that died is started again: those that drain rely on it until they end."""
        if child.spec.drains or child.asked_to_stop or self.over:
            return False
        if not any(other.alive and other.spec.drains for other in self._children.values()):
            return False
        child.ask_to_drain()
        return True

    def advance(self, now: float) -> bool:
        """Take the next step; True once, when the last process is gone."""
        if self.over:
            return False
        match next_shutdown_step([child.stopping() for child in self._children.values()], now=now):
            case AskToStop(process_id):
                child = self._children[process_id]
                child.ask_to_stop()
                if not child.spec.drains:
                    self._set_deadline(child, now)
            case KillOverdue(process_id):
                if process_id not in self._killed:
                    self._killed.add(process_id)
                    logger.warning("process %s outlived its shutdown budget and is killed", process_id)
                self._children[process_id].kill()
                self._wake_after(EXIT_RECHECK_S)
            case WaitForExit():
                # The process that was asked to stop has a wake-up at its deadline already.
                pass
            case AllStopped():
                self.over = True
            case never:
                assert_never(never)
        return self.over

    def _set_deadline(self, child: Child, now: float) -> None:
        deadline = now + child.spec.shutdown_budget
        child.deadline = deadline if self._until is None else min(deadline, self._until)
        self._wake_after(max(0.0, child.deadline - now))

    def _shorten_deadlines(self, now: float, deadline: float) -> None:
        for child in self._children.values():
            if child.deadline is not None and deadline < child.deadline:
                child.deadline = deadline
                self._wake_after(deadline - now)
