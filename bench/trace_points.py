"""Marks of what a process does with its journal: calls, round trips and notifications, with the time of each.

`install` replaces methods of classes in this process, so the engine has no code for it.
A mark is a line of text that is appended to a file which all processes share; it costs a few microseconds.
Times are those of the kernel's monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import functools
import inspect
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.watched_connection import WatchedConnection

# Names the file to the processes of a node.
VARIABLE = "CONTINUUM_BENCH_TRACE"
# As they were before a guard could replace them.
_clock, _write, _pid = time.monotonic_ns, os.write, os.getpid
CALLED, RETURNED, HEARD, TRIP = "called", "returned", "heard", "trip"
# The marks of a measuring program itself.
START, RESULT = "start", "result"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that a process did: at which nanosecond, of which kind, and what."""

    at: int
    pid: int
    kind: str
    what: str


class Trace:
    """Appends marks to a file."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def mark(self, kind: str, what: str) -> None:
        """Write one mark."""
        _write(self._file, f"{_clock()} {_pid()} {kind} {what}\n".encode())


def install(path: str) -> Trace:
    """Mark from now on each call of a journal, each round trip, and each notification in this process."""
    trace = Trace(path)
    for name, method in list(vars(PostgresJournal).items()):
        if inspect.iscoroutinefunction(method) and not name.startswith("_"):
            setattr(PostgresJournal, name, _marked(trace, name, method))
    PostgresJournal.notifications = _notifications(trace, PostgresJournal.notifications)  # type: ignore[method-assign]
    WatchedConnection.wait = _trips(trace, WatchedConnection.wait)  # type: ignore[method-assign]
    return trace


def _marked(trace: Trace, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def call(*args: Any, **named: Any) -> Any:
        trace.mark(CALLED, name)
        try:
            return await method(*args, **named)
        finally:
            trace.mark(RETURNED, name)

    return call


def _trips(trace: Trace, wait: Callable[..., Any]) -> Any:
    @functools.wraps(wait)
    async def trip(*args: Any, **named: Any) -> Any:
        trace.mark(TRIP, "")
        return await wait(*args, **named)

    return trip


def _notifications(trace: Trace, listen: Callable[..., AsyncIterator[Any]]) -> Any:
    @functools.wraps(listen)
    async def heard(*args: Any, **named: Any) -> AsyncIterator[Any]:
        async for notification in listen(*args, **named):
            trace.mark(HEARD, notification.topic.name.lower())
            yield notification

    return heard


def marks(path: Path) -> Iterator[Mark]:
    """Return what has been marked, in the order of time."""
    lines = (line.split(" ") for line in path.read_text(encoding="ascii").splitlines())
    return iter(
        sorted((Mark(int(at), int(pid), *rest) for at, pid, *rest in lines), key=lambda mark: mark.at)
    )
