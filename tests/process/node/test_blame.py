"""What a killed process costs: what killed it pays, and its company is started again uncounted."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from continuum import RunHandle
from continuum.engine.ids import RunId
from continuum_actors.node.recovery import is_alive
from tests.process.node import deadly_flows
from tests.process.node.nodes import DEADLINE_S, Site, site

MODULES = [deadly_flows.__name__]
INNOCENTS = 9
PATIENCE_S = 2 * DEADLINE_S


async def begin_innocents(at: Site, directory: Path) -> list[RunHandle[int]]:
    """Start runs whose activities wait, and return when all of them run."""
    runs = [
        await at.client.start(deadly_flows.innocent, str(directory), number) for number in range(INNOCENTS)
    ]
    await at.until(lambda: all_run(directory), "an innocent does not begin")
    return runs


async def all_run(directory: Path) -> bool:
    """Whether every innocent runs in a process that lives.

    What a loop executes when its process is killed, and nothing runs in a thread yet, is what killed it.
    """
    processes = deadly_flows.processes_of(directory)
    return len(processes) == INNOCENTS and all(map(is_alive, processes))


async def all_unharmed(runs: Sequence[RunHandle[int]], directory: Path) -> None:
    """Let the innocents end; nothing may have been counted against them."""
    (directory / "end").touch()
    assert await asyncio.gather(*(run.result(PATIENCE_S) for run in runs)) == list(range(INNOCENTS))
    for run in runs:
        assert [event.type for event in await run.history()] == ["activity_scheduled", "activity_completed"]


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("loop", "exit"),
        ("loop", "kill"),
        ("loop", "fault"),
        ("loop", "thread"),
        ("loop", "replace"),
        ("loop", "close files"),
        ("loop", "cancel all"),
        ("thread", "kill"),
        ("thread", "fault"),
        ("queue", "abort"),
        ("isolated", "exit"),
    ],
)
async def test_an_activity_that_kills_its_process_pays_alone(
    dsn: str, schema: str, tmp_path: Path, kind: str, way: str
) -> None:
    """B19"""
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, run_hosts=1, activity_hosts=1, queues={"blame": 50})
        innocents = await begin_innocents(at, tmp_path)
        run = await at.client.start(deadly_flows.culprit, kind, way)
        assert (await run.result(PATIENCE_S)).startswith("ProcessCrashed: its process died 6 times")
        await all_unharmed(innocents, tmp_path)


async def test_an_activity_that_hangs_its_loop_pays_alone(dsn: str, schema: str, tmp_path: Path) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, run_hosts=1, queues={"blame": 50}, watchdog=1.0)
        innocents = await begin_innocents(at, tmp_path)
        run = await at.client.start(deadly_flows.culprit, "loop", "hang")
        assert (await run.result(PATIENCE_S)).startswith("ProcessCrashed")
        await all_unharmed(innocents, tmp_path)


async def test_activities_of_a_host_that_is_killed_from_outside_are_started_again_for_ever(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, run_hosts=1, queues={"blame": 50})
        innocents = await begin_innocents(at, tmp_path)
        for death in range(7):
            before = await at.pid("north", "run_host")
            os.kill(before, signal.SIGKILL)

            async def another(before: int = before) -> bool:
                return await at.pids("north", "run_host") not in ([], [before])

            await at.until(another, "the host is not started again")
            if death == 0:
                # From the second death on they are tried in other processes, not all at once.
                await at.until(lambda: all_run(tmp_path), "an innocent does not run again")
        await all_unharmed(innocents, tmp_path)


async def test_a_queued_activity_whose_host_is_killed_sees_its_last_heartbeat(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, run_hosts=1, queues={"blame": 50})
        run = await at.client.start(deadly_flows.progressing, str(tmp_path))

        async def has_progressed() -> bool:
            return bool(await at.journal.last_heartbeats(RunId(run.id)))

        await at.until(has_progressed, "the activity does not begin")
        os.kill(await at.pid("north", "run_host"), signal.SIGKILL)
        (tmp_path / "end").touch()
        assert await run.result(PATIENCE_S) == "half"


async def test_system_exit_in_a_task_of_an_activity_ends_that_task_only(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, run_hosts=1, queues={"blame": 50})
        innocents = await begin_innocents(at, tmp_path)
        host = await at.pid("north", "run_host")
        run = await at.client.start(deadly_flows.leaving)
        assert (await run.result(PATIENCE_S)).startswith("ExitInTask: SystemExit(4)")
        assert await at.pid("north", "run_host") == host
        await all_unharmed(innocents, tmp_path)


async def test_a_callback_of_an_activity_does_not_end_the_loop(dsn: str, schema: str, tmp_path: Path) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, run_hosts=1, queues={"blame": 50})
        innocents = await begin_innocents(at, tmp_path)
        host = await at.pid("north", "run_host")
        run = await at.client.start(deadly_flows.interrupting)
        expected = f"activity 0 of run {run.id} cannot stop the loop: others run in it; return instead"
        assert await run.result(PATIENCE_S) == expected
        assert await at.pid("north", "run_host") == host
        await all_unharmed(innocents, tmp_path)


async def test_runs_whose_code_kills_processes_are_blocked_and_starve_nobody(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, run_hosts=1, queues={"blame": 50})
        innocents = await begin_innocents(at, tmp_path)
        runs = [await at.client.start(deadly_flows.poisoned, "fault") for _ in range(12)]
        # While most of the poisoned runs have not been found out.
        await at.until_state(runs[-1], "running")
        await all_unharmed(innocents, tmp_path)
        for run in runs:
            await at.until_state(run, "blocked")
