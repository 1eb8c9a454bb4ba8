"""A function of the schema that is lost under a node: its processes wait for it, and say so once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from continuum.journal.postgres.schema import migrate_schema
from tests.process.node import failing_flows
from tests.process.node.nodes import DEADLINE_S, site
from tests.process.node.test_failure_log import RECORD, node_with_log


async def test_processes_wait_for_a_lost_function_and_continue_once_it_is_there_again(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    async with site(dsn, schema) as at:
        node_with_log(at, log)
        parked = await at.client.start(failing_flows.waits)
        await at.until_state(parked, "suspended")
        pid = await at.pid("north", "run_host")
        await at.sql("drop function {schema}.any_pause cascade")
        later = await at.client.start(failing_flows.waits)

        async def is_logged() -> bool:
            return "run `continuum migrate`" in log.read_text()

        await at.until(is_logged, "nothing is logged")
        done = await migrate_schema(dsn, schema)
        assert done.restored == ["any_pause"]
        await asyncio.gather(parked.signal(failing_flows.go, "yes"), later.signal(failing_flows.go, "yes"))
        assert await later.result(DEADLINE_S) == "yes"
        assert await parked.result(DEADLINE_S) == "yes"
        assert await at.pid("north", "run_host") == pid

        async def is_over() -> bool:
            return _count(log, "answers again") == _count(log, "waits until it answers")

        await at.until(is_over, "no process says that the database answers again")
    lines = log.read_text().splitlines()
    assert [line for line in lines if not RECORD.fullmatch(line)] == []
    assert 1 <= _count(log, "run `continuum migrate`") <= 2
    assert len(lines) == 2 * _count(log, "waits until it answers")


def _count(log: Path, text: str) -> int:
    return log.read_text().count(text)
