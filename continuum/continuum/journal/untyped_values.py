"""Stored values as a person reads them: plain values, without the types of the code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from continuum.codec.codec import decode
from continuum.engine.events import FIRST_MOMENT, LAST_MOMENT
from continuum.errors import DurableTermError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The placeholder of a stored value that cannot be read, so that one bad row hides no other."""

    reason: str


def readable(data: bytes | None) -> Any:
    """Decode a stored value without types; None stays None."""
    if data is None:
        return None
    try:
        return decode(data)
    except DurableTermError as error:
        return Unreadable(error.reason)


def readable_call(data: bytes) -> tuple[Any, Any]:
    """Return the positional arguments and the keywords of a stored call."""
    call = readable(data)
    match call:
        case Unreadable():
            return call, {}
        case [list(args), dict(keywords)]:
            return args, keywords
        case _:
            return Unreadable("not a stored call"), {}


def at(microseconds: int) -> datetime:
    """Return a time of the journal as an aware datetime, the nearest one if the time was written by hand."""
    return _EPOCH + timedelta(microseconds=min(max(microseconds, FIRST_MOMENT), LAST_MOMENT))


def microseconds_of(when: datetime) -> int:
    """Return an aware datetime as a time of the journal."""
    return (when - _EPOCH) // timedelta(microseconds=1)
