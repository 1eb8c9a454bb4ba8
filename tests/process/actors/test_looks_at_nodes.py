"""A host that listens tells its node at once that somebody looks at it."""

from __future__ import annotations

import asyncio

from continuum.journal.port import NodeFacts
from tests.process.actors.hosting import DEADLINE_S, LONG_LEASE_S, stage
from tests.process.actors.orders import order


async def test_a_host_passes_on_that_somebody_looks_at_its_node_and_at_no_other(
    dsn: str, schema: str
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(order)
        looked: asyncio.Queue[str] = asyncio.Queue()
        tree.host.looked_at = lambda: looked.put_nowait(tree.host.node)
        for node in ("another", tree.host.node):
            await on.journal.renew([], LONG_LEASE_S, NodeFacts(node, 1, "local", "up"))  # type: ignore[arg-type]

        async with asyncio.timeout(DEADLINE_S):
            while looked.empty():
                # The host may not listen yet.
                for node in ("another", tree.host.node):
                    await on.journal.want_report(node, 5.0, stacks=True)  # type: ignore[arg-type]
                await asyncio.sleep(0)
            assert await looked.get() == tree.host.node
