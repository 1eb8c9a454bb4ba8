"""A deadline holds whatever the code does: the run has its answer, and other activities have their threads.

Activities that hang do so until the end of the test, so every result arrives in spite of them. Each test ends
although coroutines that nothing can end are left over.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import continuum
from continuum import Activity, ActivityError, Client, Retry, activity, activity_context, workflow
from continuum_actors.host import limits
from continuum_supervision import Supervisor
from tests.process.actors.hosting import eventually
from tests.process.in_process.hosts import DEADLINE_S

TIMEOUT_S = 0.2
# Only the first attempt hangs; on a slow machine a later one may be out of time, too.
RETRY = Retry(max_attempts=20, base=0.0, max_backoff=0.0)

gate = threading.Event()
late = threading.Event()
ended: list[str] = []


@pytest.fixture(autouse=True)
def gates() -> Iterator[None]:
    """Close the gate for the test; at its end every thread passes."""
    gate.clear()
    late.clear()
    ended.clear()
    yield
    gate.set()
    late.set()


async def swallow() -> None:
    """Catch every cancellation."""
    while not gate.is_set():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            continue


async def ignore_everything() -> None:
    """Catch whatever comes, as a careless poll loop does."""
    while not gate.is_set():
        try:
            await asyncio.sleep(0.01)
        except BaseException:  # noqa: BLE001
            continue


async def clean_up_for_ever() -> None:
    """Wait in a clean-up that nothing ends."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await swallow()


async def shield() -> None:
    """Wait for something that is shielded, again and again."""
    work = asyncio.ensure_future(swallow())
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            continue


async def wait_for_a_thread() -> None:
    """Wait for a thread of its own."""
    await asyncio.to_thread(gate.wait, 30)


DEAF = {
    "swallows": swallow,
    "ignores everything": ignore_everything,
    "cleans up": clean_up_for_ever,
    "shields": shield,
    "has a thread": wait_for_a_thread,
}


async def hang_at_first(how: str) -> str:
    """Hang in the first attempt."""
    if activity_context().attempt == 1:
        await DEAF[how]()
        ended.append(how)
        return "late"
    return "second"


hangs = activity(name="deadlines.hangs", timeout=TIMEOUT_S, retry=RETRY)(hang_at_first)
hangs_as_task = activity(name="deadlines.task", timeout=TIMEOUT_S, retry=RETRY, queue="deaf")(hang_at_first)


def block_at_first(how: str) -> str:
    """Block a thread in the first attempt."""
    if activity_context().attempt == 1:
        gate.wait(30)
        ended.append(how)
        return "late"
    return "second"


blocks = activity(name="deadlines.blocks", timeout=TIMEOUT_S, retry=RETRY)(block_at_first)
blocks_as_task = activity(name="deadlines.block_task", timeout=TIMEOUT_S, retry=RETRY, queue="deaf")(
    block_at_first
)


@activity(name="deadlines.blocks_always", timeout=TIMEOUT_S)
def blocks_always() -> None:
    """Block a thread in every attempt."""
    gate.wait(30)


@activity(name="deadlines.healthy", timeout=20)
def healthy() -> str:
    """Do something in a thread."""
    return "done"


@activity(name="deadlines.beats_late", timeout=TIMEOUT_S, retry=RETRY)
def beats_late() -> object:
    """Send a heartbeat in the first attempt when a later one has sent its own."""
    context = activity_context()
    if context.attempt == 1:
        gate.wait(30)
        context.heartbeat("first")
        late.set()
    elif not late.is_set() or context.last_heartbeat is None:
        context.heartbeat("later")
        gate.set()
        late.wait(30)
        raise ConnectionError("gone")
    return context.last_heartbeat


@activity(name="deadlines.obedient", timeout=TIMEOUT_S, retry=RETRY)
async def obedient() -> object:
    """Record progress when it is cancelled; return it in the next attempt."""
    context = activity_context()
    if context.attempt == 1:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            context.heartbeat("cancelled")
    return context.last_heartbeat


@activity(name="deadlines.unserved", queue="unserved", total_timeout=TIMEOUT_S)
async def unserved() -> None:
    """Wait in a queue that nobody serves."""
    raise AssertionError("it was claimed")


CALLED: dict[str, Activity[..., Any]] = {
    "hangs": hangs,
    "hangs as task": hangs_as_task,
    "blocks": blocks,
    "blocks as task": blocks_as_task,
    "blocks always": blocks_always,
    "healthy": healthy,
    "beats late": beats_late,
    "obedient": obedient,
    "unserved": unserved,
}


@workflow(name="deadlines.calls")
async def calls(which: str, *how: str) -> object:
    """Return the result of an activity, or the text of its failure."""
    try:
        return await CALLED[which](*how)
    except ActivityError as error:
        return f"{error.type}: {error.message}"


