"""What a history says about what is open: calls with their attempts, timers, children, signals, a stop.

No workflow code is needed. Code may have stopped waiting for something without a trace in the history, so the
caller compares with what the journal's rows say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from continuum.engine.events import ANSWERS, CHILD_ENDS, SCHEDULES, Event, EventType, is_whole, summary_of


@dataclass(slots=True)
class OpenCall:
    """A pending activity or compensation; `since` is when its attempt began, or failed before a retry."""

    seq: int
    name: str
    place: str
    since: int
    compensation: bool
    attempt: int = 1
    crashes: int = 0
    # How many attempts there are, if the call says so: otherwise its definition does.
    attempts: int | None = None
    # The line for people that was written with it.
    summary: str | None = None
    # The error of the attempt before, and when the next one begins.
    error: str | None = None
    retry_due: int | None = None


class OpenTimer(NamedTuple):
    """A timer that has not fired."""

    since: int
    due: int
    place: str


class StartedChild(NamedTuple):
    """A child that was started."""

    id: str
    workflow: str
    since: int
    place: str


@dataclass(slots=True)
class RunHistory:
    """What is open after these events, by the seq of its command."""

    calls: dict[int, OpenCall] = field(default_factory=dict)
    timers: dict[int, OpenTimer] = field(default_factory=dict)
    children: dict[int, StartedChild] = field(default_factory=dict)
    # The last child that failed, and the names of the signals that have come, each with its time.
    failed_child: str | None = None
    signals: list[tuple[str, int]] = field(default_factory=list)
    cancelled_at: int | None = None
    last_at: int | None = None


def read_history(events: Sequence[Event]) -> RunHistory:
    """Return what is open after these events, which may begin in the middle of a history."""
    history, started = RunHistory(), {}
    for event in events:
        if is_whole(event):
            history.last_at = event.at
            if event.type == EventType.CHILD_STARTED:
                started[event.seq] = str(event.body[3])
            elif event.type == EventType.CHILD_FAILED:
                history.failed_child = started.get(event.body[0])
            _apply(history, event, event.body)
    return history


def _apply(history: RunHistory, event: Event, body: tuple[Any, ...]) -> None:
    kind, at = event.type, event.at
    if kind in SCHEDULES:
        compensation = kind == EventType.COMPENSATION_SCHEDULED
        attempts = _attempts_of(body)
        history.calls[event.seq] = OpenCall(
            event.seq, body[0], body[2], at, compensation, attempts=attempts, summary=summary_of(event)
        )
    elif kind in ANSWERS:
        history.calls.pop(body[0], None)
    elif kind == EventType.TIMER_STARTED:
        history.timers[event.seq] = OpenTimer(at, body[0], body[2])
    elif kind == EventType.TIMER_FIRED:
        history.timers.pop(body[0], None)
    elif kind == EventType.CHILD_STARTED:
        history.children[event.seq] = StartedChild(body[3], body[0], at, body[2])
    elif kind in CHILD_ENDS:
        history.children.pop(body[0], None)
    elif kind == EventType.SIGNAL_RECEIVED:
        history.signals.append((body[0], at))
    elif kind == EventType.CANCEL_REQUESTED:
        history.cancelled_at = at
    elif kind == EventType.RUN_FORKED:
        # What was pending begins anew, at once.
        for pending in history.calls.values():
            pending.since = pending.retry_due = at
            pending.attempt, pending.crashes, pending.error = 1, 0, None
    elif (call := history.calls.get(body[0] if body else -1)) is not None:
        _apply_attempt(call, event, body)


def _attempts_of(body: tuple[Any, ...]) -> int | None:
    """Return how many attempts a call of an activity has, as far as its options change that."""
    options = body[4] if len(body) > 4 else None
    retry = options.get("retry") if isinstance(options, Mapping) else None
    first = retry[0] if isinstance(retry, Sequence) and retry else None
    return first if type(first) is int else None


def _apply_attempt(call: OpenCall, event: Event, body: tuple[Any, ...]) -> None:
    if event.type == EventType.ACTIVITY_RETRIED:
        call.since, call.attempt, call.retry_due = event.at, body[3] + 1, body[4]
        call.error = f"{body[1]}: {body[2]}"
    elif event.type == EventType.ACTIVITY_CRASHED:
        call.since, call.crashes, call.retry_due = event.at, body[1], None
    elif event.type == EventType.ACTIVITY_RESTARTED:
        call.since, call.retry_due = event.at, None
