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
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from continuum.errors import DeterminismError

if TYPE_CHECKING:
    from continuum.engine.execution import Execution

Result = TypeVar("Result")

# A run that keeps itself busy for this many callbacks without waiting for
# anything is in an endless loop; 10,000-way fan-outs stay far below it.
CALLBACKS_PER_STEP = 2_000_000


class WorkflowTask(asyncio.Task[Result]):
    """A task that hashes by creation number, so that sets of tasks iterate in a repeatable order."""

    __slots__ = ("_number",)

    def __init__(
        self, coroutine: Coroutine[Any, Any, Result], *, loop: WorkflowLoop, name: str | None, context: Context | None
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


class WorkflowTimer(asyncio.TimerHandle):
    """A timer handle that remembers which journaled timer it stands for."""

    __slots__ = ("seq",)

    seq: int


class WorkflowLoop(asyncio.AbstractEventLoop):
    """A loop whose only inputs are the events its execution feeds it."""

    # No __slots__: AbstractEventLoop has none, so there is a dict in any case.

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.tasks_created = 0
        self._ready: list[events.Handle] = []

    def step(self) -> bool:
        """Run callbacks until none is ready; False when the limit cut it short or a fault ended it."""
        execution = self.execution
        previous = events._get_running_loop()
        events._set_running_loop(self)
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, None)
        try:
            ran = 0
            while batch := self._ready:
                # A list swapped whole keeps FIFO order; an empty deque costs a parked run 0.7 KB.
                self._ready = []
                for handle in batch:
                    if not handle._cancelled:  # type: ignore[attr-defined]
                        handle._run()
                        if execution.fault is not None:
                            return False
                ran += len(batch)
                if ran > CALLBACKS_PER_STEP:
                    return False
            return True
        finally:
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(previous)

    def wake(self, timer: WorkflowTimer) -> None:
        """Make a fired timer's callback ready."""
        self._ready.append(timer)

    def close_quietly(self, tasks: list[WorkflowTask[Any]]) -> None:
        """Put the run's coroutines away; the execution is marked closing, so that they can do nothing."""
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
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, Result],
        *,
        name: str | None = None,
        context: Context | None = None,
        **_: object,
    ) -> WorkflowTask[Result]:
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
            frame = sys._getframe(1)
            due = self.execution.at + round(delay * 1e6)
            timer.seq = self.execution.start_timer(timer, due, (frame.f_code, frame.f_lineno))
        return timer

    def _timer_handle_cancelled(self, handle: WorkflowTimer) -> None:
        self.execution.timers.pop(handle.seq, None)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.execution.report(context)


def _close(coroutine: Any) -> None:
    try:
        coroutine.close()
    except RuntimeError:
        # The coroutine awaited something while being closed; it is gone all the same.
        return
    except BaseException:
        # A finally block raised: the run is being put away, nobody is there to hear it.
        return


def _refuse(name: str, instead: str) -> Callable[..., NoReturn]:
    def refused(self: object, *args: object, **kwargs: object) -> NoReturn:
        raise DeterminismError(f"{name} reaches outside the workflow, which replay cannot repeat; {instead}")

    refused.__name__ = name
    return refused


_ACTIVITY = "do it in an activity"
for _name in (
    "run_in_executor call_soon_threadsafe getaddrinfo getnameinfo create_connection create_server "
    "create_unix_connection create_unix_server create_datagram_endpoint connect_read_pipe connect_write_pipe "
    "subprocess_exec subprocess_shell add_reader remove_reader add_writer remove_writer sock_recv sock_recv_into "
    "sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto sock_connect sock_accept sock_sendfile sendfile "
    "start_tls add_signal_handler remove_signal_handler run_forever run_until_complete connect_accepted_socket"
).split():
    setattr(WorkflowLoop, _name, _refuse(_name, _ACTIVITY))
WorkflowLoop.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


def current() -> Execution | None:
    """Return the execution whose workflow code is running right now, if any."""
    loop = events._get_running_loop()
    return loop.execution if type(loop) is WorkflowLoop else None
