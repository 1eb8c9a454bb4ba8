"""`Wait`: what a run waits for, as its owner knows it.

An owner that parks a run writes its waits into the run's row with that same write, so that a run which
waits can be explained without its code. Timers, activities and children leave events in the history
as well; that the code waits for a signal is recorded here alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

# More than a person reads. A run with thousands of pending activities must not become a row of a megabyte.
MOST_WAITS = 16
KINDS = ("signal", "unread", "activity", "timer", "child")
# In a search, in place of a kind: the run waits for nothing that could come.
NOTHING = "nothing"
NO_COMMAND = -1


class Wait(NamedTuple):
    """Something that a run waits for.

    `kind` is ``signal``, ``activity``, ``timer`` or ``child``, or ``unread`` for a signal that has
    come and that no code has taken. `seq` is the event of the command, -1 for a signal; `name` that
    of the signal, activity or child workflow, "" for a timer. The run waits `since` then, and until
    `due` at most, both in microseconds: when a timer fires, a retry begins, or the time for a signal
    is over; None if nothing but its end ends it. `place` is file and line of the code that waits,
    where that is known.
    """

    kind: str
    seq: int
    name: str
    since: int
    due: int | None = None
    place: str | None = None


def could_end(waits: Sequence[Wait]) -> bool:
    """Return whether a run waits for something that could come: signals that have come are none."""
    return any(wait.kind != "unread" for wait in waits)


def waits_as_json(waits: Sequence[Wait]) -> str:
    """Return the text of a JSON column."""
    return json.dumps(waits, separators=(",", ":"))


def waits_from_json(stored: object) -> tuple[Wait, ...] | None:
    """Return what a JSON column holds, without entries that are none; None if it holds no list."""
    if not isinstance(stored, list):
        return None
    return tuple(Wait(*entry) for entry in stored if isinstance(entry, list) and _is_wait(entry))


def _is_wait(entry: list[object]) -> bool:
    match entry:
        case [str(kind), int(), str(), int(), int() | None, str() | None]:
            return kind in KINDS
        case _:
            return False
