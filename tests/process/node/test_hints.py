"""Notifications of mail that go straight to the process that owns the run."""

from __future__ import annotations

from pathlib import Path

from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, site
from tests.process.supervision.observing import free_port

COOKIE = {"CONTINUUM_COOKIE": "a cookie of at least 32 bytes, really"}
# One result every so many seconds, for as long as a test waits: those before the nodes have met are lost.
RESULT_EVERY_S = 0.3
RUNS = int(DEADLINE_S / RESULT_EVERY_S)


def release_begun(directory: Path) -> None:
    """Let the activities end that have begun; one runs at a time."""
    for trace in directory.glob("press-*"):
        (directory / f"release-{trace.name.split('-')[1]}").touch()


async def test_the_owner_of_a_run_learns_of_mail_at_once_though_no_node_listens(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        runs = [await at.client.start(flows.printing, str(tmp_path), number) for number in range(RUNS)]
        port = free_port()
        # It claims the runs when it starts; then it polls so rarely that polls explain nothing.
        at.node("north", listen=False, poll=600.0, bind=("127.0.0.1", port), environment=COOKIE)
        for run in runs:
            await at.until_state(run, "suspended")
        at.node(
            "south",
            listen=False,
            poll=0.1,
            activity_hosts=1,
            bind=("127.0.0.1", free_port()),
            join=("127.0.0.1", port),
            environment=COOKIE,
        )

        async def ends() -> bool:
            release_begun(tmp_path)
            done = await at.sql("select 1 from {schema}.runs where completed_at is not null limit 1")
            return bool(done)

        await at.until(ends, "no result reaches its run", every=RESULT_EVERY_S)
