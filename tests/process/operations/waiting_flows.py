"""Workflows that wait for one thing each, for ever or until the test lets them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import continuum
from continuum import Retry, Signal, activity, activity_context, workflow
from tests.process.node.deadly_flows import hidden

go = Signal("go", str)


@workflow(name="explain.signal")
async def waits_for_signal() -> str:
    """Wait for a signal."""
    return await go.wait()


@workflow(name="explain.impatient")
async def waits_for_a_while(seconds: float) -> str:
    """Wait for a signal with a timeout."""
    return await go.wait(timeout=seconds, default="nothing came")


@workflow(name="explain.sleep")
async def sleeps(seconds: float) -> str:
    """Sleep."""
    await continuum.sleep(seconds)
    return "rested"


@workflow(name="explain.itself")
async def waits_for_itself() -> None:
    """Wait for an event that nothing sets."""
    await asyncio.Event().wait()


@workflow(name="explain.code")
async def executes(directory: str) -> str:
    """Stay in the code of the workflow."""
    return continuum.side_effect(lambda: _stay(directory))


def _stay(directory: str) -> str:
    while not (Path(directory) / "end").exists():
        os.sched_yield()
    return "ended"


@activity(name="explain.returns")
async def returns() -> str:
    """Return at once."""
    return "returned"


@workflow(name="explain.hang")
async def hangs_after_activity() -> str:
    """Run an activity, and hang in the code of the workflow after it."""
    said = await returns()
    hidden[0].die("hang")  # type: ignore[operator]
    return said


async def until_the_end(directory: str) -> str:
    """Stay until the test has made the file."""
    while not (Path(directory) / "end").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
    return "ended"


@activity(name="explain.stays", timeout=600)
async def stays(directory: str) -> str:
    """Stay in the loop."""
    return await until_the_end(directory)


@workflow(name="explain.activity")
async def runs_activity(directory: str) -> str:
    """Run one activity."""
    return await stays(directory)


@activity(name="explain.queued", queue="narrow", timeout=600)
async def stays_in_queue(directory: str) -> str:
    """Record progress, and stay."""
    activity_context().heartbeat({"done": 3})
    return await until_the_end(directory)


@workflow(name="explain.queue")
async def runs_task(directory: str) -> str:
    """Run one activity of a queue."""
    return await stays_in_queue(directory)


@activity(name="explain.fails", retry=Retry(max_attempts=3, base=600, max_backoff=600))
async def fails_slowly() -> str:
    """Fail, to be tried again after ten minutes."""
    raise ConnectionError("the bank does not answer")


@activity(name="explain.fails_once", retry=Retry(max_attempts=3, base=2))
async def fails_once() -> int:
    """Fail at first."""
    if activity_context().attempt == 1:
        raise ConnectionError("the bank does not answer")
    return activity_context().attempt


@workflow(name="explain.retry")
async def retries(*, soon: bool) -> str:
    """Run an activity that fails."""
    return str(await (fails_once() if soon else fails_slowly()))


@activity(name="explain.breaks")
async def breaks(directory: str) -> str:
    """Fail until the test has made the file."""
    if not (Path(directory) / "mended").exists():
        raise ConnectionError("the bank does not answer")
    return "mended"


@workflow(name="explain.patient")
async def backs_off_for_long(directory: str) -> str:
    """Do one thing, and try another one again after ten minutes until the test has made the file."""
    await undone()
    return await breaks.options(retry=Retry(max_attempts=7, base=600, max_backoff=600))(directory)


@workflow(name="explain.broken")
async def gives_up(directory: str) -> str:
    """Fail with an activity."""
    return await breaks(directory)


@activity(name="explain.undone")
async def undone() -> None:
    """Undo something."""


@workflow(name="explain.undoing")
async def gives_up_and_undoes(directory: str) -> str:
    """Undo what was done when an activity fails."""
    async with continuum.saga() as saga:
        await fails_once()
        saga.add(undone)
        return await breaks(directory)


@activity(name="explain.cannot_undo", retry=Retry(max_attempts=1))
async def undoes_once_mended(directory: str) -> None:
    """Undo something, once the test has made the file."""
    with (Path(directory) / "undone").open("a") as file:
        file.write("tried\n")
    await breaks.fn(directory)


@workflow(name="explain.cannot_undo")
async def gives_up_and_cannot_undo(directory: str) -> str:
    """Fail, and fail to undo what was done."""
    async with continuum.saga() as saga:
        done = await fails_once()
        saga.add(undoes_once_mended, directory)
        raise ValueError(f"{done} is not enough")


@workflow(name="explain.parent")
async def waits_for_child(levels: int) -> str:
    """Wait for a child of a child that waits for a signal."""
    return await (waits_for_child(levels - 1) if levels else waits_for_signal())


@workflow(name="explain.failing")
async def fails(levels: int) -> str:
    """Fail, through children."""
    if levels:
        return await fails(levels - 1)
    raise ValueError("there is no such account")


@activity(name="explain.undo")
async def undo(directory: str) -> None:
    """Take as long as the test wants."""
    await until_the_end(directory)


@workflow(name="explain.saga")
async def compensates(directory: str) -> None:
    """Compensate slowly once it is cancelled."""
    async with continuum.saga() as saga:
        saga.add(undo, directory)
        await go.wait()


@activity(name="explain.apart", executor="process")
def apart() -> str:
    """Run in a process of its own."""
    return "done apart"


@workflow(name="explain.isolated")
async def runs_apart() -> str:
    """Run one isolated activity."""
    return await apart()
