"""The deterministic event loop that runs the coroutines of one run.

Plain asyncio works on it (gather, TaskGroup, timeout, Event, Queue), because it is an
`AbstractEventLoop`. It replays identically, because it has one FIFO ready queue, no I/O,
no clock of its own and no threads. Its `Driver`, the run's execution, turns timers into
commands. Step it from a plain callback, not from inside a task: it replaces the thread's
running loop while it runs.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import events
from collections.abc import Callable, Coroutine
from contextvars import Context
from types import CoroutineType
from typing import Any, Protocol, TypeVar

from continuum.engine.loop import asyncio_patches
from continuum.engine.loop.async_generators import set_generator_hooks
from continuum.engine.loop.current import ActiveRun, Generator, thread
from continuum.engine.loop.refused_methods import LOOP_METHODS, refuse
from continuum.errors import DeterminismError

Result = TypeVar("Result")

# A run that runs this many callbacks without waiting for anything is in an endless loop;
# a fan-out of 10,000 stays far below it.
CALLBACKS_PER_STEP = 2_000_000

# `sleep(inf)` means for ever, but a due time is a whole number: ten thousand years are enough.
FOREVER_SECONDS = 3.2e11

# How often to close a coroutine that awaits in a `finally` before giving up.
CLOSE_ATTEMPTS = 10

# Coroutines that refuse to end. If they were collected they would continue outside any workflow,
# where calling an activity runs it directly. So they are kept for ever.
_UNCLOSABLE: list[Any] = []


class Driver(ActiveRun, Protocol):
    """What the loop needs from the execution of its run."""

    tasks: set[WorkflowTask[Any]] | None
    """The tasks that the run's code has created and that are not done; None until it creates one."""

    timers: dict[int, WorkflowTimer]
    """The timers that have neither fired nor been cancelled, by seq."""

    @property
    def time(self) -> int:
        """The time of the run, in microseconds; a replay repeats it."""
        ...

    def start_timer(self, timer: WorkflowTimer, due: int) -> int:
        """Start a durable timer that fires at `due`, in microseconds, and return its seq."""
        ...

    def report(self, context: dict[str, Any]) -> None:
        """Log a complaint of asyncio about workflow code."""
        ...


class WorkflowTask(asyncio.Task[Result]):
    """A task that hashes by creation number, so that sets of tasks iterate in a repeatable order."""

    __slots__ = ("_number",)

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Result],
        *,
        loop: WorkflowLoop,
        name: str | None,
        context: Context | None,
    ) -> None:
        # asyncio adds every task to one weak set of the process during the call below, and that hashes
        # it. Hashed by number, the first tasks of all live runs would collide.
        self._number = id(self)
        # Without a name asyncio would take one from a counter of the process, which no replay repeats.
        super().__init__(coroutine, loop=loop, name=name or "workflow", context=context)
        loop.tasks_created += 1
        self._number = loop.tasks_created
        # Evicting a suspended run drops its pending tasks; that is no programming error.
        self._log_destroy_pending = False

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class WorkflowFuture(asyncio.Future[Result]):
    """A future that hashes by creation number, as tasks do: `asyncio.wait` takes and returns sets."""

    __slots__ = ("_number",)

    def __init__(self, *, loop: WorkflowLoop) -> None:
        super().__init__(loop=loop)
        loop.tasks_created += 1
        self._number = loop.tasks_created

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class WorkflowTimer(asyncio.TimerHandle):
    """A timer handle with the seq of its journaled timer, when that was started and when it is due."""

    __slots__ = ("due", "seq", "since")

    seq: int
    # In microseconds; only a journaled timer has them.
    since: int
    due: int


