"""Carries an orderly shutdown out: one process at a time, the last started first, each within its budget."""

import logging
from collections.abc import Callable, Mapping
from typing import assert_never

from continuum_supervision.process_child import Child
from continuum_supervision.process_decisions import (
    AllStopped,
    AskToStop,
    KillOverdue,
    WaitUntil,
    next_shutdown_step,
)
from continuum_supervision.process_limits import EXIT_RECHECK_S

logger = logging.getLogger("continuum.process")


class NodeShutdown:
    """The shutdown of one node: not begun, under way, or over. `reason` is None if it was asked for."""

    def __init__(self, children: Mapping[str, Child], wake_after: Callable[[float], None]) -> None:
        self._children = children
        self._wake_after = wake_after
        self._until: float | None = None
        self._killed: set[str] = set()
        self.begun = False
        self.over = False
        self.reason: str | None = None

    def begin(self, now: float, *, budget: float | None, reason: str | None) -> None:
        """Begin, or shorten what has begun to a new overall budget."""
        if budget is not None:
            self._until = now + budget
            self._hasten(now, self._until)
        if not self.begun:
            self.begun, self.reason = True, reason

    def go_on(self, now: float) -> bool:
        """Do what is due; True once, when the last process is gone."""
        if self.over:
            return False
        match next_shutdown_step([child.stopping() for child in self._children.values()], now=now):
            case AskToStop(process_id):
                child = self._children[process_id]
                deadline = now + child.spec.shutdown_budget
                deadline = deadline if self._until is None else min(deadline, self._until)
                child.ask_to_stop(deadline)
                self._wake_after(max(0.0, deadline - now))
            case KillOverdue(process_id):
                if process_id not in self._killed:
                    self._killed.add(process_id)
                    logger.warning("process %s outlived its shutdown budget and is killed", process_id)
                self._children[process_id].kill()
                self._wake_after(EXIT_RECHECK_S)
            case WaitUntil():
                # Whoever was asked has a wake-up at its deadline already.
                pass
            case AllStopped():
                self.over = True
            case never:
                assert_never(never)
        return self.over

    def _hasten(self, now: float, deadline: float) -> None:
        for child in self._children.values():
            if child.asked_until is not None and deadline < child.asked_until:
                child.asked_until = deadline
                self._wake_after(deadline - now)
