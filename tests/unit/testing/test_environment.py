"""An environment: the engine in a time that only the test moves."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

import continuum
from continuum import (
    NotReady,
    RunCancelled,
    RunFailed,
    RunNotFound,
    RunTerminal,
    UndeclaredSignal,
    activity,
    workflow,
)
from continuum.testing import Environment, StillWaiting, env
from tests.unit.testing import flows


def test_a_timeout_of_a_day_passes_at_once() -> None:
    """THP4: pending until its time has come, then completed."""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            await environment.advance(timedelta(hours=23))
            assert await run.state() == "suspended"
            await environment.advance(timedelta(hours=1))
            assert await run.result() == "track-o1 2"

    asyncio.run(main())


def test_time_stands_still_unless_it_is_moved() -> None:
    async def main() -> None:
        async with env(now=datetime(2030, 5, 1, tzinfo=UTC)) as environment:
            run = await environment.start(flows.order_flow, "o1")
            await environment.settle()
            assert environment.now == datetime(2030, 5, 1, tzinfo=UTC)
            assert (await run.get()).started_at == environment.now
            await environment.advance(1.5)
            assert environment.now == datetime(2030, 5, 1, 0, 0, 1, 500_000, tzinfo=UTC)

    asyncio.run(main())


def test_every_due_moment_is_lived_through_in_order() -> None:
    seen: list[tuple[str, datetime]] = []

    async def main() -> None:
        @activity(name="testing_note")
        async def note(name: str) -> None:
            seen.append((name, environment.now))

        @workflow(name="testing_noting")
        async def noting(name: str, seconds: float) -> None:
            for _ in range(2):
                await continuum.sleep(seconds)
                await note(name)

        async with env() as environment:
            await environment.start(noting, "slow", 5.0)
            await environment.start(noting, "quick", 3.0)
            begun = environment.now
            await environment.advance(60)
            assert [(name, (when - begun).total_seconds()) for name, when in seen] == [
                ("quick", 3.0),
                ("slow", 5.0),
                ("quick", 6.0),
                ("slow", 10.0),
            ]

    asyncio.run(main())


def test_sleep_until_a_date_is_virtual_too() -> None:
    async def main() -> None:
        async with env() as environment:
            later = environment.now + timedelta(days=400)
            run = await environment.start(flows.sleeper, later)
            await environment.advance(timedelta(days=401))
            assert await run.result() == [60.0, 400 * 86_400 - 60.0]

    asyncio.run(main())


def test_back_off_between_attempts_costs_no_time() -> None:
    """C17"""

    async def main() -> None:
        failures = iter([flows.Declined(), flows.Declined(), None])

        async def declining(order: str, amount: int) -> str:
            if error := next(failures):
                raise error
            return "paid"

        async with env() as environment:
            with environment.mock_activity(flows.charge, declining) as charge:
                run = await environment.start(flows.order_flow, "o1")
                await environment.settle()
                assert len(charge.calls) == 1
                await environment.advance(10)
                assert len(charge.calls) == 2
                await environment.advance(20)
                assert len(charge.calls) == 3
            assert await run.result(timeout=timedelta(days=2)) == "track-o1 2"

    asyncio.run(main())


def test_an_activity_is_out_of_time_in_virtual_time() -> None:
    """C17"""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.stuck_flow)
            await environment.advance(29)
            assert await run.state() == "running"
            await environment.advance(1)
            assert await run.result() == "TimeoutError"

    asyncio.run(main())


def test_a_result_that_cannot_come_says_what_the_run_waits_for() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            with pytest.raises(StillWaiting) as waiting:
                await run.result()
            message = str(waiting.value)
            assert "signal 'review'" in message
            assert "2026-01-02T00:00:00+00:00" in message
            assert "flows.py" in message
            assert "env.advance" in message
            assert isinstance(waiting.value, TimeoutError)

    asyncio.run(main())


def test_a_result_with_a_timeout_lets_that_much_time_pass_at_most() -> None:
    async def main() -> None:
        async with env() as environment:
            begun = environment.now
            run = await environment.start(flows.order_flow, "o1")
            with pytest.raises(StillWaiting, match="after 12:00:00"):
                await run.result(timeout=timedelta(hours=12))
            assert environment.now == begun + timedelta(hours=12)
            assert await run.result(timeout=timedelta(days=3)) == "track-o1 2"
            assert environment.now == begun + timedelta(hours=24)

    asyncio.run(main())


def test_signals_arrive() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            await run.signal(flows.review, "rejected")
            assert await run.result() == "rejected"

    asyncio.run(main())


def test_declared_signals_hold_for_workflows_that_come_later() -> None:
    """SIG1: whoever sends is told what is not declared, by name too."""

    async def main() -> None:
        async with env() as environment:
            await environment.start(flows.order_flow, "o1")
            run = await environment.start(flows.closed_flow)
            await environment.settle()
            with pytest.raises(UndeclaredSignal):
                await environment.signal(run.id, "reviewed", "yes")
            await environment.signal(run.id, "review", "yes")
            assert await run.result() == "yes"

    asyncio.run(main())


def test_a_cancelled_run_is_cancelled_for_everybody() -> None:
    """THP5: both who waits and the row say cancelled."""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            await environment.settle()
            await run.cancel()
            with pytest.raises(RunCancelled):
                await run.result()
            assert await run.state() == "cancelled"

    asyncio.run(main())


def test_a_signal_to_nobody_is_refused() -> None:
    """THP6: a run that has ended, and one that never was."""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            await run.signal(flows.review, "rejected")
            await run.result()
            with pytest.raises(RunTerminal):
                await run.signal(flows.review, "again")
            with pytest.raises(RunNotFound):
                await environment.signal("00000000-0000-0000-0000-000000000000", flows.review, "x")

    asyncio.run(main())


def test_whoever_waits_without_an_end_gets_the_result() -> None:
    """THP8: a waiting task is told as soon as the run ends."""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            await environment.settle()
            waiting = asyncio.create_task(run.result(timeout=timedelta(days=365)))
            assert await waiting == "track-o1 2"

    asyncio.run(main())


def test_patched_outside_a_workflow_is_false() -> None:
    """THP3."""
    assert continuum.patched("anything") is False


def test_two_environments_draw_the_same_values() -> None:
    async def drawn() -> list[str]:
        async with env() as environment:
            run = await environment.start(flows.values)
            return await run.result(timeout=2)

    assert asyncio.run(drawn()) == asyncio.run(drawn())


def test_children_run_too() -> None:
    """C17"""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.parent, "o1")
            with pytest.raises(StillWaiting, match="child testing_order"):
                await run.result()
            assert await run.result(timeout=timedelta(days=2)) == "child: track-o1 2"

    asyncio.run(main())


def test_a_child_that_is_blocked_is_named_with_why() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.waiting_parent)
            with pytest.raises(StillWaiting) as waiting:
                await run.result()
            (child,) = (await environment.query([("parent_run_id", "eq", run.id)])).entries
            (said,) = waiting.value.waits_for
            assert child.state == "blocked"
            assert said == f"child {child.workflow} {child.id}, which is blocked: {child.reason}"
            assert said in str(waiting.value)

    asyncio.run(main())


def test_the_result_of_a_run_that_continued_is_that_of_its_last() -> None:
    """C17"""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.countdown, 2)
            await environment.advance(timedelta(hours=2.5))
            with pytest.raises(StillWaiting):
                await run.result()
            await environment.advance(timedelta(hours=1))
            assert await run.result() == "over"

    asyncio.run(main())


def test_a_failed_run_raises_what_it_failed_with() -> None:
    async def main() -> None:
        @workflow(name="testing_failing")
        async def failing() -> None:
            raise flows.Declined("no")

        async with env() as environment:
            run = await environment.start(failing)
            with pytest.raises(RunFailed, match="Declined: no"):
                await run.result()

    asyncio.run(main())


def test_activities_for_processes_of_their_own_run_here() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.isolating)
            assert await run.result() == 2

    asyncio.run(main())


def test_a_workflow_can_be_started_by_name() -> None:
    async def main() -> None:
        async with env(workflows=[flows.parent]) as environment:
            run = await environment.start("testing_order", "o1")
            await run.signal("review", "rejected")
            assert await run.result() == "rejected"

    asyncio.run(main())


def test_a_run_of_no_loaded_workflow_says_which_to_load() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start("testing_nobody")
            with pytest.raises(StillWaiting, match=re.escape("env(workflows=[...])")):
                await run.result()

    asyncio.run(main())


def test_a_blocked_run_says_why() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start("testing_values", "one argument too many")
            environment = await _loaded(environment)
            said = "is blocked: drift: the code cannot read its input.*; or cancel it and start it again"
            with pytest.raises(StillWaiting, match=said):
                await run.result()

    async def _loaded(environment: Environment) -> Environment:
        await environment.start(flows.values)
        return environment

    asyncio.run(main())


def test_a_mocked_activity_does_what_the_test_wants_and_counts_its_calls() -> None:
    async def main() -> None:
        async with env() as environment:
            with environment.mock_activity(flows.ship, lambda order: f"mocked-{order}") as shipped:
                run = await environment.start(flows.order_flow, "o1")
                assert await run.result(timeout=timedelta(days=2)) == "mocked-o1 2"
            assert [call.args for call in shipped.calls] == [("o1",)]
            run = await environment.start(flows.order_flow, "o2")
            assert await run.result(timeout=timedelta(days=2)) == "track-o2 2"
            assert len(shipped.calls) == 1

    asyncio.run(main())


def test_a_mock_stands_in_for_queued_activities_too() -> None:
    async def main() -> None:
        async with env() as environment:
            with environment.mock_activity(flows.pack, lambda order: 77):
                run = await environment.start(flows.order_flow, "o1")
                assert await run.result(timeout=timedelta(days=2)) == "track-o1 77"

    asyncio.run(main())


def test_a_mock_of_everywhere_holds_in_every_environment() -> None:
    async def main() -> str:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            return await run.result(timeout=timedelta(days=2))

    with continuum.testing.mock_activity(flows.ship, lambda order: "anywhere") as shipped:
        assert asyncio.run(main()) == "anywhere 2"
        assert len(shipped.calls) == 1
    assert asyncio.run(main()) == "track-o1 2"


def test_an_activity_that_is_mid_way_is_let_go_at_the_end() -> None:
    async def main() -> set[str]:
        async with env() as environment:
            await environment.start(flows.stuck_flow)
            await environment.settle()
        return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    assert asyncio.run(main()) == set()


def test_a_closed_environment_is_over() -> None:
    async def main() -> None:
        async with env() as environment:
            await environment.start(flows.order_flow, "o1")
        await environment.close()
        with pytest.raises(NotReady, match="the environment is closed"):
            await environment.start(flows.order_flow, "o2")

    asyncio.run(main())


def test_time_does_not_go_back() -> None:
    async def main() -> None:
        async with env() as environment:
            with pytest.raises(ValueError, match="does not go back"):
                await environment.advance(-1)

    asyncio.run(main())


def test_the_client_is_the_environment() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.client.start(flows.order_flow, "o1", attributes={"region": "eu"})
            page = await environment.query(where=[(("attributes", "region"), "eq", "eu")])
            assert [found.id for found in page.entries] == [run.id]

    asyncio.run(main())
