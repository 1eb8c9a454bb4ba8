"""DBOS: a library in the caller's process, which is its only executor.

Workflows and steps are coroutines, as its documentation advises for asyncio applications.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from bench.peers.driver import SLOW_STEP_SECONDS, Adapter, Given, Subject, lateness, main, mark

# A run that waits for a signal waits longer than anything is measured.
FOR_EVER_SECONDS = 3_600


@DBOS.step()
async def step(i: int) -> int:
    return i + 1


@DBOS.workflow()
async def steps_in_a_row(n: int) -> int:
    value = 0
    for _ in range(n):
        value = await step(value)
    return value


@DBOS.workflow()
async def wait_for_go() -> int:
    value: int = await DBOS.recv_async("go", timeout_seconds=FOR_EVER_SECONDS)
    return value


@DBOS.workflow()
async def nothing() -> int:
    return 1


@DBOS.workflow()
async def with_children(count: int) -> int:
    started = [await DBOS.start_workflow_async(nothing) for _ in range(count)]
    return sum([await child.get_result() for child in started])


@DBOS.step()
async def seconds_late(due: float) -> float:
    return lateness(due)


@DBOS.workflow()
async def sleep_then_look(due: float) -> float:
    await DBOS.sleep_async(max(0.0, due - time.time()))
    return await seconds_late(due)


@DBOS.step()
async def write_mark(marks: str, number: int, what: str) -> int:
    mark(marks, number, what)
    return number


@DBOS.step()
async def slow_step(i: int) -> int:
    await asyncio.sleep(SLOW_STEP_SECONDS)
    return i + 1


@DBOS.workflow()
async def marked_slow_steps(number: int, steps: int, marks: str) -> int:
    await write_mark(marks, number, "begun")
    value = 0
    for _ in range(steps):
        value = await slow_step(value)
    await write_mark(marks, number, "done")
    return value


class Caller(Subject):
    """The class `DBOS`, which stands for the executor of this process."""

    async def run(self, steps: int) -> int:
        return await (await DBOS.start_workflow_async(steps_in_a_row, steps)).get_result()

    async def suspend(self) -> Any:
        return await DBOS.start_workflow_async(wait_for_go)

    async def signal(self, waiting: Any, value: int) -> int:
        await DBOS.send_async(waiting.get_workflow_id(), value, "go")
        result: int = await waiting.get_result()
        return result

    async def children(self, count: int) -> int:
        return await (await DBOS.start_workflow_async(with_children, count)).get_result()

    async def sleep_until(self, due: float) -> float:
        return await (await DBOS.start_workflow_async(sleep_then_look, due)).get_result()

    async def begin_slow(self, number: int, steps: int, marks: str) -> None:
        with SetWorkflowID(f"slow-{number}"):
            await DBOS.start_workflow_async(marked_slow_steps, number, steps, marks)


class Library(Adapter):
    """Executor and caller are one process; a host without a caller recovers the runs of its predecessor."""

    @asynccontextmanager
    async def subject(self, given: Given) -> AsyncIterator[Caller]:
        async with self.host(given):
            yield Caller()

    @asynccontextmanager
    async def host(self, given: Given) -> AsyncIterator[None]:
        config: DBOSConfig = {
            "name": "bench",
            "system_database_url": given["dsn"],
            "dbos_system_schema": given["schema"],
            "application_version": "1",
            "executor_id": "bench",
            **given["settings"],
        }
        DBOS(config=config)
        DBOS.launch()
        try:
            yield
        finally:
            DBOS.destroy()


if __name__ == "__main__":
    main(Library())
