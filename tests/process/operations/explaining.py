"""Explains runs of real nodes, and runs the commands of the fixes as a person does."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import psutil

from continuum import Cause, Explanation, Fix, RunHandle
from tests.process.node.nodes import DEADLINE_S, Node, Site, await_ready
from tests.process.operations import waiting_flows

MODULE = waiting_flows.__name__
_SCHEMA = re.compile(r"(.*) --schema test_\w+(.*)")
# How far what happens may be from what was foretold: a busy machine is late, and what is wrong is far off.
PRECISION = timedelta(seconds=30)


async def explained(run: RunHandle[Any], code: str, waker: str | None = None) -> Cause:
    """Wait until the run is where it is because of this, and until this wakes it, and return that."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while True:
        found = await run.explain()
        if found.causes[0].code == code and waker in (None, found.causes[0].wakes_by):
            assert found.sentence == found.causes[0].sentence
            return found.causes[0]
        assert asyncio.get_running_loop().time() < deadline, found
        await asyncio.sleep(0.01)


async def is_over(run: RunHandle[Any], code: str) -> Explanation:
    """Wait until nothing of this code holds the run any more."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while True:
        found = await run.explain()
        if code not in [cause.code for cause in found.causes]:
            return found
        assert asyncio.get_running_loop().time() < deadline, found
        await asyncio.sleep(0.01)


async def apply(at: Site, fix: Fix, value: str | None = None) -> None:
    """Run the command of a fix, which names the schema; it must succeed."""
    words = [value if word == "VALUE" and value else word for word in shlex.split(fix.command)]
    if {"--force", "repair", "restart", "reset", "resume"} & set(words):
        # It asks otherwise.
        words.append("--yes")
    assert words[0] == "continuum", fix
    command = [sys.executable, "-m", "continuum.cli", *words[1:], "--dsn", at.dsn]
    if words[1] == "run-node":
        _start(at, [*command, "--name", "fixed", "--lease-ttl", "600"])
        return
    done = await asyncio.to_thread(
        subprocess.run, command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _start(at: Site, command: list[str]) -> None:
    """Start the node of a fix, and wait until it accepts work."""
    node = Node("fixed", subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    at.exits.callback(node.end)
    await_ready(node)


@asynccontextmanager
async def frozen(at: Site, node: Node) -> AsyncIterator[None]:
    """Let every process of a node stand still for a block, once others know of the node."""

    async def is_listed() -> bool:
        return await at.row(node.name) is not None

    await at.until(is_listed, f"{node.name} is not listed")
    node.note_processes()
    processes = [psutil.Process(node.launcher.pid), *node.left()]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def is_near(foretold: datetime | None, happened: datetime) -> bool:
    """Return whether something has happened when it was foretold."""
    return foretold is not None and abs(happened - foretold) <= PRECISION


def commands(cause: Cause) -> list[str]:
    """Return the commands of the fixes without the schema, which each of them names."""
    named = [_SCHEMA.fullmatch(fix.command) for fix in cause.fixes]
    assert all(named), cause.fixes
    return [found[1] + found[2] for found in named if found is not None]


def facts(cause: Cause, *names: str) -> Mapping[str, Any]:
    """Return these facts of the evidence."""
    return {name: cause.evidence[name] for name in names}
