"""A request to stop a run whose code cannot run."""

from __future__ import annotations

import pytest

from continuum import Workflow, workflow
from continuum.engine.ids import RunId
from tests.process.actors.hosting import Stage, stage


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


def later_version() -> Workflow[[str], str]:
    """Return other code for the same workflow, which cannot read an integer either."""

    @workflow(name="stopped.greet")
    async def greet(name: str) -> str:
        return f"good morning {name}"

    return greet


async def test_a_run_that_a_deploy_cannot_continue_either_stays_blocked(
    dsn: str, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It keeps its first reason, is not logged as blocked again, and an unblock finds it."""
    later = later_version()
    async with stage(dsn, schema) as on:
        async with on.alone(greet) as tree:
            run = await on.client.start("stopped.greet", 5)
            await on.until_state(run, "blocked")
            known = tree.host.code.digest
        first = (await run.get()).reason
        caplog.clear()

        tree = await on.tree(later)
        assert await on.journal.unblock(["stopped.greet"], code=tree.host.code.digest) == 1
        await on.until(lambda: _refused(on, run.id), "no code has refused it")

        found = await run.get()
        assert (found.state, found.reason) == ("blocked", first)
        assert not [
            each for each in caplog.records if each.name == "continuum.runs" and each.levelname == "ERROR"
        ]
        assert await on.journal.unblock(["stopped.greet"], code=known) == 0
        assert await on.client.unblock(run.id)


async def _refused(on: Stage, run_id: str) -> bool:
    return bool(await on.journal.refusals(RunId(run_id)))
