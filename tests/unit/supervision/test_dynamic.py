"""A supervisor of children that come and go."""

from __future__ import annotations

import asyncio
import logging

import pytest

from continuum_supervision import (
    KILLED,
    SHUTDOWN,
    Actor,
    ActorDied,
    ActorRef,
    ChildSpec,
    Crash,
    DynamicSupervisor,
    ExitReason,
    ManualClock,
    NameTaken,
    Registry,
    Restart,
    Supervisor,
    SupervisorGaveUp,
    TooManyChildren,
    settle,
    spawn,
)
from tests.unit.supervision.probe import Boom, Diary, Probe, Stubborn, crash, run


def test_a_child_started_without_waiting_is_running_and_named() -> None:
    async def main() -> None:
        registry = Registry()
        supervisor = DynamicSupervisor(registry=registry)
        await spawn(supervisor)
        ref = supervisor.start_child_nowait(Probe(), name="run-1")
        assert registry.whereis("run-1") is ref
        with pytest.raises(NameTaken):
            supervisor.start_child_nowait(Probe(), name="run-1")
        assert supervisor.which_children() == (ref,)

    run(main())


def test_a_given_init_runs_instead_of_the_childs_own() -> None:
    async def main() -> None:
        started: list[str] = []
        supervisor = DynamicSupervisor()
        await spawn(supervisor)
        ref = supervisor.start_child_nowait(Failing(), init=lambda: started.append("history"))
        assert (started, ref.alive) == (["history"], True)

    class Failing(Probe):
        def init(self) -> None:
            raise Boom

    run(main())


def test_an_ended_child_leaves_nothing_and_is_reported_once() -> None:
    ended: list[tuple[ActorRef, ExitReason]] = []

    async def main() -> None:
        registry = Registry()
        supervisor = DynamicSupervisor(registry=registry, on_down=lambda *end: ended.append(end))
        await spawn(supervisor)
        ref = supervisor.start_child_nowait(Probe(), name="run-1")
        await ref.stop()
        assert (ended, supervisor.count_children(), len(registry)) == ([(ref, SHUTDOWN)], 0, 0)

    run(main())


