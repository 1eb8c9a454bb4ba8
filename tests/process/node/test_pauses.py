"""Pauses on whole nodes: they hold without a poll, and no kill ends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from continuum import RunHandle
from continuum.errors import RunCancelled
from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, Site, site

# It polls so rarely that only a notification can be the cause.
LISTENS = {"poll": 600.0}
SCOPES: dict[str, dict[str, Any]] = {
    "run": {},
    "workflow": {"workflow": "nodes.order"},
    "namespace": {"namespace": "default"},
}


async def pause(at: Site, runs: list[RunHandle[Any]], scope: str) -> None:
    if SCOPES[scope]:
        await at.client.pause(**SCOPES[scope])
    else:
        for run in runs:
            await run.pause()


async def resume(at: Site, runs: list[RunHandle[Any]], scope: str) -> None:
    if SCOPES[scope]:
        assert await at.client.resume(**SCOPES[scope])
    else:
        for run in runs:
            assert await run.resume()


async def all_left(at: Site, runs: list[RunHandle[Any]]) -> None:
    """Wait until nobody owns any of the runs."""

    async def are_free() -> bool:
        return [await run.owner() for run in runs] == [None] * len(runs)

    await at.until(are_free, "a run has an owner")


async def events_of(runs: list[RunHandle[Any]]) -> list[int]:
    return [len(await run.history()) for run in runs]


@pytest.mark.parametrize(
    ("scope", "options"),
    [("run", LISTENS), ("workflow", {"listen": False}), ("namespace", LISTENS)],
    ids=["run", "workflow", "namespace"],
)
async def test_runs_leave_wait_through_kill_9_and_continue(
    dsn: str, schema: str, scope: str, options: dict[str, Any]
) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", lease_ttl=2.0, **options)
        runs = list(await at.orders(6))
        await pause(at, runs, scope)
        await all_left(at, runs)
        written = await events_of(runs)
        for run in runs:
            await run.signal(flows.go, "yes")

        north.kill_whole()
        at.node("south", lease_ttl=2.0, **options)
        other = await at.client.start(flows.resting, 0, 0.01)
        if scope != "namespace":
            assert await other.result(DEADLINE_S) == "shipped for payment 0"
        assert await events_of(runs) == written
        assert [(await run.get()).pause is not None for run in runs] == [True] * 6

        await resume(at, runs, scope)
        assert [await run.result(DEADLINE_S) for run in runs] == [flows.shipped(n) for n in range(6)]


async def test_an_activity_ends_while_its_run_is_paused_and_does_not_run_again(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", listen=False)
        run = await at.client.start(flows.brewing, str(tmp_path), 1)

        async def has_begun() -> bool:
            return len(flows.starts(tmp_path)) == 1

        await at.until(has_begun, "the activity has not begun")
        await at.client.pause(workflow=flows.brewing)
        (tmp_path / "brewed").touch()
        late = await at.client.start(flows.brewing, str(tmp_path), 2)
        await all_left(at, [run, late])
        assert len(flows.starts(tmp_path)) == 1
        await at.client.resume(workflow=flows.brewing)
        assert [await run.result(DEADLINE_S), await late.result(DEADLINE_S)] == [1, 2]
        assert len(flows.starts(tmp_path)) == 2


@pytest.mark.parametrize("scope", ["run", "workflow"])
async def test_a_paused_run_that_is_asked_to_stop_compensates_after_kill_9(
    dsn: str, schema: str, scope: str
) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", lease_ttl=2.0)
        run, held = await at.orders(2)
        await pause(at, [run, held], scope)
        await all_left(at, [run, held])
        north.kill_whole()
        await run.cancel()
        at.node("south", lease_ttl=2.0)
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)
        assert [event.name for event in await run.history() if event.type == "compensation_scheduled"] == [
            "nodes.refund"
        ]
        assert await held.state() == "suspended"
