"""asyncio inside a workflow: it works, and a crash at any point leads to the same history."""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import as_completed
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import continuum
from continuum import ActivityError
from tests.unit.engine.activities import echo, fail
from tests.unit.engine.driver import Driver, Program, assert_same_from_every_prefix

setting: contextvars.ContextVar[int] = contextvars.ContextVar("setting", default=0)


async def gathered() -> object:
    return await asyncio.gather(*[echo(number) for number in range(4)])


async def gathered_with_failures() -> object:
    results = await asyncio.gather(echo(1), fail(), return_exceptions=True)
    return [type(result).__name__ for result in results]


async def grouped() -> object:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(echo(number)) for number in range(4)]
    return [task.result() for task in tasks]


async def group_that_fails() -> object:
    failures = 0
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(1000))
            group.create_task(fail())
            group.create_task(continuum.wait_signal("never"))
    except* ActivityError as group_error:
        failures = len(group_error.exceptions)
    return failures


async def slept() -> object:
    before = continuum.now()
    await asyncio.sleep(60)
    return (continuum.now() - before).total_seconds()


async def timed_out() -> object:
    try:
        async with asyncio.timeout(5):
            await asyncio.Event().wait()
    except TimeoutError:
        return await echo(7)
    return None


async def waited_for() -> object:
    try:
        await asyncio.wait_for(continuum.wait_signal("never"), 5)
    except TimeoutError:
        return await asyncio.wait_for(echo(8), 5)
    return None


async def waited_for_at_once() -> object:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(echo(8), 0)
    return await asyncio.wait_for(asyncio.create_task(echo(9)), None)


async def waited() -> object:
    tasks = {asyncio.create_task(echo(number)) for number in range(5)}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return [await echo(await task) for task in done]


async def waited_for_shields() -> object:
    shields = [asyncio.shield(echo(number)) for number in range(5)]
    done, _ = await asyncio.wait(shields)
    return sorted([await echo(future.result()) for future in done])


async def completed_in_order() -> object:
    return [await echo(await result) for result in as_completed([echo(number) for number in range(5)])]


async def completed_in_order_in_time() -> object:
    arrived = []
    try:
        for result in asyncio.as_completed([echo(1), continuum.wait_signal("never")], timeout=9):
            arrived.append(await result)  # noqa: PERF401 - the last one raises
    except TimeoutError:
        return arrived
    return None


async def locked() -> object:
    lock, order = asyncio.Lock(), []

    async def enter(number: int) -> None:
        async with lock:
            order.append(await echo(number))

    await asyncio.gather(*[enter(number) for number in range(3)])
    return order


async def limited() -> object:
    permits, inside, most = asyncio.Semaphore(2), 0, 0

    async def enter(number: int) -> None:
        nonlocal inside, most
        async with permits:
            inside += 1
            most = max(most, inside)
            await echo(number)
            inside -= 1

    await asyncio.gather(*[enter(number) for number in range(5)])
    return most


async def queued() -> object:
    queue: asyncio.Queue[int] = asyncio.Queue(1)

    async def produce() -> None:
        for number in range(3):
            await queue.put(await echo(number))

    producer = asyncio.create_task(produce())
    taken = [await queue.get() for _ in range(3)]
    await producer
    return taken


async def conditioned() -> object:
    condition, ready = asyncio.Condition(), []

    async def make_ready() -> None:
        value = await echo(3)
        async with condition:
            ready.append(value)
            condition.notify_all()

    task = asyncio.create_task(make_ready())
    async with condition:
        await condition.wait_for(lambda: bool(ready))
    await task
    return ready


async def met_at_a_barrier() -> object:
    barrier = asyncio.Barrier(3)

    async def arrive(number: int) -> int:
        await echo(number)
        return await barrier.wait()

    return sorted(await asyncio.gather(*[arrive(number) for number in range(3)]))


async def told_by_an_event() -> object:
    event = asyncio.Event()

    async def tell() -> None:
        await echo(1)
        event.set()

    task = asyncio.create_task(tell())
    await event.wait()
    await task
    return event.is_set()


async def varied_context() -> object:
    async def read() -> int:
        await echo(1)
        return setting.get()

    setting.set(5)
    task = asyncio.create_task(read())
    setting.set(6)
    return [await task, await read()]


async def shielded() -> object:
    inner = asyncio.create_task(echo(4))
    try:
        async with asyncio.timeout(0):
            await asyncio.shield(inner)
    except TimeoutError:
        return await inner
    return None


async def numbers(count: int) -> AsyncIterator[int]:
    try:
        for number in range(count):
            yield await echo(number)
    finally:
        await echo(100)


async def generated() -> object:
    taken = [number async for number in numbers(2)]
    async for number in numbers(5):
        taken.append(number)
        break
    await asyncio.sleep(1)
    return taken


