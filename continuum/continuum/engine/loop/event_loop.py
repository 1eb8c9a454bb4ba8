"""The deterministic event loop that one run's coroutines live on.

Plain asyncio works on it — gather, TaskGroup, timeout, Event, Queue — because
it is an `AbstractEventLoop`; it replays identically because it has one FIFO
ready queue, no I/O, no clock of its own and no threads. Timers become commands
of the run's execution. Step it from a plain callback, never from inside a task
that matters: it swaps the thread's running loop while it runs.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import events
from collections.abc import Callable, Coroutine
from contextvars import Context
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

from continuum.engine.call_site import declare_plumbing, user_site
from continuum.engine.loop import asyncio_patches
from continuum.engine.loop.async_generators import Generator, hear_of_generators
from continuum.engine.loop.current import running
from continuum.engine.loop.refused_methods import LOOP_METHODS, refuse
from continuum.errors import DeterminismError

declare_plumbing(__name__)

if TYPE_CHECKING:
    from continuum.engine.execution import Execution

Result = TypeVar("Result")

# A run that keeps itself busy for this many callbacks without waiting for
# anything is in an endless loop; 10,000-way fan-outs stay far below it.
CALLBACKS_PER_STEP = 2_000_000

# `sleep(inf)` means for ever, and a due time is a whole number: ten thousand years will do.
FOREVER_SECONDS = 3.2e11

# How often a coroutine that awaits in a `finally` is told again that it is over.
CLOSE_ATTEMPTS = 10

# Coroutines that refuse to end. Collected, they would run on outside any workflow, where
# a call of an activity is a plain call: they are kept instead.
_UNDEAD: list[Any] = []


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
        # asyncio puts every task into one weak set of the process, which hashes it there and then:
        # hashed by number, the first tasks of all live runs would collide.
        self._number = id(self)
        # A fixed name keeps asyncio's process-wide counter out of the run.
        super().__init__(coroutine, loop=loop, name=name or "workflow", context=context)
        loop.tasks_created += 1
        self._number = loop.tasks_created
        # A parked run that is dropped is no programming error.
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
    """A timer handle that remembers which journaled timer it stands for."""

    __slots__ = ("seq",)

    seq: int


class WorkflowLoop(asyncio.AbstractEventLoop):
    """A loop whose only inputs are the events its execution feeds it."""

    # No __slots__: AbstractEventLoop has none, so there is a dict in any case.

    callbacks_per_step = CALLBACKS_PER_STEP

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        # Futures made through the loop included: tasks and futures share one numbering.
        self.tasks_created = 0
        self._alone = False
        self._ready: list[events.Handle] = []

    def step(self) -> bool:
        """Run callbacks until none is ready; False when the limit cut it short or something ended the run."""
        execution = self.execution
        outer, running.execution = running.execution, execution
        previous = events._get_running_loop()
        events._set_running_loop(self)
        hooks = hear_of_generators(previous)
        try:
            ran = 0
            while batch := self._ready:
                # A list swapped whole keeps FIFO order; an empty deque costs a parked run 0.7 KB.
                self._ready = []
                self._alone = len(batch) == 1
                for handle in batch:
                    if not handle._cancelled:
                        handle._run()
                        if execution.verdict is not None:
                            return False
                ran += len(batch)
                if ran > self.callbacks_per_step:
                    return False
            return True
        finally:
            if hooks is not None:
                sys.set_asyncgen_hooks(*hooks.before)
            events._set_running_loop(previous)
            running.execution = outer

    @property
    def quiet(self) -> bool:
        """Whether nothing but the callback that runs now is ready to run."""
        return self._alone and not self._ready

    def wake(self, timer: WorkflowTimer) -> None:
        """Make a fired timer's callback ready."""
        self._ready.append(timer)

    def close_quietly(self, tasks: list[WorkflowTask[Any]]) -> None:
        """Put the run's coroutines away; the execution is marked closing, so that they can do nothing."""
        outer, running.execution = running.execution, self.execution
        previous = events._get_running_loop()
        events._set_running_loop(self)
        try:
            for task in tasks:
                if not task.done():
                    coroutine = task.get_coro()
                    if coroutine is not None:
                        _close(coroutine)
        finally:
            events._set_running_loop(previous)
            running.execution = outer
        self._ready.clear()

    # The part of the loop contract that asyncio's own primitives need.

    def time(self) -> float:
        return self.execution.time / 1e6

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
        if self.execution.in_side_effect:
            coro.close()
            raise DeterminismError(
                "a task was made inside side_effect(), where replay would skip it; make it outside"
            )
        task = WorkflowTask(coro, loop=self, name=name, context=context)
        self.execution.tasks.add(task)
        task.add_done_callback(self.execution.tasks.discard)
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
            due = self.execution.at + round(min(delay, FOREVER_SECONDS) * 1e6)
            timer.seq = self.execution.start_timer(timer, due, user_site())
        return timer

    def end_generator(self, generator: Generator) -> None:
        """Let code that has just left an async generator half-way finish it in a task, as asyncio does."""
        if running.execution is self.execution and not self.execution.closing:
            self.create_task(generator.aclose())

    def _timer_handle_cancelled(self, handle: WorkflowTimer) -> None:
        self.execution.timers.pop(handle.seq, None)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.execution.report(context)


def _close(coroutine: Any) -> None:
    """Close a coroutine and those it awaits, innermost first: one left half-way would run on if collected."""
    chain = [coroutine]
    while type(awaited := getattr(chain[-1], "cr_await", None)) is CoroutineType:
        chain.append(awaited)
    if not all(_ends(link) for link in reversed(chain)):
        _UNDEAD.append(coroutine)


def _ends(coroutine: Any) -> bool:
    for _ in range(CLOSE_ATTEMPTS):
        try:
            coroutine.close()
        except RuntimeError:
            # It awaited something while being closed, or raised this itself: the next attempt tells.
            continue
        except BaseException:  # noqa: BLE001
            # A finally block raised: the run is being put away, nobody is there to hear it.
            return True
        return True
    return False


for _name in LOOP_METHODS:
    setattr(WorkflowLoop, _name, refuse(_name))
WorkflowLoop.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


asyncio_patches.install(WorkflowLoop)
