"""Patches over old histories and effects in one history, replayed by hand, also from snapshots."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import continuum
from continuum.engine.events import COMMANDS, Event, EventType
from continuum.engine.outcome import Completed
from tests.property.test_snapshot_history import compacted, replayed
from tests.property.workflow_programs import act, undo
from tests.unit.engine.driver import Driver, replay

Program = Callable[[], Coroutine[Any, Any, Any]]
replays = settings(max_examples=60)
names_asked = st.lists(st.sampled_from("abc"), min_size=1, max_size=8)


def types_in(history: list[Event]) -> list[EventType]:
    return [EventType(event.type) for event in history]


def assert_replays_from_snapshots(program: Program, driver: Driver) -> None:
    """Replay the events, and after a snapshot of the first, of half and of all of them."""
    history = driver.history
    assert replay(program, history).outcome == driver.outcome
    for end in sorted({min(1, len(history)), len(history) // 2, len(history)} - {0}):
        execution = replayed(program, history, compacted(history, [end]))
        assert not execution.log.snapshot_mismatch
        assert execution.outcome == driver.outcome, f"a snapshot of {end}"


@replays
@given(st.integers(), names_asked)
def test_a_side_effect_and_patches_replay_with_a_marker_for_each_name(value: int, names: list[str]) -> None:
    """PRP4, PAT1"""

    async def program() -> list[Any]:
        return [continuum.side_effect(lambda: str(value)), *(continuum.patched(name) for name in names)]

    driver = Driver(program)
    assert driver.result() == [str(value), *(True for _ in names)]
    marked = [event.body[0] for event in driver.history if event.type == EventType.PATCHED]
    assert marked == list(dict.fromkeys(names))
    assert_replays_from_snapshots(program, driver)


@replays
@given(names_asked, st.data())
def test_a_run_that_passed_a_patch_without_it_never_takes_it(names: list[str], data: Any) -> None:
    """PAT2, PAT3, PAT6, PAT7, PAT9: the first call of `patched` decides for the rest of the run."""
    made: list[bool] = []

    async def written_first() -> None:
        for number in range(len(names)):
            await act(number)

    async def written_later() -> None:
        for number, name in enumerate(names):
            made.append(continuum.patched(name))
            await act(number)

    driver = Driver(written_first)
    driver.run()
    cut = data.draw(st.integers(0, len(driver.history)))
    old = [as_if_from(written_later, event) for event in driver.history[:cut]]
    later = Driver(written_later, history=old)
    later.run()
    # A step is two events, the call and its result.
    expected = [2 * names.index(name) >= cut for name in names]
    assert made == expected
    made.clear()
    assert replay(written_later, later.history).outcome == later.outcome
    assert made == expected


def as_if_from(function: Callable[..., Any], event: Event) -> Event:
    """Return a command as if this function had issued it; other events unchanged."""
    if event.type not in COMMANDS:
        return event
    return event._replace(body=(event.body[0], function.__qualname__, *event.body[2:]))


def test_effects_of_every_kind_are_in_one_history_in_their_order() -> None:
    """SEC1"""

    async def program() -> list[Any]:
        before = continuum.side_effect(lambda: "before")
        new = continuum.patched("new")
        ref = await act.options(compensate=undo)(7)
        undone = await continuum.compensate(ref)
        return [before, new, ref.result, undone, continuum.side_effect(lambda: "after")]

    driver = Driver(program)
    assert driver.result() == ["before", True, 7, None, "after"]
    assert [event.name.lower() for event in types_in(driver.history)] == [
        "side_effect",
        "patched",
        "activity_scheduled",
        "activity_completed",
        "compensation_scheduled",
        "compensation_completed",
        "side_effect",
    ]
    assert_replays_from_snapshots(program, driver)


@pytest.mark.parametrize("earlier", ["", "skipped = lambda: -1\n    "])
def test_an_earlier_lambda_does_not_change_the_identity_of_a_side_effect(earlier: str) -> None:
    """RPL4: neither does a moved line."""
    source = "async def program():\n    {}read = lambda: 42\n    return continuum.side_effect(read)\n"
    names: list[dict[str, Any]] = []
    for text in ("", earlier + "\n    "):
        names.append({"continuum": continuum})
        exec(compile(source.format(text), "<written>", "exec"), names[-1])
    driver = Driver(names[0]["program"])
    driver.run()
    assert replay(names[1]["program"], driver.history).outcome == Completed(42)