def test_an_abnormal_end_is_logged_once_and_a_normal_one_is_not(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        supervisor = DynamicSupervisor()
        await spawn(supervisor)
        for name in ("good", "bad"):
            supervisor.start_child_nowait(Probe(), name=name)
        good, bad = supervisor.which_children()
        await good.stop()
        bad.cast(crash)
        await bad.wait()
        await settle()

    run(main())
    [record] = [record for record in caplog.records if record.levelno >= logging.INFO]
    assert "'bad'" in record.message


def test_an_ended_child_makes_room_for_another() -> None:
    async def main() -> None:
        supervisor = DynamicSupervisor(max_children=1)
        await spawn(supervisor)
        first = supervisor.start_child_nowait(Probe())
        with pytest.raises(TooManyChildren):
            supervisor.start_child_nowait(Probe())
        with pytest.raises(TooManyChildren):
            await supervisor.start_child(Probe)
        first.kill()
        assert supervisor.start_child_nowait(Probe()).alive

    run(main())


def test_a_failing_init_is_raised_and_takes_no_place() -> None:
    class Failing(Probe):
        def init(self) -> None:
            raise Boom

    class FailingLater(Probe):
        async def init(self) -> None:
            await asyncio.sleep(0)
            raise Boom

    async def main() -> None:
        ended: list[object] = []
        supervisor = DynamicSupervisor(max_children=1, on_down=lambda *end: ended.append(end))
        await spawn(supervisor)
        with pytest.raises(Boom):
            supervisor.start_child_nowait(Failing(), name="it")
        with pytest.raises(Boom):
            await supervisor.start_child(FailingLater)
        assert (supervisor.count_children(), len(supervisor.registry), ended) == (0, 0, [])

    run(main())


def test_all_children_stop_together_within_one_budget(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        diary, clock = Diary(), ManualClock()
        supervisor = DynamicSupervisor(shutdown=3.0)
        ref = await spawn(supervisor, clock=clock)
        for number in range(3):
            supervisor.start_child_nowait(Stubborn(str(number), diary))
        diary.clear()
        stopping = asyncio.create_task(ref.stop(timeout=None))
        await clock.advance(2.9)
        assert diary.lines == ["stubborn 0", "stubborn 1", "stubborn 2"]
        await clock.advance(0.1)
        assert await stopping is SHUTDOWN
        assert supervisor.count_children() == 0

    run(main())
    assert [record.message for record in caplog.records] == [
        "3 children did not stop within 3.0 s and were killed"
    ]


def test_a_stop_finds_children_that_are_still_starting() -> None:
    gate = asyncio.Event()

    class Slow(Probe):
        async def init(self) -> None:
            await gate.wait()

    async def main() -> None:
        probe = Slow()
        supervisor = DynamicSupervisor()
        ref = await spawn(supervisor)
        starting = asyncio.create_task(supervisor.start_child(lambda: probe))
        await settle()
        stopping = asyncio.create_task(ref.stop(timeout=None))
        await settle()
        assert not stopping.done()
        gate.set()
        await stopping
        assert not (await starting).alive
        assert probe.diary.lines == ["stop probe"]

    run(main())


def test_an_ended_supervisor_starts_no_child() -> None:
    async def main() -> None:
        supervisor = DynamicSupervisor()
        ref = await spawn(supervisor)
        await ref.stop()
        with pytest.raises(ActorDied):
            supervisor.start_child_nowait(Probe())
        with pytest.raises(ActorDied):
            await supervisor.start_child(Probe)

    run(main())


def test_a_supervisor_that_ended_while_a_factory_waited_starts_no_child() -> None:
    async def main() -> None:
        gate, probe = asyncio.Event(), Probe()

        async def make() -> Actor:
            await gate.wait()
            return probe

        supervisor = DynamicSupervisor()
        ref = await spawn(supervisor)
        starting = asyncio.create_task(supervisor.start_child(make))
        await settle()
        await ref.stop()
        gate.set()
        with pytest.raises(ActorDied):
            await starting
        assert probe.diary.lines == []

    run(main())


def test_a_killed_supervisor_kills_its_children() -> None:
    async def main() -> None:
        supervisor = DynamicSupervisor()
        ref = await spawn(supervisor)
        child = supervisor.start_child_nowait(Probe())
        ref.kill()
        assert await child.wait() is KILLED

    run(main())


def test_a_child_with_a_spec_is_restarted_as_the_spec_says() -> None:
    async def main() -> None:
        diary = Diary()
        supervisor = DynamicSupervisor()
        await spawn(supervisor)
        spec = ChildSpec("a", lambda: Probe("a", diary), restart=Restart.TRANSIENT, name="a")
        (await supervisor.start_child(spec)).kill()
        await settle()
        again = supervisor.registry.whereis("a")
        assert again is not None
        await again.stop()
        await settle()
        assert (supervisor.count_children(), diary.lines.count("start a")) == (0, 2)

    run(main())


def test_a_child_that_was_terminated_is_not_restarted() -> None:
    async def main() -> None:
        supervisor = DynamicSupervisor()
        await spawn(supervisor)
        ref = await supervisor.start_child(ChildSpec("a", Probe))
        await supervisor.terminate_child(ref)
        await supervisor.terminate_child(ref)
        await settle()
        assert supervisor.count_children() == 0

    run(main())


def test_too_many_restarts_end_the_supervisor_and_its_other_children() -> None:
    async def main() -> None:
        supervisor = DynamicSupervisor(max_restarts=1)
        ref = await spawn(supervisor)
        other = supervisor.start_child_nowait(Probe())

        class CrashesAtOnce(Probe):
            def init(self) -> None:
                self.ref.cast(crash)

        await supervisor.start_child(ChildSpec("a", CrashesAtOnce))
        reason = await ref.wait()
        assert isinstance(reason, Crash)
        assert isinstance(reason.exception, SupervisorGaveUp)
        assert other.exit_reason is SHUTDOWN

    run(main())


def test_a_dynamic_supervisor_can_be_a_child() -> None:
    async def main() -> None:
        supervisors: list[DynamicSupervisor] = []

        def start() -> Actor:
            supervisors.append(DynamicSupervisor())
            return supervisors[-1]

        async with Supervisor([ChildSpec("runs", start)]):
            child = supervisors[0].start_child_nowait(Probe())
            supervisors[0].ref.kill()
            await settle()
            assert not child.alive
            last = supervisors[1].start_child_nowait(Probe())
        assert last.exit_reason is SHUTDOWN

    run(main())
