"""How many attempts wait for a thread, as a node inside an application reports it."""

from __future__ import annotations

import threading

import continuum
from continuum import activity, workflow
from continuum_supervision import Supervisor
from tests.process.in_process.hosts import until

gate = threading.Event()


@activity(name="waiting_threads.blocks")
def blocks() -> None:
    """Block a thread until the test ends."""
    gate.wait(30)


@workflow(name="waiting_threads.flow")
async def flow() -> None:
    """Make one call."""
    await blocks()


async def test_a_node_lists_how_many_attempts_wait_for_a_thread() -> None:
    node = continuum.children(
        name="own",
        journal="memory",
        workflows=[flow],
        activity_supervisor={"threads": 2},
        heartbeater={"ttl": 1},
    )
    async with Supervisor(node), continuum.connect(name="own") as client:

        async def all_wait() -> bool:
            return [list(row.waiting.values()) for row in await client.nodes()] == [[7]]

        async def none_waits() -> bool:
            return [row.waiting for row in await client.nodes()] == [{}]

        try:
            for _ in range(9):
                await client.start(flow)
            await until(all_wait, "the node lists another number")
        finally:
            gate.set()
        await until(none_waits, "the node lists attempts that have ended")
