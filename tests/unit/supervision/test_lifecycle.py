"""One lifecycle for everything that runs: stop in any order, any number of times; no call hangs."""

from __future__ import annotations

import asyncio
import gc
import random

import pytest

from continuum_supervision import (
    Actor,
    ActorDied,
    ActorRef,
    ChildSpec,
    DynamicSupervisor,
    Registry,
    Restart,
    Shutdown,
    Strategy,
    Supervisor,
    SupervisorGaveUp,
    settle,
    spawn,
)
from tests.unit.supervision.probe import Probe, crash, run

ROUNDS = 300


class Restless(Probe):
    """Has plain handlers and handlers that wait."""

    async def init(self) -> None:
        await asyncio.sleep(0)

    def handle_call(self, request: object) -> object:
        async def answer() -> object:
            await asyncio.sleep(0)
            return request

        return answer() if request == "slowly" else super().handle_call(request)

    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)


MAKERS = [
    Probe,
    Restless,
    DynamicSupervisor,
    lambda: Supervisor([ChildSpec("leaf", Restless)]),
]


@pytest.mark.parametrize("make", MAKERS, ids=["plain", "restless", "dynamic", "tree"])
@pytest.mark.parametrize("seed", range(5))
def test_stops_and_kills_in_any_order_all_return_and_agree(make: object, seed: int) -> None:
    async def main() -> None:
        dice = random.Random(seed)
        for _ in range(20):
            assert callable(make)
            ref = await spawn(make())
            waiting = [
                asyncio.create_task(dice.choice([ref.stop, ref.wait])()) for _ in range(dice.randrange(5))
            ]
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)
            if dice.random() < 0.5:
                ref.kill()
            await ref.stop()
            await ref.stop()
            reasons = {await task for task in waiting} | {ref.exit_reason}
            assert reasons == {await ref.wait()}

    run(main())


def test_a_tree_under_random_kills_answers_every_caller_and_ends_clean() -> None:
    async def main() -> None:
        dice, registry = random.Random(7), Registry()
        dynamic: list[DynamicSupervisor] = []

        def runs() -> Actor:
            dynamic.append(DynamicSupervisor(registry=registry))
            return dynamic[-1]

        def group() -> Actor:
            leaves = [ChildSpec(f"leaf-{n}", Restless, name=("leaf", n)) for n in range(3)]
            return Supervisor(
                leaves,
                strategy=Strategy.REST_FOR_ONE,
                max_restarts=ROUNDS,
                max_seconds=1.0,
                registry=registry,
            )

        specs = [
            ChildSpec("runs", runs, name="runs"),
            ChildSpec("group", group, name="group", shutdown=Shutdown.INFINITY),
            ChildSpec("lone", Restless, name="lone", restart=Restart.PERMANENT),
        ]
        calls: list[asyncio.Task[object]] = []
        everybody: list[ActorRef] = []
        with_supervisor = Supervisor(specs, max_restarts=10 * ROUNDS, max_seconds=1.0, registry=registry)
        async with with_supervisor:
            for number in range(ROUNDS):
                if dynamic[-1].ref.alive:
                    everybody.append(dynamic[-1].start_child_nowait(Probe(), name=("run", number)))
                names = registry.names()
                target = registry.whereis(dice.choice(names)) if names else None
                if target is not None:
                    everybody.append(target)
                    calls.append(asyncio.create_task(target.call(dice.choice(["slowly", "later", crash]))))
                    if dice.random() < 0.2:
                        target.kill()
                if dice.random() < 0.3:
                    await settle()
            await settle()
            assert with_supervisor.count_children().active == 3
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert len(registry) == 0
        assert not any(ref.alive for ref in everybody)
        assert {type(answer) for answer in answers if isinstance(answer, Exception)} <= {
            ActorDied,
            AssertionError,
            TypeError,
        }
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())
    gc.collect()


def test_a_supervisor_that_gave_up_can_be_left_and_stopped_again() -> None:
    async def main() -> None:
        supervisor = Supervisor([ChildSpec("a", Probe)], max_restarts=0)
        await supervisor.__aenter__()
        [info] = supervisor.which_children()
        assert info.ref is not None
        info.ref.kill()
        await supervisor.ref.wait()
        with pytest.raises(SupervisorGaveUp):
            await supervisor.__aexit__(None, None, None)
        await supervisor.ref.stop()
        supervisor.ref.kill()

    run(main())
