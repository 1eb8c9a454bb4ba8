"""One attempt of an activity: decode, call, encode, within its limits."""

from __future__ import annotations

import asyncio
import contextvars
import faulthandler
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from continuum.definitions.activity import Activity
from continuum.definitions.activity_context import ActivityContext, enter_activity
from continuum.definitions.activity_executor import ActivityCall, ActivityExecutor
from continuum.definitions.call_outcome import CallOutcome, outcome_of_call
from continuum.engine.ids import RunId
from continuum.telemetry.measures import Measures
from continuum.telemetry.tracing import TracedRun
from continuum_actors.activity.deadline import Deadline, Limits
from continuum_actors.activity.executor_work import ExecutorWork
from continuum_actors.activity.limited_call import CoroutineWork, LimitedCall, ThreadWork, Work
from continuum_actors.host.host import Host
from continuum_actors.host.pulse import Pulse
from continuum_actors.host.thread_pool import ThreadPool
from continuum_actors.host.traces import trace_of_attempt
from continuum_supervision import Clock

RecordHeartbeat = Callable[[RunId, int, bytes], None]
Beat = Callable[[ActivityContext, bytes], None]


@functools.cache
def _nowhere() -> int:
    """Return a file that discards dumps, open as long as the process.

    A dump would end up in the middle of the node's log; the run's error says what happened.
    """
    return os.open(os.devnull, os.O_WRONLY)


class HardKill:
    """Ends this process when an attempt is out of time, even if it never releases the interpreter lock.

    The watching thread is written in C and needs no lock of Python's. Recovery finds the dead
    process's task overdue and counts it as timed out.
    """

    @contextmanager
    def after(self, seconds: float, pulse: Pulse) -> Iterator[None]:
        """End the process in `seconds`, unless the block has ended by then; `pulse` tells the others why."""
        pulse.ends_itself(seconds)
        faulthandler.dump_traceback_later(seconds, exit=True, file=_nowhere())
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            pulse.ends_itself(None)


