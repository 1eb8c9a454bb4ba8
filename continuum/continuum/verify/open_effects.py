"""What a history has left open: its pending activities, timers and children.

No workflow code is needed for this. Code may have stopped waiting for something without a trace in
the history, so "open" means: has not ended as far as the history says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from continuum.engine.events import ANSWERS, CHILD_ENDS, COMMANDS, SCHEDULES, EventType, event_name
from continuum.journal.mend import Mend, MendKind
from continuum.journal.stored_facts import StoredEvent


@dataclass(slots=True)
class OpenActivity:
    """A pending activity: what its next task carries."""

    name: str
    attempt: int = 1
    crashes: int = 0


@dataclass(slots=True)
class OpenEffects:
    """What is open after a history, and what was wrong in it: ends of what was not open, timers too early."""

    activities: dict[int, OpenActivity] = field(default_factory=dict)
    # The seq of the command and the time it is due.
    timers: dict[int, int] = field(default_factory=dict)
    # The seq of the command and the id of the child.
    children: dict[int, str] = field(default_factory=dict)
    ended_children: set[int] = field(default_factory=set)
    asked_to_stop: set[str] = field(default_factory=set)
    # Where the history was cut last and continues in a new run, and the run that has the events before.
    forked_at: int = -1
    forked_from: str | None = None
    cancels: int = 0
    wrong: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)

    def requeued(self, seq: int) -> Mend:
        """Return what has the run dispatch an activity again; what is not open is dropped."""
        activity = self.activities.get(seq)
        if activity is None:
            return Mend(MendKind.DROP_TASK, seq)
        return Mend(MendKind.REQUEUE, seq, activity.attempt + activity.crashes)


def open_effects(events: Sequence[StoredEvent]) -> OpenEffects:
    """Return what is open after these events; those that cannot be decoded are passed over."""
    effects = OpenEffects()
    for event in events:
        if event.body is not None:
            _apply(effects, event, event.body)
    return effects


def _apply(effects: OpenEffects, event: StoredEvent, body: tuple[object, ...]) -> None:
    kind = event.type
    if kind in COMMANDS:
        _apply_command(effects, event, body)
    elif kind == EventType.RUN_FORKED:
        _apply_fork(effects, event, body)
    elif kind == EventType.CANCEL_REQUESTED:
        _apply_cancel(effects, event)
    elif kind in ANSWERS:
        if effects.activities.pop(_seq(body), None) is None:
            effects.wrong.append(_not_open(event, body))
    elif kind == EventType.TIMER_FIRED:
        due = effects.timers.pop(_seq(body), None)
        if due is None:
            effects.wrong.append(_not_open(event, body))
        elif event.at < due:
            effects.early.append(f"event {event.seq} fires timer {body[0]} before its time")
    elif kind in CHILD_ENDS:
        if effects.children.pop(_seq(body), None) is None:
            effects.wrong.append(_not_open(event, body))
        effects.ended_children.add(_seq(body))
    elif kind in (EventType.ACTIVITY_RETRIED, EventType.ACTIVITY_CRASHED, EventType.ACTIVITY_RESTARTED):
        _apply_attempt(effects, event, body)


def _apply_cancel(effects: OpenEffects, event: StoredEvent) -> None:
    effects.cancels += 1
    if effects.cancels > 1:
        effects.wrong.append(f"event {event.seq} requests a cancel that was requested before")


def _apply_fork(effects: OpenEffects, event: StoredEvent, body: tuple[object, ...]) -> None:
    """What is pending begins anew."""
    effects.forked_at, effects.forked_from = event.seq, str(body[0])
    for activity in effects.activities.values():
        activity.attempt, activity.crashes = 1, 0


def _apply_command(effects: OpenEffects, event: StoredEvent, body: tuple[object, ...]) -> None:
    if event.type in SCHEDULES:
        effects.activities[event.seq] = OpenActivity(str(body[0]))
    elif event.type == EventType.TIMER_STARTED:
        effects.timers[event.seq] = body[0] if isinstance(body[0], int) else 0
    elif event.type == EventType.CHILD_STARTED:
        effects.children[event.seq] = str(body[3])
    elif event.type == EventType.CHILD_CANCEL_REQUESTED:
        effects.asked_to_stop.add(str(body[0]))


def _apply_attempt(effects: OpenEffects, event: StoredEvent, body: tuple[object, ...]) -> None:
    activity = effects.activities.get(_seq(body))
    if activity is None:
        effects.wrong.append(_not_open(event, body))
    elif event.type == EventType.ACTIVITY_RETRIED:
        activity.attempt = int(str(body[3])) + 1
    elif event.type == EventType.ACTIVITY_CRASHED:
        activity.crashes = int(str(body[1]))


def _seq(body: tuple[object, ...]) -> int:
    return body[0] if isinstance(body[0], int) else -1


def _not_open(event: StoredEvent, body: tuple[object, ...]) -> str:
    return f"event {event.seq} ({event_name(event.type)}) ends command {body[0]}, which is not open"
