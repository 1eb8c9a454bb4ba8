"""Restate: a server with its own log, which calls handlers in another process; callers speak HTTP to it.

A run is a call of a service, one that waits for a signal is a workflow that waits for a durable promise. The
process with the handlers is served by Hypercorn, as the SDK's documentation does it; callers use aiohttp,
which costs less than the SDK's client.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

from bench.peers.driver import SLOW_STEP_SECONDS, Adapter, Given, Subject, lateness, main, mark

bench = restate.Service("bench")
waiter = restate.Workflow("waiter")


async def step(i: int) -> int:
    return i + 1


@bench.handler()
async def steps_in_a_row(ctx: restate.Context, n: int) -> int:
    value = 0
    for _ in range(n):
        value = await ctx.run_typed("step", step, i=value)
    return value


@waiter.main()
async def wait_for_go(ctx: restate.WorkflowContext) -> int:
    value: int = await ctx.promise("go", type_hint=int).value()
    return value


@waiter.handler()
async def go(ctx: restate.WorkflowSharedContext, value: int) -> None:
    await ctx.promise("go", type_hint=int).resolve(value)


@bench.handler()
async def nothing(ctx: restate.Context) -> int:
    return 1


@bench.handler()
async def with_children(ctx: restate.Context, count: int) -> int:
    started = [ctx.service_call(nothing, arg=None) for _ in range(count)]
    return sum([await child for child in started])


@bench.handler()
async def sleep_then_look(ctx: restate.Context, due: float) -> float:
    await ctx.sleep(timedelta(seconds=max(0.0, due - time.time())))
    return await ctx.run_typed("seconds_late", lateness, due=due)


async def slow_step(i: int) -> int:
    await asyncio.sleep(SLOW_STEP_SECONDS)
    return i + 1


@bench.handler()
async def marked_slow_steps(ctx: restate.Context, given: dict[str, Any]) -> int:
    path, number = given["marks"], given["number"]
    await ctx.run_typed("begun", mark, path=path, number=number, what="begun")
    value = 0
    for _ in range(given["steps"]):
        value = await ctx.run_typed("step", slow_step, i=value)
    await ctx.run_typed("done", mark, path=path, number=number, what="done")
    return value


class Caller(Subject):
    """Calls through the server's ingress."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def _post(self, path: str, value: object) -> Any:
        async with self._session.post(path, json=value) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise RuntimeError(f"{path}: {answer.status} {text}")
            return json.loads(text) if text else None

    async def run(self, steps: int) -> int:
        result: int = await self._post("/bench/steps_in_a_row", steps)
        return result

    async def suspend(self) -> Any:
        key = uuid4().hex
        async with self._session.post(
            f"/waiter/{key}/wait_for_go/send", skip_auto_headers=("content-type",)
        ) as answer:
            answer.raise_for_status()
        return key

    async def signal(self, waiting: Any, value: int) -> int:
        await self._post(f"/waiter/{waiting}/go", value)
        async with self._session.get(f"/restate/workflow/waiter/{waiting}/attach") as answer:
            answer.raise_for_status()
            return int(await answer.text())

    async def children(self, count: int) -> int:
        result: int = await self._post("/bench/with_children", count)
        return result

    async def sleep_until(self, due: float) -> float:
        result: float = await self._post("/bench/sleep_then_look", due)
        return result

    async def begin_slow(self, number: int, steps: int, marks: str) -> None:
        given = {"number": number, "steps": steps, "marks": marks}
        await self._post("/bench/marked_slow_steps/send", given)


class Handlers(Adapter):
    """A process with the handlers; the server beside it is started by what starts this process."""

    @asynccontextmanager
    async def subject(self, given: Given) -> AsyncIterator[Caller]:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(given["ingress"], connector=connector, timeout=timeout) as session:
            yield Caller(session)

    @asynccontextmanager
    async def host(self, given: Given) -> AsyncIterator[None]:
        config = Config()
        config.bind = [f"127.0.0.1:{given['port']}"]
        stop = asyncio.Event()
        app: Any = restate.app([bench, waiter])
        serving = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))
        await _until_open(given["port"])
        try:
            yield
        finally:
            stop.set()
            await serving


async def _until_open(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


if __name__ == "__main__":
    main(Handlers())
