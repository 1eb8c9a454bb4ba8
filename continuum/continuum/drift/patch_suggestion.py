"""A sketch of a `patched()` block: what is known of a change is said, what is not is left to be filled in.

Only the first difference is known. Whether something was taken out, put in or exchanged there is told by
the rest of the journal (what the code asks for comes later in it) and by the code that is still ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from continuum.drift.comparison import Sides, told
from continuum.engine.events import COMMANDS, Event, EventType, is_whole

_TIMERS = frozenset(("sleep", "sleep_until", "timeout", "timeout_at", "wait", "wait_for", "wait_signal"))
# What these ask for is named; one timer or clock looks like another.
_NAMED = ("activity_scheduled", "compensation_scheduled", "child_started")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the code is: its `line`, the whole `statement`, "" when it is none that a block can hold.

    `target` is what the statement assigns to. `ahead` are the names in the rest of the workflow (in all of
    it, when there is no line), None when that is not known.
    """

    line: str = ""
    statement: str = ""
    target: str = ""
    ahead: frozenset[str] | None = None


def suggestion(workflow: str, history: Sequence[Event], sides: Sides, place: Place) -> str:
    """Return a sketch of a `patched()` block that keeps old histories and has the new code."""
    event = next((event for event in history if event.seq == sides.position and is_whole(event)), None)
    was = sides.journal if event is None else _named(event, sides)
    if event is not None and event.type == EventType.PATCHED:
        return f'put continuum.patched("{event.body[0]}") back: runs that are under way have passed it'
    patched = f'continuum.patched("{workflow}-{sides.position}")'
    ahead = None if event is None or place.ahead is None else _is_ahead(event, place.ahead)
    later = any(told(one) == sides.code for one in _commands(history) if one.seq > sides.position)
    if not sides.where:
        passed = any(told(one) == sides.journal for one in _commands(history) if one.seq < sides.position)
        if ahead and not passed:
            return f"if {patched}:\n    ...  # what stands before {was} now, and did not before the change"
        return _taken_out(patched, was)
    if later and not ahead:
        return _taken_out(patched, was)
    new = (
        _indented(place.statement)
        if place.statement
        else f"    ...  # what stands here: {place.line or sides.code}"
    )
    kept = f"{place.target} = ..." if place.target else "..."
    if ahead and not (later and sides.code.startswith(_NAMED)):
        added = f"if {patched}:\n{new}"
        return f"{added}\nelse:\n    {kept}  # there was no such call" if place.target else added
    if ahead is None or ahead:
        comment = f"nothing if this is new, else what stood here before: {was}"
    else:
        comment = f"what stood here before: {was}"
    return f"if {patched}:\n{new}\nelse:\n    {kept}  # {comment}"


def _taken_out(patched: str, was: str) -> str:
    return f"if not {patched}:\n    ...  # what was taken out, for runs from before the change: {was}"


def _indented(statement: str) -> str:
    return "\n".join(f"    {line}" for line in statement.splitlines())


def _commands(history: Sequence[Event]) -> list[Event]:
    return [event for event in history if event.type in COMMANDS]


def _named(event: Event, sides: Sides) -> str:
    """Return what the journal has, as a person would look for it in the code."""
    match event.type:
        case EventType.ACTIVITY_SCHEDULED:
            return f"activity {event.body[0]}"
        case EventType.COMPENSATION_SCHEDULED:
            return f"compensation {event.body[0]}"
        case EventType.CHILD_STARTED:
            other = ", with the input it had" if sides.code.endswith("another input") else ""
            return f"child workflow {event.body[0]}{other}"
        case EventType.TIMER_STARTED:
            return "a timer (a sleep or a timeout)"
        case EventType.SIDE_EFFECT:
            return f"continuum.{_effect(event)}"
        case EventType.STATE_PUBLISHED:
            return f'continuum.publish("{event.body[0]}", ...)'
        case _:
            return sides.journal


def _effect(event: Event) -> str:
    kind = str(event.body[0])
    return "side_effect" if kind == "user" else kind


def _is_ahead(event: Event, names: frozenset[str]) -> bool:
    """Tell whether what the journal has is named in the code that is ahead."""
    match event.type:
        case EventType.TIMER_STARTED:
            return not names.isdisjoint(_TIMERS)
        case EventType.SIDE_EFFECT:
            return _effect(event) in names
        case EventType.STATE_PUBLISHED:
            return "publish" in names
        case EventType.RUN_CONTINUED_AS_NEW:
            return "continue_as_new" in names
        case EventType.ACTIVITY_SCHEDULED | EventType.CHILD_STARTED:
            name = str(event.body[0])
            return name in names or name.rpartition(".")[2] in names
        case _:
            return False
