"""A request to stop a run whose code cannot run."""

from __future__ import annotations

import pytest

from continuum import workflow
from tests.process.actors.hosting import stage


@workflow(name="stopped.greet")
async def greet(name: str) -> str:
    return f"hello {name}"


async def test_a_run_that_is_tried_again_and_cannot_run_ends_when_it_was_asked_to_stop(
    dsn: str, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Unblocked, asked to stop, and unreadable still: the request is not lost."""
    async with stage(dsn, schema) as on:
        async with on.alone(greet):
            run = await on.client.start("stopped.greet", 5)
            await on.until_state(run, "blocked")
        assert await on.client.unblock(run.id)
        await run.cancel()
        assert await on.state_of(run) == "running"
        caplog.clear()

        await on.tree(greet)

        await on.until_state(run, "cancelled")
        assert not [each for each in caplog.records if each.name == "continuum.runs"]
