"""What templates write: times, durations, numbers, ids and payloads as text. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from continuum.journal.untyped_values import at
from continuum.operations.json_text import to_json

# Shown for a value that is missing.
NOTHING = "\N{EN DASH}"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TWO_UNITS = ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s"))


def ago(then: datetime | int | None, now: datetime) -> str:
    """Return how long ago or ahead a time is, in one unit: `3 min ago`, `in 2 h`."""
    if then is None:
        return NOTHING
    seconds = (now - _aware(then)).total_seconds()
    if abs(seconds) < 10:
        return "just now" if seconds >= 0 else "now"
    text = _rough(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def rough(seconds: float) -> str:
    """Return about how long something took, in one unit: what is live changes less often then."""
    return _rough(seconds) if seconds >= 10 else "less than 10 s"


def _rough(seconds: float) -> str:
    if seconds < _MINUTE:
        # In tens, so that a page that is open does not change every second.
        return f"{seconds // 10 * 10:.0f} s"
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds // unit:.0f} {name}"
    raise AssertionError(seconds)


def moment(then: datetime | int | None) -> str:
    """Return a time whole, in UTC, to the second."""
    if then is None:
        return NOTHING
    return _aware(then).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(then: datetime | int) -> str:
    """Return the time of day in UTC, to the minute."""
    return moment(then)[11:16]


def iso(then: datetime | int) -> str:
    """Return a time for programs."""
    return _aware(then).isoformat()


def _aware(then: datetime | int) -> datetime:
    return at(then) if isinstance(then, int) else then


def duration(seconds: float | timedelta | None) -> str:
    """Return a duration in two units at most: `340 ms`, `2.5 s`, `3 min 20 s`, `2 d 4 h`."""
    if seconds is None:
        return NOTHING
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    if 0 < seconds < 0.001:
        return "< 1 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, lower, less in _TWO_UNITS:
        if whole >= unit:
            rest = whole % unit // lower
            return f"{whole // unit} {name}" + (f" {rest} {less}" if rest else "")
    raise AssertionError(seconds)


def number(value: float | None) -> str:
    """Return a number with its thousands apart."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def short_id(text: str, edge: int = 6) -> str:
    """Return an id without its middle."""
    return text if len(text) <= 2 * edge + 1 else f"{text[:edge]}…{text[-edge:]}"


def pretty(value: Any) -> str:
    """Return a payload as JSON on several lines."""
    return json.dumps(json.loads(to_json(value)), indent=2, ensure_ascii=False)


def arguments(recorded: Mapping[str, Any]) -> str:
    """Return what is recorded of a change, in words: `signal approve, value 5 bytes`."""
    return ", ".join(f"{words(name)} {_recorded(value)}" for name, value in recorded.items())


def _recorded(value: Any) -> str:
    match value:
        case {"bytes": int(size)}:
            return f"{size:,} bytes"
        case str():
            return value
        case Mapping():
            return f"({arguments(value)})"
        case _:
            return to_json(value)


def words(name: str) -> str:
    """Return a name of the code as words: `activity_failed` is `activity failed`."""
    return name.replace("_", " ")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "ago": ago,
    "moment": moment,
    "iso": iso,
    "clock": clock,
    "duration": duration,
    "rough": rough,
    "number": number,
    "short_id": short_id,
    "pretty": pretty,
    "arguments": arguments,
    "words": words,
}
