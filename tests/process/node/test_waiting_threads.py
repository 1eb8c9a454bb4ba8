"""How many attempts wait for a thread, as a node of several processes reports it."""

from __future__ import annotations

from pathlib import Path

from continuum.settings.settings import Settings
from tests.process.node import waiting_flows
from tests.process.node.nodes import site


async def test_a_node_lists_how_many_attempts_wait_in_each_process(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", run_hosts=1, modules=[waiting_flows.__name__])
        beyond = 3
        for _ in range(Settings().activity_threads + beyond):
            await at.client.start(waiting_flows.flow, str(tmp_path))
        host = await at.pid("north", "run_host")

        async def listed() -> bool:
            row = await at.row("north")
            return row is not None and row.waiting == {host: beyond}

        await at.until(listed, "the node lists another number")
        (tmp_path / "release").touch()
