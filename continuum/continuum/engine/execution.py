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
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from typing import Any

from continuum.engine import impure_read
from continuum.engine.call_site import Site, caller, where
from continuum.engine.control import Closed, Control, Halted
from continuum.engine.due_times import DueTimes
from continuum.engine.events import COMMANDS, Event, EventType, is_whole
from continuum.engine.loop import WorkflowLoop, WorkflowTask, WorkflowTimer
from continuum.engine.messages import corrupt_history, drift, extra_event, leftover, livelock, unasked
from continuum.engine.outcome import Blocked, Failed, Outcome, outcome_of
from continuum.engine.pending import Options, PendingActivity, note_attempt, resolve
from continuum.engine.signal_buffer import SignalBuffer
from continuum.errors import DeterminismError

__all__ = ["Execution", "PendingActivity"]

log = logging.getLogger("continuum.engine")

# Code that swallows a refusal and asks again, for ever, never gives the process back;
# refused this often, an effect waits instead of raising.
REFUSALS = 1_000

# The end of the year 9999 in microseconds: the last moment a timer can be due, whatever was asked for.
LAST_DUE = 253_402_300_799_000_000


class Execution:
    """One run's code in motion. See the module docstring for how it is driven."""

    __slots__ = (
        "_at",
        "_cancel_requested",
        "_cursor",
        "_due",
        "_history",
        "_log",
        "_next_seq",
        "_opened",
        "_patches",
        "_refusals",
        "_root",
        "_signals",
        "abandoned",
        "closing",
        "draw",
        "fault",
        "in_side_effect",
        "info",
        "loop",
        "outcome",
        "pending",
        "tasks",
        "time",
        "timers",
    )

    def __init__(self, info: Any, draw: Callable[[int], bytes]) -> None:
        self.info = info
        self.draw = draw
        self.time = 0
        self.fault: Blocked | None = None
        self.outcome: Outcome | None = None
        self.tasks: set[WorkflowTask[Any]] = set()
        self.pending: dict[int, PendingActivity] = {}
        self.timers: dict[int, WorkflowTimer] = {}
        self.abandoned: list[int] = []
        self.loop = WorkflowLoop(self)  # type: ignore[abstract]  # what is missing is set in a loop
        self._root: WorkflowTask[Any] | None = None
        self._history: Sequence[Event] = ()
        self._cursor = 0
        self._next_seq = 0
        self._at = 0
        self._log: list[Event] = []
        self._opened: list[PendingActivity] = []
        self._due = DueTimes(self.timers, self.pending)
        self._signals: SignalBuffer | None = None
        self._patches: dict[str, bool] | None = None
        self._cancel_requested = False
        self.in_side_effect = False
        self.closing = False
        self._refusals = 0

    # Driving.

    def begin(
        self, program: Coroutine[Any, Any, Any], history: Sequence[Event], *, started_at: int, now: int
    ) -> Outcome | None:
        """Start `program`, replay `history` through it, and let it go on from there."""
        self.time = started_at
        # The database clock may have stepped back since; a run's own time never does.
        self._at = max(now, history[-1].at if history else started_at)
        self._history = history
        self._next_seq = len(history)
        for position, event in enumerate(history):
            if event.seq != position or not is_whole(event):
                self.fault = corrupt_history(position, event)
                program.close()
                return self._settle()
        # An empty context: what the host keeps in its context variables is not the run's.
        self._root = WorkflowTask(program, loop=self.loop, name=None, context=Context())
        self._run()
        while self._cursor < len(history) and self.fault is None:
            event = history[self._cursor]
            if self._root.done() or self.outcome is not None:
                self.outcome = None
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
        self.time = self._at = max(at, self._at)
        if event.at != self.time:
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
        return self._due.next()

    def take_due(self, now: int) -> list[int]:
        """Return the seqs whose timer or retry is due at `now`, earliest first."""
        return self._due.take(now)

    def close(self) -> None:
        """Put the coroutine away without letting it do anything more."""
        self.closing = True
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
        self,
        type: EventType,
        name: str,
        site: Site,
        arguments: bytes,
        options: Options,
        definition: Any = None,
    ) -> PendingActivity:
        """Ask for an activity or compensation; its result arrives in the returned entry's future."""
        try:
            event = self._command(type, name, site, (arguments, options))
        except Control:
            if self._refusals < REFUSALS:
                raise
            unanswered: asyncio.Future[bytes] = asyncio.Future(loop=self.loop)
            return PendingActivity(-1, type, name, arguments, options, definition, unanswered)
        activity = PendingActivity(
            event.seq,
            event.type,
            name,
            event.body[3],
            event.body[4],
            definition,
            asyncio.Future(loop=self.loop),
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
        try:
            event = self._command(EventType.TIMER_STARTED, min(due, LAST_DUE), site, ())
        except Control:
            if self._refusals < REFUSALS:
                raise
            return -1
        self.timers[event.seq] = timer
        self._due.add(event.body[0], event.seq)
        return event.seq

    def side_effect(self, kind: str, site: Site, produce: Callable[[], Any]) -> Any:
        """Return the journaled value of `produce`, or raise its journaled failure, calling it only once."""
        self._check()
        body = self._command(
            EventType.SIDE_EFFECT, kind, site, (None,) if self.replaying else self._produce(produce)
        ).body
        if failure := body[4:]:
            raise impure_read.raised(*failure)
        return body[3]

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
        try:
            self._check()
        except Control:
            if self._refusals < REFUSALS:
                raise
            await self.loop.create_future()
        return await self._signal_buffer().take(name, self.loop)

    def signals_waited_for(self) -> list[str]:
        """Return the names of the signals that code is waiting for."""
        return self._signals.waited_for() if self._signals is not None else []

    def report(self, context: dict[str, Any]) -> None:
        """Log what asyncio found to complain about in workflow code."""
        if not self.closing and not self.replaying:
            log.warning("in a workflow: %s", context.get("message"), exc_info=context.get("exception"))

    # Inside.

    def _command(self, type: EventType, target: Any, site: Site, rest: tuple[Any, ...]) -> Event:
        """Match a command against history, or journal it when history has ended.

        Two commands are the same when type, target and calling function agree and
        they stand at the same place; a timer's target, its due time, is the journal's.
        """
        self._check()
        author = caller(site)
        cursor = self._cursor
        if cursor < len(self._history):
            event = self._history[cursor]
            body = event.body
            if (
                event.type != type
                or body[1] != author
                or (body[0] != target and type is not EventType.TIMER_STARTED)
            ):
                name = target if isinstance(target, str) else None
                self.fault = drift(event, type, name, author, where(site))
                raise Halted
            self._cursor = cursor + 1
            return event
        event = Event(self._next_seq, type, self._at, (target, author, where(site), *rest))
        self._next_seq += 1
        self._log.append(event)
        return event

    def _check(self) -> None:
        if self.closing:
            self._refusals += 1
            raise Closed
        if self.fault is not None:
            self._refusals += 1
            raise Halted
        if self.in_side_effect:
            raise DeterminismError(
                "an effect was used inside side_effect(), where replay would skip it; move it outside"
            )

    def _produce(self, produce: Callable[[], Any]) -> tuple[Any, ...]:
        self.in_side_effect = True
        try:
            return impure_read.attempt(produce)
        finally:
            self.in_side_effect = False

    def _signal_buffer(self) -> SignalBuffer:
        if self._signals is None:
            self._signals = SignalBuffer()
        return self._signals

    def _feed(self, event: Event) -> bool:
        """Hand one answer to whoever waits for it; False when nobody does."""
        match event.type:
            case (
                EventType.ACTIVITY_COMPLETED
                | EventType.COMPENSATION_COMPLETED
                | EventType.ACTIVITY_FAILED
                | EventType.COMPENSATION_FAILED
            ):
                return resolve(self.pending, event)
            case EventType.ACTIVITY_RETRIED | EventType.ACTIVITY_CRASHED | EventType.ACTIVITY_RESTARTED:
                if not note_attempt(self.pending, event):
                    return False
                if event.type == EventType.ACTIVITY_RETRIED:
                    self._due.add(event.body[4], event.body[0])
            case EventType.TIMER_FIRED:
                timer = self.timers.pop(event.body[0], None)
                if timer is None:
                    return False
                self.loop.wake(timer)
            case EventType.SIGNAL_RECEIVED:
                self._signal_buffer().deliver(event.body[0], event.body[1])
            case EventType.CANCEL_REQUESTED:
                if self._cancel_requested or self._root is None:
                    return False
                self._cancel_requested = True
                self._root.cancel()
            case _:
                return False
        return True

    def _run(self) -> None:
        try:
            finished = self.loop.step()
        except (SystemExit, KeyboardInterrupt) as error:
            # asyncio re-raises these out of the task; here they are the run's own end.
            self.outcome = Failed(error)
            return
        if not finished and self.fault is None:
            self.fault = livelock(self.loop.callbacks_per_step)

    def _settle(self) -> Outcome | None:
        root = self._root
        if self.outcome is not None:
            pass
        elif self.fault is not None:
            self.outcome = self.fault
        elif root is not None and root.done():
            self.outcome = outcome_of(root, cancel_requested=self._cancel_requested)
        if self.outcome is not None:
            self.close()
        return self.outcome
