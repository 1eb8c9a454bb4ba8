"""One attempt of an activity: decode, call, encode, within its time."""

from __future__ import annotations

import asyncio
import contextvars
import faulthandler
import os
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import IO, Any

from continuum.activity import Activity
from continuum.activity_context import ActivityContext, enter_activity
from continuum.engine.ids import RunId

Beat = Callable[[RunId, int, bytes], None]


class HardKill:
    """Ends this process when an attempt is out of time, even if it never lets the interpreter go.

    The watching thread is C and needs no lock of Python's. Whoever owned the process
    finds the task overdue and counts it as timed out.
    """

    def __init__(self) -> None:
        # The dump would end up in the middle of the node's log; the run's error says what happened.
        self._nowhere: IO[str] = open(os.devnull, "w")  # noqa: SIM115 - open as long as the process

    def arm(self, seconds: float) -> None:
        """End the process in `seconds`."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._nowhere)

    def disarm(self) -> None:
        """The attempt has ended in time."""
        faulthandler.cancel_dump_traceback_later()


class Attempt:
    """What is to be run, and its context."""

    __slots__ = ("_arguments", "_timeout", "context", "definition", "key", "run_id", "seq", "task")

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
        beat: Beat,
    ) -> None:
        self.definition = definition
        self.run_id = run_id
        self.seq = seq
        self.key = key
        self._arguments = arguments
        self._timeout = timeout
        self.task: asyncio.Task[None] | None = None
        self.context = ActivityContext(
            # A `def` activity beats from its thread.
            run_id,
            number,
            lambda data: _in_loop(loop, beat, run_id, seq, data),
        )

    async def run(self, threads: Executor, kill: HardKill | None) -> bytes:
        """Run it and return the encoded result; raises what it raises, `TimeoutError` when out of time."""
        if self._timeout is None:
            return await self._run(threads)
        if kill is not None:
            kill.arm(self._timeout)
            try:
                return await self._run(threads)
            finally:
                kill.disarm()
        async with asyncio.timeout(self._timeout):
            return await self._run(threads)

    def enter(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make this attempt the current one and return the arguments of the call."""
        call = self.definition.arguments.decode_call(self._arguments)
        enter_activity(self.context)
        return call

    async def _run(self, threads: Executor) -> bytes:
        definition = self.definition
        args, kwargs = self.enter()
        if definition.is_async:
            value = await definition.fn(*args, **kwargs)
        else:
            here = contextvars.copy_context()
            value = await asyncio.get_running_loop().run_in_executor(
                threads, lambda: here.run(definition.fn, *args, **kwargs)
            )
        return definition.encode_result(value)


def start_task(work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
    """Start a task, where Python can (3.12) at once: work that never waits then costs no turn of the loop."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=loop, eager_start=True)
    return loop.create_task(work)


def _in_loop(loop: asyncio.AbstractEventLoop, beat: Beat, run_id: RunId, seq: int, data: bytes) -> None:
    if asyncio._get_running_loop() is loop:
        beat(run_id, seq, data)
    else:
        loop.call_soon_threadsafe(beat, run_id, seq, data)
