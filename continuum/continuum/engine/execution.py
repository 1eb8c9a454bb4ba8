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

from continuum.engine.call_site import Site
from continuum.engine.command_log import CommandLog
from continuum.engine.control import Control
from continuum.engine.drift_messages import corrupt_history, extra_event, leftover, livelock, unasked
from continuum.engine.events import COMMANDS, Event, EventType, is_whole
from continuum.engine.loop import step_guard
from continuum.engine.loop.event_loop import WorkflowLoop, WorkflowTask, WorkflowTimer
from continuum.engine.outcome import Blocked, Cancelled, Failed, Outcome, outcome_of
from continuum.engine.outgoing import Announcements
from continuum.engine.pending import Options, PendingActivity, PendingChild, end_child, note_attempt, resolve
from continuum.engine.signal_buffer import SignalBuffer
from continuum.engine.snapshot_history import CompactHistory
from continuum.engine.snapshot_replay import replay_compact
from continuum.engine.timers import DueTimes

__all__ = ["Execution", "PendingActivity"]

log = logging.getLogger("continuum.engine")

# The end of the year 9999 in microseconds: the last moment a timer can be due, whatever was asked for.
LAST_DUE = 253_402_300_799_000_000


class Execution(CommandLog):
    """One run's code in motion. See the module docstring for how it is driven.

    `definition` is the workflow, which only the public API looks at; `depth` counts the run's ancestors.
    """

    __slots__ = (
        "_due",
        "_opened",
        "_root",
        "_signals",
        "abandoned",
        "announced",
        "cancelled",
        "children",
        "compensations",
        "definition",
        "depth",
        "draw",
        "info",
        "loop",
        "outcome",
        "patches",
        "pending",
        "tasks",
        "time",
        "timers",
    )

    def __init__(
        self, info: Any, draw: Callable[[int], bytes], definition: Any = None, depth: int = 0
    ) -> None:
        super().__init__()
        self.info = info
        self.draw = draw
        self.definition = definition
        self.depth = depth
        self.time = 0
        self.outcome: Outcome | None = None
        self.tasks: set[WorkflowTask[Any]] = set()
        self.pending: dict[int, PendingActivity] = {}
        self.timers: dict[int, WorkflowTimer] = {}
        # Most runs have none of these four.
        self.children: dict[int, PendingChild] | None = None
        self.announced: Announcements | None = None
        self.patches: dict[str, bool] | None = None
        self.compensations: dict[Any, None] | None = None
        self.abandoned: list[int] = []
        # Set once somebody has asked the run to stop.
        self.cancelled: Cancelled | None = None
        self.loop = WorkflowLoop(self)  # type: ignore[abstract]  # what is missing is set in a loop
        self._root: WorkflowTask[Any] | None = None
        self._opened: list[PendingActivity] = []
        self._due = DueTimes(self.timers, self.pending)
        self._signals: SignalBuffer | None = None

    # Driving.

    def begin(
        self,
        program: Coroutine[Any, Any, Any],
        history: Sequence[Event],
        *,
        started_at: int,
        now: int,
        compact: CompactHistory | None = None,
    ) -> Outcome | None:
        """Start `program`, replay `history` through it, and let it go on from there.

        `history` begins where `compact` ends, if that is given. When `misfit` is set afterwards the
        outcome means nothing: begin anew with the events alone.
        """
        self.time = started_at
        # The database clock may have stepped back since; a run's own time never does.
        self._at = max(now, history[-1].at if history else started_at)
        first = compact.end if compact is not None else 0
        self._next_seq = first + len(history)
        foreign = False
        for position, event in enumerate(history, first):
            if event.seq != position or not is_whole(event):
                self.verdict = corrupt_history(position, event)
                program.close()
                return self._settle()
            if event.type == EventType.VERSION_CHANGED:
                foreign = True
        if foreign:
            # It says something about the history and is no part of what the code went through.
            history = [event for event in history if event.type != EventType.VERSION_CHANGED]
        self._history = history
        self.compact = compact
        step_guard.active.watch(program)
        # An empty context: what the host keeps in its context variables is not the run's.
        self._root = WorkflowTask(program, loop=self.loop, name=None, context=Context())
        with step_guard.active:
            self._run()
            if compact is not None:
                replay_compact(self, self._root)
            self._replay(self._root)
        self._history = ()
        self._cursor = 0
        return self._settle()

    def _replay(self, root: WorkflowTask[Any]) -> None:
        history = self._history
        while self._cursor < len(history) and type(self.verdict) is not Blocked:
            event = history[self._cursor]
            if root.done() or self.outcome is not None or self.verdict is not None:
                self.outcome = None
                self.verdict = leftover(event)
            elif event.type in COMMANDS:
                self.verdict = extra_event(event)
            else:
                self._cursor += 1
                self.time = event.at
                if self._feed(event):
                    self._run()
                else:
                    self.verdict = unasked(event)

    def apply(self, type: EventType, body: tuple[Any, ...], *, at: int) -> bool:
        """Journal one answer from outside and run the code; False when nobody waits for it any more."""
        if self.outcome is not None:
            return False
        if at < self._at:
            at = self._at
        previous = self.time
        self.time = self._at = at
        event = Event(self._next_seq, type, at, body)
        if not self._feed(event):
            self.time = previous
            return False
        # The answer comes before whatever the code does about it.
        self._next_seq += 1
        self._log.append(event)
        with step_guard.active:
            self._run()
        self._settle()
        return True

    def take_opened(self) -> list[PendingActivity]:
        """Hand over the activities scheduled since the last call and still wanted."""
        if not self._opened:
            return []
        opened, self._opened = self._opened, []
        return [activity for activity in opened if activity.seq in self.pending]

    def take_announced(self) -> Announcements | None:
        """Hand over what the code has told others since the last call: children, stops, published values."""
        announced, self.announced = self.announced, None
        return announced

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
        self.children = None

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
            event = self.command(type, name, site, (arguments, options))
        except Control:
            if not self.weary:
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
            event = self.command(EventType.TIMER_STARTED, min(due, LAST_DUE), site, ())
        except Control:
            if not self.weary:
                raise
            return -1
        self.timers[event.seq] = timer
        self._due.add(event.body[0], event.seq)
        return event.seq

    async def next_signal(self, name: str) -> bytes:
        """Return the next signal of that name, waiting for it when there is none."""
        try:
            self.check()
        except Control:
            if not self.weary:
                raise
            await self.loop.create_future()
        return await self._signal_buffer().take(name, self.loop)

    def signals_waited_for(self) -> list[str]:
        """Return the names of the signals that code is waiting for."""
        return self._signals.waited_for() if self._signals is not None else []

    def signals_kept(self) -> list[tuple[str, bytes]]:
        """Return name and value of the signals that have come and no code has asked for."""
        return self._signals.kept() if self._signals is not None else []

    def report(self, context: dict[str, Any]) -> None:
        """Log what asyncio found to complain about in workflow code."""
        if not self.closing and not self.replaying:
            log.warning("in a workflow: %s", context.get("message"), exc_info=context.get("exception"))

    # Inside.

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
                if self.cancelled is not None or self._root is None:
                    return False
                self.cancelled = Cancelled(by_parent=bool(event.body))
                self._root.cancel()
            case EventType.CHILD_COMPLETED | EventType.CHILD_FAILED | EventType.CHILD_CANCELLED:
                return self.children is not None and end_child(self.children, event)
            case _:
                return False
        return True

    def feed(self, event: Event) -> bool:
        """Hand one recorded answer to whoever waits for it, and run the code; False when nobody does."""
        fed = self._feed(event)
        if fed:
            self._run()
        return fed

    def _run(self) -> None:
        try:
            finished = self.loop.step()
        except (SystemExit, KeyboardInterrupt) as error:
            # asyncio re-raises these out of the task; here they are the run's own end.
            self.outcome = Failed(error)
            return
        if not finished and self.verdict is None:
            self.verdict = livelock(self.loop.callbacks_per_step)

    def _settle(self) -> Outcome | None:
        root = self._root
        if self.outcome is not None:
            pass
        elif self.verdict is not None:
            self.outcome = self.verdict
        elif root is not None and root.done():
            self.outcome = outcome_of(root, self.cancelled)
        if self.outcome is not None:
            self.close()
        return self.outcome
