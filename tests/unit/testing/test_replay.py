"""Histories taken through code: all of it, to the end that the run had, or an assertion fails."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

import continuum
from continuum import workflow
from continuum.testing import History, assert_replays, env, replay
from tests.unit.testing import changed_flows, flows
from tests.unit.testing.taking import history_of


def test_a_history_is_a_list_of_events_for_people() -> None:
    history = history_of(flows.order_flow, "o1", days=0)
    assert [event.type for event in history] == ["activity_scheduled", "activity_completed", "timer_started"]
    assert history[0].name == "testing_charge"
    assert history[0].payload["arguments"] == ["o1", 5]


def test_the_same_code_replays() -> None:
    """PAR2, GLD2: to the result that the run returned."""
    history = history_of(flows.order_flow, "o1")
    assert assert_replays(flows.order_flow, history, expected="track-o1 2") == "track-o1 2"


def test_what_is_journaled_wins_over_another_input() -> None:
    """THP1."""
    history = history_of(flows.order_flow, "o1")
    assert assert_replays(flows.order_flow, history, input=("another",)) == "track-o1 2"


def test_another_result_than_expected_is_told() -> None:
    with pytest.raises(AssertionError, match="returned 'track-o1 2', and 'other' was expected"):
        assert_replays(flows.order_flow, history_of(flows.order_flow, "o1"), expected="other")


def test_drawn_values_are_those_of_the_run() -> None:
    """RPL2, RPL3: nothing is drawn or read again."""
    history = history_of(flows.values)
    assert replay(flows.values, history).result == replay(flows.values, history).result


def test_code_that_does_something_else_has_drifted() -> None:
    """PAR3, RPL16: with both sides in the message."""
    history = history_of(flows.order_flow, "o1")
    with pytest.raises(
        AssertionError,
        match=r"journal has activity_scheduled testing_charge .* asks for activity_scheduled testing_ship",
    ):
        assert_replays(changed_flows.hasty, history)
    assert replay(changed_flows.hasty, history).state == "drifted"


def test_history_that_is_left_over_is_drift() -> None:
    """All of it is to be consumed."""
    with pytest.raises(AssertionError, match="timer_started"):
        assert_replays(changed_flows.shorter, history_of(flows.order_flow, "o1"))


def test_code_that_goes_on_after_the_end_has_drifted() -> None:
    """C10"""
    history = history_of(flows.order_flow, "o1")
    assert (
        replay(changed_flows.longer, history).next_command
        == "activity_scheduled testing_refund from order_flow"
    )
    with pytest.raises(AssertionError, match="the code goes on with activity_scheduled testing_refund"):
        assert_replays(changed_flows.longer, history)


def test_another_result_has_drifted_as_well() -> None:
    history = history_of(flows.order_flow, "o1")
    with pytest.raises(
        AssertionError, match="the run returned 'track-o1 2', and the code returns 'TRACK-O1 2'"
    ):
        assert_replays(changed_flows.louder, history)


def test_an_open_run_replays_to_where_it_waits() -> None:
    """RPL7, B6: nothing but the history is needed."""
    history = history_of(flows.order_flow, "o1", days=0)
    assert assert_replays(flows.order_flow, history) is None
    replayed = replay(flows.order_flow, history)
    assert replayed.state == "suspended"
    assert replayed.waits_for[0] == "signal 'review'"


def test_a_child_replays_by_its_name_and_input() -> None:
    """RPL8, RPL9, RPL10, CHD8."""
    history = history_of(flows.parent, "o1")
    assert assert_replays(flows.parent, history) == "child: track-o1 2"
    with pytest.raises(AssertionError, match="another input"):
        assert_replays(flows.parent, history, input=("o2",))

    @workflow(name="testing_parent")
    async def other_child(order: str) -> str:
        return str(await flows.stuck_flow())

    assert replay(other_child, history).state == "drifted"


def test_a_continued_run_replays_to_its_continuation() -> None:
    """RPL12, CNT3: and only with the input that it went on with."""

    async def main() -> History:
        async with env() as environment:
            run = await environment.start(flows.countdown, 1)
            await environment.advance(timedelta(hours=5))
            return await environment.history(run.id)

    history = asyncio.run(main())
    replayed = replay(flows.countdown, history)
    assert (replayed.state, replayed.continued_to) == ("continued", history.ending.continued_to)
    assert_replays(flows.countdown, history)
    with pytest.raises(AssertionError, match="another input"):
        assert_replays(flows.countdown, history, input=(7,))


def test_a_failed_run_replays_to_its_failure() -> None:
    @workflow(name="testing_failing_flow")
    async def failing() -> None:
        continuum.now()
        raise flows.Declined("no")

    history = history_of(failing)
    assert history.ending.state == "failed"
    assert assert_replays(failing, history) is None
    replayed = replay(failing, history)
    assert isinstance(replayed.error, flows.Declined)

    @workflow(name="testing_failing_flow")
    async def failing_otherwise() -> None:
        continuum.now()
        raise KeyError("no")

    failing_otherwise.fn.__qualname__ = failing.fn.__qualname__
    assert replay(failing_otherwise, history).state == "drifted"


@workflow(name="testing_unstorable")
async def unstorable() -> object:
    """Return what no journal takes."""
    return object()


def test_a_run_whose_result_cannot_be_stored_replays_to_that_failure() -> None:
    """Also for paranoia, which looks at each of its writes."""

    async def main() -> None:
        async with env(paranoid=True) as environment:
            run = await environment.start(unstorable)
            with pytest.raises(continuum.RunFailed, match="cannot be stored"):
                await run.result()
            assert_replays(unstorable, await environment.history(run.id))

    asyncio.run(main())


def test_replaying_inside_a_running_loop_disturbs_nothing() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            await environment.advance(timedelta(days=2))
            history = await environment.history(run.id)
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert_replays(flows.order_flow, history)
            assert asyncio.get_running_loop() is loop
            assert asyncio.current_task() is task

    asyncio.run(main())
