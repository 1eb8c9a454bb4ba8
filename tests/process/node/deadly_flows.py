"""Workflows and activities that kill their process, and others that only happen to be in it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from continuum import ActivityError, activity, activity_context, workflow

# How a process may be killed from inside. Out of the scanner's sight: workflow code may not do that.
WAYS: dict[str, Callable[[], object]] = {
    "exit": lambda: os._exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "abort": os.abort,
    "fault": lambda: ctypes.string_at(0),
    # What runs elsewhere in the process may have done that, as far as anyone can tell.
    "replace": lambda: os.execv(sys.executable, [sys.executable, "-c", ""]),
    "close files": lambda: os.closerange(3, 4096),
    "cancel all": lambda: [task.cancel() for task in asyncio.all_tasks()],
    "hang": lambda: threading.Event().wait(),
    "thread": lambda: threading.Thread(target=os._exit, args=(3,)).start(),
}


def die(way: str) -> None:
    """End this process."""
    WAYS[way]()


class Hidden:
    """Leads from workflow code to what it may not call."""

    def __getattr__(self, name: str) -> object:
        return globals()[name]


hidden = [Hidden()]


@activity(name="blame.deadly")
async def deadly(way: str) -> str:
    """Kill the process in a step of the loop."""
    die(way)
    await asyncio.sleep(3600)
    return "unreachable"


@activity(name="blame.deadly_thread")
def deadly_in_thread(way: str) -> str:
    """Kill the process from a thread."""
    die(way)
    threading.Event().wait()
    return "unreachable"


@activity(name="blame.deadly_queued", queue="blame")
async def deadly_queued(way: str) -> str:
    """Kill the process that serves the queue."""
    die(way)
    await asyncio.sleep(3600)
    return "unreachable"


@activity(name="blame.deadly_isolated", executor="process")
def deadly_isolated(way: str) -> str:
    """Kill an activity host."""
    die(way)
    threading.Event().wait()
    return "unreachable"


@activity(name="blame.exits_in_task")
async def exits_in_task() -> str:
    """Raise SystemExit in a task of its own."""

    async def leave() -> None:
        sys.exit(4)

    task = asyncio.create_task(leave())
    await asyncio.wait([task])
    return f"{type(task.exception()).__name__}: {task.exception()}"


@activity(name="blame.exits_in_callback")
async def exits_in_callback() -> str:
    """Raise in callbacks what ends a loop, and try to stop it."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    loop = asyncio.get_running_loop()
    loop.call_soon(sys.exit, 4)
    loop.call_later(0.01, interrupt)
    after = loop.create_future()
    loop.call_later(0.02, after.set_result, None)
    await after
    try:
        loop.stop()
    except RuntimeError as error:
        return str(error)
    return "stopped"


def runs_here(directory: str, number: int) -> None:
    """Record in which process an innocent runs, at once and as a whole."""
    new = Path(directory) / f"new-{number}"
    new.write_text(str(os.getpid()))
    new.rename(Path(directory) / f"runs-{number}")


def processes_of(directory: Path) -> list[int]:
    """Return the processes in which innocents have begun to run."""
    return [int(trace.read_text()) for trace in directory.glob("runs-*")]


@activity(name="blame.waits")
async def waits(directory: str, number: int) -> int:
    """Wait in the loop until the test says so."""
    runs_here(directory, number)
    while not (Path(directory) / "end").exists():  # noqa: ASYNC110 - another process makes the file
        await asyncio.sleep(0.02)
    return number


@activity(name="blame.waits_in_thread")
def waits_in_thread(directory: str, number: int) -> int:
    """Wait in a thread until the test says so."""
    runs_here(directory, number)
    while not (Path(directory) / "end").exists():
        threading.Event().wait(0.02)
    return number


@activity(name="blame.waits_queued", queue="blame")
async def waits_queued(directory: str, number: int) -> int:
    """Wait for the test, claimed from a queue."""
    runs_here(directory, number)
    while not (Path(directory) / "end").exists():  # noqa: ASYNC110 - another process makes the file
        await asyncio.sleep(0.02)
    return number


@activity(name="blame.progresses", queue="blame")
async def progresses(directory: str) -> object:
    """Record progress once, and return what was recorded when the test says so."""
    last = activity_context().last_heartbeat
    if last is None:
        activity_context().heartbeat("half")
    while not (Path(directory) / "end").exists():  # noqa: ASYNC110 - another process makes the file
        await asyncio.sleep(0.02)
    return last


@workflow(name="blame.progressing")
async def progressing(directory: str) -> object:
    """Run an activity that records progress."""
    return await progresses(directory)


@workflow(name="blame.culprit")
async def culprit(kind: str, way: str) -> str:
    """Run the deadly activity."""
    try:
        if kind == "loop":
            return await deadly(way)
        if kind == "thread":
            return await deadly_in_thread(way)
        if kind == "queue":
            return await deadly_queued(way)
        return await deadly_isolated(way)
    except ActivityError as error:
        return f"{error.type}: {error.message}"


@workflow(name="blame.innocent")
async def innocent(directory: str, number: int) -> int:
    """Be in the same process, in all its ways."""
    if number % 3 == 0:
        return await waits(directory, number)
    if number % 3 == 1:
        return await waits_in_thread(directory, number)
    return await waits_queued(directory, number)


@workflow(name="blame.poisoned")
async def poisoned(way: str) -> None:
    """Kill the process from workflow code."""
    hidden[0].die(way)  # type: ignore[operator]


@workflow(name="blame.leaving")
async def leaving() -> str:
    """Run the activity whose task exits."""
    return await exits_in_task()


@workflow(name="blame.interrupting")
async def interrupting() -> str:
    """Run the activity whose callbacks exit."""
    return await exits_in_callback()
