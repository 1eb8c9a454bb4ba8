"""Absurd: stored procedures in Postgres, workers that poll them, and callers that poll for results.

Its documentation advises several worker processes. The child of a task has to be in another queue than its
parent, so each worker process serves two. Of poll intervals of 5, 20 and 50 ms the shortest gave the best
latency, and no less throughput.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import absurdctl
import psycopg
from absurd_sdk import AsyncAbsurd, AsyncTaskContext

from bench.peers.driver import SLOW_STEP_SECONDS, Adapter, Given, Subject, lateness, main, mark

QUEUE, CHILDREN = "bench", "children"
CHILD_SECONDS = 120


async def nothing(given: Any, ctx: AsyncTaskContext) -> int:
    return 1


async def steps_in_a_row(given: Any, ctx: AsyncTaskContext) -> int:
    value = 0
    for _ in range(given["n"]):

        async def step(i: int = value) -> int:
            return i + 1

        value = await ctx.step("step", step)
    return value


async def wait_for_go(given: Any, ctx: AsyncTaskContext) -> Any:
    return await ctx.await_event(f"go:{given['id']}")


async def sleep_then_look(given: Any, ctx: AsyncTaskContext) -> float:
    await ctx.sleep_until("until", given["due"])

    async def seconds_late() -> float:
        return lateness(given["due"])

    return await ctx.step("look", seconds_late)


async def marked_slow_steps(given: Any, ctx: AsyncTaskContext) -> int:
    async def begun() -> None:
        mark(given["marks"], given["number"], "begun")

    async def done() -> None:
        mark(given["marks"], given["number"], "done")

    await ctx.step("begun", begun)
    value = 0
    for _ in range(given["steps"]):

        async def slow_step(i: int = value) -> int:
            await asyncio.sleep(SLOW_STEP_SECONDS)
            return i + 1

        value = await ctx.step("step", slow_step)
    await ctx.step("done", done)
    return value


TASKS = (steps_in_a_row, wait_for_go, sleep_then_look, marked_slow_steps)


def _with_children(children: AsyncAbsurd) -> Any:
    async def with_children(given: Any, ctx: AsyncTaskContext) -> int:
        started = []
        for _ in range(given["count"]):

            async def start() -> str:
                return str((await children.spawn("nothing", {}, queue=CHILDREN))["task_id"])

            started.append(await ctx.step("start", start))
        done = 0
        for task_id in started:
            ended = await ctx.await_task_result(task_id, queue_name=CHILDREN, timeout=CHILD_SECONDS)
            done += int(str(ended.result))
        return done

    return with_children


class Caller(Subject):
    """Spawns tasks and polls for their results."""

    def __init__(self, app: AsyncAbsurd, look_seconds: float) -> None:
        self._app = app
        self._look_seconds = look_seconds

    async def _spawn(self, task: str, given: dict[str, Any]) -> str:
        return (await self._app.spawn(task, given, queue=QUEUE))["task_id"]

    async def _result(self, task_id: str) -> Any:
        if self.crowded:
            # Its own wait looks less and less often, from 50 ms to a second.
            ended = await self._app.await_task_result(task_id, queue_name=QUEUE)
        else:
            while True:
                found = await self._app.fetch_task_result(task_id, queue_name=QUEUE)
                if found is not None and found.state in ("completed", "failed", "cancelled"):
                    ended = found
                    break
                await asyncio.sleep(self._look_seconds)
        if ended.state != "completed":
            raise RuntimeError(f"the task has {ended.state}: {ended.failure}")
        return ended.result

    async def run(self, steps: int) -> int:
        result: int = await self._result(await self._spawn("steps_in_a_row", {"n": steps}))
        return result

    async def suspend(self) -> Any:
        name = uuid4().hex
        return name, await self._spawn("wait_for_go", {"id": name})

    async def signal(self, waiting: Any, value: int) -> int:
        name, task_id = waiting
        await self._app.emit_event(f"go:{name}", value, queue_name=QUEUE)
        result: int = await self._result(task_id)
        return result

    async def children(self, count: int) -> int:
        result: int = await self._result(await self._spawn("with_children", {"count": count}))
        return result

    async def sleep_until(self, due: float) -> float:
        task_id = await self._spawn("sleep_then_look", {"due": due})
        await asyncio.sleep(max(0.0, due - time.time()))
        result: float = await self._result(task_id)
        return result

    async def begin_slow(self, number: int, steps: int, marks: str) -> None:
        await self._spawn("marked_slow_steps", {"number": number, "steps": steps, "marks": marks})


class Workers(Adapter):
    """A worker process, and callers beside it."""

    def prepare(self, given: Given) -> None:
        """Make its schema and its queues, as `absurdctl init` and `create-queue` do."""
        with psycopg.connect(given["dsn"], autocommit=True) as connection:
            connection.execute(absurdctl.BUNDLED_SCHEMA_SQL)
            for queue in (QUEUE, CHILDREN):
                connection.execute("SELECT absurd.create_queue(%s)", (queue,))

    @asynccontextmanager
    async def subject(self, given: Given) -> AsyncIterator[Caller]:
        app = AsyncAbsurd(given["dsn"], queue_name=QUEUE)
        try:
            yield Caller(app, given["settings"]["poll_interval"])
        finally:
            await app.close()

    @asynccontextmanager
    async def host(self, given: Given) -> AsyncIterator[None]:
        tasks = AsyncAbsurd(given["dsn"], queue_name=QUEUE)
        children = AsyncAbsurd(given["dsn"], queue_name=CHILDREN)
        for task in TASKS:
            tasks.register_task(task.__name__)(task)
        tasks.register_task("with_children")(_with_children(children))
        children.register_task("nothing")(nothing)
        settings = {
            name: given["settings"][name] for name in ("concurrency", "poll_interval", "claim_timeout")
        }
        async with asyncio.TaskGroup() as group:
            for app in (tasks, children):
                group.create_task(app.start_worker(**settings))
            try:
                yield
            finally:
                for app in (tasks, children):
                    app.stop_worker()
        for app in (tasks, children):
            await app.close()


if __name__ == "__main__":
    main(Workers())
