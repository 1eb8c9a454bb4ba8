"""Random chains of one kind or two, replayed by hand: from the start, and from half and whole snapshots."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import continuum
from continuum import workflow
from continuum.engine.events import COMMANDS, Event, EventType
from continuum.engine.outcome import Blocked, Completed, Continued
from tests.property.test_compact import compacted, replayed
from tests.property.workflow_programs import act, undo
from tests.unit.engine.driver import Driver, replay

Program = Callable[[], Coroutine[Any, Any, Any]]
replays = settings(deadline=None, max_examples=60)
numbers = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30)
inputs = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def types_in(history: list[Event]) -> list[EventType]:
    return [EventType(event.type) for event in history]


def assert_replays_from_snapshots(program: Program, driver: Driver) -> None:
    """Replay the events, and after a snapshot of the first, of half and of all of them."""
    history = driver.history
    assert replay(program, history).outcome == driver.outcome
    for end in sorted({min(1, len(history)), len(history) // 2, len(history)} - {0}):
        execution = replayed(program, history, compacted(history, [end]))
        assert not execution.misfit
        assert execution.outcome == driver.outcome, f"a snapshot of {end}"


async def add_up(values: list[int]) -> int:
    return sum([continuum.side_effect(lambda value=value: value) for value in values])  # type: ignore[misc]


@replays
@given(numbers)
def test_a_chain_of_side_effects_has_an_event_each_and_gives_one_sum(values: list[int]) -> None:
    """PRP1"""
    program = partial(add_up, values)
    driver = Driver(program)
    assert driver.result() == sum(values)
    assert types_in(driver.history) == [EventType.SIDE_EFFECT] * len(values)
    assert_replays_from_snapshots(program, driver)


def test_a_thousand_side_effects_replay_like_one() -> None:
    """PRP2"""
    program = partial(add_up, list(range(1_000)))
    driver = Driver(program)
    assert driver.result() == sum(range(1_000))
    assert len(driver.history) == 1_000
    assert_replays_from_snapshots(program, driver)


async def mix(asked: list[tuple[bool, int]]) -> list[int]:
    return [
        await act(value) if outside else continuum.side_effect(lambda value=value: value)  # type: ignore[misc]
        for outside, value in asked
    ]


@replays
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 99)), min_size=1, max_size=20))
def test_activities_and_side_effects_are_journaled_in_the_order_they_were_asked_for(
    asked: list[tuple[bool, int]],
) -> None:
    """PRP3"""
    program = partial(mix, asked)
    driver = Driver(program)
    assert driver.result() == [value for _, value in asked]
    call = [EventType.ACTIVITY_SCHEDULED, EventType.ACTIVITY_COMPLETED]
    assert types_in(driver.history) == [
        type for outside, _ in asked for type in (call if outside else [EventType.SIDE_EFFECT])
    ]
    assert_replays_from_snapshots(program, driver)


@replays
@given(st.integers(), st.lists(st.sampled_from("abc"), min_size=1, max_size=6))
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
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.data())
def test_code_with_new_patches_goes_the_old_way_over_an_old_history(values: list[int], data: Any) -> None:
    """PAT2, PAT3: whichever places ask, none takes an event that another wrote."""
    places = data.draw(st.lists(st.sampled_from("ab"), min_size=len(values), max_size=len(values)))

    async def changed() -> list[int]:
        return [
            (-1 if continuum.patched(place) else 1) * await act(n)
            for place, n in zip(places, values, strict=True)
        ]

    driver = Driver(partial(mix, [(True, value) for value in values]))
    driver.run()
    old = [
        event._replace(body=(event.body[0], changed.__qualname__, *event.body[2:]))
        if event.type in COMMANDS
        else event
        for event in driver.history
    ]
    execution = replay(changed, old)
    assert execution.outcome == Completed(values)
    assert execution.take_log() == []


@workflow(name="replays.child")
async def child(value: Any) -> Any:
    """Return what it was given."""
    return value


@workflow(name="replays.other_child")
async def other_child(value: Any) -> Any:
    """Return what it was given, under another name."""
    return value


async def calling(called: Any, value: Any) -> Any:
    return await called(value)


async def going_on(called: Any, value: Any) -> None:
    called.continue_as_new(value)


@replays
@given(inputs, inputs)
def test_a_child_matches_with_its_own_input_and_workflow_alone(value: Any, other: Any) -> None:
    """PRP6"""
    driver = Driver(partial(calling, child, value))
    assert driver.result() == value
    assert replay(partial(calling, child, value), driver.history).outcome == Completed(value)
    assert type(replay(partial(calling, other_child, value), driver.history).outcome) is Blocked
    if child.arguments.encode_call((other,), {}) != child.arguments.encode_call((value,), {}):
        assert type(replay(partial(calling, child, other), driver.history).outcome) is Blocked


@replays
@given(inputs, inputs)
def test_a_continuation_matches_with_its_own_input_and_workflow_alone(value: Any, other: Any) -> None:
    """PRP7"""
    driver = Driver(partial(going_on, child, value), definition=child)
    outcome = driver.run()
    assert isinstance(outcome, Continued)
    again = replay(partial(going_on, child, value), driver.history, child).outcome
    assert again == outcome
    assert type(replay(partial(going_on, other_child, value), driver.history, child).outcome) is Blocked
    if child.arguments.encode_call((other,), {}) != child.arguments.encode_call((value,), {}):
        assert type(replay(partial(going_on, child, other), driver.history, child).outcome) is Blocked


def test_effects_of_every_kind_stand_in_one_history_in_their_order() -> None:
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
def test_a_lambda_that_came_before_does_not_change_what_a_side_effect_is(earlier: str) -> None:
    """RPL4: nor does a line that moves."""
    source = "async def program():\n    {}read = lambda: 42\n    return continuum.side_effect(read)\n"
    names: list[dict[str, Any]] = []
    for text in ("", earlier + "\n    "):
        names.append({"continuum": continuum})
        exec(compile(source.format(text), "<written>", "exec"), names[-1])
    driver = Driver(names[0]["program"])
    driver.run()
    assert replay(names[1]["program"], driver.history).outcome == Completed(42)
