"""Drift as two sides: read back from its sentence, and shown as a diff."""

from __future__ import annotations

import pytest

from continuum.drift.comparison import Row, diff, sides_of, sides_told
from continuum.engine import drift_messages
from continuum.engine.events import Event, EventType
from continuum.engine.outcome import Blocked

CHARGE = Event(3, EventType.ACTIVITY_SCHEDULED, 0, ("shop.charge", "order", "shop/flows.py:9", b"", None))
CHARGED = Event(4, EventType.ACTIVITY_COMPLETED, 0, (3, b""))
SLEEP = Event(5, EventType.TIMER_STARTED, 0, (10, "order", "shop/flows.py:10"))
NOW = Event(0, EventType.SIDE_EFFECT, 0, ("now", "order", "shop/flows.py:7", 1))

ASKED = drift_messages.drift(CHARGE, EventType.ACTIVITY_SCHEDULED, "shop.ship", "order", "shop/flows.py:8")


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        (ASKED, "shop/flows.py:8"),
        (
            drift_messages.drift(CHARGE, EventType.TIMER_STARTED, 10, "order", "shop/flows.py:8"),
            "shop/flows.py:8",
        ),
        (drift_messages.other_input(CHARGE, "order", "shop/flows.py:8"), "shop/flows.py:8"),
        (drift_messages.extra_event(CHARGE), ""),
        (drift_messages.leftover(CHARGE), ""),
        (drift_messages.unasked(CHARGE), ""),
    ],
)
def test_what_was_journaled_as_a_sentence_has_two_sides_again(fault: Blocked, where: str) -> None:
    told = sides_told(f"drift: {fault.reason}")
    assert told is not None
    assert (told.position, told.journal, told.where) == (
        3,
        "activity_scheduled shop.charge from order",
        where,
    )
    known = sides_of(fault)
    assert known is not None
    assert (known.position, known.journal, known.where) == (told.position, told.journal, told.where)
    assert told.code in known.code


def test_a_sentence_that_was_cut_short_is_read_as_far_as_it_goes() -> None:
    cut = f"drift: {ASKED.reason}"[: ASKED.reason.index("; ") + 7]
    told = sides_told(cut)
    assert told is not None
    assert told.code == "activity_scheduled shop.ship from order"


@pytest.mark.parametrize("fault", [drift_messages.livelock(3), drift_messages.corrupt_history(3, CHARGED)])
def test_other_faults_have_no_sides(fault: Blocked) -> None:
    assert sides_of(fault) is None
    assert sides_told(fault.reason) is None


def test_a_diff_shows_commands_before_and_after_the_place() -> None:
    sides = sides_of(ASKED)
    assert sides is not None
    charge, ship = "activity_scheduled shop.charge from order", "activity_scheduled shop.ship from order"
    assert diff([NOW, CHARGE, CHARGED, SLEEP], sides) == [
        Row(0, "side_effect now from order", "side_effect now from order", False),
        Row(3, charge, f"{ship} at shop/flows.py:8", True),
        Row(5, "timer_started from order", "", False),
    ]
