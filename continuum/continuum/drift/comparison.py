"""Where history and code differ: the mismatch of a drift, and a diff around it.

A mismatch comes from a replay that ran just now, or from the fault that a node has stored with a blocked
run or a refused version. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from continuum.engine.drift_messages import describe
from continuum.engine.events import COMMANDS, Event, is_whole
from continuum.engine.outcome import Blocked
from continuum.journal.port import Fault

# How many commands a diff shows before and after the mismatch.
CONTEXT_EVENTS = 3

NOTHING = "nothing"
"""The code's side of a mismatch when the code has no command there."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The event `position`, as the journal has it and as the code wants it.

    `where` is the line of code; it is empty if the code has no command there.
    """

    position: int
    journal: str
    code: str
    where: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a diff; `differs` on the line of the mismatch."""

    seq: int | None
    journal: str
    code: str
    differs: bool


def mismatch_of(fault: Blocked | Fault) -> Mismatch | None:
    """Return the mismatch of a fault, None if it has none."""
    if fault.position is None or fault.expected is None:
        return None
    return Mismatch(fault.position, fault.expected, fault.actual or NOTHING, fault.where or "")


def diff(history: Sequence[Event], mismatch: Mismatch) -> list[Row]:
    """Return the commands of journal and code side by side, around the mismatch."""
    before = [event for event in history if event.seq < mismatch.position and event.type in COMMANDS]
    rows = [
        Row(event.seq, describe_safely(event), describe_safely(event), False)
        for event in before[-CONTEXT_EVENTS:]
    ]
    code = f"{mismatch.code} at {mismatch.where}" if mismatch.where else mismatch.code
    rows.append(Row(mismatch.position, mismatch.journal, code, True))
    after = [event for event in history if event.seq > mismatch.position and event.type in COMMANDS]
    rows += [Row(event.seq, describe_safely(event), "", False) for event in after[:CONTEXT_EVENTS]]
    return rows


def describe_safely(event: Event) -> str:
    """Describe an event for people, also an event that this version does not know."""
    return describe(event) if is_whole(event) else f"event of type {event.type}"
