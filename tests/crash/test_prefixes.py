"""A crash after every event of an order leads to the same commands and the same end."""

from __future__ import annotations

import pytest

from continuum.engine.events import EventType
from continuum.engine.outcome import Cancelled, Completed, Failed
from tests.crash.order import Rejected, approval, calls, crowd, order_flow
from tests.unit.engine.driver import Driver, assert_same_from_every_prefix, comparable

YES = [(approval.name, "yes")]
NO = [(approval.name, "no")]


@pytest.fixture(autouse=True)
def _untried_carrier() -> None:
    calls.clear()


def test_an_order_ships_from_every_prefix() -> None:
    driver = Driver(order_flow, signals=YES)
    assert driver.result() == "track-o1"
    assert driver.scheduled == ["order.validate", "order.charge", "order.ship"]
    assert_same_from_every_prefix(order_flow, driver)


@pytest.mark.parametrize("signals", [NO, []], ids=["rejected", "out of time"])
def test_an_unapproved_order_is_refunded_from_every_prefix(signals: list[tuple[str, object]]) -> None:
    driver = Driver(order_flow, signals=signals)
    outcome = driver.run()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Rejected)
    assert driver.scheduled == ["order.validate", "order.charge", "order.refund"]
    assert_same_from_every_prefix(order_flow, driver)


@pytest.mark.parametrize("when", range(8))
def test_an_order_cancelled_at_any_time_ends_the_same_from_every_prefix(when: int) -> None:
    driver = Driver(order_flow, signals=YES, cancel_at=when)
    outcome = driver.run()
    charged = EventType.ACTIVITY_COMPLETED in [event.type for event in driver.history[3:4]]
    assert outcome == Cancelled() or when >= 6
    assert driver.scheduled.count("order.refund") == (1 if charged and outcome == Cancelled() else 0)
    assert_same_from_every_prefix(order_flow, driver)


@pytest.mark.parametrize("signals", [YES, NO, []], ids=["approved", "rejected", "out of time"])
def test_a_process_that_dies_after_any_event_does_not_change_the_end(
    signals: list[tuple[str, object]],
) -> None:
    """Here the world continues by itself: activities that ran when the process died have crashed."""
    whole = Driver(order_flow, signals=signals)
    end = comparable(whole.run())
    for cut in range(len(whole.history) + 1):
        calls.clear()
        delivered = any(event.type == EventType.SIGNAL_RECEIVED for event in whole.history[:cut])
        resumed = Driver(order_flow, signals=() if delivered else signals, history=whole.history[:cut])
        assert comparable(resumed.run()) == end, f"cut at {cut}"
        assert resumed.scheduled == whole.scheduled, f"cut at {cut}"


def test_a_journaled_result_is_never_computed_again() -> None:
    whole = Driver(order_flow, signals=YES)
    whole.run()
    for cut in range(len(whole.history) + 1):
        kept = whole.history[:cut]
        answered = {event.body[0] for event in kept if event.type == EventType.ACTIVITY_COMPLETED}
        finished = [whole.history[seq].body[0] for seq in answered]
        resumed = Driver(order_flow, signals=YES, history=kept)
        resumed.run()
        assert not set(finished) & set(resumed.executed), f"cut at {cut}"


@pytest.mark.parametrize("seed", range(5))
def test_a_crowd_of_tasks_ends_the_same_from_every_prefix(seed: int) -> None:
    driver = Driver(crowd, seed=seed)
    assert isinstance(driver.run(), Completed)
    assert_same_from_every_prefix(crowd, driver)
