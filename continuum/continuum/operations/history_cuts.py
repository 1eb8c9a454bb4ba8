"""Where a history may be cut, and what a new run that begins with the events before the cut does.

Pure: no workflow code is needed. `cut_of` gives the plan that a preview shows and that a journal carries
out; `CutRefused` names the last cut before that works. Some cuts never do:

- A compensation has undone after the cut what the events before it still count on. Its event says since
  when that may have been done; for one that does not (an earlier release wrote it, or it was added outside
  of a block), that is the first call or child of the run. A compensation that is pending at the cut would run
  once more if it has run since or runs now, and twice if the run is forked. What other runs have undone that
  begin with the same events counts as well (`Relative`), and so does what continues them as new. A call that
  was undone under an idempotency key cannot be made again.
- A child that the events before the cut have started is open: two runs cannot wait for it.
- An event before the cut cannot be read, or the run continued as new there. One that cannot be read may have
  undone anything, wherever it is: the cut is before the first call or child then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from continuum.engine.events import (
    ANSWERS,
    CHILD_ENDS,
    SCHEDULES,
    Event,
    EventType,
    Forking,
    is_whole,
)
from continuum.errors import CutRefused
from continuum.quoting import quoted

# What may have to be undone.
_EFFECTS = SCHEDULES | {EventType.CHILD_STARTED}
COMPLETED = (EventType.ACTIVITY_COMPLETED, EventType.COMPENSATION_COMPLETED)
# Where the body of a compensation says since when what it undoes was done.
_SINCE = 5


@dataclass(frozen=True, slots=True)
class CutCall:
    """An activity or compensation of the run that is cut; `was` is what had become of it there.

    `at_most_once` says that the call had this option. A history does not have the defaults of the activity.
    """

    seq: int
    name: str
    compensation: bool
    was: str
    at_most_once: bool = False


@dataclass(frozen=True, slots=True)
class CutChild:
    """A child that the run which is cut has started, by event `seq`."""

    seq: int
    run_id: str
    workflow: str


@dataclass(frozen=True, slots=True)
class Cut:
    """What a run does that begins with the events of `run_id` before event `at`, of `events` in all.

    `runs_again` are the calls pending at the cut: they begin again at once, with attempt 1. One that is
    still pending keeps a result that has arrived unread, and does not. `may_run_again` are those after
    it: they run again if the code asks for them again. The results in `keeps` and the signals of
    `signals` came later and are delivered again; `children` have ended and report that again. `left` are
    the children that were started after the cut and stay with the run that is cut. What came from event
    `unreadable` on is not known, and not delivered again.
    """

    run_id: str
    how: Forking
    at: int
    events: int
    runs_again: tuple[CutCall, ...]
    may_run_again: tuple[CutCall, ...]
    keeps: tuple[CutCall, ...]
    signals: tuple[str, ...]
    children: tuple[CutChild, ...]
    left: tuple[CutChild, ...]
    unreadable: int | None = None


@dataclass(frozen=True, slots=True)
class Relative:
    """Another run that counts on the first `shared` events of the run that is cut; `events` are its own.

    These follow the shared ones, or else the run `continues` as new what was done there: then their numbers
    begin anew.
    """

    run_id: str
    shared: int
    events: Sequence[Event]
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Undone:
    """What event `seq` of the run that is cut has begun may have been undone elsewhere."""

    seq: int
    why: str


@dataclass(frozen=True, slots=True)
class History:
    """The events of a run, and which of the children that never reported their end have ended."""

    run_id: str
    events: Sequence[Event]
    has_ended: Callable[[str], bool]
    relatives: Sequence[Relative] = ()
    undone: Sequence[Undone] = ()
    # A node may execute what is pending.
    is_open: bool = False
    # The children without a reported end that the journal no longer has.
    removed: frozenset[str] = frozenset()
    # The seq behind the last event that is stored, if some cannot be read.
    stored: int = 0

    @property
    def length(self) -> int:
        """How many events there are, readable or not."""
        return max(self.stored, len(self.events))


def unreadable(events: Sequence[Event]) -> int | None:
    """Return the first event that is lost or cannot be read."""
    positions = enumerate(events)
    return next((place for place, event in positions if event.seq != place or not is_whole(event)), None)


def readable(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events with an empty one in place of each that cannot be read."""
    if unreadable(events) is None:
        return events
    return [event if is_whole(event) else Event(-1, 0, event.at, ()) for event in events]


