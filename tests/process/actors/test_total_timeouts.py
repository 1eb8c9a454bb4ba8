"""The time of an activity in all counts from its scheduling, also under the next owner of its run."""

from __future__ import annotations

import asyncio

from continuum import ActivityError, Retry, activity, workflow
from tests.process.actors.hosting import DEADLINE_S, eventually, stage

begun: list[str] = []


@activity(name="total.hangs", total_timeout=600)
async def hangs() -> None:
    """Wait for ever."""
    begun.append("hangs")
    await asyncio.get_running_loop().create_future()


@activity(name="total.fails", retry=Retry(max_attempts=5, base=300, max_backoff=300), total_timeout=600)
async def fails() -> None:
    """Fail."""
    begun.append("fails")
    raise ConnectionError("no answer")


CALLED = {"hangs": hangs, "fails": fails}


@workflow(name="total.calls")
async def calls(which: str) -> str:
    """Return the failure of an activity."""
    try:
        await CALLED[which]()
    except ActivityError as error:
        return f"{error.type}: {error.message}"
    return "no failure"


async def test_the_total_time_continues_with_the_next_owner(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        begun.clear()
        async with on.alone(calls):
            runs = [await on.client.start(calls, which) for which in ("hangs", "fails")]
            await eventually(lambda: len(begun) == 2, "they do not begin")
            await on.until_state(runs[1], "suspended")
        await on.sql("update {schema}.events set at = at - interval '1 hour'")
        await on.sql("update {schema}.runs set due_at = due_at - interval '1 hour'")
        before = list(begun)
        await on.tree(calls)
        for run in runs:
            assert await run.result(DEADLINE_S) == "TimeoutError: not done within its total_timeout of 600 s"
        assert begun == before, "an attempt began after the deadline"
