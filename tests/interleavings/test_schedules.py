"""Every schedule of every scenario keeps the invariants, and with a broken function one does not."""

from __future__ import annotations

import asyncio

import pytest

from tests.interleavings.broken_functions import break_function
from tests.interleavings.explorer import Explorer, Scenario
from tests.interleavings.scenarios import SCENARIOS

# A scenario of two actors with two transactions has 70 schedules, less those that locks rule out.
FEWEST_SCHEDULES = 15


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_order_of_overlapping_transactions_keeps_the_invariants(
    dsn: str, schema: str, scenario: Scenario
) -> None:
    """I1, I3, I4, I5, I8"""
    explored = asyncio.run(Explorer(dsn, schema).explore(scenario))
    assert explored.violated is None, explored
    assert explored.schedules >= FEWEST_SCHEDULES


@pytest.mark.parametrize(
    ("name", "scenario", "violation"),
    [
        ("a fence by plain join", "a write, a retirement, and", "a write after its worker was retired"),
        ("a fence by plain join", "an end, a post", "to a run that had ended"),
        ("a post that locks no run", "a release, a post and a retirement", "the wake was lost"),
        ("a repetition that does not look for the first attempt", "a first attempt", "arrived 2 times"),
        ("a repetition that does not look into the history", "a first attempt", "arrived 2 times"),
        ("a first attempt that does not look for its repetition", "a first attempt", "arrived 2 times"),
        ("a claim that does not confirm its worker", "a claim, a retirement", "which has retired"),
        ("a first write that does not look for mail", "two workers take", "took a run that had mail"),
        ("a first write that takes what has an owner", "two workers take", "duplicate key value"),
        ("a first write that creates without a lease", "a first write creates", "nobody was told"),
        ("a first write that creates what exists", "two workers create the run of", "duplicate key value"),
        (
            "a first write that resumes what somebody has owned since",
            "a worker reads and",
            "the token of a resume",
        ),
        ("a first write that resumes what has an owner", "two workers resume", "duplicate key value"),
    ],
)
def test_a_broken_function_is_found(dsn: str, schema: str, name: str, scenario: str, violation: str) -> None:
    break_function(dsn, schema, name)
    (chosen,) = [each for each in SCENARIOS if each.name.startswith(scenario)]
    explored = asyncio.run(Explorer(dsn, schema).explore(chosen))
    assert explored.violated is not None
    assert violation in explored.violated