def unreported_children(events: Sequence[Event]) -> list[CutChild]:
    """Return the children whose end is in no event."""
    ended = {event.body[0] for event in events if event.type in CHILD_ENDS and event.body}
    return [child for child in _children(events) if child.seq not in ended]


def cut_of(
    history: History, at: int, how: Forking, *, drop_signals: bool = False, keep_results: bool = False
) -> Cut:
    """Return what a run would do that begins with the events before `at`; raises `CutRefused`."""
    events = history.events
    length = history.length
    if not 0 <= at <= length:
        why = f"its history has the events 0 to {length - 1}" if length else "its history has no event"
        raise CutRefused(history.run_id, at, f"{why}; give one of them, or {length} to keep them all")
    bound = next(_bounds(history, at, how), None)
    nearest = at if bound is None else nearest_cut(history, at, how)
    useless = _undone_under_a_key(history, nearest)
    if useless is not None:
        raise CutRefused(history.run_id, at, useless)
    if bound is not None:
        raise CutRefused(history.run_id, at, bound.why, nearest)
    before, later = events[:at], events[at:]
    pending = _pending(before)
    answers = {event.body[0]: event for event in later if event.type in ANSWERS}
    kept = {seq for seq in pending if keep_results and _has_result(answers.get(seq))}
    return Cut(
        history.run_id,
        how,
        at,
        length,
        tuple(_call(event, answers) for seq, event in pending.items() if seq not in kept),
        tuple(_call(event, answers) for event in later if event.type in SCHEDULES),
        tuple(_call(event, answers) for seq, event in pending.items() if seq in kept),
        tuple(
            str(event.body[0])
            for event in later
            if event.type == EventType.SIGNAL_RECEIVED and not drop_signals
        ),
        tuple(_open_children(before)),
        tuple(_children(later)),
        unreadable(events),
    )


def nearest_cut(history: History, at: int, how: Forking) -> int:
    """Return the last place up to `at` where the history may be cut; that is 0 at the least."""
    while (bound := next(_bounds(history, at, how), None)) is not None:
        at = bound.at
    return at


@dataclass(frozen=True, slots=True)
class _Bound:
    """Why a history cannot be cut at a place, and where it must be cut at the latest."""

    at: int
    why: str


def _bounds(history: History, at: int, how: Forking) -> Iterator[_Bound]:
    """Yield what is wrong with a cut; each bound is before it."""
    before, later = history.events[:at], history.events[at:]
    position = unreadable(history.events)
    if position is not None and position < at:
        yield _Bound(position, f"event {position} cannot be read; restore it, or cut before it")
    elif position is not None and (undone := first_effect(before)) is not None:
        why = f"event {position} cannot be read, and may have undone what the run did from event {undone.seq}"
        yield _Bound(undone.seq, f"{why} on ({undone.body[0]}); restore it, or cut before that")
    for event in before:
        if event.type == EventType.RUN_CONTINUED_AS_NEW:
            yield _Bound(event.seq, f"the run continued as new there, as {event.body[3]}")
    executed = how is Forking.FORK or history.is_open
    yield from _undone(before, later, executed=executed)
    yield from _undone_by_relatives(history, before, executed=executed)
    yield from (_Bound(undone.seq, undone.why) for undone in history.undone if undone.seq < at)
    for child in _open_children(before):
        if not _has_reported(child, later) and not history.has_ended(child.run_id):
            named = f"its child {child.run_id} of {child.workflow}"
            if child.run_id in history.removed:
                why = f"{named} was removed before its end was reported; cut before its start"
            else:
                why = f"{named} is open; wait for its end or cancel it, or cut before its start"
            yield _Bound(child.seq, why)


