"""Async generators of a run and of its host, in the same thread."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator

import continuum
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import Driver


async def pages(ended: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
        yield 2
    finally:
        await asyncio.sleep(0)
        ended.append("host")


async def first_of(pages: AsyncIterator[int]) -> None:
    async for _ in pages:
        break


async def waits() -> None:
    await continuum.wait_signal("never")


def test_the_hosts_loop_ends_its_own_generators_after_a_step() -> None:
    ended: list[str] = []

    async def host() -> None:
        Driver(waits).settle()
        await first_of(pages(ended))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(host())
    assert ended == ["host"]


def test_the_hosts_loop_ends_its_own_generators_collected_during_a_step() -> None:
    ended: list[str] = []

    async def collects() -> object:
        gc.collect()
        return await echo(1)

    async def host() -> list[str]:
        Driver(waits).settle()
        cycle: list[object] = [pages(ended)]
        await anext(cycle[0])  # type: ignore[call-overload]
        cycle.append(cycle)
        del cycle
        driver = Driver(collects)
        driver.run()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return driver.scheduled

    assert asyncio.run(host()) == [echo.name]
    assert ended == ["host"]


def test_a_run_does_nothing_when_other_code_drops_its_generator() -> None:
    """I10: neither that run nor the one that is running then."""
    kept: list[object] = []

    async def letters() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await echo(98)

    async def leaves() -> object:
        kept.append(letters())
        await anext(kept[0])  # type: ignore[call-overload]
        await continuum.wait_signal("go")
        return await continuum.wait_signal("never")

    async def drops() -> object:
        kept.clear()
        return await echo(1)

    leaving, other = Driver(leaves), Driver(drops)
    leaving.settle()
    other.run()
    leaving.signal("go", None)
    assert (leaving.scheduled, other.scheduled) == ([], [echo.name])


def test_a_step_without_a_host_loop_leaves_no_hook_behind() -> None:
    Driver(waits).settle()
    assert sys.get_asyncgen_hooks() == (None, None)
