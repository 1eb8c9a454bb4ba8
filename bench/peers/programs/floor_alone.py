"""The floor: plain psycopg in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench import floor
from bench.peers.driver import Adapter, Given, Subject, main


class Alone(Subject):
    """The floor in one process: what writes the rows also awaits them."""

    def __init__(self, group: floor.GroupCommit) -> None:
        self._group = group
        self._active = asyncio.Semaphore(floor.ACTIVE_RUNS)

    async def run(self, steps: int) -> int:
        return await floor.run(self._group, steps, self._active)

    async def suspend(self) -> Any:
        return await floor.suspend(self._group)

    async def signal(self, waiting: Any, value: int) -> int:
        return await floor.signal(self._group, waiting, value)


class OneProcess(Adapter):
    """The floor has no hosts."""

    @asynccontextmanager
    async def subject(self, given: Given) -> AsyncIterator[Alone]:
        async with floor.group_commit(given["dsn"], given["schema"]) as group:
            yield Alone(group)

    @asynccontextmanager
    async def host(self, given: Given) -> AsyncIterator[None]:
        raise AssertionError("the floor has no host")
        yield


if __name__ == "__main__":
    main(OneProcess())