async def nested() -> object:
    async def outer(number: int) -> list[int]:
        tasks = [asyncio.create_task(echo(number * 10 + inner)) for inner in range(2)]
        return [await task for task in tasks]

    return await asyncio.gather(*[asyncio.create_task(outer(number)) for number in range(2)])


async def returned_early() -> object:
    for number in range(3):
        asyncio.create_task(echo(number))  # noqa: RUF006
    left_over = asyncio.create_task(asyncio.sleep(1000))
    await echo(5)
    return left_over.done()


PROGRAMS: list[tuple[Program, object]] = [
    (gathered, [0, 1, 2, 3]),
    (gathered_with_failures, ["int", "ActivityError"]),
    (grouped, [0, 1, 2, 3]),
    (group_that_fails, 1),
    (slept, 60),
    (timed_out, 7),
    (waited_for, 8),
    (waited_for_at_once, 9),
    (waited, [0]),
    (waited_for_shields, [0, 1, 2, 3, 4]),
    (completed_in_order, [0, 1, 2, 3, 4]),
    (completed_in_order_in_time, [1]),
    (locked, [0, 1, 2]),
    (limited, 2),
    (queued, [0, 1, 2]),
    (conditioned, [3]),
    (met_at_a_barrier, [0, 1, 2]),
    (told_by_an_event, True),
    (varied_context, [5, 6]),
    (shielded, 4),
    (generated, [0, 1, 0]),
    (nested, [[0, 1], [10, 11]]),
    (returned_early, False),
]


@pytest.mark.parametrize(("program", "result"), PROGRAMS, ids=lambda value: getattr(value, "__name__", ""))
def test_asyncio_works_and_replays_from_every_prefix(program: Program, result: object) -> None:
    driver = Driver(program)
    assert driver.result() == result
    assert_same_from_every_prefix(program, driver)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("program", [program for program, _ in PROGRAMS])
def test_every_prefix_leads_to_the_same_end_in_any_order_of_results(program: Program, seed: int) -> None:
    driver = Driver(program, seed=seed)
    driver.run()
    assert_same_from_every_prefix(program, driver)


def test_as_completed_yields_the_first_to_complete() -> None:
    async def program() -> object:
        async def late(number: int) -> int:
            await asyncio.sleep(10 - number)
            return number

        return [await result for result in as_completed([late(number) for number in range(3)])]

    assert Driver(program).result() == [2, 1, 0]


def test_as_completed_can_be_iterated_both_ways() -> None:
    async def program() -> object:
        results: Any = as_completed([echo(1), echo(2)])
        return [future.result() async for future in results]

    assert Driver(program).result() == [1, 2]


def test_outside_a_workflow_as_completed_is_asyncios_own() -> None:
    async def main() -> set[int]:
        async def number(value: int) -> int:
            return value

        return {await result for result in as_completed([number(1), number(2)], timeout=60)}

    assert asyncio.run(main()) == {1, 2}


def test_outside_a_workflow_wait_for_is_asyncios_own() -> None:
    async def main() -> None:
        assert await asyncio.wait_for(asyncio.sleep(0, "done"), 60) == "done"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)

    asyncio.run(main())


def test_a_failure_in_a_group_abandons_its_siblings() -> None:
    driver = Driver(group_that_fails)
    driver.settle()
    assert driver.execution.next_due() is None
    assert driver.execution.signals_waited_for() == []


def test_a_run_does_not_see_the_context_variables_of_its_host() -> None:
    async def program() -> int:
        return setting.get()

    token = setting.set(9)
    try:
        assert Driver(program).result() == 0
    finally:
        setting.reset(token)


def loop_call(name: str, *arguments: object) -> Callable[[], Awaitable[object]]:
    async def call() -> object:
        result = getattr(asyncio.get_running_loop(), name)(*arguments)
        return await result

    return call


OUTSIDE: dict[str, Callable[[], Awaitable[object]]] = {
    "run_in_executor": loop_call("run_in_executor", None, print),
    "to_thread": lambda: asyncio.to_thread(print),
    "open_connection": lambda: asyncio.open_connection("localhost", 1),
    "create_subprocess_exec": lambda: asyncio.create_subprocess_exec("true"),
    "create_subprocess_shell": lambda: asyncio.create_subprocess_shell("true"),
    "call_soon_threadsafe": loop_call("call_soon_threadsafe", print),
    "getaddrinfo": loop_call("getaddrinfo", "localhost", 1),
    "add_reader": loop_call("add_reader", 0, print),
    "stop": loop_call("stop"),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_loop_methods_that_reach_outside_are_refused_with_a_hint(name: str) -> None:
    async def program() -> object:
        with pytest.raises(continuum.DeterminismError, match="do it in an activity"):
            await OUTSIDE[name]()
        return "refused"

    assert Driver(program).result() == "refused"
