"""Runs may be cut at every event: what continues ends the same, or the nearest cut that works is named."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from continuum import CutRefused, RunFailed, Signal, workflow
from continuum.testing import Environment
from tests.golden.programs import PROGRAMS, review
from tests.golden.writing import SIGNALS, run_of
from tests.unit.operations.cutting import (
    LONG,
    cut_everywhere,
    nothing_is_found,
    outcome,
    reset_everywhere,
)

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
# The results of these come from chance, from a counter of the process or from the order of answers; or
# somebody has to stop the run or a child, which nobody does again. One has other code than it began with.
DIFFERENT = {
    "cancelled",
    "child_cancelled",
    "child_out_of_time",
    "crowd",
    "open",
    "patched_old",
    "primitives",
    "retry_success",
}


@pytest.mark.parametrize("name", sorted(PROGRAMS.keys() - DIFFERENT))
async def test_a_program_of_the_golden_histories_may_be_cut_at_every_event(
    continuum_env: Environment, name: str
) -> None:
    run = await run_of(continuum_env, name)
    await continuum_env.settle()
    for value in SIGNALS.get(name, ()):
        await continuum_env.advance(1)
        await run.signal(review, value)
    await outcome(run)
    events = [event.type for event in await run.history()]
    undone = "compensation_scheduled" in events
    continued = "run_continued_as_new" in events
    refused = await cut_everywhere(continuum_env, run.id)
    # The first thing that these programs do is what they undo, and it has its result under a key.
    assert refused == (len(events) if undone else 1 if continued else 0)
    if not undone and not continued:
        await reset_everywhere(continuum_env, run.id)
    await nothing_is_found(continuum_env)


@pytest.fixture(scope="module")
def trips() -> Iterator[ModuleType]:
    yield from _example("trips")


@pytest.fixture(scope="module")
def orders() -> Iterator[ModuleType]:
    yield from _example("orders")


def _example(name: str) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


async def test_the_agency_of_the_examples_may_be_cut_at_every_event(
    continuum_env: Environment, trips: ModuleType
) -> None:
    run = await continuum_env.start(trips.agency, ["Rome", "Atlantis"])
    await continuum_env.settle()
    await run.signal(trips.more, ["Oslo"])
    assert await run.result(timeout=LONG) == 2
    next_id = (await run.get()).continued_to
    assert next_id is not None
    # The event with which the first run continued as new ends its history.
    assert await cut_everywhere(continuum_env, run.id) == 1
    assert await cut_everywhere(continuum_env, next_id) == 0
    booked = (await continuum_env.query([("parent_run_id", "eq", next_id)], limit=1)).entries
    assert await cut_everywhere(continuum_env, booked[0].id) == 0
    await nothing_is_found(continuum_env)


async def test_a_trip_that_was_undone_is_cut_before_what_was_undone(
    continuum_env: Environment, trips: ModuleType
) -> None:
    run = await continuum_env.start(trips.book, "Atlantis")
    with pytest.raises(RunFailed):
        await run.result(timeout=LONG)
    assert await cut_everywhere(continuum_env, run.id) == 9
    await nothing_is_found(continuum_env)


@pytest.mark.parametrize("answer", ["rejected", "approved", None])
async def test_an_order_of_the_examples_may_be_cut_at_every_event(
    continuum_env: Environment, orders: ModuleType, answer: str | None
) -> None:
    run = await continuum_env.start(orders.process_order, orders.Order("o7", 1_000))
    await continuum_env.settle()
    if answer is not None:
        await run.signal(orders.review, answer)
    result = await run.result(timeout=LONG)
    # What was refunded is charged anew: only the cut before the charge, and the one behind everything, work.
    events = len(await run.history())
    assert await cut_everywhere(continuum_env, run.id) == (events - 1 if answer == "rejected" else 0)
    assert result == ("refunded payment-o7-1000" if answer == "rejected" else "parcel-o7")
    await nothing_is_found(continuum_env)


never = Signal("never", str)


@workflow(name="cuts_patient_child", signals=[never])
async def patient_child() -> str:
    """Wait until stopped."""
    return await never.wait()


@workflow(name="cuts_impatient", signals=[never])
async def impatient() -> str:
    """Stop a child, and do not wait for its end."""
    try:
        async with asyncio.timeout(5):
            await patient_child()
    except TimeoutError:
        return await never.wait()
    return "in time"


async def test_the_end_of_a_child_that_nobody_waits_for_is_not_missed(continuum_env: Environment) -> None:
    run = await continuum_env.start(impatient)
    await continuum_env.advance(10)
    for at in range(len(await run.history()), 0, -1):
        try:
            await run.fork(at=at)
        except CutRefused:
            continue
        await continuum_env.advance(10)
        await nothing_is_found(continuum_env)