class WorkflowLoop(asyncio.AbstractEventLoop):
    """A loop whose only inputs are the events that its driver feeds it."""

    # No __slots__: AbstractEventLoop has none, so every instance has a dict anyway.

    callbacks_per_step = CALLBACKS_PER_STEP

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        # Counts futures made through the loop too: tasks and futures share one numbering.
        self.tasks_created = 0
        self._alone = False
        self._ready: list[events.Handle] = []

    def step(self) -> bool:
        """Run callbacks until none is ready; False if it reached the limit or something ended the run."""
        driver = self.driver
        log = driver.log
        running = thread.running
        outer, running.run = running.run, driver
        previous = events._get_running_loop()
        events._set_running_loop(self)
        hooks = set_generator_hooks(running, previous)
        handle: events.Handle | None
        batch: list[events.Handle] | None
        try:
            ran = 0
            while batch := self._ready:
                # Replacing the whole list keeps FIFO order; an empty deque would cost a suspended run 0.7 KB.
                self._ready = []
                self._alone = len(batch) == 1
                for handle in batch:
                    if not handle._cancelled:
                        handle._run()
                        if log.verdict is not None:
                            return False
                ran += len(batch)
                if ran > self.callbacks_per_step:
                    return False
            return True
        finally:
            # What the code raises keeps this frame alive, and is kept by what the last callback is about.
            handle = batch = None
            if hooks is not None:
                sys.set_asyncgen_hooks(*hooks.before)
            events._set_running_loop(previous)
            running.run = outer

    @property
    def quiet(self) -> bool:
        """Whether no callback is ready apart from the one that runs now."""
        return self._alone and not self._ready

    def wake(self, timer: WorkflowTimer) -> None:
        """Make a fired timer's callback ready."""
        self._ready.append(timer)

    def close_quietly(self, tasks: list[WorkflowTask[Any]]) -> None:
        """Close the run's coroutines; the driver is marked as closing, so they can do nothing more."""
        running = thread.running
        outer, running.run = running.run, self.driver
        previous = events._get_running_loop()
        events._set_running_loop(self)
        try:
            for task in tasks:
                if not task.done():
                    coroutine = task.get_coro()
                    if coroutine is None or _close(coroutine):
                        _forget_waiters(task)
        finally:
            events._set_running_loop(previous)
            running.run = outer
        self._ready.clear()

    # The part of the loop interface that asyncio's own primitives need.

    def time(self) -> float:
        return self.driver.time / 1e6

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return WorkflowFuture(loop=self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, Result],
        *,
        name: str | None = None,
        context: Context | None = None,
        **_: object,
    ) -> WorkflowTask[Result]:
        if self.driver.log.in_side_effect:
            coro.close()
            raise DeterminismError(
                "a task was made inside side_effect(), where replay would skip it; make it outside"
            )
        task = WorkflowTask(coro, loop=self, name=name, context=context)
        if (tasks := self.driver.tasks) is None:
            tasks = self.driver.tasks = set()
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = WorkflowTimer(when, callback, args, self, context)
        delay = when - self.time()
        if delay <= 0:
            timer.seq = -1
            self._ready.append(timer)
        else:
            due = self.driver.log.at + round(min(delay, FOREVER_SECONDS) * 1e6)
            timer.seq = self.driver.start_timer(timer, due)
        return timer

    def end_generator(self, generator: Generator) -> None:
        """Close, in a task as asyncio does, an async generator that the running code has just dropped."""
        if thread.running.run is self.driver and not self.driver.log.closing:
            self.create_task(generator.aclose())

    def _timer_handle_cancelled(self, handle: WorkflowTimer) -> None:
        self.driver.timers.pop(handle.seq, None)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.driver.report(context)


def _close(coroutine: Any) -> bool:
    """Close a coroutine and those it awaits, innermost first: collecting one unfinished would run it.

    False if one refuses to end.
    """
    chain = [coroutine]
    while type(awaited := getattr(chain[-1], "cr_await", None)) is CoroutineType:
        chain.append(awaited)
    if all(_can_close(link) for link in reversed(chain)):
        return True
    # In a cycle, which outlives this module when the process ends.
    kept = [coroutine]
    kept.append(kept)
    _UNCLOSABLE.append(kept)
    return False


def _forget_waiters(task: Any) -> None:
    """Break the cycles of a task that never ends: it and what it waits for refer to each other."""
    futures = [task, task._fut_waiter]
    for future in futures:
        if isinstance(future, asyncio.Future):
            for callback, _ in future._callbacks or ():
                future.remove_done_callback(callback)
        if isinstance(future, asyncio.tasks._GatheringFuture):  # type: ignore[attr-defined]
            futures += getattr(future, "_children", ())


def _can_close(coroutine: Any) -> bool:
    for _ in range(CLOSE_ATTEMPTS):
        try:
            coroutine.close()
        except RuntimeError:
            # It awaited something while closing, or raised this itself: the next attempt decides.
            continue
        except BaseException:  # noqa: BLE001
            # A finally block raised; the run is being closed and no code is left to receive the error.
            return True
        return True
    return False


for _name in LOOP_METHODS:
    setattr(WorkflowLoop, _name, refuse(_name))
WorkflowLoop.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


asyncio_patches.install(WorkflowLoop)
