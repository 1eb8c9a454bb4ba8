"""Children added, stopped, restarted and deleted by request."""

from __future__ import annotations

import pytest

from continuum_supervision import (
    Actor,
    ChildCount,
    ChildExists,
    ChildSpec,
    CountChildren,
    NoSuchChild,
    StartChild,
    Strategy,
    Supervisor,
    settle,
)
from tests.unit.supervision.probe import Boom, Diary, run
from tests.unit.supervision.test_supervisor import child, ref_of


def test_children_are_added_stopped_restarted_and_deleted_by_request() -> None:
    async def main() -> None:
        diary = Diary()
        async with Supervisor([]) as supervisor:
            ref = await supervisor.start_child(child("a", diary))
            with pytest.raises(ChildExists, match="exists"):
                await supervisor.start_child(child("a", diary))
            with pytest.raises(ChildExists, match="running"):
                await supervisor.restart_child("a")
            with pytest.raises(ChildExists, match="running"):
                await supervisor.delete_child("a")
            await supervisor.terminate_child("a")
            assert not ref.alive
            await supervisor.terminate_child("a")
            assert (await supervisor.restart_child("a")).alive
            await supervisor.terminate_child("a")
            await supervisor.delete_child("a")
            with pytest.raises(NoSuchChild):
                await supervisor.restart_child("a")

    run(main())


def test_requests_work_through_the_ref_too() -> None:
    async def main() -> None:
        async with Supervisor([]) as supervisor:
            ref = await supervisor.ref.call(StartChild(child("a", Diary())))
            assert ref.alive
            assert await supervisor.ref.call(CountChildren()) == ChildCount(specs=1, active=1)
            with pytest.raises(AssertionError):
                await supervisor.ref.call("nonsense")
            assert supervisor.ref.alive

    run(main())


def test_a_failing_requested_start_is_raised_in_the_caller_and_adds_no_child() -> None:
    def start() -> Actor:
        raise Boom

    async def main() -> None:
        async with Supervisor([]) as supervisor:
            with pytest.raises(Boom):
                await supervisor.start_child(ChildSpec("a", start))
            assert supervisor.count_children() == ChildCount(0, 0)

    run(main())


def test_a_child_terminated_by_request_is_not_restarted_with_a_sibling() -> None:
    async def main() -> None:
        specs = [child(name, Diary()) for name in "ab"]
        async with Supervisor(specs, strategy=Strategy.ONE_FOR_ALL) as supervisor:
            await supervisor.terminate_child("a")
            ref_of(supervisor, "b").kill()
            await settle()
            assert supervisor.count_children() == ChildCount(specs=2, active=1)

    run(main())
