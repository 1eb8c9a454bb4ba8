"""Options of a start and arguments of the workflow: each keyword has one meaning, or is refused."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import continuum
from continuum import Client, InvalidOption, workflow
from continuum.client.instances import Instance, MemoryPlace, registered
from continuum.client.loop_thread import LoopThread
from continuum.client.sync_client import SyncClient
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.working import greeting, memory_client

ID = str(uuid.uuid4())


@workflow
async def ticket(id: str, *, namespace: str = "none") -> str:
    """A workflow whose parameters are called like options."""
    return id


@workflow
async def anything(**fields: str) -> None:
    """A workflow that takes every keyword."""


def test_options_of_a_client_and_arguments_of_the_same_name_do_not_meet() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            configured = client.options(id=ID, namespace="eu", attributes={"a": 1}, idempotency_key="k")
            run = await (await configured.start(ticket, id="t-1", namespace="shop")).get()
            assert (run.id, run.namespace, run.attributes) == (ID, "eu", {"a": 1})
            assert (run.idempotency_key, run.input, run.keywords) == (
                "k",
                [],
                {"id": "t-1", "namespace": "shop"},
            )

    asyncio.run(main())


def test_without_options_every_keyword_goes_to_the_workflow() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            for flow in (anything, "anything"):
                run = await (await client.options().start(flow, id="1", attributes="b")).get()
                assert run.keywords == {"id": "1", "attributes": "b"}
                assert (run.id != "1", run.attributes) == (True, {})

    asyncio.run(main())


@pytest.mark.parametrize(
    ("flow", "args", "given"),
    [
        (ticket, (), {"id": ID}),
        (ticket, ("t-1",), {"namespace": "eu"}),
        (anything, (), {"trace_context": "t"}),
    ],
)
def test_a_keyword_that_could_be_option_or_argument_is_refused(
    flow: Any, args: tuple[str, ...], given: dict[str, str]
) -> None:
    (name,) = given

    async def main() -> None:
        async with memory_client() as (client, _):
            with pytest.raises(InvalidOption) as refused:
                await client.start(flow, *args, **given)
            assert str(refused.value) == (
                f"{name}= is an option of start and a parameter of {flow.name}; write "
                f"client.options({name}=...).start({flow.name}, ...) for the option, and "
                f"client.options().start({flow.name}, ..., {name}=...) for the parameter"
            )
            assert (await client.query(namespace=None)).entries == []

    asyncio.run(main())


def test_a_keyword_of_a_parameter_that_is_filled_already_is_an_option() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            run = await client.start(ticket, "t-1", id=ID)
            assert (run.id, (await run.get()).input) == (ID, ["t-1"])

    asyncio.run(main())


def test_options_with_an_unknown_name_are_refused_at_once() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            with pytest.raises(TypeError, match=r"no option key, only id, idempotency_key, .*\.start\("):
                client.options(key="k")  # type: ignore[call-arg]

    asyncio.run(main())


def test_configured_starts_can_be_repeated() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            eu = client.options(namespace="eu", on_conflict="raise")
            runs = [await eu.start(greeting, name, loud=True) for name in ("ann", "bob")]
            assert [(await run.get()).input for run in runs] == [["ann"], ["bob"]]
            assert [(await run.get()).namespace for run in runs] == ["eu", "eu"]

    asyncio.run(main())


def test_the_default_instance_starts_with_options() -> None:
    async def main() -> None:
        place = MemoryPlace(MemoryJournal(), asyncio.get_running_loop())
        with registered(Instance("default", place)):
            run = await continuum.options(namespace="eu").start(ticket, id="t-1")
            assert (await run.get()).keywords == {"id": "t-1"}
            assert (await run.get()).namespace == "eu"
            await continuum.disconnect()

    asyncio.run(main())


@contextmanager
def blocking_client() -> Iterator[SyncClient]:
    thread = LoopThread()
    try:
        yield SyncClient(thread, thread.call(_client()))
    finally:
        thread.stop()


async def _client() -> Client:
    return Client(MemoryJournal())


def test_the_blocking_client_starts_with_options() -> None:
    with blocking_client() as client:
        run = client.options(id=ID).start(ticket, id="t-1").get()
        assert (run.id, run.keywords) == (ID, {"id": "t-1"})
