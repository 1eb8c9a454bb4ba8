"""The owner of a run: the process that has claimed it, and since when."""

from __future__ import annotations

import asyncio

import pytest

from continuum import RunNotFound
from tests.unit.client.working import greeting, memory_client


def test_the_owner_of_a_run_is_the_process_that_has_claimed_it() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start(greeting, "ann")
            assert await run.owner() is None
            await ending.claim()
            owner = await client.owner(run.id)
            assert owner is not None
            assert (owner.node, owner.pid) == ("north", 1)
            assert owner.since >= (await run.get()).started_at
            assert str(owner).startswith("process 1 of node north since ")
            assert await run.owner() == owner

    asyncio.run(main())


def test_a_run_in_another_namespace_has_no_owner_for_the_caller() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            run = await client.start(greeting, "ann")
            with pytest.raises(RunNotFound):
                await client.owner(run.id, namespace="elsewhere")

    asyncio.run(main())
