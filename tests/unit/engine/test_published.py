"""Values that a run publishes to readers outside."""

from __future__ import annotations

import pytest

import continuum
from continuum import DurableTermError, InvalidDefinition, NotInWorkflow
from continuum.engine.events import EventType
from continuum.engine.outcome import Blocked, Completed
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import Driver, assert_same_from_every_prefix, replay


async def showing() -> int:
    continuum.publish("progress", {"done": 0})
    value = await echo(4)
    continuum.publish("progress", {"done": value})
    return value


def test_a_value_is_published_with_the_commit_of_its_step_and_not_kept_in_the_history() -> None:
    driver = Driver(showing)
    assert driver.published == [("progress", {"done": 0})]
    assert driver.result() == 4
    assert driver.published[1:] == [("progress", {"done": 4})]
    shown = [event for event in driver.history if event.type == EventType.STATE_PUBLISHED]
    assert [(event.body[0], len(event.body)) for event in shown] == [("progress", 3)] * 2


def test_a_replay_publishes_nothing_again() -> None:
    driver = Driver(showing)
    driver.run()
    again = replay(showing, driver.history)
    assert again.outcome == Completed(4)
    assert again.outgoing is None
    assert_same_from_every_prefix(showing, driver)


def test_another_name_at_the_same_position_is_drift() -> None:
    async def renamed() -> int:
        continuum.publish("status", {})
        return await echo(4)

    driver = Driver(showing)
    outcome = replay(renamed, driver.history).outcome
    assert isinstance(outcome, Blocked)
    assert "state_published progress" in outcome.reason


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 200, 5])
def test_a_name_that_cannot_be_stored_is_refused(name: str) -> None:
    async def program() -> None:
        with pytest.raises(InvalidDefinition, match="published value"):
            continuum.publish(name, 1)

    driver = Driver(program)
    assert driver.outcome == Completed(None)
    assert driver.history == []


def test_a_value_that_cannot_be_stored_is_refused_by_its_path() -> None:
    async def program() -> None:
        with pytest.raises(DurableTermError, match="published progress"):
            continuum.publish("progress", object())

    assert Driver(program).outcome == Completed(None)


def test_publish_fails_outside_a_workflow() -> None:
    with pytest.raises(NotInWorkflow):
        continuum.publish("progress", 1)
