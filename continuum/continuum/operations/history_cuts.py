"""Where a history may be cut, and what a new run that begins with the events before the cut does.

Pure: no workflow code is needed. `cut_of` gives the plan that a preview shows and that a journal carries
out; `CutRefused` names the last cut before that works. Some cuts never do:

- A compensation has undone after the cut what the events before it still count on, or failed in that. Its
  event says since when that may have been done; for one that does not (an earlier release wrote it, or it was
  added outside of a block), that is the first call or child of the run. A compensation that is pending at the
  cut would run once more if it has run since or runs now, and twice if the run is forked; one that has failed
  since is tried again, for the code still compensates there. What other runs have undone that begin with the
  same events counts as well (`Relative`), and so does what continues them as new. A call that was undone
  under an idempotency key cannot be made again.
- A run that continues another as new began with what that had done. A compensation that does not say since
  when may have undone it, and then no cut works: the run before it can be forked.
- A child that the events before the cut have started is open: two runs cannot wait for it.
- An event before the cut cannot be read, or the run continued as new there. One that cannot be read may have
  undone anything, wherever it is: the cut is before the first call or child then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

from continuum.engine.events import CHILD_ENDS, SCHEDULES, Event, EventType, Forking, is_whole
from continuum.errors import CutRefused
from continuum.operations.call_ends import COMPLETED, answers_of, has_result, pending_calls
from continuum.operations.cut_facts import Bound, Cut, CutCall, CutChild, History
from continuum.operations.standing_effects import standing
from continuum.operations.undone_effects import NOWHERE, first_effect, is_tried_again, undone, undone_by
from continuum.operations.undone_keys import key_of, undone_elsewhere, undone_under_a_key


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
    before, later = events[:at], events[at:]
    pending, answers = pending_calls(before), answers_of(later)
    kept = {seq for seq in pending if keep_results and has_result(answers.get(seq))}
    # Only while the code compensates it needs what others have undone; otherwise it counts on that.
    bound = next(_bounds(history, at, how, kept if is_tried_again(pending, answers) else ()), None)
    nearest = at if bound is None else nearest_cut(history, at, how)
    useless = undone_under_a_key(history, at if nearest is None else nearest)
    if useless is not None:
        raise CutRefused(history.run_id, at, useless)
    if bound is not None:
        raise CutRefused(history.run_id, at, bound.why, nearest)
    calls = [*pending.values(), *(event for event in later if event.type in SCHEDULES)]
    again = [event for event in calls if event.seq not in kept and has_result(answers.get(event.seq))]
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
        tuple(standing(history, [event for event in again if _is_done_again(event)])),
    )


def nearest_cut(history: History, at: int, how: Forking) -> int | None:
    """Return the last place up to `at` where the history may be cut; None if no cut helps."""
    while (bound := next(_bounds(history, at, how), None)) is not None:
        if bound.at == NOWHERE:
            return None
        at = bound.at
    return at


def _bounds(history: History, at: int, how: Forking, kept: Collection[int] = ()) -> Iterator[Bound]:
    """Yield what is wrong with a cut; each bound is before it. The results of calls in `kept` are kept."""
    before, later = history.events[:at], history.events[at:]
    position = unreadable(history.events)
    if position is not None and position < at:
        yield Bound(position, f"event {position} cannot be read; restore it, or cut before it")
    elif position is not None and (first := first_effect(before)) is not None:
        why = f"event {position} cannot be read, and may have undone what the run did from event {first.seq}"
        yield Bound(first.seq, f"{why} on ({first.body[0]}); restore it, or cut before that")
    for event in before:
        if event.type == EventType.RUN_CONTINUED_AS_NEW:
            yield Bound(event.seq, f"the run continued as new there, as {event.body[3]}")
    forked = how is Forking.FORK
    executed = forked or history.is_open
    yield from undone(before, later, executed=executed, forked=forked, kept=kept, inherits=history.inherits)
    yield from _undone_by_relatives(history, before, executed=executed, forked=forked, kept=kept)
    yield from (Bound(known.seq, known.why) for known in history.undone if known.seq < at)
    for child in _open_children(before):
        if not _has_reported(child, later) and not history.has_ended(child.run_id):
            named = f"its child {child.run_id} of {child.workflow}"
            if child.run_id in history.removed:
                why = f"{named} was removed before its end was reported; cut before its start"
            else:
                why = f"{named} is open; wait for its end or cancel it, or cut before its start"
            yield Bound(child.seq, why)


def undone_by_relatives(history: History) -> str | None:
    """Return why something that the run has done does not count any more: another run has undone it."""
    bounds = _undone_by_relatives(history, history.events, executed=False, forked=False)
    return next(chain((bound.why for bound in bounds), (known.why for known in history.undone)), None)


def _undone_by_relatives(
    history: History, before: Sequence[Event], *, executed: bool, forked: bool, kept: Collection[int] = ()
) -> Iterator[Bound]:
    ended = {*kept, *answers_of(before)}
    for other in history.relatives:
        yield from undone_by(
            other, before, executed=executed, forked=forked, kept=ended, inherits=history.inherits
        )
        yield from undone_elsewhere(history, other, before)


def _is_done_again(call: Event) -> bool:
    """Whether a call of which the end was cut off does anything when it is made again."""
    return call.type == EventType.ACTIVITY_SCHEDULED and key_of(call) is None


def _has_reported(child: CutChild, events: Sequence[Event]) -> bool:
    return any(event.type in CHILD_ENDS and event.body[0] == child.seq for event in events)


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
