"""Drift as two sides: what the journal has at a place, and what the code asks for there.

A fault is journaled as a sentence (`engine/messages.py` writes it); here it is read back, so that a run that
was blocked long ago and one that was replayed just now are shown in the same way. Pure text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from continuum.engine.drift_messages import describe
from continuum.engine.events import COMMANDS, Event, is_whole
from continuum.engine.outcome import Blocked

# How many events before and after the place where they part are worth showing.
CONTEXT_EVENTS = 3

NOTHING = "nothing"
"""What the side that has ended, or waits, asks for."""

_JOURNAL = r"at event (?P<seq>\d+) the journal has (?P<journal>.+?)"
_CODE = r"the code at (?P<where>\S+:\d+)"
_SENTENCES = tuple(
    re.compile(sentence + r"(?:; |$)")
    for sentence in (
        _JOURNAL + ", " + _CODE + " asks for (?P<code>.+?)",
        _JOURNAL + ", " + _CODE + " gives it (?P<code>another input)",
        _JOURNAL + ", the code asks for nothing",
        r"the code has ended, but the journal goes on at event (?P<seq>\d+) with (?P<journal>.+?)",
        _JOURNAL + ", which the code does not wait for",
    )
)


@dataclass(frozen=True, slots=True)
class Sides:
    """Where journal and code part: at event `position`; `where` in the code, "" when it asks for nothing."""

    position: int
    journal: str
    code: str
    where: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a diff; `differs` where the two sides part."""

    seq: int | None
    journal: str
    code: str
    differs: bool


def sides_of(fault: Blocked) -> Sides | None:
    """Return the two sides of a fault, None when it has none."""
    if fault.position is None or fault.expected is None:
        return None
    return Sides(fault.position, fault.expected, fault.actual or NOTHING, fault.where or "")


def sides_told(reason: str) -> Sides | None:
    """Return the two sides of a drift that this sentence tells of, None when it tells of something else."""
    for sentence in _SENTENCES:
        if found := sentence.search(reason):
            parts = found.groupdict()
            return Sides(
                int(parts["seq"]), parts["journal"], parts.get("code") or NOTHING, parts.get("where") or ""
            )
    return None


def diff(history: Sequence[Event], sides: Sides) -> list[Row]:
    """Return journal and code beside each other, around the place where they part."""
    before = [event for event in history if event.seq < sides.position and event.type in COMMANDS]
    rows = [Row(event.seq, told(event), told(event), False) for event in before[-CONTEXT_EVENTS:]]
    code = f"{sides.code} at {sides.where}" if sides.where else sides.code
    rows.append(Row(sides.position, sides.journal, code, True))
    after = [event for event in history if event.seq > sides.position and event.type in COMMANDS]
    rows += [Row(event.seq, told(event), "", False) for event in after[:CONTEXT_EVENTS]]
    return rows


def told(event: Event) -> str:
    """Return an event as a person would name it; also one that this version does not know."""
    return describe(event) if is_whole(event) else f"event of type {event.type}"
