"""The last heartbeat before a failure is what the next attempt sees, on memory and on Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import continuum
from continuum import Retry, activity, activity_context, workflow
from continuum.journal.memory.tasks import MemoryTasks
from continuum.journal.postgres.tasks import PostgresTasks
from continuum.node.in_process import InstanceOptions
from continuum_supervision import Supervisor
from tests.process.actors.hosting import eventually
from tests.process.in_process.hosts import DEADLINE_S, LONG_LEASE_S

written: list[int] = []


async def beat_and_fail(failures: int) -> object:
    """Fail after two heartbeats so often; then return the last heartbeat."""
    context = activity_context()
    if context.attempt > failures:
        return context.last_heartbeat
    before = len(written)
    context.heartbeat({"page": 10 * context.attempt})
    if context.attempt == 1:
        await eventually(lambda: len(written) > before, "the first heartbeat is not written")
    context.heartbeat({"page": 10 * context.attempt + 1})
    raise ConnectionError("gone")


RETRY = Retry(max_attempts=3, base=0.0)
beating = activity(name="beats.beating", retry=RETRY)(beat_and_fail)
queued = activity(name="beats.queued", retry=RETRY, queue="beats")(beat_and_fail)


@activity(name="beats.threaded", retry=RETRY)
def threaded(failures: int) -> object:
    """Do the same in a thread."""
    context = activity_context()
    if context.attempt > failures:
        return context.last_heartbeat
    for page in range(2):
        context.heartbeat({"page": 10 * context.attempt + page})
    raise ConnectionError("gone")


ACTIVITIES = {"own": beating, "queued": queued, "threaded": threaded}


@workflow(name="beats.resuming")
async def resuming(which: str, failures: int) -> object:
    """Run an activity that resumes."""
    called: Callable[[int], Awaitable[object]] = ACTIVITIES[which]
    return await called(failures)


@workflow(name="beats.neighbours")
async def neighbours(count: int) -> list[object]:
    """Run several such activities at once."""
    return list(await asyncio.gather(*(threaded(1) for _ in range(count))))


@pytest.fixture(params=["memory", "postgres"])
def options(request: pytest.FixtureRequest) -> InstanceOptions:
    """Return the options of an instance "shop" with its journal in memory, or on Postgres."""
    always: InstanceOptions = {
        "name": "shop",
        "workflows": [resuming, neighbours],
        "activities": [beating, queued, threaded],
        "heartbeater": {"ttl": LONG_LEASE_S},
    }
    if request.param == "memory":
        return {**always, "journal": "memory"}
    return {**always, "dsn": request.getfixturevalue("dsn"), "schema": request.getfixturevalue("schema")}


@pytest.fixture(autouse=True)
def slow_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write heartbeats late: each takes a while, besides the pause between two."""
    written.clear()
    for tasks in (MemoryTasks, PostgresTasks):
        monkeypatch.setattr(tasks, "heartbeat", _slowly(tasks.heartbeat))


def _slowly(write: Callable[..., Awaitable[bool]]) -> Callable[..., Awaitable[bool]]:
    async def heartbeat(self: Any, run_id: Any, seq: int, details: bytes) -> bool:
        await asyncio.sleep(0.1)
        wanted = await write(self, run_id, seq, details)
        written.append(seq)
        return wanted

    return heartbeat


@pytest.mark.parametrize("failures", [1, 2])
@pytest.mark.parametrize("which", ACTIVITIES)
async def test_the_next_attempt_sees_the_last_heartbeat_before_an_exception(
    which: str, failures: int, options: InstanceOptions
) -> None:
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        run = await client.start(resuming, which, failures)
        assert await run.result(DEADLINE_S) == {"page": 10 * failures + 1}


async def test_activities_of_one_run_each_see_their_last_heartbeat(options: InstanceOptions) -> None:
    """None reads the heartbeats of the run before its own is written."""
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        run = await client.start(neighbours, 5)
        assert await run.result(DEADLINE_S) == [{"page": 11}] * 5
