"""An environment: the engine with a clock that only the test moves."""

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


def test_a_timeout_of_a_day_costs_no_real_time() -> None:
    """THP4: the run is pending until the timeout, then completed."""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            await environment.advance(timedelta(hours=23))
            assert await run.state() == "suspended"
            await environment.advance(timedelta(hours=1))
            assert await run.result() == "track-o1 2"

    asyncio.run(main())


def test_time_stands_still_until_the_test_moves_it() -> None:
    async def main() -> None:
        async with env(now=datetime(2030, 5, 1, tzinfo=UTC)) as environment:
            run = await environment.start(flows.order_flow, "o1")
            await environment.settle()
            assert environment.now == datetime(2030, 5, 1, tzinfo=UTC)
            assert (await run.get()).started_at == environment.now
            await environment.advance(1.5)
            assert environment.now == datetime(2030, 5, 1, 0, 0, 1, 500_000, tzinfo=UTC)

    asyncio.run(main())


def test_advance_passes_every_due_moment_in_order() -> None:
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
            start = environment.now
            await environment.advance(60)
            assert [(name, (when - start).total_seconds()) for name, when in seen] == [
                ("quick", 3.0),
                ("slow", 5.0),
                ("quick", 6.0),
                ("slow", 10.0),
            ]

    asyncio.run(main())


def test_sleep_until_uses_virtual_time() -> None:
    async def main() -> None:
        async with env() as environment:
            later = environment.now + timedelta(days=400)
            run = await environment.start(flows.sleeper, later)
            await environment.advance(timedelta(days=401))
            assert await run.result() == [60.0, 400 * 86_400 - 60.0]

    asyncio.run(main())


def test_backoff_between_attempts_costs_no_real_time() -> None:
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


def test_an_activity_times_out_in_virtual_time() -> None:
    """C17"""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.stuck_flow)
            await environment.advance(29)
            assert await run.state() == "running"
            await environment.advance(1)
            assert await run.result() == "TimeoutError"

    asyncio.run(main())


def test_a_result_without_a_timeout_reports_what_the_run_waits_for() -> None:
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


def test_a_result_lets_at_most_its_timeout_pass() -> None:
    async def main() -> None:
        async with env() as environment:
            start = environment.now
            run = await environment.start(flows.order_flow, "o1")
            with pytest.raises(StillWaiting, match="after 12:00:00"):
                await run.result(timeout=timedelta(hours=12))
            assert environment.now == start + timedelta(hours=12)
            assert await run.result(timeout=timedelta(days=3)) == "track-o1 2"
            assert environment.now == start + timedelta(hours=24)

    asyncio.run(main())


def test_a_signal_reaches_its_run() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            await run.signal(flows.review, "rejected")
            assert await run.result() == "rejected"

    asyncio.run(main())


def test_workflows_loaded_later_declare_their_signals_too() -> None:
    """SIG1: an undeclared signal is refused, also when it is sent by name."""

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


def test_a_cancelled_run_is_cancelled_for_callers_and_in_its_row() -> None:
    """THP5: the waiting caller and the row both show it."""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            await environment.settle()
            await run.cancel()
            with pytest.raises(RunCancelled):
                await run.result()
            assert await run.state() == "cancelled"

    asyncio.run(main())


def test_a_signal_to_an_ended_or_unknown_run_is_refused() -> None:
    """THP6."""

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


def test_a_task_that_waits_gets_the_result() -> None:
    """THP8: the task gets it as soon as the run ends."""

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


def test_two_environments_have_the_same_random_values() -> None:
    async def random_values() -> list[str]:
        async with env() as environment:
            run = await environment.start(flows.values)
            return await run.result(timeout=2)

    assert asyncio.run(random_values()) == asyncio.run(random_values())


def test_an_environment_runs_children() -> None:
    """C17"""

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.parent, "o1")
            with pytest.raises(StillWaiting, match="child testing_order"):
                await run.result()
            assert await run.result(timeout=timedelta(days=2)) == "child: track-o1 2"

    asyncio.run(main())


def test_a_waiting_parent_names_its_blocked_child_and_the_reason() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flows.waiting_parent)
            with pytest.raises(StillWaiting) as waiting:
                await run.result()
            (child,) = (await environment.query([("parent_run_id", "eq", run.id)])).entries
            (wait,) = waiting.value.waits_for
            assert child.state == "blocked"
            assert wait == f"child {child.workflow} {child.id}, which is blocked: {child.reason}"
            assert wait in str(waiting.value)

    asyncio.run(main())


def test_the_result_of_a_chain_is_that_of_its_latest_run() -> None:
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


def test_a_failed_run_raises_its_error() -> None:
    async def main() -> None:
        @workflow(name="testing_failing")
        async def failing() -> None:
            raise flows.Declined("no")

        async with env() as environment:
            run = await environment.start(failing)
            with pytest.raises(RunFailed, match="Declined: no"):
                await run.result()

    asyncio.run(main())


def test_an_environment_runs_isolated_activities() -> None:
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


def test_a_run_of_an_unloaded_workflow_reports_how_to_load_it() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start("testing_nobody")
            with pytest.raises(StillWaiting, match=re.escape("env(workflows=[...])")):
                await run.result()

    asyncio.run(main())


def test_a_blocked_run_reports_its_reason() -> None:
    async def main() -> None:
        async with env() as environment:
            run = await environment.start("testing_values", "one argument too many")
            environment = await _loaded(environment)
            message = "is blocked: input: the code cannot read its input.*; cancel it and start it again"
            with pytest.raises(StillWaiting, match=message):
                await run.result()
            assert (fault := (await run.get()).fault) is not None
            assert fault.kind == "input"

    async def _loaded(environment: Environment) -> Environment:
        await environment.start(flows.values)
        return environment

    asyncio.run(main())


def test_a_mock_replaces_the_activity_and_records_its_calls() -> None:
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


def test_a_mock_replaces_queued_activities() -> None:
    async def main() -> None:
        async with env() as environment:
            with environment.mock_activity(flows.pack, lambda order: 77):
                run = await environment.start(flows.order_flow, "o1")
                assert await run.result(timeout=timedelta(days=2)) == "track-o1 77"

    asyncio.run(main())


def test_a_global_mock_applies_to_every_environment() -> None:
    async def main() -> str:
        async with env() as environment:
            run = await environment.start(flows.order_flow, "o1")
            return await run.result(timeout=timedelta(days=2))

    with continuum.testing.mock_activity(flows.ship, lambda order: "anywhere") as shipped:
        assert asyncio.run(main()) == "anywhere 2"
        assert len(shipped.calls) == 1
    assert asyncio.run(main()) == "track-o1 2"


def test_closing_an_environment_leaves_no_task_behind() -> None:
    async def main() -> set[str]:
        async with env() as environment:
            await environment.start(flows.stuck_flow)
            await environment.settle()
        return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    assert asyncio.run(main()) == set()


def test_a_closed_environment_refuses_starts() -> None:
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
