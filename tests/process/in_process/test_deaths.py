"""What the death of an application costs the runs of its node: nothing is counted that is not proven."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import continuum
from continuum import RunHandle
from tests.process.in_process.hosts import DEADLINE_S
from tests.process.node import deadly_flows

APPLICATION = """
import asyncio, os, sys
import continuum
from continuum_actors.host import limits
from continuum_supervision import Supervisor
from tests.process.node import deadly_flows

async def main(options, dies_after, lives):
    limits.APPLICATION_LIVES_SECONDS = lives
    limits.APPLICATION_LIVES_LONGER = 0
    flows = [deadly_flows.innocent, deadly_flows.poisoned]
    async with Supervisor(continuum.children(**options, workflows=flows)):
        if dies_after:
            asyncio.get_running_loop().call_later(dies_after, os._exit, 3)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main(*eval(sys.argv[1])))
"""
INNOCENTS = 3
# More than it takes until each is tried alone and would be blocked.
DEATHS = 10


@contextmanager
def application(
    dsn: str, schema: str, *, dies_after: float = 0.0, lives: float
) -> Iterator[subprocess.Popen[bytes]]:
    """Start an application with a node, which may die of itself; kill it at the end."""
    options = {"name": "shop", "dsn": dsn, "schema": schema}
    process = subprocess.Popen(
        [sys.executable, "-c", APPLICATION, repr((options, dies_after, lives))],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


async def start_innocents(client: continuum.Client, directory: Path) -> list[RunHandle[int]]:
    return [await client.start(deadly_flows.innocent, str(directory), number) for number in range(INNOCENTS)]


async def all_unharmed(runs: Sequence[RunHandle[int]], directory: Path) -> None:
    """Let the innocents end; nothing may have been counted against them."""
    (directory / "end").touch()
    assert await asyncio.gather(*(run.result(DEADLINE_S) for run in runs)) == list(range(INNOCENTS))
    for run in runs:
        assert [event.type for event in await run.history()] == ["activity_scheduled", "activity_completed"]


async def test_an_application_that_dies_after_each_start_harms_no_run(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with continuum.connect(name="shop", dsn=dsn, schema=schema) as client:
        runs = await start_innocents(client, tmp_path)
        for _ in range(DEATHS):
            with application(dsn, schema, dies_after=0.7, lives=20.0) as dying:
                await asyncio.to_thread(dying.wait, DEADLINE_S)
                assert dying.returncode == 3
        with application(dsn, schema, lives=0.1):
            await all_unharmed(runs, tmp_path)


async def is_wanted(living: subprocess.Popen[bytes], poisoned: RunHandle[None]) -> bool:
    """Whether the application lives and the run has not been found out."""
    return living.poll() is None and await poisoned.state() != "blocked"


async def test_a_run_that_kills_the_application_again_and_again_is_blocked_and_its_company_is_not(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with continuum.connect(name="shop", dsn=dsn, schema=schema) as client:
        runs = await start_innocents(client, tmp_path)
        poisoned = await client.start(deadly_flows.poisoned, "fault")
        async with asyncio.timeout(4 * DEADLINE_S):
            while await poisoned.state() != "blocked":
                with application(dsn, schema, lives=0.1) as living:
                    while await is_wanted(living, poisoned):  # noqa: ASYNC110 - another process ends
                        await asyncio.sleep(0.02)
        with application(dsn, schema, lives=0.1):
            await all_unharmed(runs, tmp_path)
