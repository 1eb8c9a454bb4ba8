"""Unique names for live actors."""

from __future__ import annotations

import asyncio

import pytest

from continuum_supervision import (
    ActorDied,
    Names,
    NameTaken,
    Registry,
    RegistryActor,
    WhereIs,
    settle,
    spawn,
)
from tests.unit.supervision.probe import Probe, Stubborn, run


def test_a_name_belongs_to_one_actor() -> None:
    async def main() -> None:
        registry = Registry()
        first = await spawn(Probe(), registry=registry, name="it")
        with pytest.raises(NameTaken) as raised:
            await spawn(Probe(), registry=registry, name="it")
        assert raised.value.holder is first
        assert registry.whereis("it") is first
        assert registry.names() == ("it",)

    run(main())


def test_a_name_is_free_again_before_the_end_is_reported() -> None:
    async def main() -> None:
        registry = Registry()
        seen: list[int] = []
        ref = await spawn(Probe())
        ref.on_exit(lambda *_: seen.append(len(registry)))
        registry.register("it", ref)
        ref.kill()
        assert seen == [0]

    run(main())


def test_a_stopping_actor_keeps_its_name_but_is_not_found() -> None:
    async def main() -> None:
        registry = Registry()
        ref = await spawn(Stubborn(), registry=registry, name="it")
        ref.stop_nowait()
        await settle()
        assert registry.whereis("it") is None
        with pytest.raises(NameTaken):
            await spawn(Probe(), registry=registry, name="it")
        ref.kill()
        await ref.wait()
        assert len(registry) == 0

    run(main())


def test_an_actor_has_one_name() -> None:
    async def main() -> None:
        registry = Registry()
        ref = await spawn(Probe(), registry=registry, name="it")
        with pytest.raises(ValueError, match="has a name already"):
            registry.register("other", ref)
        registry.unregister("it")
        registry.register("other", ref)
        assert registry.names() == ("other",)

    run(main())


def test_a_dead_actor_gets_no_name() -> None:
    async def main() -> None:
        ref = await spawn(Probe())
        await ref.stop()
        with pytest.raises(ActorDied):
            Registry().register("it", ref)

    run(main())


def test_a_name_needs_a_registry() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="needs a registry"):
            await spawn(Probe(), name="it")

    run(main())


def test_only_one_of_many_actors_gets_a_contested_name() -> None:
    async def main() -> None:
        registry = Registry()
        spawning = [spawn(Probe(), registry=registry, name="it") for _ in range(10)]
        results = await asyncio.gather(*spawning, return_exceptions=True)
        assert sum(1 for result in results if isinstance(result, NameTaken)) == 9

    run(main())


def test_a_registry_actor_replies_from_its_registry() -> None:
    async def main() -> None:
        registry = Registry()
        service = await spawn(RegistryActor(registry))
        ref = await spawn(Probe(), registry=registry, name="it")
        assert await service.call(WhereIs("it")) is ref
        assert await service.call(WhereIs("nobody")) is None
        assert await service.call(Names()) == ("it",)

    run(main())
