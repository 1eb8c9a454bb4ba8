"""What supervisors say of themselves and of those below them, on a manual clock."""

from __future__ import annotations

import asyncio

from continuum_supervision import (
    ChildSpec,
    Doing,
    DynamicSupervisor,
    Kind,
    ManualClock,
    Restart,
    Strategy,
    Supervisor,
    settle,
    spawn,
)
from continuum_supervision.limits import DESCRIBED_CHILDREN, REASON_CHARACTERS
from tests.unit.supervision.probe import Boom, Probe, crash, run, waiting_for


def spec(name: str) -> ChildSpec:
    """Return a child that is a probe."""
    return ChildSpec(name, lambda: Probe(name))


class Hostile(Exception):
    """Its text cannot be read."""

    def __str__(self) -> str:
        raise Boom


def test_a_tree_is_described_with_what_is_below_each_supervisor() -> None:
    async def main() -> None:
        inner = ChildSpec("inner", lambda: Supervisor([spec("leaf")], strategy=Strategy.ONE_FOR_ALL))
        async with Supervisor([spec("first"), inner]) as supervisor:
            tree = supervisor.describe("top")
        first, below = tree.children
        assert (tree.id, tree.kind, tree.strategy) == ("top", Kind.SUPERVISOR, Strategy.ONE_FOR_ONE)
        assert (first.id, first.kind, first.actor, first.strategy) == ("first", Kind.WORKER, "Probe", None)
        assert (below.kind, below.strategy) == (Kind.SUPERVISOR, Strategy.ONE_FOR_ALL)
        assert [leaf.id for leaf in below.children] == ["leaf"]

    run(main())


def test_a_description_counts_the_messages_that_wait_behind_a_busy_handler() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        async with Supervisor([spec("busy"), spec("idle")]) as supervisor:
            (ref, _) = [info.ref for info in supervisor.which_children()]
            assert ref is not None
            for message in (waiting_for(gate), "second", "third"):
                ref.cast(message)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            busy, idle = supervisor.describe("top").children
            gate.set()
        assert (busy.doing, busy.mailbox) == (Doing.BUSY, 2)
        assert (idle.doing, idle.mailbox) == (Doing.IDLE, 0)

    run(main())


def test_a_restart_is_counted_with_its_time_and_its_reason() -> None:
    async def main() -> None:
        clock = ManualClock()
        async with Supervisor(
            [spec("a"), spec("b")], clock=clock, strategy=Strategy.ONE_FOR_ALL
        ) as supervisor:
            await clock.advance(7.0)
            (ref, _) = [info.ref for info in supervisor.which_children()]
            assert ref is not None
            ref.cast(crash)
            await settle()
            failed, sibling = supervisor.describe("top").children
        assert (failed.restarts.number, failed.restarts.last_at) == (1, clock.monotonic())
        assert failed.restarts.why == "crashed with Boom: boom"
        assert (sibling.restarts.number, sibling.restarts.why) == (1, "shutdown")

    run(main())


def test_a_child_that_was_stopped_by_request_is_down() -> None:
    async def main() -> None:
        async with Supervisor([spec("a")]) as supervisor:
            await supervisor.terminate_child("a")
            (child,) = supervisor.describe("top").children
        assert (child.doing, child.actor, child.mailbox) == (Doing.DOWN, None, 0)

    run(main())


def test_the_reason_of_a_restart_is_one_short_line() -> None:
    async def main() -> None:
        clock = ManualClock()
        said = []
        for error in (Boom("first\nsecond\0" + "x" * 1000), Hostile()):

            def fail(_actor: object, error: Exception = error) -> None:
                raise error

            async with Supervisor([spec("a")], clock=clock) as supervisor:
                (info,) = supervisor.which_children()
                assert info.ref is not None
                info.ref.cast(fail)
                await settle()
                (child,) = supervisor.describe("top").children
            said.append(child.restarts.why or "")
        assert said[0].startswith("crashed with Boom: first second x")
        assert len(said[0]) == REASON_CHARACTERS
        assert said[1] == "crashed with Hostile, whose text raises Boom"

    run(main())


def test_a_dynamic_supervisor_lists_its_busiest_children_and_counts_the_others() -> None:
    async def main() -> None:
        supervisor = DynamicSupervisor()
        await spawn(supervisor)
        refs = [
            supervisor.start_child_nowait(Probe(), name=f"run-{number}")
            for number in range(DESCRIBED_CHILDREN + 3)
        ]
        for _ in range(2):
            refs[-1].cast("waits")
        tree = supervisor.describe("runs")
        await supervisor.ref.stop()
        assert (tree.kind, len(tree.children), tree.unlisted) == (
            Kind.DYNAMIC_SUPERVISOR,
            DESCRIBED_CHILDREN,
            3,
        )
        assert (tree.children[0].id, tree.children[0].mailbox) == (f"run-{DESCRIBED_CHILDREN + 2}", 2)
        assert tree.children[1].id == "run-0"

    run(main())


def test_a_dynamic_supervisor_remembers_the_crashes_of_children_that_are_gone() -> None:
    async def main() -> None:
        supervisor = DynamicSupervisor()
        await spawn(supervisor)
        for _ in range(2):
            supervisor.start_child_nowait(Probe()).cast(crash)
        await supervisor.start_child(ChildSpec("ends", Probe, restart=Restart.TEMPORARY))
        await settle()
        tree = supervisor.describe("runs")
        await supervisor.ref.stop()
        assert (tree.crashes.number, tree.crashes.why) == (2, "crashed with Boom: boom")

    run(main())
