"""A supervisor that knows its children by id, on a manual clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from continuum_supervision import (
    SHUTDOWN,
    Actor,
    ActorDied,
    ActorRef,
    ChildCount,
    ChildExists,
    ChildSpec,
    Clock,
    Crash,
    ManualClock,
    Registry,
    RegistryActor,
    Restart,
    Shutdown,
    Strategy,
    Supervisor,
    SupervisorGaveUp,
    settle,
    spawn,
)
from tests.unit.supervision.probe import Boom, Diary, Probe, Stubborn, crash, run, waiting_for


def child(
    name: str,
    diary: Diary,
    *,
    restart: Restart = Restart.PERMANENT,
    shutdown: float | Shutdown = 5.0,
    kind: type[Probe] = Probe,
) -> ChildSpec:
    return ChildSpec(name, lambda: kind(name, diary), restart=restart, shutdown=shutdown, name=name)


def ref_of(supervisor: Supervisor, child_id: str) -> ActorRef:
    ref = next(info.ref for info in supervisor.which_children() if info.id == child_id)
    assert ref is not None
    return ref


def failing_start(diary: Diary, name: str, failures: int) -> Callable[[], Actor]:
    """A factory whose actors fail in init from the second to the (failures + 1)-th time."""
    made = 0

    def start() -> Actor:
        nonlocal made
        made += 1
        if 1 < made <= failures + 1:
            diary.write(f"fail {name}")
            raise Boom
        return Probe(name, diary)

    return start


def test_children_start_in_order_and_stop_in_reverse() -> None:
    async def main() -> None:
        diary = Diary()
        async with Supervisor([child(name, diary) for name in "abc"]):
            diary.write("body")
        assert diary.lines == ["start a", "start b", "start c", "body", "stop c", "stop b", "stop a"]

    run(main())


def test_a_child_s_asynchronous_init_is_over_before_the_next_starts() -> None:
    class Slow(Probe):
        async def init(self) -> None:
            await settle()
            self.diary.write(f"ready {self.name}")

    async def main() -> None:
        diary = Diary()
        async with Supervisor([child("a", diary, kind=Slow), child("b", diary)]):
            assert diary.lines == ["ready a", "start b"]

    run(main())


def test_a_factory_may_be_asynchronous() -> None:
    async def main() -> None:
        async def start() -> Actor:
            await asyncio.sleep(0)
            return Probe()

        async with Supervisor([ChildSpec("a", start)]) as supervisor:
            assert supervisor.count_children() == ChildCount(specs=1, active=1)

    run(main())


def test_a_start_that_fails_rolls_back_in_reverse_and_raises_the_cause() -> None:
    class Failing(Probe):
        def init(self) -> None:
            raise Boom

    async def main() -> None:
        diary, registry = Diary(), Registry()
        specs = [child("a", diary), child("b", diary), child("c", diary, kind=Failing), child("d", diary)]
        with pytest.raises(Boom) as raised:
            async with Supervisor(specs, registry=registry):
                pytest.fail("the block must not be entered")
        assert diary.lines == ["start a", "start b", "stop b", "stop a"]
        assert len(registry) == 0
        assert "'c'" in raised.value.__notes__[0]

    run(main())


@pytest.mark.parametrize(
    ("strategy", "again"),
    [
        (Strategy.ONE_FOR_ONE, ["stop b", "start b"]),
        (Strategy.ONE_FOR_ALL, ["stop b", "stop c", "stop a", "start a", "start b", "start c"]),
        (Strategy.REST_FOR_ONE, ["stop b", "stop c", "start b", "start c"]),
    ],
)
def test_a_crash_restarts_the_children_that_the_strategy_names(strategy: Strategy, again: list[str]) -> None:
    async def main() -> None:
        diary = Diary()
        async with Supervisor([child(name, diary) for name in "abc"], strategy=strategy) as supervisor:
            diary.clear()
            ref_of(supervisor, "b").cast(crash)
            await settle()
            assert diary.lines == again
            assert supervisor.count_children().active == 3

    run(main())


@pytest.mark.parametrize(
    ("restart", "abnormal", "left"),
    [
        (Restart.PERMANENT, True, ChildCount(1, 1)),
        (Restart.PERMANENT, False, ChildCount(1, 1)),
        (Restart.TRANSIENT, True, ChildCount(1, 1)),
        (Restart.TRANSIENT, False, ChildCount(1, 0)),
        (Restart.TEMPORARY, True, ChildCount(0, 0)),
        (Restart.TEMPORARY, False, ChildCount(0, 0)),
    ],
)
def test_the_restart_type_decides_what_remains_of_an_ended_child(
    restart: Restart, abnormal: bool, left: ChildCount
) -> None:
    async def main() -> None:
        async with Supervisor([child("a", Diary(), restart=restart)]) as supervisor:
            ref_of(supervisor, "a").cast(crash if abnormal else lambda actor: actor.stop())
            await settle()
            assert supervisor.count_children() == left

    run(main())


def test_a_restarted_child_is_a_fresh_actor_under_the_same_name() -> None:
    async def main() -> None:
        registry = Registry()
        async with Supervisor([child("a", Diary())], registry=registry):
            first = registry.whereis("a")
            assert first is not None
            first.kill()
            await settle()
            second = registry.whereis("a")
            assert second is not None
            assert second is not first

    run(main())


def test_a_temporary_sibling_is_not_restarted_with_the_others() -> None:
    async def main() -> None:
        diary = Diary()
        specs = [child("a", diary), child("t", diary, restart=Restart.TEMPORARY)]
        async with Supervisor(specs, strategy=Strategy.ONE_FOR_ALL) as supervisor:
            ref_of(supervisor, "a").kill()
            await settle()
            assert [info.id for info in supervisor.which_children()] == ["a"]

    run(main())


def test_too_many_restarts_in_the_window_end_the_supervisor_in_reverse_order() -> None:
    async def main() -> None:
        diary, clock = Diary(), ManualClock()
        supervisor = Supervisor([child(name, diary) for name in "abc"], max_restarts=1, clock=clock)

        async def crash_twice() -> None:
            async with supervisor:
                ref_of(supervisor, "b").cast(crash)
                await settle()
                diary.clear()
                ref_of(supervisor, "b").cast(crash)
                assert isinstance(await supervisor.ref.wait(), Crash)

        with pytest.raises(SupervisorGaveUp, match="child 'b'") as raised:
            await crash_twice()
        assert diary.lines == ["stop b", "stop c", "stop a"]
        assert isinstance(raised.value.__cause__, Boom)

    run(main())


def test_restarts_spread_over_time_are_allowed_for_ever() -> None:
    async def main() -> None:
        clock = ManualClock()
        async with Supervisor(
            [child("a", Diary())], max_restarts=1, max_seconds=5, clock=clock
        ) as supervisor:
            for _ in range(10):
                ref_of(supervisor, "a").kill()
                await clock.advance(5.1)
            assert supervisor.count_children().active == 1

    run(main())


def test_an_error_of_the_block_itself_is_not_masked() -> None:
    async def main() -> None:
        diary = Diary()
        with pytest.raises(LookupError):
            async with Supervisor([child("a", diary)]):
                raise LookupError
        assert diary.lines[-1] == "stop a"

    run(main())


def test_a_restart_whose_start_fails_is_tried_again() -> None:
    async def main() -> None:
        diary = Diary()
        specs = [ChildSpec("a", failing_start(diary, "a", 2)), child("b", diary)]
        async with Supervisor(specs, strategy=Strategy.REST_FOR_ONE) as supervisor:
            diary.clear()
            ref_of(supervisor, "a").kill()
            await settle()
            assert diary.lines == ["stop b", "fail a", "fail a", "start a", "start b"]

    run(main())


def test_starts_that_keep_failing_count_against_the_intensity() -> None:
    async def main() -> None:
        diary = Diary()
        supervisor = Supervisor([ChildSpec("a", failing_start(diary, "a", 99))], max_restarts=3)
        await supervisor.__aenter__()
        ref_of(supervisor, "a").kill()
        await supervisor.ref.wait()
        with pytest.raises(SupervisorGaveUp):
            await supervisor.__aexit__(None, None, None)
        assert diary.lines.count("fail a") == 3

    run(main())


def test_a_child_that_ignores_its_stop_is_killed_after_its_budget(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        diary, clock = Diary(), ManualClock()
        specs = [child("a", diary), child("b", diary, kind=Stubborn, shutdown=2.0)]
        supervisor = Supervisor(specs, clock=clock)
        await supervisor.__aenter__()
        leaving = asyncio.create_task(supervisor.__aexit__(None, None, None))
        await clock.advance(1.9)
        assert diary.lines[2:] == ["stubborn b"]
        await clock.advance(0.1)
        await leaving
        assert diary.lines[2:] == ["stubborn b", "stop a"]

    run(main())
    assert [record.message for record in caplog.records] == [
        "child 'b' did not stop within 2.0 s and was killed"
    ]


def test_a_brutal_kill_skips_terminate() -> None:
    async def main() -> None:
        diary = Diary()
        async with Supervisor([child("a", diary, shutdown=Shutdown.BRUTAL_KILL)]):
            pass
        assert diary.lines == ["start a"]

    run(main())


def test_infinity_waits_as_long_as_it_takes() -> None:
    gate = asyncio.Event()

    class Thorough(Probe):
        async def terminate(self, reason: object) -> None:
            await gate.wait()

    async def main() -> None:
        clock = ManualClock()
        supervisor = Supervisor([child("a", Diary(), kind=Thorough, shutdown=Shutdown.INFINITY)], clock=clock)
        await supervisor.__aenter__()
        leaving = asyncio.create_task(supervisor.__aexit__(None, None, None))
        await clock.advance(1e6)
        assert not leaving.done()
        gate.set()
        await leaving

    run(main())


def test_trees_nest_and_an_inner_failure_escalates_only_as_far_as_needed() -> None:
    async def main() -> None:
        diary = Diary()
        inner: list[Supervisor] = []

        def start() -> Supervisor:
            inner.append(Supervisor([child("leaf", diary)], max_restarts=0))
            return inner[-1]

        specs = [child("side", diary), ChildSpec("inner", start, shutdown=Shutdown.INFINITY)]
        async with Supervisor(specs) as outer:
            diary.clear()
            ref_of(inner[0], "leaf").kill()
            await settle()
            assert (len(inner), diary.lines) == (2, ["start leaf"])
            assert outer.count_children().active == 2
            diary.clear()
        assert diary.lines == ["stop leaf", "stop side"]

    run(main())


def test_a_killed_supervisor_leaves_no_child_behind() -> None:
    async def main() -> None:
        registry, diary = Registry(), Diary()
        inner = ChildSpec("inner", lambda: Supervisor([child("leaf", diary)], registry=registry))
        ref = await spawn(Supervisor([child("a", diary), inner], registry=registry))
        assert len(registry) == 2
        ref.kill()
        await settle()
        assert len(registry) == 0

    run(main())


def test_a_crash_is_logged_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Supervisor([child("a", Diary())]) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await settle()

    run(main())
    [record] = caplog.records
    assert (record.name, record.levelno) == ("continuum.supervision", logging.ERROR)
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], Boom)


def test_leaving_the_block_by_cancellation_leaves_no_child_behind() -> None:
    async def main() -> None:
        registry = Registry()
        spec = child("a", Diary(), kind=Stubborn, shutdown=Shutdown.INFINITY)

        async def host() -> None:
            async with Supervisor([spec], registry=registry):
                await asyncio.Event().wait()

        hosting = asyncio.create_task(host())
        await settle()
        hosting.cancel()
        await settle()
        assert len(registry) == 1
        hosting.cancel()
        await asyncio.wait({hosting})
        await settle()
        assert (hosting.cancelled(), len(registry)) == (True, 0)

    run(main())


def test_cancelling_the_entry_stops_the_children_that_had_started() -> None:
    class Endless(Probe):
        async def init(self) -> None:
            await asyncio.Event().wait()

    async def main() -> None:
        diary, registry = Diary(), Registry()
        supervisor = Supervisor([child("a", diary), child("b", diary, kind=Endless)], registry=registry)
        entering = asyncio.create_task(supervisor.__aenter__())
        await settle()
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert (diary.lines, len(registry)) == (["start a", "stop a"], 0)

    run(main())


def test_a_supervisor_logs_that_it_gave_up_while_its_block_still_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        supervisor = Supervisor([child("a", Diary())], max_restarts=0)
        await supervisor.__aenter__()
        ref_of(supervisor, "a").kill()
        await supervisor.ref.wait()
        assert caplog.records[-1].levelno == logging.CRITICAL

    run(main())


def test_later_siblings_wait_for_a_child_whose_start_is_retried() -> None:
    async def main() -> None:
        diary = Diary()
        specs = [ChildSpec("a", failing_start(diary, "a", 1)), child("b", diary)]
        async with Supervisor(specs, strategy=Strategy.REST_FOR_ONE) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            requests = [supervisor.restart_child("a"), supervisor.delete_child("a")]
            asking = [asyncio.create_task(request) for request in requests]
            for asked in asking:
                with pytest.raises(ChildExists):
                    await asked
            await settle()
            assert supervisor.count_children() == ChildCount(specs=2, active=2)

    run(main())


def test_a_supervisor_object_may_be_entered_again_but_not_twice_at_once() -> None:
    async def main() -> None:
        diary = Diary()
        supervisor = Supervisor([child("a", diary)])
        for _ in range(2):
            async with supervisor:
                with pytest.raises(RuntimeError, match="runs already"):
                    await supervisor.__aenter__()
        assert diary.lines == ["start a", "stop a"] * 2

    run(main())


def test_entering_again_starts_from_the_specs_it_was_made_with() -> None:
    async def main() -> None:
        supervisor = Supervisor([child("a", Diary(), restart=Restart.TEMPORARY)])
        async with supervisor:
            await supervisor.start_child(child("b", Diary()))
            await supervisor.terminate_child("a")
        async with supervisor:
            assert [info.id for info in supervisor.which_children()] == ["a"]

    run(main())


def test_a_stop_takes_effect_between_two_attempts_to_start_a_child() -> None:
    async def main() -> None:
        diary = Diary()
        spec = ChildSpec("a", failing_start(diary, "a", 10**9))
        async with Supervisor([spec], max_restarts=10**9) as supervisor:
            ref_of(supervisor, "a").kill()
            assert await supervisor.ref.stop(timeout=None) is SHUTDOWN

    run(main())


def test_callers_of_a_stopping_supervisor_get_actor_died() -> None:
    async def main() -> None:
        gate, diary = asyncio.Event(), Diary()
        supervisor = Supervisor([child("a", diary)])
        async with supervisor:
            ref_of(supervisor, "a").cast(waiting_for(gate))
            stopping = asyncio.create_task(supervisor.ref.stop())
            await settle()
            with pytest.raises(ActorDied):
                await supervisor.start_child(child("b", diary))
            gate.set()
            await stopping

    run(main())


def test_a_registry_can_be_a_child_and_be_found() -> None:
    async def main() -> None:
        registry = Registry()
        spec = ChildSpec("registry", lambda: RegistryActor(registry), name="registry")
        async with Supervisor([spec], registry=registry):
            assert registry.whereis("registry") is not None

    run(main())


@settings(max_examples=150)
@given(
    kinds=st.lists(st.sampled_from(Restart), min_size=1, max_size=5),
    strategy=st.sampled_from(Strategy),
    ends=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=8),
)
def test_a_supervisor_agrees_with_a_model_of_its_children(
    kinds: list[Restart], strategy: Strategy, ends: list[tuple[int, bool]]
) -> None:
    """The model: which ids exist, which run, and how often each was started."""

    def model() -> dict[str, tuple[bool, int]]:
        state = {str(n): (True, 1) for n in range(len(kinds))}
        for number, abnormal in ends:
            failed = str(number)
            if failed not in state or not state[failed][0]:
                continue
            restart = kinds[number]
            if restart is Restart.TEMPORARY:
                del state[failed]
            elif restart is Restart.TRANSIENT and not abnormal:
                state[failed] = (False, state[failed][1])
            else:
                for child_id in tuple(state):
                    reached = strategy is Strategy.ONE_FOR_ALL or (
                        strategy is Strategy.REST_FOR_ONE and int(child_id) > number
                    )
                    if child_id == failed or (reached and kinds[int(child_id)] is not Restart.TEMPORARY):
                        state[child_id] = (True, state[child_id][1] + 1)
                    elif reached:
                        del state[child_id]
        return state

    async def main() -> None:
        diary = Diary()
        specs = [child(str(n), diary, restart=restart) for n, restart in enumerate(kinds)]
        clock: Clock = ManualClock()
        async with Supervisor(specs, strategy=strategy, max_restarts=100, clock=clock) as supervisor:
            for number, abnormal in ends:
                ref = next((i.ref for i in supervisor.which_children() if i.id == str(number)), None)
                if ref is not None:
                    ref.cast(crash if abnormal else lambda actor: actor.stop())
                    await settle()
            seen = {
                info.id: (info.ref is not None, diary.lines.count(f"start {info.id}"))
                for info in supervisor.which_children()
            }
        assert seen == model()
        assert sum(line.startswith("start") for line in diary.lines) == sum(
            line.startswith("stop") for line in diary.lines
        )

    logging.getLogger("continuum.supervision").setLevel(logging.CRITICAL)
    try:
        run(main())
    finally:
        logging.getLogger("continuum.supervision").setLevel(logging.NOTSET)
