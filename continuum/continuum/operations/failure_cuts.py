"""Where the history of a failed run is cut, so that the run continues from its failure. Pure.

- An activity failed for good, and the code gave up because of that: the error of the run names it. The cut is
  before that failure, and the activity is pending again. One that the error does not name was handled by the
  code: to run it again might charge twice. If others failed and the code did nothing in between, they are
  pending again too.
- A compensation failed, and the error of the run names it. The cut is before that failure: the compensation
  is pending again, and the run ends as before once it has undone what it was to undo. Signals, timers and
  the ends of other calls may have come since.
- The code failed by itself: nothing is cut off but what it asked for in the step in which it failed. None of
  that has run, and it must not bind the code that mends it.
- What a compensation has undone because of the failure is no history to continue with: `cut_of` refuses it.
- The failure began in a child. Only a reset to before its start mends that; the refusal names the last place
  where that is possible.
"""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.events import ABOUT_THE_HISTORY, CHILD_ENDS, COMMANDS, Event, EventType, Forking
from continuum.errors import CutRefused
from continuum.operations.cut_facts import Cut, History
from continuum.operations.history_cuts import cut_of
from continuum.quoting import shortened

_FAILED_CHILD = (EventType.CHILD_FAILED, EventType.CHILD_CANCELLED)
_ATTEMPTS = (EventType.ACTIVITY_RETRIED, EventType.ACTIVITY_CRASHED, EventType.ACTIVITY_RESTARTED)
_OF_COMPENSATIONS = (
    EventType.COMPENSATION_SCHEDULED,
    EventType.COMPENSATION_COMPLETED,
    EventType.COMPENSATION_FAILED,
)
_ENDS_OF_COMPENSATIONS = (EventType.COMPENSATION_COMPLETED, EventType.COMPENSATION_FAILED)
# What comes whatever the code does; and what may come of calls that it made before.
_FROM_OUTSIDE = {EventType.SIGNAL_RECEIVED, EventType.TIMER_FIRED, EventType.CANCEL_REQUESTED}
_OF_OTHER_CALLS = {EventType.ACTIVITY_COMPLETED, *_ATTEMPTS, *CHILD_ENDS}
# Commands of which the others have seen nothing, if the run ended in the step that issued them.
_UNSEEN = COMMANDS - {EventType.CHILD_STARTED, EventType.RUN_CONTINUED_AS_NEW}


def restart_cut(history: History, error_text: str, *, drop_signals: bool = False) -> Cut:
    """Return how a run continues that failed with this message and traceback.

    Raises `CutRefused`, which names the place of a reset that helps, if there is one.
    """
    events = history.events
    started = failed_child(events, error_text)
    if started is None:
        at = failure_cut(events, error_text)
        return cut_of(history, at, Forking.RESTART, drop_signals=drop_signals, keep_results=True)
    nearest, too_late = _place_of_a_reset(history, started)
    child = f"the failure began in its child {events[started].body[3]}"
    if nearest is None:
        raise CutRefused(history.run_id, None, f"{child}, which cannot start anew: {too_late}")
    command = f"`continuum runs reset {history.run_id} --at {nearest}`"
    anew = "starts that child anew"
    why = f"{child}; {command} {anew}" if not too_late else f"{child}; {command} {anew}, as {too_late}"
    raise CutRefused(history.run_id, None, why, nearest)


def failed_child(events: Sequence[Event], error_text: str) -> int | None:
    """Return which event started the child whose end made a run fail with this message and traceback."""
    step = _failing_step(events)
    if failed_compensation(events, error_text) is not None:
        return None
    cause = _named_in(events[:step], error_text)
    return cause.body[0] if cause is not None and cause.type in _FAILED_CHILD else None


def failure_cut(events: Sequence[Event], error_text: str) -> int:
    """Return where to cut the history of a run that itself failed with this message and traceback."""
    compensation = failed_compensation(events, error_text)
    if compensation is not None:
        return compensation.seq
    step = _failing_step(events)
    cause = _named_in(events[:step], error_text)
    return _of_its_code(events, step) if cause is None else _first_of_failures(events, cause.seq)


