"""Where the threads and tasks of this process are: files, lines and functions, no values.

It may be called in any thread: the loop of a process that is asked may be what is stuck.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

from continuum.operations.node_report import ProcessStacks, Stack
from continuum_actors.activity.watched_steps import rest_of_code, watched_codes
from continuum_actors.host import limits
from continuum_actors.host.thread_pool import ThreadCall
from continuum_actors.host.traces import name_of, read_trace


def stacks_of(process_id: str, role: str, pid: int, loop: asyncio.AbstractEventLoop) -> ProcessStacks:
    """Return the stacks of this process without the thread that asks: as many as fit, the others counted."""
    kept: list[Stack] = []
    room, omitted = limits.STACKS_BYTES, 0
    for stack in (*_threads(), *_tasks(loop)):
        size = len(stack.name) + sum(len(frame) + 4 for frame in stack.frames)
        if size <= room:
            room -= size
            kept.append(stack)
        else:
            omitted += stack.number
    return ProcessStacks(process_id, role, pid, tuple(kept), omitted)


def _threads() -> list[Stack]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found = []
    for number, innermost in sys._current_frames().items():
        if number == threading.get_ident():
            continue
        frames = _outwards(innermost)
        name = _name_of_call(frames) or names.get(number) or "a thread of a library"
        found.append(Stack("thread", name, tuple(map(_line, reversed(frames[: limits.STACK_FRAMES])))))
    return found


def _tasks(loop: asyncio.AbstractEventLoop) -> list[Stack]:
    """Return each place where tasks wait with their number: attempts first, then those with the most tasks.

    One of the tasks at a place gives its name.
    """
    names: dict[tuple[str, ...], str] = {}
    attempts: set[tuple[str, ...]] = set()
    numbers: dict[tuple[str, ...], int] = {}
    for task in asyncio.all_tasks(loop):
        coroutine = task.get_coro()
        frames = list(_inwards(coroutine))
        lines = tuple(map(_line, frames[-limits.STACK_FRAMES :]))
        attempt = _name_of_attempt(frames)
        if attempt is not None:
            attempts.add(lines)
        names.setdefault(lines, attempt or str(getattr(coroutine, "__qualname__", "a task")))
        numbers[lines] = numbers.get(lines, 0) + 1
    places = sorted(numbers, key=lambda lines: (lines not in attempts, -numbers[lines], names[lines]))
    return [Stack("task", names[lines], lines, numbers[lines]) for lines in places]


def _outwards(frame: types.FrameType | None) -> list[types.FrameType]:
    """Return the frames of a thread, the innermost first."""
    found = []
    while frame is not None and frame.f_code.co_qualname != _FORK:
        found.append(frame)
        frame = frame.f_back
    return found


def _inwards(awaited: Any) -> Iterator[types.FrameType]:
    """Yield the frames of what a task awaits, the innermost last."""
    for _ in range(10 * limits.STACK_FRAMES):
        frame = next((found for name in _FRAMES if (found := getattr(awaited, name, None)) is not None), None)
        if frame is None:
            return
        yield frame
        # The steps of an attempt are passed on by hand.
        by_hand = frame.f_locals.get("work") if frame.f_code is rest_of_code else None
        awaited = by_hand or next(
            (found for name in _AWAITED if (found := getattr(awaited, name, None)) is not None), None
        )


# What is above it belongs to the process that forked this one.
_FORK = "Popen._launch"
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")


def _line(frame: types.FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} {code.co_qualname}"


def _name_of_call(frames: list[types.FrameType]) -> str | None:
    """Return the name of the `def` activity that a thread executes."""
    call = next((frame for frame in frames if frame.f_code is ThreadCall.run.__code__), None)
    return None if call is None else str(call.f_locals["self"].name)


def _name_of_attempt(frames: list[types.FrameType]) -> str | None:
    """Return what a person calls the attempt whose task this is."""
    watched = next((frame for frame in frames if frame.f_code in watched_codes), None)
    return None if watched is None else name_of(read_trace(watched.f_locals["trace"]))