class Attempt:
    """One call of an activity, and its context."""

    __slots__ = (
        "_arguments",
        "_limited",
        "_limits",
        "began",
        "context",
        "definition",
        "dispatch",
        "key",
        "run_id",
        "seq",
        "task",
        "trace",
    )

    def __init__(
        self,
        definition: Activity[..., object],
        origin: TracedRun,
        seq: int,
        arguments: bytes,
        number: int,
        limits: Limits,
        key: str | None,
        beat: Beat,
        dispatch: int = 1,
    ) -> None:
        run_id = RunId(origin.run_id)
        self.dispatch = dispatch
        self.trace = trace_of_attempt(run_id, seq, dispatch)
        self.definition = definition
        self.run_id = run_id
        self.seq = seq
        self.key = key
        self._arguments = arguments
        self._limits = limits
        self._limited: LimitedCall | None = None
        self.task: asyncio.Task[None] | None = None
        # When its call began, on the clock of the loop, which costs a step the least; None before.
        self.began: float | None = None
        self.context = ActivityContext(run_id, number, beat, self.trace, seq, definition.name, origin)

    async def run(self, host: Host, kill: HardKill | None, clock: Clock) -> bytes:
        """Return the encoded result; raises what the activity raises, `TimeoutError` at its deadline.

        The time of a `def` activity begins when a thread begins the call: while it waits for one, it is
        not what takes long.
        """
        args, kwargs = self.enter()
        self.began = asyncio.get_running_loop().time()
        assert self.context.origin is not None, "every attempt is one of a run"
        with host.tracer.attempt(self.context.origin, self.definition.name, self.context.attempt):
            try:
                value = await self._call(args, kwargs, host, kill, clock)
            finally:
                self.context.over = True
            return self.definition.encode_result(value)

    async def _call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], host: Host, kill: HardKill | None, clock: Clock
    ) -> Any:
        definition, limits = self.definition, self._limits
        within: Callable[[Callable[[], CallOutcome]], CallOutcome] | None = None
        if kill is not None and not definition.is_async:
            if limits.shortest is not None:
                within = functools.partial(_within, kill, limits.shortest, host.pulse)
            limits = Limits(heartbeat_timeout=limits.heartbeat_timeout)
        if limits.unlimited:
            if host.executor is not None:
                return await self._by_executor(host.executor, args, kwargs)
            if definition.is_async:
                return await definition.fn(*args, **kwargs)
            return await self._in_thread(host.threads, self._outcome(host.pulse, args, kwargs, within))
        what = f"activity {definition.name} of run {self.run_id}, attempt {self.context.attempt}"
        self._limited = limited = LimitedCall(what, host.leftovers, self._expired)
        deadline = Deadline(limits, clock, limited.give_up)
        self.context.beaten = deadline.beat
        work: Work
        if host.executor is not None:
            deadline.start()
            work = ExecutorWork(host.executor, self._as_call(args, kwargs))
        elif definition.is_async:
            deadline.start()
            work = CoroutineWork(definition.fn(*args, **kwargs))
        else:
            outcome = self._outcome(host.pulse, args, kwargs, within)
            work = ThreadWork(host.threads, host.threads.submit(definition.name, outcome, deadline.start))
        return await limited.result(work, deadline)

    def _outcome(
        self,
        pulse: Pulse,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        within: Callable[[Callable[[], CallOutcome]], CallOutcome] | None,
    ) -> Callable[[], CallOutcome]:
        here = contextvars.copy_context()

        def outcome() -> CallOutcome:
            place = pulse.thread_begins(self.trace)
            try:
                return here.run(outcome_of_call, self.definition.fn, *args, **kwargs)
            finally:
                pulse.thread_ends(place)

        return outcome if within is None else functools.partial(within, outcome)

    async def _by_executor(
        self, executor: ActivityExecutor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        work = ExecutorWork(executor, self._as_call(args, kwargs))
        try:
            return (await work.outcome).get()
        except asyncio.CancelledError:
            work.stop()
            raise

    def _as_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActivityCall:
        return ActivityCall(
            f"{self.run_id}/{self.seq}/{self.dispatch}",
            self.definition.name,
            self.run_id,
            self.context.attempt,
            args,
            kwargs,
            self.definition.fn,
            contextvars.copy_context(),
        )

    async def _in_thread(self, threads: ThreadPool, outcome: Callable[[], CallOutcome]) -> Any:
        call = threads.submit(self.definition.name, outcome)
        try:
            return (await call.outcome).get()
        except asyncio.CancelledError:
            threads.give_up(call)
            raise

    def measure(self, measures: Measures, now: float, error: BaseException | None) -> None:
        """Report how it ended, if its call has begun."""
        if self.began is not None:
            outcome = "completed" if error is None else "failed"
            if self.context.cancelled and isinstance(error, TimeoutError):
                outcome = "timed_out"
            measures.activity_ended(self.definition.name, outcome, now - self.began)

    def give_up(self, message: str) -> None:
        """End the attempt with `TimeoutError` and this message; its run waits no longer."""
        self._expired()
        if self._limited is not None:
            self._limited.give_up(message)
        elif self.task is not None:
            # It has not come to the call yet.
            self.task.cancel()

    def _expired(self) -> None:
        """The deadline has come: code that still runs learns it, and its heartbeats count no more."""
        self.context.over = self.context.cancelled = True

    def enter(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Make this attempt the current one and return the arguments of the call."""
        call = self.definition.arguments.decode_call(self._arguments)
        enter_activity(self.context)
        return call


def _within(kill: HardKill, seconds: float, pulse: Pulse, call: Callable[[], CallOutcome]) -> CallOutcome:
    with kill.after(seconds, pulse):
        return call()


def heartbeats_in(loop: asyncio.AbstractEventLoop, record: RecordHeartbeat) -> Beat:
    """Return what the heartbeats of attempts call: it records them in the loop."""

    def beat(context: ActivityContext, data: bytes) -> None:
        if asyncio._get_running_loop() is loop:
            _record(context, record, data)
        else:
            # A `def` activity sends heartbeats from its thread.
            loop.call_soon_threadsafe(_record, context, record, data)

    return beat


def _record(context: ActivityContext, record: RecordHeartbeat, data: bytes) -> None:
    """Record a heartbeat, unless its attempt is over: the next one may have sent its own."""
    if not context.over:
        if context.beaten is not None:
            context.beaten()
        record(context.run_id, context.seq, data)
