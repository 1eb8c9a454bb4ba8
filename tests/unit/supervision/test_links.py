"""How the end of one actor reaches others."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from continuum_supervision import KILLED, NORMAL, SHUTDOWN, Crash, Down, Ending, Exit, settle, spawn
from tests.unit.supervision.probe import Boom, Probe, Trapping, crash, run


@pytest.mark.parametrize(
    ("reason", "dies"), [(NORMAL, False), (SHUTDOWN, False), (KILLED, True), (Crash(Boom()), True)]
)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_link_carries_abnormal_ends_both_ways(reason: Ending | Crash, dies: bool, swapped: bool) -> None:
    async def main() -> None:
        one, other = await spawn(Probe()), await spawn(Probe())
        one.link(other)
        if swapped:
            one, other = other, one
        await one.stop(reason)
        await settle()
        assert other.alive is not dies
        assert not dies or other.exit_reason == reason

    run(main())


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, KILLED, Crash(Boom())])
def test_an_actor_that_traps_exits_gets_a_message_and_lives(reason: Ending | Crash) -> None:
    async def main() -> None:
        trapping = Trapping()
        trapping_ref = await spawn(trapping)
        other = await spawn(Probe(), link_to=trapping_ref)
        await other.stop(reason)
        assert await trapping.received.get() == Exit(other, reason)
        assert trapping_ref.alive

    run(main())


def test_a_link_interrupts_a_handler_and_terminate_still_runs() -> None:
    async def main() -> None:
        async def endless(_actor: Any) -> None:
            await asyncio.Event().wait()

        probe = Probe()
        one, other = await spawn(probe), await spawn(Probe())
        one.link(other)
        one.cast(endless)
        await settle()
        other.cast(crash)
        reason = await one.wait()
        assert isinstance(reason, Crash)
        assert isinstance(reason.exception, Boom)
        assert probe.diary.lines[-1] == "stop probe"

    run(main())


def test_a_kill_ends_a_whole_chain_of_links() -> None:
    async def main() -> None:
        refs = [await spawn(Probe()) for _ in range(50)]
        for one, other in pairwise(refs):
            one.link(other)
        refs[25].kill()
        assert {await ref.wait() for ref in refs} == {KILLED}

    run(main())


def test_an_unlinked_actor_survives() -> None:
    async def main() -> None:
        one, other = await spawn(Probe()), await spawn(Probe())
        one.link(other)
        other.unlink(one)
        one.kill()
        await settle()
        assert other.alive

    run(main())


def test_a_link_to_a_dead_actor_takes_effect_at_once() -> None:
    async def main() -> None:
        one, other = await spawn(Probe()), await spawn(Probe())
        other.kill()
        one.link(other)
        assert await one.wait() is KILLED

    run(main())


def test_each_monitor_gets_one_down_message() -> None:
    async def main() -> None:
        watcher = Trapping()
        watcher_ref, watched = await spawn(watcher), await spawn(Probe())
        monitors = [watched.monitor(watcher_ref), watched.monitor(watcher_ref)]
        await watched.stop()
        assert [await watcher.received.get(), await watcher.received.get()] == [
            Down(watched, SHUTDOWN, monitor) for monitor in monitors
        ]

    run(main())


def test_a_monitor_of_a_dead_actor_reports_at_once() -> None:
    async def main() -> None:
        watcher = Trapping()
        watcher_ref, watched = await spawn(watcher), await spawn(Probe())
        watched.kill()
        monitor = watched.monitor(watcher_ref)
        assert await watcher.received.get() == Down(watched, KILLED, monitor)

    run(main())


def test_a_removed_monitor_reports_nothing() -> None:
    async def main() -> None:
        watcher = Trapping()
        watcher_ref, watched = await spawn(watcher), await spawn(Probe())
        watched.demonitor(watched.monitor(watcher_ref))
        await watched.stop()
        await settle()
        assert watcher.received.empty()

    run(main())


def test_dead_watchers_leave_no_trace_on_the_watched_actor() -> None:
    async def main() -> None:
        watched = await spawn(Probe())
        for _ in range(10):
            watcher = await spawn(Probe())
            watched.monitor(watcher)
            watcher.link(watched)
            await watcher.stop()
        assert not watched._bonds

    run(main())


def test_dead_watched_actors_leave_no_trace_on_their_watcher() -> None:
    async def main() -> None:
        watcher = await spawn(Trapping())
        for _ in range(10):
            watched = await spawn(Probe(), link_to=watcher)
            watched.monitor(watcher)
            await watched.stop()
        assert watcher._bonds is not None
        assert not watcher._bonds.watching
        assert not watcher._bonds.links

    run(main())


def test_a_failing_callback_does_not_stop_the_next(caplog: pytest.LogCaptureFixture) -> None:
    def failing(*_: object) -> None:
        raise Boom

    async def main() -> None:
        reasons: list[object] = []
        ref = await spawn(Probe())
        ref.on_exit(failing)
        ref.on_exit(lambda _, reason: reasons.append(reason))
        await ref.stop()
        assert reasons == [SHUTDOWN]

    run(main())
    assert "callback" in caplog.text


def test_on_exit_of_a_dead_actor_runs_at_once() -> None:
    async def main() -> None:
        reasons: list[object] = []
        ref = await spawn(Probe())
        await ref.stop()
        ref.on_exit(lambda _, reason: reasons.append(reason))
        assert reasons == [SHUTDOWN]

    run(main())
