"""The floor with a client in a process of its own, and notifications between the two."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench import floor_with_client
from bench.peers.driver import Adapter, Given, Subject, main


class WithClient(Subject):
    """The caller's process."""

    def __init__(self, caller: floor_with_client.Caller) -> None:
        self._caller = caller

    async def run(self, steps: int) -> int:
        return await self._caller.run(steps)

    async def suspend(self) -> Any:
        return await self._caller.suspend()

    async def signal(self, waiting: Any, value: int) -> int:
        return await self._caller.signal(waiting, value)


class TwoProcesses(Adapter):
    """A worker, and a caller."""

    @asynccontextmanager
    async def subject(self, given: Given) -> AsyncIterator[WithClient]:
        async with floor_with_client.caller(given["dsn"], given["schema"]) as caller:
            yield WithClient(caller)

    @asynccontextmanager
    async def host(self, given: Given) -> AsyncIterator[None]:
        async with floor_with_client.worker(given["dsn"], given["schema"]):
            yield


if __name__ == "__main__":
    main(TwoProcesses())