def undone_by_relatives(history: History) -> str | None:
    """Return why something that the run has done does not count any more: another run has undone it."""
    bounds = _undone_by_relatives(history, history.events, executed=False)
    return next(chain((bound.why for bound in bounds), (undone.why for undone in history.undone)), None)


def undoing(events: Sequence[Event], seq: int) -> Event | None:
    """Return the compensation that may have undone what event `seq` has begun."""
    compensations = (event for event in events[seq:] if event.type == EventType.COMPENSATION_SCHEDULED)
    return next((event for event in compensations if _undoes_from(event) <= seq), None)


def first_effect(events: Sequence[Event]) -> Event | None:
    """Return the first event that has begun something which may have to be undone."""
    return next((event for event in events if event.type in _EFFECTS), None)


def _undone_by_relatives(history: History, before: Sequence[Event], *, executed: bool) -> Iterator[_Bound]:
    for other in history.relatives:
        shared = before[: other.shared]
        if not other.continues:
            yield from _undone(shared, other.events, executed=executed, by=other.run_id)
        elif (first := first_effect(shared)) is not None:
            for event in other.events:
                if _reaches_back(event):
                    yield _bound_of(event, first, "has undone since", other.run_id)
        own = 0 if other.continues else other.shared
        keyed = _keyed_and_undone(_whole(history, other), 0)
        undone = {(call.body[0], _key(call)) for call, undoing in keyed if undoing.seq >= own}
        for event in before if undone else ():
            if event.type == EventType.ACTIVITY_SCHEDULED and (event.body[0], _key(event)) in undone:
                key = f"{event.body[0]} has done under the idempotency key {quoted(_key(event))}"
                yield _Bound(event.seq, f"run {other.run_id} has undone what {key}")


def _whole(history: History, other: Relative) -> Sequence[Event]:
    """Return the events of a relative as far as their numbers are its own."""
    return other.events if other.continues else (*history.events[: other.shared], *other.events)


def _undone(
    before: Sequence[Event], later: Sequence[Event], *, executed: bool, by: str | None = None
) -> Iterator[_Bound]:
    """Yield what compensations after a cut have undone before it, or what two runs would undo.

    `executed` says that the run which is cut may execute what is pending, now or later. The events after the
    cut are those of the run `by`, without it those of the run that is cut.
    """
    answered = {event.body[0] for event in later if event.type in ANSWERS}
    pending = [event for seq, event in _pending(before).items() if executed or seq in answered]
    for event in (*pending, *later):
        if event.type == EventType.COMPENSATION_SCHEDULED:
            since = _undoes_from(event)
            undone = next((done for done in before if done.seq >= since and done.type in _EFFECTS), None)
            if undone is not None:
                undoes = (
                    "undoes" if event.seq < len(before) and event.seq not in answered else "has undone since"
                )
                yield _bound_of(event, undone, undoes, None if event.seq < len(before) else by)


def _bound_of(compensation: Event, undone: Event, undoes: str, by: str | None) -> _Bound:
    whose = f"event {compensation.seq}" if by is None else f"event {compensation.seq} of run {by}"
    why = f"{compensation.body[0]} ({whose}) {undoes} what the run did from event"
    return _Bound(undone.seq, f"{why} {undone.seq} on ({undone.body[0]})")


def _reaches_back(event: Event) -> bool:
    """Whether an event is a compensation that may undo what was done before its run began."""
    return event.type == EventType.COMPENSATION_SCHEDULED and not _says_since(event)


def _says_since(compensation: Event) -> bool:
    return len(compensation.body) > _SINCE and isinstance(compensation.body[_SINCE], int)


