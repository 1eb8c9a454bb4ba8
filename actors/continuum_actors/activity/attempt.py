"""One attempt of an activity: decode, call, encode, within its time."""

from __future__ import annotations

import asyncio
import contextvars
import faulthandler
import functools
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from continuum.definitions.activity import Activity
from continuum.definitions.activity_context import ActivityContext, enter_activity
from continuum.definitions.call_outcome import CallOutcome, outcome_of_call
from continuum.engine.ids import RunId
from continuum_supervision import Cancellable, Clock

RecordHeartbeat = Callable[[RunId, int, bytes], None]


@functools.cache
def _nowhere() -> int:
    """Return a file that discards dumps, open as long as the process.

    A dump would end up in the middle of the node's log; the run's error says what happened.
    """
    return os.open(os.devnull, os.O_WRONLY)


class HardKill:
    """Ends this process when an attempt is out of time, even if it never releases the interpreter lock.

    The watching thread is written in C and needs no lock of Python's. Recovery finds the dead
    process's task overdue and counts it as timed out.
    """

    @contextmanager
    def after(self, seconds: float) -> Iterator[None]:
        """End the process in `seconds`, unless the block has ended by then."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=_nowhere())
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def out_of_time(seconds: float | None) -> str:
    """Return the message of an attempt that took longer than its limit."""
    return "out of time" if seconds is None else f"not done within its timeout of {seconds:g} s"


class _Limit:
    """A timeout on the clock of the actors, which begins when the work does."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._timeout = asyncio.timeout(None)
        self._seconds = seconds
        self._clock = clock
        self._alarm: Cancellable | None = None
        self._over = False

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        if self._alarm is not None:
            self._alarm.cancel()
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise TimeoutError(out_of_time(self._seconds)) from error

    def start(self) -> None:
        """The work begins now, unless the wait for it has been given up already."""
        if not self._over:
            self._alarm = self._clock.call_later(self._seconds, self._expire)

    def _expire(self) -> None:
        self._timeout.reschedule(asyncio.get_running_loop().time())


class Attempt:
    """One call of an activity, and its context."""

    __slots__ = (
        "_arguments",
        "_timeout",
        "context",
        "definition",
        "dispatch",
        "key",
        "run_id",
        "seq",
        "task",
    )

    def __init__(
        self,
        definition: Activity[..., object],
        run_id: RunId,
        seq: int,
        arguments: bytes,
        number: int,
        timeout: float | None,
        key: str | None,
        loop: asyncio.AbstractEventLoop,
        record_heartbeat: RecordHeartbeat,
        dispatch: int = 1,
    ) -> None:
        self.dispatch = dispatch
        self.definition = definition
        self.run_id = run_id
        self.seq = seq
        self.key = key
        self._arguments = arguments
        self._timeout = timeout
        self.task: asyncio.Task[None] | None = None
        self.context = ActivityContext(
            # A `def` activity sends heartbeats from its thread.
            run_id,
            number,
            lambda data: _in_loop(loop, record_heartbeat, run_id, seq, data),
        )

    async def run(self, threads: Executor, kill: HardKill | None, clock: Clock) -> bytes:
        """Return the encoded result; raises what the activity raises, `TimeoutError` when out of time.

        The time of a `def` activity begins when a thread begins the call.
        """
        definition = self.definition
        args, kwargs = self.enter()
        if not definition.is_async:
            here = contextvars.copy_context()
            outcome = await self._in_thread(
                threads, kill, clock, lambda: here.run(outcome_of_call, definition.fn, *args, **kwargs)
            )
            value = outcome.get()
        elif kill is not None and self._timeout is not None:
            with kill.after(self._timeout):
                value = await definition.fn(*args, **kwargs)
        elif self._timeout is None:
            value = await definition.fn(*args, **kwargs)
        else:
            async with _Limit(self._timeout, clock) as limit:
                limit.start()
                value = await definition.fn(*args, **kwargs)
        return definition.encode_result(value)

    def enter(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make this attempt the current one and return the arguments of the call."""
        call = self.definition.arguments.decode_call(self._arguments)
        enter_activity(self.context)
        return call

    async def _in_thread(
        self, threads: Executor, kill: HardKill | None, clock: Clock, call: Callable[[], CallOutcome]
    ) -> CallOutcome:
        loop, seconds = asyncio.get_running_loop(), self._timeout
        if seconds is None:
            return await loop.run_in_executor(threads, call)
        if kill is not None:
            return await loop.run_in_executor(threads, lambda: _within(kill, seconds, call))
        async with _Limit(seconds, clock) as limit:
            return await loop.run_in_executor(threads, lambda: _timed(loop, limit, call))


def start_task(work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
    """Start a task, since Python 3.12 at once: work that never waits then costs no turn of the loop."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=loop, eager_start=True)
    return loop.create_task(work)


def _timed(loop: asyncio.AbstractEventLoop, limit: _Limit, call: Callable[[], CallOutcome]) -> CallOutcome:
    loop.call_soon_threadsafe(limit.start)
    return call()


def _within(kill: HardKill, seconds: float, call: Callable[[], CallOutcome]) -> CallOutcome:
    with kill.after(seconds):
        return call()


def _in_loop(
    loop: asyncio.AbstractEventLoop, record: RecordHeartbeat, run_id: RunId, seq: int, data: bytes
) -> None:
    if asyncio._get_running_loop() is loop:
        record(run_id, seq, data)
    else:
        loop.call_soon_threadsafe(record, run_id, seq, data)
