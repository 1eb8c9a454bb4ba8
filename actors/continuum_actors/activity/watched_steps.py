"""The steps of an attempt in the loop, each with a trace that outlives the process.

An attempt is one asyncio task, and the tasks that it starts belong to it. A process that dies during a step
was killed by that attempt, however many others wait in the same process.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any

from continuum.definitions.activity_context import current_trace
from continuum_actors.host.pulse import Pulse
from continuum_actors.host.traces import name_of, read_trace
from continuum_supervision.process.lasting_loop import LastingLoop


class ExitInTask(Exception):
    """A task that an activity had started raised `SystemExit` or `KeyboardInterrupt`."""


async def watched(pulse: Pulse, trace: bytes, work: Coroutine[Any, Any, Any]) -> Any:
    """Run `work`, with its trace in the pulse while it executes."""
    pulse.executing(trace)
    try:
        waits_for = work.send(None)
    except StopIteration as returned:
        return returned.value
    else:
        return await _rest_of(pulse, trace, work, waits_for)
    finally:
        pulse.clear()


async def watched_to_its_end(
    pulse: Pulse, trace: bytes, work: Callable[..., Coroutine[Any, Any, None]], *args: Any
) -> None:
    """Call and run `work`, which returns nothing, with its trace in the pulse while it executes.

    Nearly every attempt ends in its first step. A loop notices that end without making an exception.
    """
    pulse.executing(trace)
    try:
        coroutine = work(*args)
        for waits_for in coroutine.__await__():
            await _rest_of(pulse, trace, coroutine, waits_for)
            break
    finally:
        pulse.clear()


@types.coroutine
def _rest_of(
    pulse: Pulse, trace: bytes, work: Coroutine[Any, Any, Any], waits_for: Any
) -> Generator[Any, Any, Any]:
    """Run the rest of `work`, whose first step has left its trace and waits; keep the trace at its end."""
    send = work.send
    value, error = None, None
    while True:
        pulse.clear()
        try:
            value = yield waits_for
        except GeneratorExit:
            work.close()
            raise
        except BaseException as thrown:  # noqa: BLE001 - thrown into the work, below
            error = thrown
        pulse.executing(trace)
        try:
            waits_for = send(value) if error is None else work.throw(error)
        except StopIteration as returned:
            return returned.value
        finally:
            error = None


# How to recognise the frames of attempts, for those who show where a process is.
watched_codes = (watched.__code__, watched_to_its_end.__code__)
rest_of_code = _rest_of.__code__


async def _without_exit(work: Coroutine[Any, Any, Any]) -> Any:
    """Turn what would end the loop, and with it every other activity, into an exception of this task."""
    try:
        return await work
    except (SystemExit, KeyboardInterrupt) as error:
        raise ExitInTask(
            f"{type(error).__name__}({', '.join(map(repr, error.args))}) in a task of an activity ends that "
            "task only; raise another exception there"
        ) from error


def watch_tasks(loop: asyncio.AbstractEventLoop, pulse: Pulse) -> None:
    """Have the tasks that attempts start in `loop` watched like the attempts themselves."""

    def make_task(
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any],
        *,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[Any]:
        trace = current_trace(context)
        if trace is not None and asyncio.iscoroutine(work):
            work = watched(pulse, trace, _without_exit(work))
        return asyncio.Task(work, loop=loop, context=context, **options)

    def guest_in(context: Context) -> str | None:
        trace = current_trace(context)
        return None if trace is None else name_of(read_trace(trace))

    if isinstance(loop, LastingLoop):
        loop.guest_in = guest_in
    make_task.starts_eagerly = True  # type: ignore[attr-defined]
    loop.set_task_factory(make_task)  # type: ignore[arg-type]  # its types know no keyword arguments
