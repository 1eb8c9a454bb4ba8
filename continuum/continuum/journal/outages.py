"""Outages of a database in the log: one line at the start and one at the end, however many callers wait.

All calls of a process to one database share an `Outage`: its journals, their connections that listen, and
callers that wait for a result.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Protocol, runtime_checkable

from continuum.quoting import one_line

log = logging.getLogger("continuum.journal")

# After an outage each idle connection fails once, at its next use: the same outage, unless it lasts.
SETTLE_SECONDS = 5.0


class Outage:
    """Whether a database answers, as this process knows it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._ended: float | None = None
        self._announced = False
        # A blocking client and a node may be in different threads.
        self._lock = Lock()

    def failed(self, phrase: str, error: BaseException) -> None:
        """A call could not reach the database; it will be made again. `phrase` names the call."""
        with self._lock:
            now = self._clock()
            if self._began is None:
                self._began = now
            if self._announced:
                return
            settling = self._ended is not None and self._began - self._ended < SETTLE_SECONDS
            if settling and now - self._began < SETTLE_SECONDS:
                return
            self._announced = True
        log.warning(
            "%s: %s; everything that needs the database waits until it answers", phrase, one_line(str(error))
        )

    def answered(self) -> None:
        """A call that could not reach the database before has been answered."""
        if self._began is None:
            return
        with self._lock:
            began, announced = self._began, self._announced
            if began is None:
                return
            now = self._clock()
            self._began, self._announced, self._ended = None, False, now
        if announced:
            log.warning("the database answers again, after %.1f s", now - began)


@runtime_checkable
class _Journal(Protocol):
    outage: Outage


def outage_in(journal: object) -> Outage:
    """Return the outage that a journal shares with all others on its database, or one of its own."""
    return journal.outage if isinstance(journal, _Journal) else Outage()


_outages: dict[str, Outage] = {}


def outage_of(dsn: str) -> Outage:
    """Return the one outage of a database in this process."""
    return _outages.setdefault(dsn, Outage())
