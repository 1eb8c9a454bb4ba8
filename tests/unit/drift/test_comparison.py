"""The mismatch of a drift, and the diff around it."""

from __future__ import annotations

import json

import pytest

from continuum.drift.comparison import Row, diff, mismatch_of
from continuum.engine import drift_messages
from continuum.engine.events import Event, EventType
from continuum.engine.outcome import Blocked
from continuum.journal.port import Fault

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
        (drift_messages.unexpected(CHARGE), ""),
    ],
)
def test_a_stored_fault_has_the_mismatch_of_its_drift(fault: Blocked, where: str) -> None:
    facts = Fault(fault.kind, fault.position, fault.expected, fault.actual, fault.where)
    stored = Fault.from_json(json.loads(facts.as_json()))
    assert stored is not None
    found = mismatch_of(stored)
    assert found is not None
    assert (found.position, found.journal, found.where) == (
        3,
        "activity_scheduled shop.charge from order",
        where,
    )
    assert found == mismatch_of(fault)


@pytest.mark.parametrize("fault", [drift_messages.livelock(3), drift_messages.corrupt_history(3, CHARGED)])
def test_other_faults_have_no_mismatch(fault: Blocked) -> None:
    assert mismatch_of(fault) is None
    assert mismatch_of(Fault(fault.kind)) is None


def test_a_diff_shows_the_commands_around_the_mismatch() -> None:
    mismatch = mismatch_of(ASKED)
    assert mismatch is not None
    charge, ship = "activity_scheduled shop.charge from order", "activity_scheduled shop.ship from order"
    assert diff([NOW, CHARGE, CHARGED, SLEEP], mismatch) == [
        Row(0, "side_effect now from order", "side_effect now from order", False),
        Row(3, charge, f"{ship} at shop/flows.py:8", True),
        Row(5, "timer_started from order", "", False),
    ]
