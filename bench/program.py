"""One measured process: `python -m bench.program NAME JSON`, started by `processes.py`.

It prepares, prints `ready`, waits for a line, does its work and prints one line of JSON.
So no earlier measurement affects it, and several can begin together.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from bench import engine, floor, floor_with_client, model_programs, trace_points
from bench.flows import steps_in_a_row
from bench.statements import children
from bench.switches import switches
from continuum_actors.node.garbage_collection import tune_for_good

Work = Callable[[], Awaitable[dict[str, Any]]]
Prepare = Callable[[AsyncExitStack, dict[str, Any]], Awaitable[Work]]
# Code paths, prepared statements and the database's caches warm up before the measurement.
WARM_UP_RUNS = 100


async def _timed(work: Awaitable[object]) -> dict[str, Any]:
    cpu, begin = time.process_time(), time.monotonic()
    await work
    end = time.monotonic()
    return {"begin": begin, "end": end, "cpu": time.process_time() - cpu}


async def _floor_throughput(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    group = await stack.enter_async_context(floor.group_commit(given["dsn"], given["schema"]))
    await floor.run_many(group, WARM_UP_RUNS, given["steps"])
    return lambda: _timed(floor.run_many(group, given["runs"], given["steps"]))


async def _floor_latency(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    group = await stack.enter_async_context(floor.group_commit(given["dsn"], given["schema"]))
    await floor.one_by_one(group, 20, given["steps"])

    async def work() -> dict[str, Any]:
        cpu = time.process_time()
        seconds = await floor.one_by_one(group, given["runs"], given["steps"])
        return {"seconds": seconds, "cpu": time.process_time() - cpu}

    return work


async def _floor_signals(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    group = await stack.enter_async_context(floor.group_commit(given["dsn"], given["schema"]))
    await floor.signals(group, 20)

    async def work() -> dict[str, Any]:
        return {"seconds": await floor.signals(group, given["runs"])}

    return work


async def _floor_worker(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    """Execute runs from now on, until this process is told to go on."""
    await stack.enter_async_context(floor_with_client.worker(given["dsn"], given["schema"]))

    async def work() -> dict[str, Any]:
        return {}

    return work


async def _client_floor_latency(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    caller = await stack.enter_async_context(floor_with_client.caller(given["dsn"], given["schema"]))

    async def one_by_one(runs: int) -> list[float]:
        seconds: list[float] = []
        for _ in range(runs):
            begin = time.perf_counter()
            await caller.run(given["steps"])
            seconds.append(time.perf_counter() - begin)
        return seconds

    await one_by_one(20)

    async def work() -> dict[str, Any]:
        return {"seconds": await one_by_one(given["runs"])}

    return work


async def _client_floor_signals(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    caller = await stack.enter_async_context(floor_with_client.caller(given["dsn"], given["schema"]))

    async def signals(runs: int) -> list[float]:
        ids = [await caller.suspend() for _ in range(runs)]
        seconds: list[float] = []
        for number, run_id in enumerate(ids):
            begin = time.perf_counter()
            await caller.signal(run_id, number)
            seconds.append(time.perf_counter() - begin)
        return seconds

    await signals(20)

    async def work() -> dict[str, Any]:
        return {"seconds": await signals(given["runs"])}

    return work


async def _engine_throughput(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    client = await stack.enter_async_context(engine.subject(**_where(given)))
    await engine.run_many(client, WARM_UP_RUNS, given["steps"])
    return lambda: _timed(engine.run_many(client, given["runs"], given["steps"]))


async def _engine_latency(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    client = await stack.enter_async_context(engine.subject(**_where(given)))
    await engine.one_by_one(client, engine.WARM_UP_RUNS, min(given["steps"], 20))

    async def work() -> dict[str, Any]:
        cpu = time.process_time()
        seconds = await engine.one_by_one(client, given["runs"], given["steps"])
        return {"seconds": seconds, "cpu": time.process_time() - cpu}

    return work


async def _engine_hops(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    trace = None if given["trace"] is None else trace_points.install(given["trace"])
    client = await stack.enter_async_context(engine.subject(**_where(given)))
    await engine.one_by_one(client, engine.WARM_UP_RUNS, 0)
    parts: dict[str, Callable[[], list[int]]] = {"client": lambda: [os.getpid()]}
    if "postmaster" in given:
        parts |= {"hosts": lambda: given["hosts"], "server": lambda: children(given["postmaster"])}

    async def work() -> dict[str, Any]:
        before = {name: switches(pids()) for name, pids in parts.items()}
        seconds: list[float] = []
        for _ in range(given["runs"]):
            begin = time.perf_counter()
            if trace is not None:
                trace.mark(trace_points.START, "")
            await (await client.start(steps_in_a_row, 0)).result()
            if trace is not None:
                trace.mark(trace_points.RESULT, "")
            seconds.append(time.perf_counter() - begin)
        counted = {name: switches(pids()).since(before[name]) for name, pids in parts.items()}
        return {"seconds": seconds, "pid": os.getpid(), "switches": counted}

    return work


async def _engine_signals(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    client = await stack.enter_async_context(engine.subject(**_where(given)))
    await engine.signals(client, 20)

    async def work() -> dict[str, Any]:
        return {"seconds": await engine.signals(client, given["runs"])}

    return work


async def _engine_families(stack: AsyncExitStack, given: dict[str, Any]) -> Work:
    client = await stack.enter_async_context(engine.subject(**_where(given)))
    await engine.families(client, engine.WARM_UP_FAMILIES, given["children"])

    async def work() -> dict[str, Any]:
        return {"seconds": await engine.families(client, given["parents"], given["children"])}

    return work


def _where(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ("dsn", "schema", "embedded")}


PROGRAMS: dict[str, Prepare] = {
    "floor_throughput": _floor_throughput,
    "floor_latency": _floor_latency,
    "floor_signals": _floor_signals,
    "floor_worker": _floor_worker,
    "client_floor_latency": _client_floor_latency,
    "client_floor_signals": _client_floor_signals,
    "engine_throughput": _engine_throughput,
    "engine_latency": _engine_latency,
    "engine_signals": _engine_signals,
    "engine_hops": _engine_hops,
    "engine_families": _engine_families,
    "define_workflows": model_programs.define_workflows,
    "replay_in_memory": model_programs.replay_in_memory,
    "resume_long_run": model_programs.resume_long_run,
}


async def main(name: str, given: dict[str, Any]) -> None:
    """Prepare, wait for the start, work, and print the result."""
    async with AsyncExitStack() as stack:
        work = await PROGRAMS[name](stack, given)
        # Both sides exempt long-lived objects from garbage collection, as a run host's process does.
        tune_for_good()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps(await work()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
