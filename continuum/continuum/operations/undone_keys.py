"""Calls under an idempotency key that were undone: called again, they return what was undone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from continuum.engine.events import Event, EventType
from continuum.operations.call_ends import COMPLETED, answers_of
from continuum.operations.cut_facts import Bound, History, Relative
from continuum.operations.undone_effects import reaches_back, undoes_from, verb_of
from continuum.quoting import quoted


def undone_elsewhere(history: History, other: Relative, before: Sequence[Event]) -> Iterator[Bound]:
    """Yield the calls before a cut whose results another run has undone under their keys."""
    own = 0 if other.continues else other.shared
    keyed = _keyed_and_undone(_whole(history, other), 0)
    calls = {(call.body[0], key_of(call)) for call, undoing in keyed if undoing.seq >= own}
    for event in before if calls else ():
        if event.type == EventType.ACTIVITY_SCHEDULED and (event.body[0], key_of(event)) in calls:
            key = f"{event.body[0]} has done under the idempotency key {quoted(key_of(event))}"
            yield Bound(event.seq, f"run {other.run_id} has undone what {key}")


def undone_under_a_key(history: History, at: int) -> str | None:
    """Return why no cut helps: what was undone has its result under a key, and keeps it when called again."""
    for call, undoing in chain(
        _keyed_and_undone(history.events, at),
        *(_keyed_by_relative(history, other, at) for other in history.relatives),
    ):
        end = next((found[undoing.seq] for found in _ends(history, undoing)), None)
        verb = "has undone" if end is None else verb_of(end).removesuffix(" since")
        return (
            f"{undoing.body[0]} (event {undoing.seq}) {verb} what the run did, and {call.body[0]} (event "
            f"{call.seq}) would only return its result again, which is kept under the idempotency key "
            f"{quoted(key_of(call))}; start another run, with another key"
        )
    return None


def _ends(history: History, undoing: Event) -> Iterator[Mapping[int, Event]]:
    """Yield the ends of calls in the history that has a compensation, if it has ended there."""
    for events in (history.events, *(other.events for other in history.relatives)):
        if any(event is undoing for event in events) and undoing.seq in (ends := answers_of(events)):
            yield ends


def _whole(history: History, other: Relative) -> Sequence[Event]:
    """Return the events of a relative as far as their numbers are its own."""
    return other.events if other.continues else (*history.events[: other.shared], *other.events)


def _keyed_by_relative(history: History, other: Relative, at: int) -> Iterator[tuple[Event, Event]]:
    """Yield the same of a relative: its own calls, and those that it continues."""
    if not other.continues:
        # What is called after a cut may be what the relative has called by itself.
        yield from _keyed_and_undone(_whole(history, other), min(at, other.shared))
        return
    yield from _keyed_and_undone(other.events, 0)
    for undoing in filter(reaches_back, other.events):
        yield from ((call, undoing) for call in _keyed(history.events[: other.shared]) if call.seq >= at)


def _keyed(events: Sequence[Event]) -> list[Event]:
    """Return the calls that have a result under a key."""
    completed = {event.body[0] for event in events if event.type in COMPLETED}
    return [event for event in events if event.seq in completed and key_of(event) is not None]


def _keyed_and_undone(events: Sequence[Event], at: int) -> Iterator[tuple[Event, Event]]:
    """Yield the calls from `at` on that have a result under a key, with what has undone them."""
    keyed = [event for event in _keyed(events) if event.seq >= at]
    for undoing in events[at:] if keyed else ():
        if undoing.type == EventType.COMPENSATION_SCHEDULED:
            for call in keyed:
                if undoes_from(undoing) <= call.seq < undoing.seq:
                    yield call, undoing


def key_of(event: Event) -> str | None:
    """Return the idempotency key of an activity."""
    options = next(iter(event.body[4:5]), None) if event.type == EventType.ACTIVITY_SCHEDULED else None
    return options.get("key") if isinstance(options, Mapping) else None
