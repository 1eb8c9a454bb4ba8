"""Failures in the log of a node: one line each, however many owners a run has had."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from continuum import RunFailed
from tests.process.node import failing_flows
from tests.process.node.nodes import DEADLINE_S, LAUNCH, Site, site

RECORD = re.compile(r"\S+ \S+ [A-Z]+ continuum\.[a-z_.]+: .+")


def logging_to(log: Path) -> str:
    """Return the script of a launcher whose whole node logs to a file."""
    to_file = f"import os; os.dup2(os.open({str(log)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)"
    return f"{to_file}\n{LAUNCH}"


def node_with_log(at: Site, log: Path, name: str = "north") -> None:
    """Start a node that logs to a file."""
    at.node(name, run_hosts=1, modules=[failing_flows.__name__], script=logging_to(log))


def lines_about(log: Path, run_id: str) -> list[tuple[str, str]]:
    """Return level and text of the records that name a run; the log has no line that is no record."""
    lines = log.read_text().splitlines()
    assert [line for line in lines if not RECORD.fullmatch(line)] == []
    return [(line.split()[2], line) for line in lines if run_id in line]


async def test_every_failure_of_a_run_is_one_line_of_the_log(dsn: str, schema: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with site(dsn, schema) as at:
        node_with_log(at, log)
        run = await at.client.start(failing_flows.fails)
        with pytest.raises(RunFailed):
            await run.result(DEADLINE_S)

        async def is_logged() -> bool:
            return "failing.fails failed" in log.read_text()

        await at.until(is_logged, "the failure is not logged")
        found = lines_about(log, run.id)
        assert [level for level, _ in found] == ["WARNING", "WARNING", "WARNING", "ERROR"]
        for (_, line), text in zip(
            found,
            (
                "attempt 1 of failing.unsure failed, the next follows in 0 s: ValueError: no no",
                "attempt 2 of failing.unsure failed, it was the last: ValueError: no no",
                "attempt 1 of failing.queued failed, it was the last: OSError: no disk",
                "of failing.fails failed: RuntimeError: no no",
            ),
            strict=True,
        ):
            assert text in line
            assert len(line) < 500


async def test_a_blocked_run_is_one_line_of_the_log_though_its_first_owner_was_killed(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    async with site(dsn, schema) as at:
        node_with_log(at, log)
        runs = [await at.client.start(failing_flows.waits) for _ in range(3)]
        for run in runs:
            await at.until_state(run, "suspended")
        await at.sql("update {schema}.runs set started_at = 'infinity'")
        os.kill(await at.pid("north", "run_host"), signal.SIGKILL)
        for run in runs:
            await run.signal(failing_flows.go, "yes")
            await at.until_state(run, "blocked")

        async def logged() -> bool:
            return all(f"{run.id} of failing.waits is blocked: corrupt" in log.read_text() for run in runs)

        await at.until(logged, "the block is not logged")
        for run in runs:
            assert [level for level, _ in lines_about(log, run.id)] == ["ERROR"]