def failed_compensation(events: Sequence[Event], error_text: str | None = None) -> Event | None:
    """Return the first failure of a compensation since which the code has done nothing but compensate.

    With an error text it is one that this names, and the code may have waited for something after it.
    """
    since = _compensating_since(events, may_wait=error_text is not None)
    failures = [
        event
        for event in events[since:]
        if event.type == EventType.COMPENSATION_FAILED
        and (error_text is None or _as_an_error(events, event) in error_text)
    ]
    if not failures:
        return None
    # The code has handled those before which it waited: their names may be the same.
    since = max(since, _compensating_since(events[: failures[-1].seq + 1], may_wait=False))
    return next(event for event in failures if event.seq >= since)


def _compensating_since(events: Sequence[Event], *, may_wait: bool) -> int:
    """Return the place since which the code has done nothing but compensate.

    Whatever came meanwhile does not matter if it ended nothing that was begun since. The code may have
    waited for that with `may_wait`; without, a compensation was pending then.
    """
    compensations = {event.seq for event in events if event.type == EventType.COMPENSATION_SCHEDULED}
    place, begun = len(events), -1
    pending: set[int] = set()
    while place - 1 > begun:
        event = events[place - 1]
        if event.type in _ENDS_OF_COMPENSATIONS:
            pending.add(event.body[0])
        elif event.type == EventType.COMPENSATION_SCHEDULED:
            pending.discard(event.seq)
        elif event.type not in COMMANDS | ABOUT_THE_HISTORY:
            other = event.type in _OF_OTHER_CALLS
            if not (may_wait or pending) or not (other or event.type in _FROM_OUTSIDE):
                break
            if other and event.body[0] not in compensations:
                begun = max(begun, event.body[0])
        place -= 1
    return place


def _as_an_error(events: Sequence[Event], failure: Event) -> str:
    """Return a failure as `ActivityError` says it."""
    name, kind = events[failure.body[0]].body[0], failure.body[1]
    return f"{shortened(name)} failed on attempt {failure.body[4]}: {shortened(kind)}"


def _place_of_a_reset(history: History, at: int) -> tuple[int | None, str]:
    """Return the last place up to `at` where the history may be cut, and why that is earlier, if it is."""
    try:
        return cut_of(history, at, Forking.RESET).at, ""
    except CutRefused as refused:
        return refused.nearest, refused.why


def _failing_step(events: Sequence[Event]) -> int:
    """Return where what the last step asked for begins; the compensations for the failure belong to it."""
    compensations = {event.seq for event in events if event.type == EventType.COMPENSATION_SCHEDULED}
    place = len(events)
    while place:
        event = events[place - 1]
        of_compensation = event.type in _OF_COMPENSATIONS or (
            event.type in _ATTEMPTS and event.body[0] in compensations
        )
        if not of_compensation and event.type not in COMMANDS | ABOUT_THE_HISTORY:
            break
        place -= 1
    return place


def _named_in(events: Sequence[Event], error_text: str) -> Event | None:
    """Return the last failure that the error of the run names."""
    event: Event
    for event in reversed(events):
        if event.type == EventType.ACTIVITY_FAILED:
            if _as_an_error(events, event) in error_text:
                return event
        elif event.type in _FAILED_CHILD and f"child run {events[event.body[0]].body[3]} " in error_text:
            return event
    return None


def _first_of_failures(events: Sequence[Event], cut: int) -> int:
    """Return the first of the failures between which the code asked for nothing."""
    for event in reversed(events[:cut]):
        if event.type in COMMANDS:
            break
        if event.type == EventType.ACTIVITY_FAILED:
            cut = event.seq
    return cut


def _of_its_code(events: Sequence[Event], step: int) -> int:
    asked = events[step:]
    if any(event.type in _OF_COMPENSATIONS for event in asked):
        return step
    kept = [event.seq + 1 for event in asked if event.type not in _UNSEEN]
    return max([step, *kept])
