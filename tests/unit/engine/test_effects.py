"""Journaled values: time, random values, side effects, patches, durable sleep."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

import pytest

import continuum
from continuum.engine.events import Event, EventType
from continuum.engine.execution import LAST_DUE
from continuum.engine.outcome import Blocked, Completed
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import (
    STARTED_AT,
    Driver,
    Program,
    assert_same_from_every_prefix,
    comparable,
    replay,
)


async def values() -> object:
    first = [continuum.now(), continuum.today(), continuum.uuid4(), continuum.random()]
    await echo(1)
    return [*first, continuum.now(), continuum.uuid4(), continuum.random()]


def test_values_from_outside_are_replayed() -> None:
    driver = Driver(values)
    result = driver.result()
    assert replay(values, driver.history).outcome == Completed(result)
    assert_same_from_every_prefix(values, driver)


def test_now_is_aware_and_from_the_journal() -> None:
    driver = Driver(values)
    assert driver.result()[0] == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=STARTED_AT)


def test_random_is_a_fraction_and_uuids_have_version_4() -> None:
    _, _, unique, fraction, _, other, other_fraction = Driver(values).result()
    assert 0 <= fraction < 1
    assert fraction != other_fraction
    assert unique.version == 4
    assert unique != other


def test_the_time_of_a_run_never_goes_back() -> None:
    async def program() -> object:
        before = continuum.now()
        await echo(1)
        return before <= continuum.now()

    driver = Driver(program)
    driver.now -= 3_600_000_000
    assert driver.result() is True


def test_a_run_resumed_after_the_clock_stepped_back_continues_from_its_own_time() -> None:
    async def program() -> object:
        await echo(1)
        return continuum.now()

    driver = Driver(program)
    driver.run()
    execution = replay(program, driver.history[:-1])
    assert execution.log.at == driver.history[-1].at


def test_a_recorded_read_is_not_repeated() -> None:
    """RPL2, RPL3: the value in the journal is the value."""

    def read() -> int:
        raise AssertionError("read again")

    async def recorded() -> object:
        return [continuum.side_effect(lambda: 5), continuum.side_effect(lambda: 6)]

    async def program() -> object:
        return [continuum.side_effect(read), continuum.side_effect(read)]

    program.__code__ = program.__code__.replace(co_qualname=recorded.__qualname__)
    driver = Driver(recorded)
    driver.run()
    assert [(event.seq, event.type) for event in driver.history] == [
        (0, EventType.SIDE_EFFECT),
        (1, EventType.SIDE_EFFECT),
    ]
    assert replay(program, driver.history).outcome == Completed([5, 6])


def test_side_effect_reads_once() -> None:
    reads: list[int] = []

    async def program() -> object:
        value = continuum.side_effect(lambda: reads.append(1) or len(reads))  # type: ignore[func-returns-value]
        return [value, await echo(2)]

    driver = Driver(program)
    assert driver.result() == [1, 2]
    assert replay(program, driver.history).outcome == Completed([1, 2])
    assert reads == [1]


def test_the_code_around_a_side_effect_does_not_change_its_identity() -> None:
    """RPL4, B2: an earlier lambda, another lambda or a moved line: always the same command."""

    def written(*, edited: bool) -> Program:
        async def program() -> object:
            if edited:
                unrelated = [(lambda number=number: number) for number in range(3)]
                assert len(unrelated) == 3

                def read() -> int:
                    return 8

                return [continuum.side_effect(read), await echo(1)]
            return [continuum.side_effect(lambda: 7), await echo(1)]

        return program

    driver = Driver(written(edited=False))
    assert driver.result() == [7, 1]
    assert replay(written(edited=True), driver.history).outcome == Completed([7, 1])


def test_the_exception_of_a_side_effect_is_journaled() -> None:
    broken = [True]

    def read() -> int:
        if broken[0]:
            raise KeyError("no such setting")
        return 1

    async def program() -> object:
        try:
            return continuum.side_effect(read)
        except continuum.ActivityError as error:
            return [error.type, error.message, await echo(2)]

    driver = Driver(program)
    expected = ["KeyError", "'no such setting'", 2]
    assert driver.result() == expected
    broken[0] = False
    assert replay(program, driver.history).outcome == Completed(expected)


def test_a_side_effect_may_raise_text_that_is_not_utf8() -> None:
    async def program() -> object:
        def read() -> None:
            raise ValueError("\udc80" * 10_000)

        with pytest.raises(continuum.ActivityError):
            continuum.side_effect(read)
        return "caught"

    driver = Driver(program)
    assert driver.result() == "caught"
    assert len(driver.history[0].body[5].encode()) < 40_000


@pytest.mark.parametrize(
    "effect",
    [
        continuum.now,
        continuum.uuid4,
        lambda: continuum.patched("x"),
        lambda: continuum.side_effect(lambda: 1),
        lambda: asyncio.get_running_loop().create_task(echo(1)),
    ],
    ids=["now", "uuid4", "patched", "side_effect", "create_task"],
)
def test_an_effect_inside_a_side_effect_is_refused_also_in_replay(effect: object) -> None:
    """C4"""

    async def program() -> object:
        assert callable(effect)
        with pytest.raises(continuum.DeterminismError, match="side_effect"):
            continuum.side_effect(effect)
        return await echo(1)

    driver = Driver(program)
    assert driver.result() == 1
    assert replay(program, driver.history).outcome == Completed(1)


def test_an_unencodable_side_effect_raises_the_same_in_replay() -> None:
    """PGJ7"""

    async def program() -> object:
        with pytest.raises(continuum.DurableTermError) as caught:
            continuum.side_effect(object)
        return [caught.value.path, await echo(1)]

    driver = Driver(program)
    assert driver.result() == ["side_effect", 1]
    assert replay(program, driver.history).outcome == Completed(["side_effect", 1])


@dataclass(frozen=True)
class Limits:
    region: str
    most: int


class Tier(Enum):
    GOLD = "gold"


class Pair(NamedTuple):
    left: int
    right: int


class Cents(int):
    """A number with a class of its own."""


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Limits("eu", 5), Limits),
        ([Limits("eu", 5)], list[Limits]),
        (Tier.GOLD, Tier),
        (Pair(1, 2), Pair),
        (Cents(3), Cents),
        ({"tier": Tier.GOLD}, dict[str, Tier]),
        (None, Limits | None),
    ],
    ids=repr,
)
def test_a_side_effect_with_a_type_keeps_it_also_in_replay(value: object, kind: Any) -> None:
    seen: list[object] = []

    async def program() -> object:
        seen.append(continuum.side_effect(lambda: value, type=kind))
        return await echo(1)

    driver = Driver(program)
    assert driver.result() == 1
    assert replay(program, driver.history).outcome == Completed(1)
    assert [(item, type(item)) for item in seen] == [(value, type(value))] * len(seen)
    assert len(seen) >= 2


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Limits("eu", 5), "side_effect"),
        (Tier.GOLD, "side_effect"),
        (Pair(1, 2), "side_effect"),
        (Cents(3), "side_effect"),
        ({"tiers": [1, (Tier.GOLD,)]}, "side_effect.tiers[1][0]"),
        ({Tier.GOLD}, "side_effect{}"),
        ({Tier.GOLD: 1}, "side_effect[Tier]"),
    ],
    ids=repr,
)
def test_a_side_effect_without_a_type_refuses_what_would_come_back_otherwise(
    value: object, path: str
) -> None:
    async def program() -> object:
        with pytest.raises(continuum.DurableTermError, match="type=") as caught:
            continuum.side_effect(lambda: value)
        return [caught.value.path, await echo(1)]

    driver = Driver(program)
    assert driver.result() == [path, 1]
    assert replay(program, driver.history).outcome == Completed([path, 1])


def test_a_side_effect_of_another_type_than_said_is_refused() -> None:
    async def program() -> object:
        with pytest.raises(continuum.DurableTermError, match="expected Limits, got int"):
            continuum.side_effect(lambda: 5, type=Limits)
        return await echo(1)

    assert Driver(program).result() == 1


def versions(*, patch: bool) -> Program:
    """Return the workflow from before or after a change that a patch guards."""

    async def order_flow() -> object:
        await echo(1)
        side = patch and continuum.patched("new")
        await continuum.wait_signal("go")
        return ["new" if side else "old", patch and continuum.patched("new"), await echo(2)]

    return order_flow


before_the_patch = versions(patch=False)
after_the_patch = versions(patch=True)


def test_a_new_run_takes_the_patch_and_keeps_it() -> None:
    driver = Driver(after_the_patch, signals=[("go", 1)])
    assert driver.result() == ["new", True, 2]
    assert_same_from_every_prefix(after_the_patch, driver)


def test_a_history_from_before_the_patch_stays_on_the_old_side() -> None:
    """B7"""
    driver = Driver(before_the_patch, signals=[("go", 1)])
    driver.run()
    assert replay(after_the_patch, driver.history).outcome == Completed(["old", False, 2])


def test_a_run_that_reaches_the_patch_first_with_new_code_takes_it() -> None:
    old = Driver(before_the_patch)
    old.settle()
    new = Driver(after_the_patch, history=old.history, signals=[("go", 1)])
    assert new.result() == ["new", True, 2]


def test_a_patch_in_a_loop_is_journaled_once() -> None:
    """B7"""

    async def program() -> object:
        return [(continuum.patched("p"), await echo(number))[0] for number in range(5)]

    driver = Driver(program)
    assert driver.result() == [True] * 5
    assert [event.type for event in driver.history].count(EventType.PATCHED) == 1


def test_the_marker_of_one_patch_does_not_count_for_another() -> None:
    """B8: a history with the marker of one patch does not have the marker of the next."""

    def written(*names: str) -> Program:
        async def program() -> object:
            return [*map(continuum.patched, names), await echo(1)]

        return program

    driver = Driver(written("first"))
    assert driver.result() == [True, 1]
    assert replay(written("second", "first"), driver.history).outcome == Completed([False, True, 1])


def test_sleep_until_is_a_durable_timer() -> None:
    due = datetime.fromtimestamp(STARTED_AT / 1e6 + 90, UTC)

    async def program() -> object:
        await continuum.sleep_until(due)
        return continuum.now()

    driver = Driver(program)
    assert driver.result() == due
    assert_same_from_every_prefix(program, driver)


def test_sleep_until_the_past_returns_at_once() -> None:
    async def program() -> object:
        await continuum.sleep_until(datetime(1999, 1, 1, tzinfo=UTC))
        return (continuum.now().timestamp() * 1e6) - STARTED_AT

    assert Driver(program).result() == 0


def test_sleep_until_needs_an_aware_time() -> None:
    async def program() -> object:
        with pytest.raises(ValueError, match="aware"):
            await continuum.sleep_until(datetime(2030, 1, 1))  # noqa: DTZ001
        return 1

    assert Driver(program).result() == 1


@pytest.mark.parametrize("seconds", [math.inf, 1e300])
def test_sleeping_for_ever_has_a_due_time_that_the_journal_can_store(seconds: float) -> None:
    async def program() -> None:
        await asyncio.sleep(seconds)

    driver = Driver(program)
    assert driver.execution.next_due() == LAST_DUE
    driver.close()


def test_a_loop_of_long_timeouts_leaves_no_heap_of_stale_due_times() -> None:
    async def program() -> None:
        for number in range(1_000):
            async with asyncio.timeout(100_000):
                await echo(number)

    driver = Driver(program)
    driver.run()
    assert len(driver.execution._due._heap) < 200


def test_the_caller_of_a_timer_is_the_function_that_sleeps() -> None:
    async def program() -> None:
        await asyncio.sleep(1)

    driver = Driver(program)
    event = driver.history[0]
    assert event.body[1].endswith("program")
    assert "test_effects.py" in event.body[2]
    driver.close()


def test_a_comprehension_calls_under_the_name_of_its_function() -> None:
    async def program() -> object:
        return await asyncio.gather(
            *[echo(number) for number in range(2)], *(echo(number) for number in (3,))
        )

    events: list[Event] = []
    driver = Driver(program)
    driver.run()
    events += [event for event in driver.history if event.type == EventType.ACTIVITY_SCHEDULED]
    assert {event.body[1].rpartition(".")[2] for event in events} == {"program"}


def test_the_log_of_a_workflow_is_silent_in_replay(caplog: pytest.LogCaptureFixture) -> None:
    async def program() -> object:
        continuum.log.warning("before")
        await echo(1)
        continuum.log.warning("after")
        return 1

    driver = Driver(program)
    driver.run()
    caplog.clear()
    replay(program, driver.history[:-1])
    assert caplog.messages == []


def test_log_messages_may_change() -> None:
    """LOG2: they are not part of the history."""

    def written(text: str) -> Program:
        async def program() -> object:
            continuum.log.warning(text)
            return await echo(1)

        return program

    driver = Driver(written("before"))
    driver.run()
    assert replay(written("after"), driver.history).outcome == Completed(1)


def test_effects_outside_a_workflow_raise_not_in_workflow() -> None:
    with pytest.raises(continuum.NotInWorkflow, match=r"client\.start"):
        continuum.now()
    assert continuum.patched("x") is False
    assert continuum.in_workflow() is False


def test_an_impossible_history_blocks_the_run() -> None:
    driver = Driver(values)
    driver.run()
    short = driver.history[0]._replace(body=("now",))
    outcome = replay(values, [short, *driver.history[1:]]).outcome
    assert isinstance(outcome, Blocked), comparable(outcome)
    assert outcome.kind == "corrupt"
