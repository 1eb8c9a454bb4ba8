"""Finds the frames of workflow code in a watched replay: on the stack, or of suspended coroutines.

Frames of the engine, of the definitions and of asyncio are left out: a person looks for code of their own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from types import CoroutineType, FrameType
from typing import Any

from continuum.engine.call_site import Site
from continuum.engine.events import ANSWERS, Event, EventType
from continuum.engine.execution import current
from continuum.engine.signal_buffer import SignalBuffer
from continuum.engine.watched_replay import WatchedExecution
from continuum.guard.verdict import TRUSTED

Frames = Sequence[FrameType]
"""Frames of one task, the outermost first."""

# The callback of a task: the frames below it drive the run.
DRIVER = "asyncio.events"

# What runs workflow code, what it calls, and what those call.
_OURS = TRUSTED | {"asyncio", "contextlib"}
# Its orders are workflow code like that of a user.
_DEMO = "continuum.demo."

# Their body begins with the seq of the command that they are about.
_ABOUT_A_COMMAND = ANSWERS | {
    EventType.ACTIVITY_RETRIED,
    EventType.ACTIVITY_CRASHED,
    EventType.ACTIVITY_RESTARTED,
    EventType.TIMER_FIRED,
    EventType.CHILD_COMPLETED,
    EventType.CHILD_FAILED,
    EventType.CHILD_CANCELLED,
}


def is_ours(module: str | None) -> bool:
    """Whether the functions of a module run workflow code, or are what it calls, and are not its own."""
    name = module or ""
    return name.partition(".")[0] in _OURS and not name.startswith(_DEMO)


def is_workflow_code(frame: FrameType) -> bool:
    """Whether a frame that belongs to a run is of its own code."""
    return not is_ours(frame.f_globals.get("__name__"))


def is_passed_over(frame: FrameType) -> bool:
    """Whether stepping passes over a frame: one of ours, or of the standard library that ours have called."""
    step: FrameType | None = frame
    while step is not None:
        module = step.f_globals.get("__name__")
        if is_ours(module) or module is None:
            return True
        if module.partition(".")[0] not in sys.stdlib_module_names:
            return False
        step = step.f_back
    return False


def running_frames() -> Frames:
    """Return the frames of workflow code on the stack of this thread; none if no code of a run runs."""
    found: list[FrameType] = []
    if current() is None:
        return found
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != DRIVER:
        if is_workflow_code(frame):
            found.append(frame)
        frame = frame.f_back
    return found[::-1]


def command_of(event: Event) -> int | None:
    """Return the seq of the command that an event from outside is about; None if it is about no command."""
    return event.body[0] if event.type in _ABOUT_A_COMMAND else None


class AskingCode:
    """What code asked for which command, and where it waits for what comes of it."""

    def __init__(self) -> None:
        self._asked: dict[int, tuple[asyncio.Task[Any] | None, Site]] = {}

    def record(self, event: Event, site: Site) -> None:
        """Record that code at `site` asks for the command of an event; call it while that code runs."""
        self._asked[event.seq] = asyncio.current_task(), site

    def site_of(self, seq: int) -> Site | None:
        """Return where the code asked for the command with this seq."""
        found = self._asked.get(seq)
        return None if found is None else found[1]

    def frames_that_ask(self, execution: WatchedExecution, site: Site) -> Frames:
        """Return the frames of the code that asks for a command now, up to the function that names it.

        A coroutine that was made there may run in a task of its own: then the function waits.
        """
        running = running_frames()
        for place in range(len(running), 0, -1):
            if running[place - 1].f_code is site[0]:
                return running[:place]
        return _chain_with(execution, site) or running or _first(_chains(execution))

    def frames_that_wait(self, execution: WatchedExecution, event: Event) -> Frames:
        """Return the frames of the code that waits for an event; those of the workflow if none is known."""
        chains = _chains(execution)
        if event.type == EventType.SIGNAL_RECEIVED:
            return waiting_for_signal(execution, event.body[0]) or _first(chains)
        seq = command_of(event)
        asked = None if seq is None else self._asked.get(seq)
        if asked is None:
            return _first(chains)
        task, site = asked
        own = () if task is None or task.done() else own_frames(_frames_of(task))
        return own or _chain_with(execution, site) or _first(chains)


def open_frames(execution: WatchedExecution) -> Frames:
    """Return the frames of the code as it is now: on the stack, else where the workflow function waits."""
    return running_frames() or _first(_chains(execution))


def own_frames(frames: Iterable[FrameType]) -> Frames:
    """Return those of these frames that are workflow code."""
    return [frame for frame in frames if is_workflow_code(frame)]


def _chains(execution: WatchedExecution) -> list[Frames]:
    """Return the frames of each task that waits, as far as they are workflow code."""
    return [frames for task in execution.open_tasks() if (frames := own_frames(_frames_of(task)))]


def _first(chains: Sequence[Frames]) -> Frames:
    return chains[0] if chains else ()


def _chain_with(execution: WatchedExecution, site: Site) -> Frames:
    for frames in _chains(execution):
        for place in range(len(frames), 0, -1):
            if frames[place - 1].f_code is site[0]:
                return frames[:place]
    return ()


def waiting_for_signal(execution: WatchedExecution, name: str) -> Frames:
    """Return the frames of the code that waits for a signal; none if no code does."""
    for task in execution.open_tasks():
        frames = _frames_of(task)
        if any(
            frame.f_code is SignalBuffer.take.__code__ and frame.f_locals.get("name") == name
            for frame in frames[-1:]
        ):
            return own_frames(frames)
    return ()


def _frames_of(task: asyncio.Task[Any]) -> list[FrameType]:
    """Return the frames of a task's coroutine and of those that it awaits."""
    found: list[FrameType] = []
    coroutine: Any = task.get_coro()
    while type(coroutine) is CoroutineType:
        if coroutine.cr_frame is None:
            break
        found.append(coroutine.cr_frame)
        coroutine = coroutine.cr_await
    return found