@asynccontextmanager
async def node(threads: int = 32) -> AsyncIterator[Client]:
    """Run a node with its journal in memory."""
    children = continuum.children(
        name="deaf",
        journal="memory",
        workflows=[calls],
        activities=list(CALLED.values()),
        activity_supervisor={"threads": threads},
        run_supervisor={"drain": 0},
    )
    async with Supervisor(children), continuum.connect(name="deaf") as client:
        yield client


@pytest.mark.parametrize("how", DEAF)
@pytest.mark.parametrize("which", ["hangs", "hangs as task"])
async def test_a_coroutine_that_ignores_its_cancellation_is_out_of_time(which: str, how: str) -> None:
    async with node() as client:
        run = await client.start(calls, which, how)
        assert await run.result(DEADLINE_S) == "second"
        kinds = [event.type for event in await run.history()]
        gate.set()
        if how not in ("has a thread", "cleans up"):
            await eventually(lambda: ended == [how], "it never ends")
        assert [event.type for event in await run.history()] == kinds, "its late answer counts"


@pytest.mark.parametrize("which", ["blocks", "blocks as task"])
async def test_a_thread_that_hangs_is_out_of_time(which: str) -> None:
    async with node() as client:
        run = await client.start(calls, which, "thread")
        assert await run.result(DEADLINE_S) == "second"


async def test_threads_that_hang_leave_others_theirs() -> None:
    async with node(threads=2) as client:
        stuck = [await client.start(calls, "blocks always") for _ in range(9)]
        run = await client.start(calls, "healthy")
        assert await run.result(DEADLINE_S) == "done"
        for other in stuck:
            assert await other.result(DEADLINE_S) == "TimeoutError: not done within its timeout of 0.2 s"


async def test_a_heartbeat_of_an_attempt_that_is_over_does_not_replace_that_of_the_next() -> None:
    async with node() as client:
        run = await client.start(calls, "beats late")
        assert await run.result(DEADLINE_S) == "later"


async def test_the_heartbeat_of_a_clean_up_reaches_the_next_attempt() -> None:
    async with node() as client:
        run = await client.start(calls, "obedient")
        assert await run.result(DEADLINE_S) == "cancelled"


@pytest.mark.parametrize("journal", ["memory", "postgres"])
async def test_the_total_time_covers_the_wait_in_a_queue(journal: str, dsn: str, schema: str) -> None:
    place: dict[str, Any] = {"journal": "memory"} if journal == "memory" else {"dsn": dsn, "schema": schema}
    children = continuum.children(name="unserved", workflows=[calls], activity_dispatcher=False, **place)
    async with Supervisor(children), continuum.connect(name="unserved") as client:
        run = await client.start(calls, "unserved")
        assert await run.result(DEADLINE_S) == "TimeoutError: not done within its total_timeout of 0.2 s"


async def test_a_leftover_is_reported_once_with_its_stack(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REPORT_LEFTOVER_SECONDS", 0.05)
    caplog.set_level(logging.WARNING, "continuum.leftovers")
    async with node() as client:
        await (await client.start(calls, "blocks", "thread")).result(DEADLINE_S)
        await (await client.start(calls, "hangs", "swallows")).result(DEADLINE_S)
        await eventually(
            lambda: bool(first_attempts(caplog, "blocks") and first_attempts(caplog, "hangs")),
            "nothing is reported",
        )
    (thread,) = first_attempts(caplog, "blocks")
    (coroutine,) = first_attempts(caplog, "hangs")
    assert "attempt 1: not done within its timeout of 0.2 s; its code still runs (1 such here)" in thread
    assert "gate.wait(30)" in thread
    assert "in swallow" in coroutine
    assert "await asyncio.sleep(0.01)" in coroutine


def first_attempts(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    """Return what was said about leftovers of the first attempt of an activity."""
    start = f"activity deadlines.{name} of run "
    return [text for text in reports(caplog) if text.startswith(start) and " attempt 1: " in text]


def reports(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was said about leftovers."""
    return [record.getMessage() for record in caplog.records if record.name == "continuum.leftovers"]


async def test_too_many_leftovers_are_an_error_with_a_remedy(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEFTOVERS_PER_HOST", 4)
    caplog.set_level(logging.ERROR, "continuum.leftovers")
    async with node(threads=2) as client:
        stuck = [await client.start(calls, "blocks always") for _ in range(6)]
        for run in stuck:
            await run.result(DEADLINE_S)
        # No process of an application can be replaced, and other activities get threads as before.
        assert await (await client.start(calls, "healthy")).result(DEADLINE_S) == "done"
    (message,) = reports(caplog)
    assert "restart the application" in message
