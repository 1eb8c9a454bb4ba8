"""Drives one execution in memory as the run actor does: results, timers, signals, crashes.

`Driver` plays the outside: it runs the functions of scheduled activities, runs children to
their end, fires timers in due order on a clock of its own and delivers signals. With a seed
it chooses at random what happens next. `resume_exactly` cuts a history anywhere and applies
the other events from outside, in the same order, to a new execution.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from continuum import Workflow
from continuum.codec.codec import decode, encode
from continuum.definitions.activity import defined_activities
from continuum.definitions.effects import RunInfo
from continuum.engine.events import COMMANDS, Event, EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import RunId
from continuum.engine.outcome import Blocked, Cancelled, Completed, Continued, Failed, Outcome
from continuum.engine.pending import PendingActivity, PendingChild
from continuum.engine.retry import backoff_delay, wants_retry
from continuum.failures.exception_text import exception_name

Program: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]
STARTED_AT = 1_700_000_000_000_000
SECOND = 1_000_000
RUN_ID = RunId("01900000-0000-7000-8000-000000000001")
# A timer that is due later than this fires only when nothing else can happen.
PATIENCE = 7 * 86_400 * SECOND


def new_execution(
    definition: Workflow[..., Any] | None = None, *, run_id: RunId = RUN_ID, depth: int = 0
) -> Execution:
    """Return an execution whose random bytes depend only on the position in its history."""
    info = RunInfo(run_id, definition.name if definition else "driven", "1", "default", 1)
    execution = Execution(
        info, lambda size: random.Random(execution.log.next_seq).randbytes(size), definition, depth
    )
    return execution


def comparable(outcome: Outcome | None) -> object:
    """Return an outcome in a form that compares equal."""
    if isinstance(outcome, Failed):
        return "failed", type(outcome.error).__name__, str(outcome.error)
    return outcome


class Driver:
    """One run from its start, or from the history that a crash has left, to its end."""

    def __init__(
        self,
        program: Program,
        *,
        seed: int | None = None,
        signals: Iterable[tuple[str, object]] = (),
        history: Sequence[Event] = (),
        cancel_at: int | None = None,
        definition: Workflow[..., Any] | None = None,
        run_id: RunId = RUN_ID,
        depth: int = 0,
    ) -> None:
        self.execution = new_execution(definition, run_id=run_id, depth=depth)
        # What the run has sent to others: new children, cancelled children, published values, attributes.
        self.children: list[PendingChild] = []
        self.stopped: list[RunId] = []
        self.published: list[tuple[str, object]] = []
        self.attributes: list[Mapping[str, Any]] = []
        self.history = list(history)
        self.executed: list[str] = []
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self._random = random.Random(seed) if seed is not None else None
        self._signals = list(signals)
        self._started: list[PendingActivity] = []
        self._cancel_at = cancel_at
        self._steps = 0
        self.now = max(history[-1].at if history else 0, STARTED_AT)
        self.execution.begin(program(), history, started_at=STARTED_AT, now=self.now)
        self._resume(len(history))

    @property
    def outcome(self) -> Outcome | None:
        return self.execution.outcome

    @property
    def commands(self) -> list[tuple[int, object]]:
        """Types and targets of the commands of the code."""
        return [(event.type, event.body[0]) for event in self.history if event.type in COMMANDS]

    @property
    def scheduled(self) -> list[str]:
        """Names of the activities and compensations that the code has scheduled."""
        asked = (EventType.ACTIVITY_SCHEDULED, EventType.COMPENSATION_SCHEDULED)
        return [event.body[0] for event in self.history if event.type in asked]

    def run(self, *, most: int = 10_000) -> Outcome:
        """Continue until the run has ended."""
        for _ in range(most):
            if self.outcome is not None:
                return self.outcome
            assert self.step(), "the run waits for something that never happens"
        raise AssertionError("the run does not end")

    def result(self) -> Any:
        """Run to the end and return what the workflow returned."""
        outcome = self.run()
        assert isinstance(outcome, Completed), comparable(outcome)
        return outcome.value

    def settle(self) -> None:
        """Complete activities until none is left, without timers and signals."""
        while self._started and self.outcome is None:
            self._perform(self._started.pop(0))

    def step(self) -> bool:
        """Let one event happen; False when none can."""
        self._steps += 1
        if self._cancel_at is not None and self._steps > self._cancel_at:
            self._cancel_at = None
            self.cancel()
            return True
        choices: list[Callable[[], object]] = []
        if self._started:
            index = self._random.randrange(len(self._started)) if self._random else 0
            choices.append(lambda: self._perform(self._started.pop(index)))
        if self._signals:
            choices.append(lambda: self.signal(*self._signals.pop(0)))
        choices += [partial(self.run_child, child) for child in self.live_children]
        due = self.execution.next_due()
        if due is not None and (not choices or due - self.now < PATIENCE):
            choices.append(self._pass_time)
        if not choices:
            return False
        (self._random.choice(choices) if self._random else choices[0])()
        return True

    def signal(self, name: str, value: object) -> None:
        self.apply(EventType.SIGNAL_RECEIVED, (name, encode(value), None))

    def cancel(self, *, by_parent: bool = False) -> bool:
        return self.apply(EventType.CANCEL_REQUESTED, ("parent",) if by_parent else ())

    @property
    def live_children(self) -> list[PendingChild]:
        """The children that have not ended as far as the run knows."""
        return list((self.execution.children or {}).values())

    def run_child(self, child: PendingChild) -> bool:
        """Run a child and its successors to their end, and apply the result to the run."""
        if child.stopping:
            return self.apply(EventType.CHILD_CANCELLED, (child.seq,))
        definition, input, run_id = child.definition, child.input, child.run_id
        while True:
            args, kwargs = definition.arguments.decode_call(input)
            driver = Driver(
                partial(definition.fn, *args, **kwargs),
                definition=definition,
                run_id=run_id,
                depth=self.execution.depth + 1,
            )
            outcome = driver.run()
            if not isinstance(outcome, Continued):
                return self.apply(*_end_of(child, outcome))
            input, run_id = outcome.input, outcome.run_id

    def advance(self, seconds: float) -> None:
        """Let time pass and fire everything that is due meanwhile."""
        until = self.now + round(seconds * SECOND)
        while self.outcome is None and (due := self.execution.next_due()) is not None and due <= until:
            self._pass_time()
        self.now = max(self.now, until)

    def apply(self, type: EventType, body: tuple[Any, ...]) -> bool:
        applied = self.execution.apply(type, body, at=self.now)
        self._collect()
        return applied

    def close(self) -> None:
        """Close the run as an eviction does."""
        self.execution.close()

    def _collect(self) -> None:
        self.history += self.execution.log.take_events()
        self._started += self.execution.take_opened()
        self._started = [activity for activity in self._started if activity.seq in self.execution.pending]
        outgoing, self.execution.outgoing = self.execution.outgoing, None
        if outgoing is not None:
            self.children += outgoing.children
            self.stopped += [run_id for _, run_id in outgoing.cancels]
            self.published += [(name, decode(value)) for _, name, value in outgoing.published]
            self.attributes += [attributes for _, attributes in outgoing.attributes]

    def _resume(self, replayed: int) -> None:
        opened = self.execution.take_opened()
        self.history += self.execution.log.take_events()
        for activity in opened:
            if activity.seq < replayed and activity.retry_due is not None:
                continue
            if activity.seq < replayed:
                self.apply(EventType.ACTIVITY_CRASHED, (activity.seq, activity.crashes + 1))
            self._started.append(activity)
        self._collect()

    def _pass_time(self) -> None:
        due = self.execution.next_due()
        assert due is not None
        self.now = max(self.now, due)
        for seq in self.execution.take_due(self.now):
            activity = self.execution.pending.get(seq)
            if activity is None:
                self.apply(EventType.TIMER_FIRED, (seq,))
            else:
                activity.retry_due = None
                self._started.append(activity)

    def _perform(self, activity: PendingActivity) -> None:
        self.executed.append(activity.name)
        self.now += SECOND // 1000
        end = self._end_of_attempt(activity)
        # What the code of the run raises keeps this frame alive, and is kept by the future of the activity.
        del activity
        self.apply(*end)

    def _end_of_attempt(self, activity: PendingActivity) -> tuple[EventType, tuple[Any, ...]]:
        compensation = activity.type == EventType.COMPENSATION_SCHEDULED
        definition = activity.definition
        args, kwargs = definition.arguments.decode_call(activity.arguments)
        self.calls.append((activity.name, tuple(args)))
        try:
            value = definition.encode_result(definition.fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - every exception fails the attempt
            return self._end_of_failed_attempt(activity, error)
        completed = EventType.COMPENSATION_COMPLETED if compensation else EventType.ACTIVITY_COMPLETED
        return completed, (activity.seq, value)

    def _end_of_failed_attempt(
        self, activity: PendingActivity, error: Exception
    ) -> tuple[EventType, tuple[Any, ...]]:
        compensation = activity.type == EventType.COMPENSATION_SCHEDULED
        policy = activity.definition.effective_options(activity.options).retry
        names = frozenset(exception_name(kind) for kind in type(error).__mro__)
        kind, text = exception_name(type(error)), str(error)
        if wants_retry(policy, failed_attempt=activity.attempt, error_names=names):
            due = self.now + round(backoff_delay(policy, activity.attempt, 0.5) * SECOND)
            return EventType.ACTIVITY_RETRIED, (activity.seq, kind, text, activity.attempt, due)
        failed = EventType.COMPENSATION_FAILED if compensation else EventType.ACTIVITY_FAILED
        return failed, (activity.seq, kind, text, "", activity.attempt)


def _end_of(child: PendingChild, outcome: Outcome) -> tuple[EventType, tuple[Any, ...]]:
    match outcome:
        case Completed(value):
            return EventType.CHILD_COMPLETED, (child.seq, child.definition.encode_result(value))
        case Failed(error):
            return EventType.CHILD_FAILED, (child.seq, exception_name(type(error)), str(error), "")
        case Cancelled():
            return EventType.CHILD_CANCELLED, (child.seq,)
        case Continued() | Blocked():
            raise AssertionError(f"a child cannot end like this: {outcome}")


def call_of(scheduled: Event) -> tuple[str, tuple[Any, ...]]:
    """Return the name and arguments of a journaled call."""
    definition = defined_activities()[scheduled.body[0]]
    return definition.name, tuple(definition.arguments.decode_call(scheduled.body[3])[0])


def replay(
    program: Program, history: Sequence[Event], definition: Workflow[..., Any] | None = None
) -> Execution:
    """Return an execution that has replayed `history`."""
    execution = new_execution(definition)
    execution.begin(program(), history, started_at=STARTED_AT, now=history[-1].at if history else STARTED_AT)
    return execution


def resume_exactly(
    program: Program, history: Sequence[Event], cut: int, definition: Workflow[..., Any] | None = None
) -> tuple[Outcome | None, list[Event]]:
    """Drop everything after `cut`, apply the same results again, and return outcome and history."""
    execution = replay(program, history[:cut], definition)
    again = [*history[:cut], *execution.log.take_events()]
    for event in history[cut:]:
        if event.type not in COMMANDS:
            assert execution.apply(EventType(event.type), event.body, at=event.at), event
            again += execution.log.take_events()
    return execution.outcome, again


def assert_same_from_every_prefix(program: Program, driver: Driver) -> None:
    """Assert that a crash after any event leads to the same history and the same outcome."""
    for cut in range(len(driver.history) + 1):
        outcome, history = resume_exactly(program, driver.history, cut, driver.execution.definition)
        assert history == driver.history, f"cut at {cut}"
        assert comparable(outcome) == comparable(driver.outcome), f"cut at {cut}"
