"""The replay core: history in, commands out.

An `Execution` drives one workflow coroutine on its deterministic loop. `begin`
starts the coroutine and replays a history through it; `apply` journals one
thing that the outside answered and runs the code until it waits again. What the
code asked for meanwhile is in `take_log` (events to write) and `take_opened`
(activities to start once those events are durable).

It does no I/O and reads no clock: times come in as microseconds, values as
bytes. The same history always yields the same commands (invariant I10).
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import CodeType
from typing import Any, TypeAlias

from continuum.engine.control import Closed, Halted
from continuum.engine.events import COMMANDS, SCHEDULED, Event, EventType
from continuum.engine.loop import CALLBACKS_PER_STEP, WorkflowLoop, WorkflowTask, WorkflowTimer
from continuum.engine.messages import corrupt_history, drift, extra_event, leftover, livelock, unasked
from continuum.engine.outcome import Blocked, Cancelled, Completed, Failed, Outcome
from continuum.errors import ActivityError, DeterminismError

Options: TypeAlias = dict[str, Any] | None
Site: TypeAlias = tuple[CodeType, int]
"""Where in user code a command was issued: the function's code and the line."""
log = logging.getLogger("continuum.engine")


@dataclass(slots=True)
class PendingActivity:
    """An activity or compensation the run waits for."""

    seq: int
    type: int
    name: str
    arguments: bytes
    options: Options
    definition: Any
    future: asyncio.Future[bytes] = field(repr=False)
    attempt: int = 1
    crashes: int = 0
    retry_due: int | None = None