def _undoes_from(compensation: Event) -> int:
    """Return the event before which a compensation has undone nothing."""
    return compensation.body[_SINCE] if _says_since(compensation) else 0


def _undone_under_a_key(history: History, at: int) -> str | None:
    """Return why no cut helps: what was undone has its result under a key, and keeps it when called again."""
    for call, undoing in chain(
        _keyed_and_undone(history.events, at),
        *(_keyed_by_relative(history, other, at) for other in history.relatives),
    ):
        return (
            f"{undoing.body[0]} (event {undoing.seq}) has undone what the run did, and {call.body[0]} (event "
            f"{call.seq}) would only return its result again, which is kept under the idempotency key "
            f"{quoted(_key(call))}; start another run, with another key"
        )
    return None


def _keyed_by_relative(history: History, other: Relative, at: int) -> Iterator[tuple[Event, Event]]:
    """Yield the same of a relative: its own calls, and those that it continues."""
    if not other.continues:
        # What is called after a cut may be what the relative has called by itself.
        yield from _keyed_and_undone(_whole(history, other), min(at, other.shared))
        return
    yield from _keyed_and_undone(other.events, 0)
    for undoing in filter(_reaches_back, other.events):
        yield from ((call, undoing) for call in _keyed(history.events[: other.shared]) if call.seq >= at)


def _keyed(events: Sequence[Event]) -> list[Event]:
    """Return the calls that have a result under a key."""
    completed = {event.body[0] for event in events if event.type in COMPLETED}
    return [event for event in events if event.seq in completed and _key(event) is not None]


def _keyed_and_undone(events: Sequence[Event], at: int) -> Iterator[tuple[Event, Event]]:
    """Yield the calls from `at` on that have a result under a key, with what has undone them."""
    keyed = [event for event in _keyed(events) if event.seq >= at]
    for undoing in events[at:] if keyed else ():
        if undoing.type == EventType.COMPENSATION_SCHEDULED:
            for call in keyed:
                if _undoes_from(undoing) <= call.seq < undoing.seq:
                    yield call, undoing


def _key(event: Event) -> str | None:
    """Return the idempotency key of an activity."""
    options = next(iter(event.body[4:5]), None) if event.type == EventType.ACTIVITY_SCHEDULED else None
    return options.get("key") if isinstance(options, Mapping) else None


def _has_reported(child: CutChild, events: Sequence[Event]) -> bool:
    return any(event.type in CHILD_ENDS and event.body[0] == child.seq for event in events)


def _has_result(answer: Event | None) -> bool:
    return answer is not None and answer.type in COMPLETED


def _pending(events: Sequence[Event]) -> Mapping[int, Event]:
    """Return the calls that are pending after these events, by seq."""
    pending: dict[int, Event] = {}
    for event in events:
        if event.type in SCHEDULES:
            pending[event.seq] = event
        elif event.type in ANSWERS:
            pending.pop(event.body[0], None)
    return pending


def _call(event: Event, answers: Mapping[int, Event]) -> CutCall:
    answer = answers.get(event.seq)
    was = "pending" if answer is None else "completed" if answer.type in COMPLETED else "failed"
    options = next(iter(event.body[4:5]), None)
    once = isinstance(options, Mapping) and options.get("at_most_once") is True
    return CutCall(event.seq, str(event.body[0]), event.type == EventType.COMPENSATION_SCHEDULED, was, once)


def _children(events: Sequence[Event]) -> Iterator[CutChild]:
    for event in events:
        if event.type == EventType.CHILD_STARTED and is_whole(event):
            yield CutChild(event.seq, str(event.body[3]), str(event.body[0]))


def _open_children(events: Sequence[Event]) -> list[CutChild]:
    """Return the children that are open as far as these events say."""
    ended = {event.body[0] for event in events if event.type in CHILD_ENDS}
    return [child for child in _children(events) if child.seq not in ended]
