"""Sketches a `patched()` block for a drift; parts that cannot be known are left for the reader to fill in.

Only the first mismatch is known. Whether the change removed, inserted or replaced something is inferred
from the rest of the journal (a command that the code issues here may come later in it) and from the
code after the mismatch.
"""

from __future__ import annotations

from collections.abc import Sequence

from continuum.drift.comparison import Mismatch, describe_safely
from continuum.drift.source_location import SourceLocation
from continuum.engine.events import COMMANDS, Event, EventType, is_whole

_TIMERS = frozenset(("sleep", "sleep_until", "timeout", "timeout_at", "wait", "wait_for", "wait_signal"))
# These commands have a name; one timer or clock looks like any other.
_NAMED = ("activity_scheduled", "compensation_scheduled", "child_started")


def suggest_patch(
    workflow: str, history: Sequence[Event], mismatch: Mismatch, location: SourceLocation
) -> str:
    """Return a sketch of a `patched()` block that replays old histories and runs the new code."""
    event = next((event for event in history if event.seq == mismatch.position and is_whole(event)), None)
    old = mismatch.journal if event is None else _named(event, mismatch)
    if event is not None and event.type == EventType.PATCHED:
        return f'put continuum.patched("{event.body[0]}") back: runs in progress have already passed it'
    patched = f'continuum.patched("{workflow}-{mismatch.position}")'
    names_after = location.names_after
    still_ahead = None if event is None or names_after is None else _is_among(event, names_after)
    later = any(
        describe_safely(one) == mismatch.code for one in _commands(history) if one.seq > mismatch.position
    )
    if not mismatch.where:
        passed = any(
            describe_safely(one) == mismatch.journal
            for one in _commands(history)
            if one.seq < mismatch.position
        )
        if still_ahead and not passed:
            return f"if {patched}:\n    ...  # the code that the change put before {old}"
        return _removed(patched, old)
    if later and not still_ahead:
        return _removed(patched, old)
    new = (
        _indented(location.statement)
        if location.statement
        else f"    ...  # the code of this line: {location.line or mismatch.code}"
    )
    kept = f"{location.target} = ..." if location.target else "..."
    if still_ahead and not (later and mismatch.code.startswith(_NAMED)):
        inserted = f"if {patched}:\n{new}"
        return f"{inserted}\nelse:\n    {kept}  # there was no such call" if location.target else inserted
    if still_ahead is None or still_ahead:
        comment = f"nothing if the call is new, else the code before the change: {old}"
    else:
        comment = f"the code before the change: {old}"
    return f"if {patched}:\n{new}\nelse:\n    {kept}  # {comment}"


def _removed(patched: str, old: str) -> str:
    return f"if not {patched}:\n    ...  # the removed code, for runs from before the change: {old}"


def _indented(statement: str) -> str:
    return "\n".join(f"    {line}" for line in statement.splitlines())


def _commands(history: Sequence[Event]) -> list[Event]:
    return [event for event in history if event.type in COMMANDS]


def _named(event: Event, mismatch: Mismatch) -> str:
    """Return the journal's command in the words in which a person would search the code for it."""
    match event.type:
        case EventType.ACTIVITY_SCHEDULED:
            return f"activity {event.body[0]}"
        case EventType.COMPENSATION_SCHEDULED:
            return f"compensation {event.body[0]}"
        case EventType.CHILD_STARTED:
            other = ", with the input it had" if mismatch.code.endswith("another input") else ""
            return f"child workflow {event.body[0]}{other}"
        case EventType.TIMER_STARTED:
            return "a timer (a sleep or a timeout)"
        case EventType.SIDE_EFFECT:
            return f"continuum.{_effect(event)}"
        case EventType.STATE_PUBLISHED:
            return f'continuum.publish("{event.body[0]}", ...)'
        case EventType.ATTRIBUTES_SET:
            return f"continuum.set_attributes() of {event.body[0]}"
        case _:
            return mismatch.journal


def _effect(event: Event) -> str:
    kind = str(event.body[0])
    return "side_effect" if kind == "user" else kind


def _is_among(event: Event, names: frozenset[str]) -> bool:
    """Return whether code with these names can issue the command that the journal has."""
    match event.type:
        case EventType.TIMER_STARTED:
            return not names.isdisjoint(_TIMERS)
        case EventType.SIDE_EFFECT:
            return _effect(event) in names
        case EventType.STATE_PUBLISHED:
            return "publish" in names
        case EventType.ATTRIBUTES_SET:
            return "set_attributes" in names
        case EventType.RUN_CONTINUED_AS_NEW:
            return "continue_as_new" in names
        case EventType.ACTIVITY_SCHEDULED | EventType.CHILD_STARTED:
            name = str(event.body[0])
            return name in names or name.rpartition(".")[2] in names
        case _:
            return False