class Execution:
    """One run's code in motion. See the module docstring for how it is driven."""

    __slots__ = (
        "_at",
        "_cancel_requested",
        "_closing",
        "_cursor",
        "_due",
        "_history",
        "_in_side_effect",
        "_log",
        "_next_seq",
        "_opened",
        "_patches",
        "_root",
        "_signals",
        "_waiting",
        "abandoned",
        "draw",
        "fault",
        "info",
        "loop",
        "outcome",
        "pending",
        "tasks",
        "time",
        "timers",
    )

    def __init__(self, info: Any = None, draw: Callable[[int], bytes] = os.urandom) -> None:
        self.info = info
        self.draw = draw
        self.time = 0
        self.fault: Blocked | None = None
        self.outcome: Outcome | None = None
        self.tasks: set[WorkflowTask[Any]] = set()
        self.pending: dict[int, PendingActivity] = {}
        self.timers: dict[int, WorkflowTimer] = {}
        self.abandoned: list[int] = []
        self.loop = WorkflowLoop(self)
        self._root: WorkflowTask[Any] | None = None
        self._history: Sequence[Event] = ()
        self._cursor = 0
        self._next_seq = 0
        self._at = 0
        self._log: list[Event] = []
        self._opened: list[PendingActivity] = []
        self._due: list[tuple[int, int]] = []
        self._signals: dict[str, deque[bytes]] | None = None
        self._waiting: dict[str, deque[asyncio.Future[bytes]]] | None = None
        self._patches: dict[str, bool] | None = None
        self._cancel_requested = False
        self._in_side_effect = False
        self._closing = False

    # Driving.

    def begin(
        self, program: Coroutine[Any, Any, Any], history: Sequence[Event], *, started_at: int, now: int
    ) -> Outcome | None:
        """Start `program`, replay `history` through it, and let it go on from there."""
        self.time = started_at
        self._at = now
        self._history = history
        self._next_seq = len(history)
        for position, event in enumerate(history):
            if event.seq != position:
                self.fault = corrupt_history(position, event)
                program.close()
                return self._settle()
        self._root = WorkflowTask(program, loop=self.loop, name=None, context=None)
        self._run()
        while self._cursor < len(history) and self.fault is None:
            event = history[self._cursor]
            if self._root.done():
                self.fault = leftover(event)
            elif event.type in COMMANDS:
                self.fault = extra_event(event)
            else:
                self._cursor += 1
                self.time = event.at
                if self._feed(event):
                    self._run()
                else:
                    self.fault = unasked(event)
        self._history = ()
        self._cursor = 0
        return self._settle()

    def apply(self, type: EventType, body: tuple[Any, ...], *, at: int) -> bool:
        """Journal one answer from outside and run the code; False when nobody waits for it any more."""
        if self.outcome is not None:
            return False
        event = Event(self._next_seq, type, at, body)
        previous = self.time
        self.time = self._at = max(at, previous)
        if event.at != self.time:
            # The database clock stepped back; a run's own time never does.
            event = event._replace(at=self.time)
        if not self._feed(event):
            self.time = previous
            return False
        # The answer comes before whatever the code does about it.
        self._next_seq += 1
        self._log.append(event)
        self._run()
        self._settle()
        return True

    def take_log(self) -> list[Event]:
        """Hand over the events journaled since the last call."""
        events, self._log = self._log, []
        return events

    def take_opened(self) -> list[PendingActivity]:
        """Hand over the activities scheduled since the last call and still wanted."""
        if not self._opened:
            return []
        opened, self._opened = self._opened, []
        return [activity for activity in opened if activity.seq in self.pending]

    def next_due(self) -> int | None:
        """Return when the earliest timer or retry is due, in microseconds, or None."""
        heap = self._due
        while heap:
            due, seq = heap[0]
            if seq in self.timers:
                return due
            activity = self.pending.get(seq)
            if activity is not None and activity.retry_due == due:
                return due
            heapq.heappop(heap)
        return None

    def take_due(self, now: int) -> list[int]:
        """Return the seqs whose timer or retry is due at `now`, earliest first."""
        seqs: list[int] = []
        while (due := self.next_due()) is not None and due <= now:
            seqs.append(heapq.heappop(self._due)[1])
        return seqs

    def await_retry(self, seq: int) -> None:
        """Note that a pending activity waits for its back-off."""
        activity = self.pending[seq]
        assert activity.retry_due is not None
        heapq.heappush(self._due, (activity.retry_due, seq))

    def close(self) -> None:
        """Put the coroutine away without letting it do anything more."""
        self._closing = True
        if self._root is not None:
            self.loop.close_quietly([self._root, *sorted(self.tasks, key=hash)])
        self.tasks.clear()
        self.pending.clear()
        self.timers.clear()

    @property
    def at(self) -> int:
        """When the current step began on the journal's clock; not the same in a replay."""
        return self._at

    @property
    def replaying(self) -> bool:
        """Whether the code is still going over what it did before."""
        return self._cursor < len(self._history)

    @property
    def events_written(self) -> int:
        """How many events the history has, the ones not yet taken included."""
        return self._next_seq

    # Called by workflow code, through the public API.

    def schedule(
        self, type: EventType, name: str, site: Site, arguments: bytes, options: Options, definition: Any = None
    ) -> PendingActivity:
        """Ask for an activity or compensation; its result arrives in the returned entry's future."""
        event = self._command(type, name, site, (arguments, options))
        activity = PendingActivity(
            event.seq, event.type, name, event.body[3], event.body[4], definition, asyncio.Future(loop=self.loop)
        )
        self.pending[event.seq] = activity
        self._opened.append(activity)
        return activity

    def abandon(self, activity: PendingActivity) -> None:
        """Stop waiting for an activity; whatever it still answers is dropped."""
        if self.pending.pop(activity.seq, None) is not None:
            self.abandoned.append(activity.seq)

    def start_timer(self, timer: WorkflowTimer, due: int, site: Site) -> int:
        """Start a durable timer that fires at `due` and return its seq."""
        event = self._command(EventType.TIMER_STARTED, due, site, ())
        self.timers[event.seq] = timer
        heapq.heappush(self._due, (event.body[0], event.seq))
        return event.seq

    def side_effect(self, kind: str, site: Site, produce: Callable[[], Any]) -> Any:
        """Return the journaled value of `produce`, calling it only the first time."""
        self._check()
        value = None if self.replaying else self._produce(produce)
        return self._command(EventType.SIDE_EFFECT, kind, site, (value,)).body[3]

    def patched(self, name: str, site: Site) -> bool:
        """Return whether the run reached patch `name` first with code that has it."""
        self._check()
        if self._patches is None:
            self._patches = {}
        known = self._patches.get(name)
        if known is None:
            known = True
            if self.replaying:
                event = self._history[self._cursor]
                known = event.type == EventType.PATCHED and event.body[0] == name
            if known:
                self._command(EventType.PATCHED, name, site, ())
            self._patches[name] = known
        return known

    async def next_signal(self, name: str) -> bytes:
        """Return the next signal of that name, waiting for it when there is none."""
        self._check()
        if self._signals is not None and (queue := self._signals.get(name)):
            return queue.popleft()
        if self._waiting is None:
            self._waiting = {}
        waiting = self._waiting.setdefault(name, deque())
        future: asyncio.Future[bytes] = asyncio.Future(loop=self.loop)
        waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                # Delivered and cancelled in one step: the signal is for the next one to ask.
                self._buffer(name).appendleft(future.result())
            elif future in waiting:
                waiting.remove(future)
            raise

    def signals_waited_for(self) -> list[str]:
        """Return the names of the signals that code is waiting for."""
        return sorted(name for name, waiting in (self._waiting or {}).items() if waiting)

    def report(self, context: dict[str, Any]) -> None:
        """Log what asyncio found to complain about in workflow code."""
        if not self._closing and not self.replaying:
            log.warning("in a workflow: %s", context.get("message"), exc_info=context.get("exception"))

    # Inside.

    def _command(self, type: EventType, target: Any, site: Site, rest: tuple[Any, ...]) -> Event:
        """Match a command against history, or journal it when history has ended.

        Two commands are the same when type, target and calling function agree and
        they stand at the same place; a timer's target, its due time, is the journal's.
        """
        self._check()
        caller = site[0].co_qualname
        cursor = self._cursor
        if cursor < len(self._history):
            event = self._history[cursor]
            body = event.body
            if (
                event.type != type
                or body[1] != caller
                or (body[0] != target and type is not EventType.TIMER_STARTED)
            ):
                name = target if isinstance(target, str) else None
                self.fault = drift(event, type, name, caller, _where(site))
                raise Halted
            self._cursor = cursor + 1
            return event
        event = Event(self._next_seq, type, self._at, (target, caller, _where(site), *rest))
        self._next_seq += 1
        self._log.append(event)
        return event

    def _check(self) -> None:
        if self._closing:
            raise Closed
        if self.fault is not None:
            raise Halted
        if self._in_side_effect:
            raise DeterminismError(
                "an effect was used inside side_effect(), where replay would skip it; move it out of the function"
            )

    def _produce(self, produce: Callable[[], Any]) -> Any:
        self._in_side_effect = True
        try:
            return produce()
        finally:
            self._in_side_effect = False

    def _feed(self, event: Event) -> bool:
        """Hand one answer to whoever waits for it; False when nobody does."""
        match event.type:
            case EventType.ACTIVITY_COMPLETED | EventType.COMPENSATION_COMPLETED:
                activity = self.pending.pop(event.body[0], None)
                if activity is None or activity.future.done():
                    return False
                activity.future.set_result(event.body[1])
            case EventType.ACTIVITY_FAILED | EventType.COMPENSATION_FAILED:
                activity = self.pending.pop(event.body[0], None)
                if activity is None or activity.future.done():
                    return False
                activity.future.set_exception(ActivityError(activity.name, *event.body[1:5]))
            case EventType.ACTIVITY_RETRIED:
                activity = self.pending.get(event.body[0])
                if activity is None:
                    return False
                activity.attempt = event.body[3] + 1
                activity.retry_due = event.body[4]
                self.await_retry(activity.seq)
            case EventType.ACTIVITY_CRASHED:
                activity = self.pending.get(event.body[0])
                if activity is None:
                    return False
                activity.crashes = event.body[1]
            case EventType.TIMER_FIRED:
                timer = self.timers.pop(event.body[0], None)
                if timer is None:
                    return False
                self.loop.wake(timer)
            case EventType.SIGNAL_RECEIVED:
                self._deliver(event.body[0], event.body[1])
            case EventType.CANCEL_REQUESTED:
                if self._cancel_requested or self._root is None:
                    return False
                self._cancel_requested = True
                self._root.cancel()
            case _:
                return False
        return True

    def _deliver(self, name: str, value: bytes) -> None:
        waiting = self._waiting.get(name) if self._waiting else None
        while waiting:
            future = waiting.popleft()
            if not future.done():
                future.set_result(value)
                return
        self._buffer(name).append(value)

    def _buffer(self, name: str) -> deque[bytes]:
        if self._signals is None:
            self._signals = {}
        return self._signals.setdefault(name, deque())

    def _run(self) -> None:
        try:
            finished = self.loop.step()
        except (SystemExit, KeyboardInterrupt) as error:
            # asyncio re-raises these out of the task; here they are the run's own end.
            self.outcome = Failed(error)
            return
        if not finished and self.fault is None:
            self.fault = livelock(CALLBACKS_PER_STEP)

    def _settle(self) -> Outcome | None:
        root = self._root
        if self.outcome is not None:
            pass
        elif self.fault is not None:
            self.outcome = self.fault
        elif root is not None and root.done():
            if self._cancel_requested and (root.cancelled() or root.exception() is None):
                self.outcome = Cancelled()
            elif root.cancelled():
                self.outcome = Failed(asyncio.CancelledError("the workflow cancelled itself"))
            elif (error := root.exception()) is not None:
                self.outcome = Failed(error)
            else:
                self.outcome = Completed(root.result())
        if self.outcome is not None:
            self.close()
        return self.outcome


def _where(site: Site) -> str:
    return f"{_short(site[0].co_filename)}:{site[1]}"


@cache
def _short(filename: str) -> str:
    """The last two parts of a path say enough in a message, and nothing about the machine."""
    return "/".join(filename.replace("\\", "/").split("/")[-2:])
