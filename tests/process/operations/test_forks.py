"""Restart, reset and fork on real nodes, with their command lines."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from continuum import CutRefused
from tests.process.node.nodes import DEADLINE_S, Site, site
from tests.process.operations import waiting_flows as flows
from tests.process.operations.explaining import MODULE, explained

MODULES = [MODULE]


async def command(at: Site, *words: str) -> str:
    """Run a command line, which must succeed, and return what it prints."""
    line = [sys.executable, "-m", "continuum.cli", *words, "--dsn", at.dsn, "--schema", at.schema]
    done = await asyncio.to_thread(subprocess.run, line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.strip()


async def test_a_run_may_be_cut_at_every_event(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.retries, soon=True)
        assert await run.result(DEADLINE_S) == "2"
        events = len(await run.history())
        forks = [await run.fork(at=seq) for seq in range(events + 1)]
        # The attempt that is pending at a cut is the first one again, which fails.
        assert [await fork.result(DEADLINE_S) for fork in forks] == ["2"] * (events + 1)
        latest = await run.reset(at=1)
        latest = await latest.reset(at=2)
        assert await run.result(DEADLINE_S) == await latest.result(DEADLINE_S) == "2"
        await command(at, "verify")


async def test_a_reset_takes_a_run_from_the_process_that_owns_it(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.runs_activity, str(tmp_path))
        await explained(run, "activity_running")
        new = at.client.handle(await command(at, "runs", "reset", run.id, "--at", "1", "--yes"))
        await explained(new, "activity_running")
        assert (await run.get()).state == "cancelled"
        (tmp_path / "end").touch()
        assert await run.result(DEADLINE_S) == "ended"
        types = [event.type for event in await new.history()]
        assert types == ["activity_scheduled", "run_forked", "activity_restarted", "activity_completed"]
        await command(at, "verify")


async def test_a_queued_activity_of_a_reset_run_is_queued_again(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.runs_task, str(tmp_path))
        await explained(run, "activity_running")
        await run.reset(at=1)
        (tmp_path / "end").touch()
        assert await run.result(DEADLINE_S) == "ended"
        await command(at, "verify")


async def test_a_parent_waits_for_the_run_that_succeeds_its_child(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.waits_for_child, 0)
        cause = await explained(run, "child")
        child = str(cause.evidence["child"])
        await at.client.reset(child, at=0)
        with pytest.raises(CutRefused, match="is open") as refused:
            await run.reset(at=1)
        assert refused.value.nearest == 0
        await at.client.signal(child, flows.go, "now")
        assert await run.result(DEADLINE_S) == "now"
        await command(at, "verify")
