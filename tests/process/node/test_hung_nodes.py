"""Processes of a node hang (SIGSTOP, never continued): runs continue, and the node can still be stopped."""

from __future__ import annotations

import os
import signal

import pytest

from tests.process.node.nodes import DEADLINE_S, Node, Site, eventually, site

ORDERS = 10
LEASE_S = 6.0


async def stop_process(at: Site, node: Node, role: str) -> int:
    """Stop a process by its pid, and return that."""
    if role == "admin":
        # The parent of the supervisor.
        pid = int(node.seen[await at.pid("north", "node_supervisor")].parent().pid)
    elif role == "control":
        pid = await at.control_pid("north")
    else:
        pid = await at.pid("north", role)
    os.kill(pid, signal.SIGSTOP)
    return pid


async def test_no_run_changes_hands_while_a_hung_control_process_is_replaced(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        node = at.node("north", lease_ttl=LEASE_S)
        runs = await at.orders(ORDERS)
        tokens = await at.sql("select id, token from {schema}.runs order by id")
        victim = await stop_process(at, node, "control")
        eventually(lambda: victim not in [process.pid for process in node.left()], "it is not killed")
        renewed = await at.sql("select max(expires_at) from {schema}.workers")

        async def is_renewed() -> bool:
            return bool(await at.sql("select max(expires_at) from {schema}.workers") > renewed)

        await at.until(is_renewed, "no successor renews the leases")
        assert await at.sql("select id, token from {schema}.runs order by id") == tokens
        await at.all_ship(runs)


async def test_a_node_starts_again_when_its_root_supervisor_hangs(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        node = at.node("north", watchdog=1.0)
        runs = await at.orders(ORDERS)
        first = node.left()
        await stop_process(at, node, "node_supervisor")
        eventually(lambda: not set(first) & set(node.left()), "the hung node is not killed")
        await at.all_ship(runs)
        node.note_processes()
        assert node.terminate() == 0
        assert await at.sql("select * from {schema}.workers") == []


@pytest.mark.parametrize("role", ["node_supervisor", "admin", "control", "run_host", "activity_host"])
async def test_a_node_can_be_stopped_whichever_of_its_processes_hangs(
    role: str, dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        node = at.node("north", activity_hosts=1, drain=1.0, watchdog=2.0, lease_ttl=LEASE_S)
        runs = await at.orders(2)
        node.note_processes()
        await stop_process(at, node, role)
        node.launcher.send_signal(signal.SIGTERM)
        assert node.launcher.wait(DEADLINE_S) == 0
        eventually(lambda: not node.left(), f"left behind: {node.left()}")
        at.node("south")
        await at.all_ship(runs)
