"""Namespaces: what is found in one, and the guard on calls that name a run by its id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import continuum
from continuum import Client
from continuum.client.namespaces import ANY_NAMESPACE
from tests.unit.client.test_client import mail
from tests.unit.client.working import greeting, memory_client

Call = Callable[[Client, str, Any], Awaitable[object]]


async def _watch(client: Client, run_id: str, namespace: Any) -> Any:
    return await anext(client.watch(run_id, "progress", namespace=namespace))


CALLS: dict[str, Call] = {
    "signal": lambda client, run, space: client.signal(run, "review", 1, namespace=space),
    "cancel": lambda client, run, space: client.cancel(run, namespace=space),
    "force": lambda client, run, space: client.cancel(run, force=True, namespace=space),
    "await_run": lambda client, run, space: client.await_run(run, 0, namespace=space),
    "get_run": lambda client, run, space: client.get_run(run, namespace=space),
    "set_attributes": lambda client, run, space: client.set_attributes(run, {"a": 1}, namespace=space),
    "history": lambda client, run, space: client.history(run, namespace=space),
    "read": lambda client, run, space: client.read(run, "progress", namespace=space),
    "watch": _watch,
}


@pytest.mark.parametrize("name", CALLS)
def test_in_another_namespace_a_run_does_not_exist(name: str) -> None:
    """NSP1, NSP3: nothing is changed."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann", namespace="eu")
            await ending.publish(run.id, progress=1)
            before = await run.get()
            with pytest.raises(continuum.RunNotFound):
                await CALLS[name](client, run.id, "us")
            assert await run.get() == before
            assert await mail(ending) == []

    asyncio.run(main())


@pytest.mark.parametrize("namespace", ["eu", ANY_NAMESPACE])
@pytest.mark.parametrize("name", [name for name in CALLS if name != "await_run"])
def test_in_its_own_namespace_or_without_a_guard_it_does(name: str, namespace: Any) -> None:
    """NSP1, NSP2, NSC3."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann", namespace="eu")
            await ending.publish(run.id, progress=1)
            await CALLS[name](client, run.id, namespace)

    asyncio.run(main())


def test_a_result_is_waited_for_in_its_namespace() -> None:
    """NSP3."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann", namespace="eu")
            tip = await ending.continue_as_new(run.id)
            await ending.complete(tip, "hello")
            assert await client.await_run(run.id, 0, namespace="eu") == "hello"
            assert await client.await_run(tip, 0, namespace="eu") == "hello"

    asyncio.run(main())


@pytest.mark.parametrize("namespace", [None, 5, "", "a\0", "n" * 256])
@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_namespace_opens_nothing(name: str, namespace: Any) -> None:
    """NSP4: None is what a tenant that was not found gives."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.publish(run.id, progress=1)
            with pytest.raises(continuum.InvalidOption, match="namespace"):
                await CALLS[name](client, run.id, namespace)
            assert await mail(ending) == []

    asyncio.run(main())


def test_queries_see_one_namespace_and_the_default_one_unless_told() -> None:
    """NSC1, NSC2."""

    async def main() -> None:
        async with memory_client() as (client, _):
            here = await client.start(greeting, "ann", attributes={"vip": True})
            there = await client.start(greeting, "bob", namespace="eu", attributes={"vip": True})

            async def found(**options: Any) -> set[str]:
                page = await client.query([(("attributes", "vip"), "eq", True)], **options)
                return {run.id for run in page.entries}

            assert await found() == {here.id}
            assert await found(namespace="eu") == {there.id}
            assert await found(namespace=None) == {here.id, there.id}
            stored = await there.get()
            assert (stored.namespace, stored.attributes) == ("eu", {"vip": True})

    asyncio.run(main())


def test_attributes_set_from_outside_are_found_and_leave_no_event() -> None:
    """ATR1, ATR2, ATR3."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            await ending.claim()
            await asyncio.gather(run.set_attributes({"a": 1}), client.set_attributes(run.id, {"b": 2}))
            page = await client.query([(("attributes", "a"), "eq", 1), (("attributes", "b"), "eq", 2)])
            assert [found.id for found in page.entries] == [run.id]
            assert await run.history() == []
            with pytest.raises(continuum.RunNotFound):
                await client.set_attributes("00000000-0000-0000-0000-000000000000", {"a": 1})

    asyncio.run(main())
