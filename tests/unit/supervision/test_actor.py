"""One actor: its messages, its handlers, its end."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuum_supervision import (
    KILLED,
    NO_REPLY,
    NORMAL,
    SHUTDOWN,
    Actor,
    ActorDied,
    Crash,
    ManualClock,
    Registry,
    settle,
    spawn,
    spawn_nowait,
)
from continuum_supervision.limits import DRAIN_MESSAGES
from tests.unit.supervision.probe import Boom, Diary, Probe, Stubborn, crash, run, waiting_for


@given(st.lists(st.sampled_from(["cast", "send", "slow"]), max_size=3 * DRAIN_MESSAGES))
def test_messages_are_handled_in_the_order_in_which_they_were_sent(kinds: list[str]) -> None:
    async def main() -> None:
        probe = Probe()
        ref = await spawn(probe)
        probe.diary.clear()

        def slowly(number: int) -> Any:
            async def handle(actor: Probe) -> None:
                await asyncio.sleep(0)
                actor.diary.write(str(number))

            return handle

        for number, kind in enumerate(kinds):
            if kind == "slow":
                ref.cast(slowly(number))
            else:
                getattr(ref, kind)(number)
        assert await ref.call("end") == "end"
        assert probe.diary.lines == [*map(str, range(len(kinds))), "end"]

    run(main())


def test_an_awaitable_handler_holds_back_the_rest_of_the_mailbox() -> None:
    async def main() -> None:
        probe, gate = Probe(), asyncio.Event()
        ref = await spawn(probe)
        ref.cast(waiting_for(gate))
        ref.cast("behind")
        await settle()
        assert "behind" not in probe.diary.lines
        gate.set()
        await settle()
        assert probe.diary.lines[-1] == "behind"

    run(main())


def test_a_synchronous_handler_runs_outside_any_task() -> None:
    async def main() -> None:
        ref = await spawn(Probe())
        assert await ref.call(lambda _: asyncio.current_task()) is None

    run(main())


def test_a_flooded_actor_lets_others_have_their_turn() -> None:
    async def main() -> None:
        handled_before: list[int] = []
        flooded, other = Probe(), Probe()
        flooded_ref, other_ref = await spawn(flooded), await spawn(other)
        flooded.diary.clear()
        for number in range(10 * DRAIN_MESSAGES):
            flooded_ref.cast(number)
        other_ref.cast(lambda _: handled_before.append(len(flooded.diary.lines)))
        await settle()
        assert handled_before == [DRAIN_MESSAGES]
        assert len(flooded.diary.lines) == 10 * DRAIN_MESSAGES

    run(main())


def test_an_actor_that_sends_to_itself_for_ever_does_not_starve_the_loop() -> None:
    async def main() -> None:
        def again(actor: Probe) -> None:
            actor.ref.cast(again)

        ref = await spawn(Probe())
        ref.cast(again)
        await asyncio.sleep(0)
        await ref.stop()

    run(main())


def test_an_actor_does_not_see_the_context_that_woke_it() -> None:
    async def main() -> None:
        workflow = contextvars.ContextVar("workflow", default="none")
        workflow.set("of the spawner")
        ref = await spawn(Probe())
        workflow.set("of the caller")

        async def slowly(_actor: Any) -> str:
            return workflow.get()

        assert await ref.call(lambda _: workflow.get()) == "of the spawner"
        assert await ref.call(slowly) == "of the spawner"

    run(main())


def test_the_handlers_of_an_actor_share_one_context() -> None:
    async def main() -> None:
        left = contextvars.ContextVar("left", default="nothing")

        async def leave(_actor: Any) -> None:
            left.set("something")

        ref = await spawn(Probe())
        await ref.call(leave)
        assert await ref.call(lambda _: left.get()) == "something"
        assert left.get() == "nothing"

    run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_a_host_s_eager_task_factory_changes_nothing() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", None))
        gate = asyncio.Event()
        probe = Probe()
        ref = await spawn(probe)
        ref.cast(waiting_for(gate))
        ref.cast("behind")
        gate.set()
        assert await ref.call("last") == "last"
        assert probe.diary.lines == ["start probe", "behind", "last"]

    run(main())


def test_a_reply_may_come_later() -> None:
    async def main() -> None:
        probe = Probe()
        ref = await spawn(probe)
        asking = asyncio.create_task(ref.call("later"))
        await settle()
        assert await ref.call("meanwhile") == "meanwhile"
        probe.pending[0].reply(42)
        assert await asking == 42

    run(main())


def test_a_caller_can_be_failed_without_ending_the_actor() -> None:
    async def main() -> None:
        probe = Probe()
        ref = await spawn(probe)
        asking = asyncio.create_task(ref.call("later"))
        await settle()
        probe.pending[0].fail(Boom("not today"))
        with pytest.raises(Boom):
            await asking
        assert ref.alive

    run(main())


def test_no_reply_without_a_promised_reply_ends_the_actor() -> None:
    async def main() -> None:
        ref = await spawn(Probe())
        with pytest.raises(ActorDied, match="take reply_to"):
            await ref.call(lambda _: NO_REPLY)

    run(main())


def test_a_call_times_out_on_the_actor_s_clock_and_the_actor_stays_alive() -> None:
    async def main() -> None:
        clock, gate = ManualClock(), asyncio.Event()
        ref = await spawn(Probe(), clock=clock)
        asking = asyncio.create_task(ref.call(waiting_for(gate), timeout=5))
        await clock.advance(4.9)
        assert not asking.done()
        await clock.advance(0.1)
        with pytest.raises(TimeoutError, match="no answer within 5 s"):
            await asking
        gate.set()
        assert await ref.call("still here") == "still here"

    run(main())


def test_an_exception_ends_the_actor_and_terminate_is_called() -> None:
    async def main() -> None:
        probe = Probe()
        ref = await spawn(probe)
        with pytest.raises(ActorDied) as raised:
            await ref.call(crash)
        reason = await ref.wait()
        assert isinstance(reason, Crash)
        assert isinstance(reason.exception, Boom)
        assert raised.value.reason is reason
        assert raised.value.__cause__ is reason.exception
        assert probe.diary.lines[-1] == "stop probe"

    run(main())


def test_every_waiting_caller_of_an_ending_actor_gets_actor_died() -> None:
    async def main() -> None:
        ref, gate = await spawn(Probe()), asyncio.Event()
        callers = [
            asyncio.create_task(ref.call(request, timeout=None))
            for request in ("later", waiting_for(gate), "queued", "queued too")
        ]
        await settle()
        ref.kill()
        answers = await asyncio.gather(*callers, return_exceptions=True)
        assert [type(answer) for answer in answers] == [ActorDied] * 4

    run(main())


def test_a_dead_actor_drops_messages_and_refuses_calls() -> None:
    async def main() -> None:
        ref = await spawn(Probe())
        await ref.stop()
        ref.cast("dropped")
        ref.send("dropped")
        with pytest.raises(ActorDied) as raised:
            await ref.call("anyone?")
        assert raised.value.reason is SHUTDOWN
        assert not ref.alive

    run(main())


def test_a_cast_after_the_loop_was_closed_is_dropped() -> None:
    refs: list[Any] = []

    async def main() -> None:
        refs.append(await spawn(Probe()))

    run(main())
    refs[0].cast("too late")


def test_stopping_handles_what_was_sent_before() -> None:
    async def main() -> None:
        probe = Probe()
        ref = await spawn(probe)
        ref.cast("before")
        await ref.stop()
        assert probe.diary.lines == ["start probe", "before", "stop probe"]

    run(main())


def test_an_actor_may_stop_itself_after_the_current_message() -> None:
    async def main() -> None:
        probe = Probe()
        ref = await spawn(probe)
        ref.cast(lambda actor: actor.stop())
        ref.cast("never")
        assert await ref.wait() is NORMAL
        assert "never" not in probe.diary.lines

    run(main())


def test_an_actor_that_ignores_a_stop_is_killed_after_the_timeout() -> None:
    async def main() -> None:
        clock = ManualClock()
        ref = await spawn(Stubborn(), clock=clock)
        stopping = asyncio.create_task(ref.stop(timeout=5))
        await clock.advance(4.9)
        assert not stopping.done()
        await clock.advance(0.1)
        assert await stopping is KILLED

    run(main())


def test_a_kill_cancels_the_handler_and_skips_terminate() -> None:
    async def main() -> None:
        probe, cancelled = Probe(), asyncio.Event()

        async def handler(_actor: Any) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        ref = await spawn(probe)
        ref.cast(handler)
        await settle()
        ref.kill()
        assert not ref.alive
        assert await ref.wait() is KILLED
        assert cancelled.is_set()
        assert probe.diary.lines == ["start probe"]

    run(main())


def test_a_handler_that_ignores_being_killed_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        clock, gate = ManualClock(), asyncio.Event()

        async def deaf(_actor: Any) -> None:
            while not gate.is_set():
                try:
                    await gate.wait()
                except asyncio.CancelledError:
                    continue

        ref = await spawn(Probe(), clock=clock)
        ref.cast(deaf)
        await settle()
        ref.kill()
        await settle()
        waiting = asyncio.create_task(ref.wait())
        await clock.advance(1)
        assert await waiting is KILLED
        gate.set()
        await settle()

    run(main())
    assert "ignores being killed" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_leaves_the_loop_and_ends_the_actor(error: type[BaseException]) -> None:
    refs: list[Any] = []

    def interrupt(_actor: Any) -> None:
        raise error

    async def main() -> None:
        refs.append(await spawn(Probe()))
        refs[0].cast(interrupt)
        await asyncio.Event().wait()

    with pytest.raises(error):
        run(main())
    assert isinstance(refs[0].exit_reason, Crash)


def test_a_stray_cancelled_error_in_a_handler_is_a_crash() -> None:
    async def main() -> None:
        async def handler(_actor: Any) -> None:
            raise asyncio.CancelledError

        ref = await spawn(Probe())
        ref.cast(handler)
        assert isinstance(await ref.wait(), Crash)

    run(main())


def test_a_crash_in_terminate_becomes_the_reason_and_keeps_the_first_as_context() -> None:
    class Clumsy(Probe):
        def terminate(self, reason: Any) -> None:
            raise ValueError("clumsy")

    async def main() -> None:
        ref = await spawn(Clumsy())
        ref.cast(crash)
        reason = await ref.wait()
        assert isinstance(reason, Crash)
        assert isinstance(reason.exception, ValueError)
        assert isinstance(reason.exception.__context__, Boom)

    run(main())


def test_a_crash_that_nobody_watches_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        ref = await spawn(Probe())
        ref.cast(crash)
        await settle()

    run(main())
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_failing_init_is_raised_and_leaves_nothing_behind() -> None:
    class Failing(Probe):
        async def init(self) -> None:
            await asyncio.sleep(0)
            raise Boom

    async def main() -> None:
        registry = Registry()
        parent = await spawn(Probe())
        with pytest.raises(Boom):
            await spawn(Failing(), registry=registry, name="it", link_to=parent)
        await settle()
        assert (len(registry), parent.alive) == (0, True)

    run(main())


def test_messages_that_come_during_init_are_handled_after_it() -> None:
    class Slow(Probe):
        async def init(self) -> None:
            self.ref.cast("early")
            await settle()
            self.diary.write("ready")

    async def main() -> None:
        probe = Slow()
        await spawn(probe)
        await settle()
        assert probe.diary.lines == ["ready", "early"]

    run(main())


def test_a_spawn_that_is_cancelled_cancels_the_init() -> None:
    cancelled = asyncio.Event()

    class Endless(Probe):
        async def init(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    async def main() -> None:
        registry = Registry()
        spawning = asyncio.create_task(spawn(Endless(), registry=registry, name="it"))
        await settle()
        spawning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spawning
        assert cancelled.is_set()
        assert len(registry) == 0

    run(main())


def test_an_actor_killed_in_its_init_fails_the_spawn() -> None:
    class Endless(Probe):
        async def init(self) -> None:
            await asyncio.Event().wait()

    async def main() -> None:
        actor = Endless()
        spawning = asyncio.create_task(spawn(actor))
        await settle()
        actor.ref.kill()
        with pytest.raises(ActorDied):
            await spawning

    run(main())


def test_an_actor_whose_linked_actor_crashes_during_init_fails_the_spawn() -> None:
    class Endless(Probe):
        async def init(self) -> None:
            await asyncio.Event().wait()

    async def main() -> None:
        parent = await spawn(Probe())
        spawning = asyncio.create_task(spawn(Endless(), link_to=parent))
        await settle()
        parent.kill()
        with pytest.raises(ActorDied):
            await spawning

    run(main())


def test_spawn_nowait_refuses_an_asynchronous_init() -> None:
    class Slow(Probe):
        async def init(self) -> None: ...

    async def main() -> None:
        with pytest.raises(TypeError, match="asynchronous init"):
            spawn_nowait(Slow())

    run(main())


def test_spawn_nowait_has_initialised_on_return() -> None:
    async def main() -> None:
        probe = Probe()
        spawn_nowait(probe)
        assert probe.diary.lines == ["start probe"]

    run(main())


def test_an_actor_object_runs_once_at_a_time_and_may_run_again() -> None:
    async def main() -> None:
        actor = Probe()
        first = await spawn(actor)
        with pytest.raises(RuntimeError, match="runs already"):
            await spawn(actor)
        await first.stop()
        second = await spawn(actor)
        assert (first.alive, second.alive) == (False, True)

    run(main())


def test_an_actor_cannot_wait_for_itself() -> None:
    async def main() -> None:
        async def call_oneself(actor: Actor) -> None:
            with pytest.raises(RuntimeError, match="wait for itself"):
                await actor.ref.call("me")
            with pytest.raises(RuntimeError, match="wait for itself"):
                await actor.ref.stop()

        ref = await spawn(Probe())
        await ref.call(call_oneself)

    run(main())


def test_send_after_arrives_at_its_time_and_is_dropped_when_dead() -> None:
    async def main() -> None:
        clock, diary = ManualClock(), Diary()
        actor = Probe("a", diary)
        ref = await spawn(actor, clock=clock)
        actor.send_after(5, "in time")
        actor.send_after(10, "too late")
        actor.send_after(1, "called off").cancel()
        await clock.advance(5)
        await ref.stop()
        await clock.advance(10)
        assert diary.lines == ["start a", "in time", "stop a"]

    run(main())


def test_an_idle_actor_keeps_no_queue() -> None:
    async def main() -> None:
        ref = await spawn(Probe())
        await ref.call("something")
        await settle()
        assert ref._queue is None

    run(main())


def test_an_answered_call_leaves_no_alarm() -> None:
    async def main() -> None:
        clock = ManualClock()
        ref = await spawn(Probe(), clock=clock)
        await ref.call("something")
        assert clock.next_due() is None

    run(main())


def test_a_dead_actor_s_object_is_freed_while_its_ref_is_kept() -> None:
    async def main() -> None:
        actor = Probe()
        gone = weakref.ref(actor)
        ref = await spawn(actor)
        del actor
        await ref.stop()
        gc.collect()
        assert gone() is None

    run(main())
