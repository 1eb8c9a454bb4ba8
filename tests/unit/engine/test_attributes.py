"""Attributes that a workflow sets for its own run."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

import continuum
from continuum import DeterminismError, InvalidOption, NotInWorkflow
from continuum.engine.events import EventType
from continuum.engine.outcome import Blocked, Completed, Failed
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import Driver, assert_same_from_every_prefix, replay


class Step(Enum):
    """A step of an order."""

    PAID = "paid"


async def telling() -> int:
    continuum.set_attributes({"step": Step.PAID, "cents": Decimal("4.5")})
    value = await echo(4)
    continuum.set_attributes({"at": datetime(2026, 1, 1, tzinfo=UTC), "value": value})
    return value


def test_attributes_go_with_the_commit_of_their_step_as_json() -> None:
    driver = Driver(telling)
    assert driver.attributes == [{"step": "paid", "cents": 4.5}]
    assert driver.result() == 4
    assert driver.attributes[1:] == [{"at": "2026-01-01T00:00:00.000000+00:00", "value": 4}]
    recorded = [event.body[0] for event in driver.history if event.type == EventType.ATTRIBUTES_SET]
    assert recorded == ["cents, step", "at, value"]


def test_a_replay_sets_no_attributes_again() -> None:
    driver = Driver(telling)
    driver.run()
    again = replay(telling, driver.history)
    assert again.outcome == Completed(4)
    assert again.outgoing is None
    assert_same_from_every_prefix(telling, driver)


def test_other_attributes_at_the_same_position_are_drift() -> None:
    async def changed() -> int:
        continuum.set_attributes({"status": "paid"})
        return await echo(4)

    driver = Driver(telling)
    outcome = replay(changed, driver.history).outcome
    assert isinstance(outcome, Blocked)
    assert "attributes_set cents, step" in outcome.reason


@pytest.mark.parametrize("wrong", [{"a": object()}, {"": 1}, {"a": "x" * 70_000}, ["a"]])
def test_attributes_that_cannot_be_stored_are_refused_and_not_journaled(wrong: Any) -> None:
    async def program() -> None:
        with pytest.raises(InvalidOption, match="attribute"):
            continuum.set_attributes(wrong)

    driver = Driver(program)
    assert driver.outcome == Completed(None)
    assert driver.history == []


def test_a_workflow_does_not_set_attributes_of_another_run() -> None:
    async def program() -> None:
        await continuum.set_attributes("01900000-0000-7000-8000-000000000002", {"a": 1})

    outcome = Driver(program).outcome
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, DeterminismError)
    assert "its own run" in str(outcome.error)


def test_attributes_of_the_own_run_are_set_inside_a_workflow() -> None:
    with pytest.raises(NotInWorkflow, match="set_attributes"):
        continuum.set_attributes({"a": 1})


def test_a_side_effect_sets_no_attributes() -> None:
    async def program() -> None:
        continuum.side_effect(lambda: continuum.set_attributes({"a": 1}))

    driver = Driver(program)
    assert isinstance(driver.outcome, Failed)
    assert driver.attributes == []
