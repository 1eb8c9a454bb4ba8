"""Where the history of a failed run is cut, so that the run continues from its failure. Pure.

- An activity failed for good, and the code gave up because of that: the error of the run names it. The cut is
  before that failure, and the activity is pending again. One that the error does not name was handled by the
  code: to run it again might charge twice. If others failed and the code did nothing in between, they are
  pending again too.
- The code failed by itself: nothing is cut off but what it asked for in the step in which it failed. None of
  that has run, and it must not bind the code that mends it.
- What a compensation has undone because of the failure is no history to continue with: `cut_of` refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.events import COMMANDS, Event, EventType
from continuum.errors import CutRefused
from continuum.quoting import shortened

_FAILED_CHILD = (EventType.CHILD_FAILED, EventType.CHILD_CANCELLED)
_ATTEMPTS = (EventType.ACTIVITY_RETRIED, EventType.ACTIVITY_CRASHED, EventType.ACTIVITY_RESTARTED)
_OF_COMPENSATIONS = (
    EventType.COMPENSATION_SCHEDULED,
    EventType.COMPENSATION_COMPLETED,
    EventType.COMPENSATION_FAILED,
)
# Commands of which the others have seen nothing, if the run ended in the step that issued them.
_UNSEEN = COMMANDS - {EventType.CHILD_STARTED, EventType.RUN_CONTINUED_AS_NEW}


def failure_cut(run_id: str, events: Sequence[Event], error_text: str) -> int:
    """Return where to cut the history of a run that failed with this message and traceback.

    Raises `CutRefused` if the failure began in a child.
    """
    step = _failing_step(events)
    cause = _named_in(events[:step], error_text)
    if cause is None:
        return _of_its_code(events, step)
    if cause.type in _FAILED_CHILD:
        started = cause.body[0]
        raise CutRefused(
            run_id,
            None,
            f"the failure began in its child {events[started].body[3]}; `continuum runs reset {run_id} "
            f"--at {started}` starts that child anew",
            started,
        )
    return _first_of_failures(events, cause.seq)


def _failing_step(events: Sequence[Event]) -> int:
    """Return where what the last step asked for begins; the compensations for the failure belong to it."""
    compensations = {event.seq for event in events if event.type == EventType.COMPENSATION_SCHEDULED}
    place = len(events)
    while place:
        event = events[place - 1]
        of_compensation = event.type in _OF_COMPENSATIONS or (
            event.type in _ATTEMPTS and event.body[0] in compensations
        )
        if not of_compensation and event.type not in COMMANDS:
            break
        place -= 1
    return place


def _named_in(events: Sequence[Event], error_text: str) -> Event | None:
    """Return the last failure that the error of the run names."""
    event: Event
    for event in reversed(events):
        if event.type == EventType.ACTIVITY_FAILED:
            name, kind = events[event.body[0]].body[0], event.body[1]
            # As `ActivityError` says it.
            if f"{shortened(name)} failed on attempt {event.body[4]}: {shortened(kind)}" in error_text:
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
