"""Virtual time: one clock, one queue of what is due, and an asyncio loop for each simulated process."""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any, NamedTuple

MICROSECONDS = 1_000_000
# A process that turns this often at one moment waits for nothing.
TURNS = 5_000
# A coroutine that catches everything takes several attempts.
CLOSE_ATTEMPTS = 10


class Clocks(NamedTuple):
    """The clocks of a machine, in microseconds: when it was started, and how far its wall clock is off."""

    booted: int = 0
    skew: int = 0


class Timeline:
    """What is due when, in microseconds since the beginning, and the loops that have something ready."""

    def __init__(self) -> None:
        self.now = 0
        self.steps = 0
        self._due: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._number = 0
        self._runnable: deque[ProcessLoop] = deque()

    def at(self, moment: int, callback: Callable[..., object], *args: Any) -> None:
        """Call `callback` at a moment."""
        self._number += 1
        heapq.heappush(self._due, (max(moment, self.now), self._number, callback, args))

    def after(self, microseconds: int, callback: Callable[..., object], *args: Any) -> None:
        """Call `callback` after so many microseconds."""
        self.at(self.now + microseconds, callback, *args)

    def runnable(self, loop: ProcessLoop) -> None:
        """A loop has something ready."""
        self._runnable.append(loop)

    def run_until(self, finished: Callable[[], bool], deadline: int) -> bool:
        """Let everything happen in order; False when the deadline comes first."""
        while True:
            self._run_ready()
            if finished():
                return True
            if not self._due or self._due[0][0] > deadline:
                self.now = max(self.now, deadline)
                return False
            moment, _, callback, args = heapq.heappop(self._due)
            self.now = max(self.now, moment)
            callback(*args)

    def _run_ready(self) -> None:
        runnable = self._runnable
        turns = 0
        while runnable:
            loop = runnable.popleft()
            self.steps += loop.turn()
            turns += 1
            assert turns < TURNS, f"a process turns for ever without waiting: {list(loop._waiting)[:3]}"


class ProcessLoop(asyncio.BaseEventLoop):
    """The event loop of one process: it runs when the timeline lets it, and never once it is dead."""

    def __init__(self, timeline: Timeline, clocks: Clocks) -> None:
        super().__init__()
        self._timeline = timeline
        self.clocks = clocks
        # The process itself, for what replaces its operating system.
        self.process: Any = None
        self._waiting: deque[asyncio.Handle] = deque()
        self._listed = False
        self.dead = self.ended = False
        self.paused = False

    def time(self) -> float:
        """Return the seconds since the machine was started."""
        return (self._timeline.now + self.clocks.booted) / MICROSECONDS

    def is_running(self) -> bool:
        """Tasks of a process only exist while it runs."""
        return True

    def get_debug(self) -> bool:
        """Never: the checks would only cost time."""
        return False

    def set_debug(self, enabled: bool) -> None:
        """Never."""

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback in the next turn."""
        handle = events.Handle(callback, args, self, context)
        if not self.dead:
            self._waiting.append(handle)
            self._list()
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback after `delay` seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback at a time of this loop."""
        timer = events.TimerHandle(when, callback, args, self, context)
        if when < 1e12 and not self.dead:
            moment = int(when * MICROSECONDS) + 1 - self.clocks.booted
            self._timeline.at(moment, self._ring, timer)
        return timer

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Raise what a task did not handle: in a simulation nobody reads a log."""
        error = context.get("exception")
        if not self.dead and isinstance(error, AssertionError):
            raise error

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing: a cancelled timer is passed over when it is due."""

    def _ring(self, timer: asyncio.TimerHandle) -> None:
        if not timer._cancelled and not self.dead:
            self._waiting.append(timer)
            self._list()

    def _list(self) -> None:
        if not self._listed and not self.paused:
            self._listed = True
            self._timeline.runnable(self)

    def resume(self) -> None:
        """Go on after a pause."""
        self.paused = False
        if self._waiting:
            self._list()

    def die(self) -> None:
        """Drop everything that was to happen, and end the tasks now: collected later, they would complain."""
        end_loops([self])

    def turn(self) -> int:
        """Run what is ready now; return how many callbacks."""
        self._listed = False
        if self.dead or self.paused:
            return 0
        batch, self._waiting = self._waiting, deque()
        previous = events._get_running_loop()
        events._set_running_loop(self)
        try:
            for handle in batch:
                if not handle._cancelled and not self.dead:
                    handle._run()
        finally:
            events._set_running_loop(previous)
        if self._waiting:
            self._list()
        return len(batch)

    def close(self) -> None:
        """Nothing is open."""

    def __del__(self, *_: object) -> None:
        """Nothing is open."""


def end_loops(loops: Sequence[ProcessLoop]) -> None:
    """Drop everything that was to happen in these loops, and close their tasks."""
    ending = [loop for loop in loops if not loop.ended]
    for loop in ending:
        loop.dead = loop.ended = True
        loop._waiting.clear()
    previous = events._get_running_loop()
    try:
        closed: set[asyncio.Task[Any]] = set()
        # What closes may start something more.
        while left := _tasks_of(ending) - closed:
            for task in left:
                events._set_running_loop(task.get_loop())
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                _close(task.get_coro())
            closed |= left
    finally:
        events._set_running_loop(previous)


def forget_tasks() -> None:
    """Forget the tasks of loops that are dead; asyncio's list has each until it is collected."""
    for tasks in _lists_of_tasks():
        tasks.clear()


def _lists_of_tasks() -> list[Any]:
    """Return asyncio's own lists, whose names depend on its version."""
    names = ("_all_tasks", "_scheduled_tasks", "_eager_tasks")
    return [tasks for name in names if (tasks := getattr(asyncio.tasks, name, None)) is not None]


def _tasks_of(loops: Sequence[ProcessLoop]) -> set[asyncio.Task[Any]]:
    """Return the tasks of several loops with one look at the list of all."""
    lists, wanted = _lists_of_tasks(), set(loops)
    if not lists:
        return {task for loop in loops for task in asyncio.all_tasks(loop)}
    return {task for tasks in lists for task in list(tasks) if task.get_loop() in wanted and not task.done()}


def _close(coroutine: Any) -> None:
    """Close a coroutine and those that it awaits, the innermost first: what cleans up there awaits again."""
    awaited = [coroutine]
    while (inner := getattr(awaited[-1], "cr_await", None)) is not None and hasattr(inner, "cr_await"):
        awaited.append(inner)
    for each in reversed(awaited):
        for _ in range(CLOSE_ATTEMPTS):
            try:
                each.close()
            except BaseException:  # noqa: BLE001 - it awaits something, or raises: the process is dead anyway
                continue
            break
