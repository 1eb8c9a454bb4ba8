"""Failures in the log of a node: one line each, however many owners a run has had."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from continuum import RunFailed
from continuum.journal.postgres.schema import migrate_schema
from continuum.local_postgres import EmbeddedPostgres
from tests.postgres.holding import is_over, server_directory, server_of
from tests.process.node import deadly_flows, failing_flows
from tests.process.node.nodes import DEADLINE_S, LAUNCH, Site, eventually, site

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
        # A node of the same code is no reason to try them again.
        later = tmp_path / "later"
        node_with_log(at, later, "south")
        for run in runs:
            assert await run.state() == "blocked"
            assert [level for level, _ in lines_about(log, run.id)] == ["ERROR"]
            assert lines_about(later, run.id) == []


async def test_a_run_that_kills_its_processes_is_blocked_in_one_line_of_the_log(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    async with site(dsn, schema) as at:
        at.node("north", run_hosts=1, modules=[deadly_flows.__name__], script=logging_to(log))
        run = await at.client.start(deadly_flows.poisoned, "exit")
        await at.until_state(run, "blocked")

        async def is_logged() -> bool:
            return f"run {run.id} of blame.poisoned is blocked: poison" in log.read_text()

        await at.until(is_logged, "the block is not logged")
        assert [level for level, _ in lines_about(log, run.id)].count("ERROR") == 1


def is_over_in(text: str) -> bool:
    """Whether a log has as many ends of outages as beginnings."""
    return text.count("answers again") == text.count("waits until it answers") > 0


async def go_through_an_outage(dsn: str, directory: Path, log: Path) -> None:
    """Kill the server under a node and let its keeper start it again."""
    async with site(dsn, "continuum") as at:
        node_with_log(at, log)
        runs = [await at.client.start(failing_flows.waits) for _ in range(20)]
        for run in runs:
            await at.until_state(run, "suspended")
        victim = server_of(directory).postmaster
        victim.kill()
        eventually(lambda: is_over(victim), "the server lives")
        for run in runs:
            await run.signal(failing_flows.go, "yes")
        assert await asyncio.gather(*(run.result(DEADLINE_S) for run in runs)) == ["yes"] * len(runs)

        eventually(lambda: is_over_in(log.read_text()), "the end of the outage is not logged")


def test_an_outage_is_two_lines_for_each_process_and_no_traceback(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with server_directory() as directory, EmbeddedPostgres(directory, durable=True) as server:
        asyncio.run(migrate_schema(server.dsn, "continuum"))
        asyncio.run(go_through_an_outage(server.dsn, directory, log))
    lines = log.read_text().splitlines()
    assert [line for line in lines if not RECORD.fullmatch(line)] == []
    # A run host and the control process.
    assert 1 <= sum("waits until it answers" in line for line in lines) <= 2
    assert len(lines) == 2 * sum("waits until it answers" in line for line in lines)


async def test_a_lost_lease_is_one_line_without_a_traceback(dsn: str, schema: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with site(dsn, schema) as at:
        node_with_log(at, log)
        run = await at.client.start(failing_flows.waits)
        await at.until_state(run, "suspended")
        # As another node does whose clock or network finds the lease expired.
        await at.sql("update {schema}.runs set owner = null, due_at = now()")
        await at.sql("delete from {schema}.workers")
        await run.signal(failing_flows.go, "yes")
        assert await run.result(DEADLINE_S) == "yes"
    lines = log.read_text().splitlines()
    assert [line for line in lines if not RECORD.fullmatch(line)] == []
    (line,) = lines
    assert "the lease of worker" in line
