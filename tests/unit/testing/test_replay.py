"""Replays of histories: code must repeat the whole history and reach the end of the run."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

import continuum
from continuum import workflow
from continuum.testing import History, assert_replays, env, replay
from tests.unit.testing import changed_flows, flows
from tests.unit.testing.recorded_histories import history_of


def test_a_history_is_a_list_of_events_for_people() -> None:
    history = history_of(flows.order_flow, "o1", days=0)
    assert [event.type for event in history] == ["activity_scheduled", "activity_completed", "timer_started"]
    assert history[0].name == "testing_charge"
    assert history[0].payload["arguments"] == ["o1", 5]


def test_a_history_replays_through_its_own_code() -> None:
    """PAR2, GLD2: with the result that the run returned."""
    history = history_of(flows.order_flow, "o1")
    assert assert_replays(flows.order_flow, history, expected="track-o1 2") == "track-o1 2"


def test_journaled_results_win_over_another_input() -> None:
    """THP1."""
    history = history_of(flows.order_flow, "o1")
    assert assert_replays(flows.order_flow, history, input=("another",)) == "track-o1 2"


def test_a_result_other_than_expected_fails() -> None:
    with pytest.raises(AssertionError, match="returned 'track-o1 2', and 'other' was expected"):
        assert_replays(flows.order_flow, history_of(flows.order_flow, "o1"), expected="other")


def test_random_values_are_replayed_from_the_history() -> None:
    """RPL2, RPL3: the replay generates and reads nothing again."""
    history = history_of(flows.values)
    assert replay(flows.values, history).result == replay(flows.values, history).result


def test_code_with_another_command_has_drifted() -> None:
    """PAR3, RPL16: with both sides in the message."""
    history = history_of(flows.order_flow, "o1")
    with pytest.raises(
        AssertionError,
        match=r"journal has activity_scheduled testing_charge .* asks for activity_scheduled testing_ship",
    ):
        assert_replays(changed_flows.hasty, history)
    assert replay(changed_flows.hasty, history).state == "drifted"


def test_code_that_ends_before_its_history_has_drifted() -> None:
    """A replay must consume the whole history."""
    with pytest.raises(AssertionError, match="timer_started"):
        assert_replays(changed_flows.shorter, history_of(flows.order_flow, "o1"))


def test_code_that_continues_after_its_history_has_drifted() -> None:
    """C10"""
    history = history_of(flows.order_flow, "o1")
    assert (
        replay(changed_flows.longer, history).next_command
        == "activity_scheduled testing_refund from order_flow"
    )
    with pytest.raises(AssertionError, match="the code continues with activity_scheduled testing_refund"):
        assert_replays(changed_flows.longer, history)


def test_code_with_another_result_has_drifted() -> None:
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


def test_a_child_must_match_in_name_and_input() -> None:
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
    """RPL12, CNT3: and only with the recorded input of the next run."""

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
    """Return a value that cannot be stored."""
    return object()


def test_a_result_that_cannot_be_stored_replays_as_a_failure() -> None:
    """The paranoid mode agrees, which replays after each of its writes."""

    async def main() -> None:
        async with env(paranoid=True) as environment:
            run = await environment.start(unstorable)
            with pytest.raises(continuum.RunFailed, match="cannot be stored"):
                await run.result()
            assert_replays(unstorable, await environment.history(run.id))

    asyncio.run(main())


def test_a_replay_inside_a_running_loop_leaves_the_loop_alone() -> None:
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
