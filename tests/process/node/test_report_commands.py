"""`continuum nodes show --tree` and `--stacks`, beside real nodes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.process.node import stuck_flows
from tests.process.node.nodes import DEADLINE_S, LONG_LEASE_S, Site, eventually, site


class Answer(NamedTuple):
    """What a command has written, and its exit code."""

    code: int
    out: str
    err: str


async def shown(at: Site, *options: str) -> Answer:
    """Run `continuum nodes show north`."""
    command = (sys.executable, "-m", "continuum.cli", "nodes", "show", "north")
    process = await asyncio.create_subprocess_exec(
        *(*command, *options, "--dsn", at.dsn, "--schema", at.schema),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Answer(process.returncode, out.decode(), err.decode())


async def test_a_command_shows_the_tree_of_a_node_and_where_a_stuck_activity_is(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", run_hosts=1, watchdog=LONG_LEASE_S, modules=[stuck_flows.__name__])
        run = await at.client.start(stuck_flows.flow, str(tmp_path), "in_loop")
        eventually((tmp_path / "in_loop").exists, "the activity does not begin")

        answer = await shown(at, "--tree", "--stacks")

        assert (answer.code, answer.err) == (0, "")
        assert "\n  does not answer; its loop turned last " in answer.out
        assert "\n    heartbeater: Heartbeater idle\n" in answer.out
        assert "stuck_flows.py" in answer.out
        assert " sits_in_loop\n" in answer.out
        (tmp_path / "release").touch()
        await run.result(DEADLINE_S)


async def test_a_command_says_in_json_what_a_node_reports(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", run_hosts=1)
        found: dict[str, Any] = json.loads((await shown(at, "--tree", "--json")).out)
        assert found["node"] == "north"
        assert found["report"]["processes"][0]["role"] == "control"
        assert found["report_age"] >= 0.0
        assert found["stacks"] is None


async def test_a_command_says_that_a_killed_node_does_not_answer(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", run_hosts=1).kill_whole()
        answer = await shown(at, "--tree")
        assert answer.code == 1
        assert answer.out.startswith("node        north\n")
        assert answer.err.startswith("node north does not answer: it was heard from ")
        assert answer.err.count("\n") == 1
