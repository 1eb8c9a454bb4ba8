"""What a node in an application's loop reports of itself to those who look."""

from __future__ import annotations

import continuum
from continuum.journal.postgres import PostgresJournal
from continuum.operations.node_watch import ask_node
from continuum_supervision import Supervisor
from tests.process.in_process import flows
from tests.process.in_process.hosts import DEADLINE_S, LONG_LEASE_S, WORKFLOWS, until_suspended


async def test_an_application_reports_the_tree_and_the_stacks_of_its_node(dsn: str, schema: str) -> None:
    specs = continuum.children(
        name="shop", dsn=dsn, schema=schema, workflows=WORKFLOWS, heartbeater={"ttl": LONG_LEASE_S}
    )
    async with Supervisor(specs), continuum.connect(name="shop") as client:
        run = await client.start(flows.order, 7)
        await until_suspended(run)
        (node,) = await client.nodes()
        journal = PostgresJournal(dsn, schema=schema, listen=False)
        await journal.open()
        watched = await ask_node(journal, node.node, stacks=True, wait=DEADLINE_S)
        await journal.close()
    assert watched is not None
    assert watched.report is not None
    (process,) = watched.report.processes
    assert process.load is not None
    assert process.load.live_runs == 1
    assert process.lease_age is not None
    assert process.tree is not None
    assert process.tree.children[0].id == "control"
    assert watched.stacks is not None
    assert any("Heartbeater" in stack.name for stack in watched.stacks[0].stacks)
