"""The replay core: history in, commands out.

An `Execution` drives one workflow coroutine on its deterministic loop. It does no I/O and
reads no clock: times come in as microseconds, values as bytes. The same history always
yields the same commands (invariant I10). Its caller does the rest, in these steps:

1. Make an `Execution` and call `begin` with the coroutine and the run's history. This replays
   the history and runs the code on from there until it waits for something or ends.
2. Commit what the code has caused: the events of `log.take_events()`, together with `outgoing`,
   which is for children and readers; then set `outgoing` to None.
3. Once that commit is durable, start the activities of `take_opened()`; after a replay it also has
   those that were scheduled before and have no result. Stop the activities in `abandoned` and
   clear it: their results would be dropped.
4. Wait for something from outside: the result of an activity or child, a signal, a cancel
   request, or the time `next_due()`.
5. Call `apply` with the event for it, which runs the code again. At `next_due()` that is
   TIMER_FIRED or ACTIVITY_RESTARTED for each seq of `take_due()`, or the failure of an activity
   whose deadline it is; start the restarted activities once the event is durable.
6. Continue at step 2. When `outcome` says how the run has ended, that commit is the last one.
   Call `close` to stop earlier: the same history resumes the run in another `Execution`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextvars import Context
from typing import Any, cast

from continuum.engine.call_site import Site, caller, declare_plumbing, user_site
from continuum.engine.command_log import CommandLog
from continuum.engine.control import Control
from continuum.engine.drift_messages import extra_event, leftover, livelock, unexpected
from continuum.engine.events import (
    ANSWERS,
    COMMANDS,
    TIMER_MARK,
    Event,
    EventType,
    is_timer_of_earlier_release,
)
from continuum.engine.loop import step_guard
from continuum.engine.loop.current import current as active_run
from continuum.engine.loop.event_loop import WorkflowLoop, WorkflowTask, WorkflowTimer
from continuum.engine.outcome import Blocked, Cancelled, Failed, Outcome, outcome_of
from continuum.engine.outgoing import Outgoing
from continuum.engine.pending import (
    Options,
    PendingActivity,
    PendingChild,
    end_child,
    record_attempt,
    resolve,
)
from continuum.engine.signal_buffer import NO_TIMER, Awaited, SignalBuffer
from continuum.engine.snapshot_history import CompactHistory
from continuum.engine.timers import DueTimes
from continuum.failures.exception_text import logged_traceback_of
from continuum.quoting import one_line

declare_plumbing(__name__)

logger = logging.getLogger("continuum.engine")

# The end of the year 9999 in microseconds: the last moment a timer can be due, whatever the code says.
LAST_DUE = 253_402_300_799_000_000


class Execution:
    """One run's code in motion. The module docstring says how to drive it.

    `definition` is the workflow, which only the public API reads; `depth` counts the run's ancestors.
    """

    __slots__ = (
        "_due",
        "_opened",
        "_root",
        "_signals",
        "abandoned",
        "cancelled",
        "children",
        "compensations",
        "definition",
        "depth",
        "info",
        "log",
        "loop",
        "outcome",
        "outgoing",
        "patches",
        "pending",
        "random_bytes",
        "tasks",
        "time",
        "timers",
    )

    def __init__(
        self,
        info: Any,
        random_bytes: Callable[[int], bytes],
        definition: Any = None,
        depth: int = 0,
        log: CommandLog | None = None,
    ) -> None:
        self.info = info
        self.random_bytes = random_bytes
        self.definition = definition
        self.depth = depth
        self.log = CommandLog() if log is None else log
        self.time = 0
        self.outcome: Outcome | None = None
        self.pending: dict[int, PendingActivity] = {}
        self.timers: dict[int, WorkflowTimer] = {}
        # Most runs have none of these five.
        self.tasks: set[WorkflowTask[Any]] | None = None
        self.children: dict[int, PendingChild] | None = None
        self.outgoing: Outgoing | None = None
        self.patches: dict[str, bool] | None = None
        self.compensations: dict[Any, None] | None = None
        self.abandoned: list[int] = []
        # Set once the run has been asked to cancel.
        self.cancelled: Cancelled | None = None
        self.loop = WorkflowLoop(self)  # type: ignore[abstract]  # its module adds the missing methods
        self._root: WorkflowTask[Any] | None = None
        self._opened: list[PendingActivity] = []
        self._due = DueTimes(self.timers, self.pending)
        self._signals: SignalBuffer | None = None

    # Called by the owner of the execution.

    def begin(
        self,
        program: Coroutine[Any, Any, Any],
        history: Sequence[Event],
        *,
        started_at: int,
        now: int,
        compact: CompactHistory | None = None,
    ) -> Outcome | None:
        """Start `program`, replay `history` through it, and let it continue from there.

        `history` begins where `compact` ends, if that is given. If `log.snapshot_mismatch` is set
        afterwards, the outcome means nothing: begin again in a new execution with the events alone.
        """
        log = self.log
        self.time = started_at
        # The database clock may have stepped back since; a run's own time never does.
        log.begin(history, compact, at=max(now, history[-1].at if history else started_at))
        if log.verdict is not None:
            program.close()
            return self._settle()
        step_guard.active.watch(program)
        # An empty context: the run must not see the context variables of the process that hosts it.
        self._root = WorkflowTask(program, loop=self.loop, name=None, context=Context())
        with step_guard.active:
            self._run()
            if compact is not None:
                self._replay_compact(self._root)
            self._replay(self._root)
        log.end_replay()
        return self._settle()

    def _replay_compact(self, root: WorkflowTask[Any]) -> None:
        log = self.log
        while (compact := log.compact) is not None:
            ended = root.done() or self.outcome is not None or log.verdict is not None
            event = None if ended else compact.take_outside()
            if event is None:
                self.outcome = None
                log.refuse_compact()
                return
            if compact.ended:
                log.compact = compact.following
            self.time = event.at
            if self._feed(event):
                self._run()
            else:
                log.refuse_compact()

    def _replay(self, root: WorkflowTask[Any]) -> None:
        log = self.log
        history = log.history
        while log.cursor < len(history) and type(log.verdict) is not Blocked:
            event = history[log.cursor]
            if root.done() or self.outcome is not None or log.verdict is not None:
                self.outcome = None
                log.verdict = leftover(event)
            elif event.type in COMMANDS:
                log.verdict = extra_event(event)
            else:
                if log.forks and event.seq > log.forks[0].seq:
                    self._begin_calls_again()
                log.cursor += 1
                self.time = event.at
                if self._feed(event):
                    self._run()
                else:
                    log.verdict = unexpected(event)
        while log.forks:
            self._begin_calls_again()

    def _begin_calls_again(self) -> None:
        """The history was cut here, and what was pending begins anew: its first attempt is due at once."""
        fork = self.log.forks.pop(0)
        for activity in self.pending.values():
            if activity.seq < fork.seq:
                activity.attempt, activity.crashes, activity.retry_due = 1, 0, fork.at
                # Its deadlines count from here.
                activity.at = fork.at
                self._due.add(fork.at, activity.seq)

    def apply(self, type: EventType, body: tuple[Any, ...], *, at: int) -> bool:
        """Journal one event from outside and run the code; False if nothing waits for it any more."""
        if self.outcome is not None:
            return False
        log = self.log
        if at < log.at:
            at = log.at
        previous = self.time
        self.time = log.at = at
        event = Event(log.next_seq, type, at, body)
        if not self._feed(event):
            self.time = previous
            return False
        # Before the commands that the code issues because of it.
        log.next_seq += 1
        log.new.append(event)
        with step_guard.active:
            self._run()
        self._settle()
        return True

    def take_opened(self) -> list[PendingActivity]:
        """Return the activities scheduled since the last call that the code still wants."""
        if not self._opened:
            return []
        opened, self._opened = self._opened, []
        return [activity for activity in opened if activity.seq in self.pending]

    def set_deadline(self, activity: PendingActivity, due: int) -> None:
        """Have `take_due` return the activity at `due`, in microseconds, if it still waits for a result."""
        activity.deadline = due
        self._due.add(due, activity.seq)

    def next_due(self) -> int | None:
        """Return when the earliest timer, retry or deadline is due, in microseconds, or None."""
        return self._due.next()

    def take_due(self, now: int) -> list[int]:
        """Return the seqs whose timer, retry or deadline is due at `now`, earliest first."""
        return self._due.take(now)

    def close(self) -> None:
        """Close the coroutine without letting it do anything more.

        Nothing of ours refers to itself afterwards: a process ends thousands of runs, and collecting cycles
        would stop its loop.
        """
        if self.log.closing:
            return
        self.log.closing = True
        tasks = self.tasks or set()
        if self._root is not None:
            self.loop.close_quietly([self._root, *sorted(tasks, key=hash)])
            self._root = None
        # Its tasks refer to it.
        tasks.clear()
        self.tasks = self.children = self._signals = None
        self.pending.clear()
        self.timers.clear()
        del self.loop

    # Called by workflow code, through the public API.

    def schedule(
        self,
        type: EventType,
        name: str,
        site: Site,
        arguments: bytes,
        options: Options,
        definition: Any = None,
        since: int | None = None,
        summary: str | None = None,
    ) -> PendingActivity:
        """Schedule an activity or compensation; its result arrives in the future of the returned entry.

        A compensation undoes nothing from before the event `since`, if that is known. People read `summary`.
        """
        rest: tuple[Any, ...] = (arguments, options) if since is None else (arguments, options, since)
        if summary is not None:
            rest = (arguments, options, since, summary)
        try:
            seq, recorded, at, body = self.log.command(type, name, site, rest)
        except Control:
            if not self.log.refused_too_often:
                raise
            never_done: asyncio.Future[bytes] = asyncio.Future(loop=self.loop)
            return PendingActivity(-1, type, name, arguments, options, definition, never_done)
        activity = PendingActivity(
            seq, recorded, name, body[3], body[4], definition, asyncio.Future(loop=self.loop), at
        )
        self.pending[seq] = activity
        self._opened.append(activity)
        return activity

    def abandon(self, activity: PendingActivity) -> None:
        """Stop waiting for an activity; its result will be dropped."""
        if self.pending.pop(activity.seq, None) is not None:
            self.abandoned.append(activity.seq)

    def start_timer(self, timer: WorkflowTimer, due: int) -> int:
        """Start a durable timer that fires at `due`, in microseconds, and return its seq."""
        try:
            event = self.log.command(EventType.TIMER_STARTED, min(due, LAST_DUE), user_site(), (TIMER_MARK,))
        except Control:
            if not self.log.refused_too_often:
                raise
            return -1
        timer.since, timer.due = event.at, event.body[0]
        self.timers[event.seq] = timer
        self._due.add(event.body[0], event.seq)
        return event.seq

    def next_signal(self, name: str, *, timed: bool = False) -> Awaitable[bytes]:
        """Return the next signal of that name to await, which waits when there is none.

        `timed` says that the timer which was started last ends the wait.
        """
        try:
            self.log.check()
        except Control:
            if not self.log.refused_too_often:
                raise
            return self.loop.create_future()
        timer = next(reversed(self.timers), NO_TIMER) if timed else NO_TIMER
        return self._signal_buffer().take(Awaited(name, user_site(), timer), self.time, self.loop)

    def needs_timer(self, name: str) -> bool:
        """Whether a wait with a timeout for this signal starts a timer: only if the signal is not there yet.

        A replay also starts one if an earlier release did.
        """
        if self._signals is None or not self._signals.has(name):
            return True
        event = self.log.next_recorded()
        return (
            event is not None and is_timer_of_earlier_release(event) and event.body[1] == caller(user_site())
        )

    def signals_waited_for(self) -> list[str]:
        """Return the names of the signals that the code is waiting for."""
        return sorted({awaited.name for awaited, _ in self.signals_awaited()})

    def signals_awaited(self) -> Iterable[tuple[Awaited, int]]:
        """Return the signals that the code is waiting for, and since when, in microseconds."""
        return () if self._signals is None else self._signals.awaited()

    def names_of_signals_kept(self) -> Sequence[str]:
        """Return the names of the signals that have arrived and that no code has taken."""
        return () if self._signals is None else self._signals.names_kept()

    def signals_kept(self) -> list[tuple[str, bytes]]:
        """Return name and value of the signals that have arrived and that no code has taken."""
        return self._signals.kept() if self._signals is not None else []

    def next_outgoing(self) -> Outgoing:
        """Return what the next commit carries to others, to add to it."""
        if self.outgoing is None:
            self.outgoing = Outgoing()
        return self.outgoing

    def report(self, context: dict[str, Any]) -> None:
        """Log a complaint of asyncio about workflow code."""
        if not self.log.closing and not self.log.replaying:
            error = context.get("exception")
            # Formatted here: an exception that cannot be formatted would raise out of some log handlers.
            text = "" if error is None else f"\n{logged_traceback_of(error)}"
            logger.warning("in a workflow: %s%s", one_line(str(context.get("message"))), text)

    # Internal.

    def _signal_buffer(self) -> SignalBuffer:
        if self._signals is None:
            self._signals = SignalBuffer()
        return self._signals

    def _feed(self, event: Event) -> bool:
        """Pass one event from outside to the code that waits for it; False when none does."""
        if event.type in ANSWERS:
            return resolve(self.pending, event)
        match event.type:
            case EventType.ACTIVITY_RETRIED | EventType.ACTIVITY_CRASHED | EventType.ACTIVITY_RESTARTED:
                if not record_attempt(self.pending, event):
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

    def _run(self) -> None:
        try:
            finished = self.loop.step()
        except (SystemExit, KeyboardInterrupt) as error:
            if self.log.passes_on(error):
                raise
            # asyncio re-raises these out of the task; here they are how the run ends.
            self.outcome = Failed(error)
            return
        if not finished and self.log.verdict is None:
            self.log.verdict = livelock(self.loop.callbacks_per_step)

    def _settle(self) -> Outcome | None:
        root = self._root
        if self.outcome is not None:
            pass
        elif self.log.verdict is not None:
            self.outcome = self.log.verdict
        elif root is not None and root.done():
            self.outcome = outcome_of(root, self.cancelled)
        if self.outcome is not None:
            self.close()
        return self.outcome


current = cast("Callable[[], Execution | None]", active_run)
"""Return the execution whose workflow code is running in this thread, if any.

It is the loop package's function: only an `Execution` makes a `WorkflowLoop`, so the active run is one.
"""
