"""The cost of a replay grows no faster than its history. It is counted in calls, so no clock decides."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from types import FrameType

import pytest

import continuum
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import Driver, Program, replay

STEPS = 300


def steps(number: int) -> Program:
    """Return a program that takes `number` steps."""

    async def program() -> int:
        total = 0
        for _ in range(number):
            total += await echo(1) + continuum.side_effect(lambda: 1)
        return total

    return program


def steps_at_once(number: int) -> Program:
    """Return a program that has `number` activities open at the same time."""

    async def program() -> int:
        return sum(await asyncio.gather(*(echo(1) for _ in range(number))))

    return program


def calls_of_a_replay(program: Program) -> int:
    """Return how many Python functions a replay of a complete history calls."""
    driver = Driver(program)
    driver.run()
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        replay(program, driver.history)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("written", [steps, steps_at_once])
def test_a_history_twice_as_long_takes_twice_the_calls(
    written: Callable[[int], Program],
) -> None:
    """B15"""
    calls_of_a_replay(written(2))
    once, twice = calls_of_a_replay(written(STEPS)), calls_of_a_replay(written(2 * STEPS))
    assert once > STEPS
    assert twice < 2.2 * once
