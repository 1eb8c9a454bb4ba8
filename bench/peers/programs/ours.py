"""This engine: the node in the caller's process, or a node of its own beside a client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import continuum
from bench.flows import go, steps_in_a_row, wait_for_go
from bench.peers import flows
from bench.peers.driver import Adapter, Given, Subject, main
from continuum.client.client import Client
from continuum_supervision import Supervisor


class Caller(Subject):
    """The public client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def run(self, steps: int) -> int:
        return await (await self._client.start(steps_in_a_row, steps)).result()

    async def suspend(self) -> Any:
        return await self._client.start(wait_for_go)

    async def signal(self, waiting: Any, value: int) -> int:
        await waiting.signal(go, value)
        result: int = await waiting.result()
        return result

    async def children(self, count: int) -> int:
        return await (await self._client.start(flows.with_children, count)).result()

    async def sleep_until(self, due: float) -> float:
        run = await self._client.start(flows.sleep_until_due, datetime.fromtimestamp(due, UTC), due)
        return await run.result()

    async def begin_slow(self, number: int, steps: int, marks: str) -> None:
        await self._client.start(flows.marked_slow_steps, number, steps, marks)


class Ours(Adapter):
    """The node is in this process if `embedded`."""

    @asynccontextmanager
    async def subject(self, given: Given) -> AsyncIterator[Caller]:
        if not given["embedded"]:
            async with continuum.connect(given["dsn"], schema=given["schema"]) as client:
                yield Caller(client)
            return
        async with self.host(given), continuum.connect(name="peers") as client:
            yield Caller(client)

    @asynccontextmanager
    async def host(self, given: Given) -> AsyncIterator[None]:
        node = continuum.children(
            name="peers",
            dsn=given["dsn"],
            schema=given["schema"],
            workflows=[steps_in_a_row, wait_for_go, *flows.WORKFLOWS],
            tune_garbage_collector=True,
        )
        async with Supervisor(node):
            yield


if __name__ == "__main__":
    main(Ours())
