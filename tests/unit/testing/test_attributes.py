"""Attributes that a workflow sets: found by queries while the run waits, kept by its successors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest

import continuum
from continuum import Client, Signal, workflow
from continuum.testing import Environment, PostgresEnvironment, assert_replays, env, postgres_env

go = Signal("go", str)

Opened: TypeAlias = Callable[[], AbstractAsyncContextManager[Environment | PostgresEnvironment]]


@workflow(name="testing_child_of_order")
async def child() -> None:
    """End at once."""


@workflow(name="testing_steps", signals=[go])
async def steps(number: int) -> str:
    """Tell where it is, as a run and as its successor."""
    continuum.set_attributes({"step": "waiting", "number": number})
    word = await go.wait()
    continuum.set_attributes({"step": word})
    await child()
    if number == 1:
        steps.continue_as_new(2)
    return word


@pytest.fixture(params=["memory", "postgres"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """An environment on either journal."""
    if request.param == "memory":
        return lambda: env(paranoid=True)
    dsn: str = request.getfixturevalue("dsn")
    return lambda: postgres_env(dsn)


def test_a_run_is_found_by_the_attributes_that_it_sets(opened: Opened) -> None:
    async def found(client: Client, step: str) -> list[str]:
        page = await client.query([(("attributes", "step"), "eq", step)], order_by="started_at")
        return [run.id for run in page.entries if run.workflow == "testing_steps"]

    async def main() -> None:
        async with opened() as environment:
            run = await environment.start(steps, 1, attributes={"region": "eu"})
            await environment.settle()
            assert await found(environment, "waiting") == [run.id]
            await run.signal(go, "one")
            await environment.settle()
            first = await run.get()
            assert first.attributes == {"region": "eu", "step": "one", "number": 1}
            assert first.continued_to is not None
            assert await found(environment, "waiting") == [first.continued_to]
            await run.signal(go, "two")
            assert await run.result() == "two"
            last = await environment.get_run(first.continued_to)
            assert last.attributes == {"region": "eu", "step": "two", "number": 2}
            children = await environment.query([("parent_run_id", "eq", last.id)])
            assert [each.attributes for each in children.entries] == [last.attributes]
            assert_replays(steps, await environment.history(last.id), expected="two")

    asyncio.run(main())
