"""What a node of several processes reports of itself to those who look."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from continuum.engine.ids import NodeId
from continuum.operations.node_report import ActorReport, NodeReport, ProcessReport
from continuum.operations.node_watch import ask_node
from tests.process.node import stuck_flows
from tests.process.node.nodes import DEADLINE_S, LONG_LEASE_S, Site, eventually, site


async def report_of(at: Site, node: str) -> NodeReport:
    """Ask a node until it answers: on a busy machine once may be too little."""
    found: list[NodeReport] = []

    async def answers() -> bool:
        watched = await ask_node(at.journal, node)
        if watched is not None and watched.report is not None:
            found.append(watched.report)
        return bool(found)

    await at.until(answers, f"{node} does not report")
    return found[-1]


async def process_of(at: Site, process_id: str) -> ProcessReport | None:
    """Return what the node north says of a process, None while it has none."""
    report = await report_of(at, "north")
    return next((process for process in report.processes if process.process_id == process_id), None)


def actors(tree: ActorReport | None) -> Iterator[ActorReport]:
    """Yield a tree's actors from top to bottom."""
    if tree is not None:
        yield tree
        for child in tree.children:
            yield from actors(child)


async def test_a_node_reports_the_tree_and_the_load_of_each_process(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", run_hosts=1, activity_hosts=1)
        runs = await at.orders(2)
        report = await report_of(at, "north")
        assert (report.node, report.state) == ("north", "up")
        by_role = {process.role: process for process in report.processes}
        assert set(by_role) == {"control", "run_host", "activity_host", "quarantine_host"}
        host = by_role["run_host"]
        assert host.pid == await at.pid("north", "run_host")
        assert (host.restarts, host.silent_for, host.draining) == (0, None, False)
        assert host.worker is not None
        assert host.lease_age is not None
        assert host.loop_lag is not None
        assert host.memory is not None
        assert host.connections is not None
        assert host.connections > 0
        assert host.load is not None
        assert (host.load.live_runs, host.load.suspended_runs, host.load.active_runs) == (2, 2, 0)
        named = {actor.id: actor for actor in actors(host.tree)}
        assert named["leaseholders"].strategy == "one_for_all"
        assert named["run_supervisor"].kind == "dynamic_supervisor"
        assert {child.id for child in named["run_supervisor"].children} == {run.id for run in runs}
        assert {"heartbeater", "recovery", "cluster"} <= {
            actor.id for actor in actors(by_role["control"].tree)
        }
        assert {"worker_lease", "activity_dispatcher"} <= {
            actor.id for actor in actors(by_role["activity_host"].tree)
        }
        # It sleeps until there are suspects.
        assert by_role["quarantine_host"].tree is None
        assert by_role["quarantine_host"].silent_for is None


async def test_a_killed_process_is_reported_with_its_restarts_and_its_end(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        node = at.node("north", run_hosts=1)
        before = await process_of(at, "run_host-1")
        assert before is not None
        assert (before.restarts, before.last_end) == (0, None)
        os.kill(before.pid, signal.SIGKILL)

        async def again() -> bool:
            after = await process_of(at, "run_host-1")
            return after is not None and after.pid != before.pid and after.tree is not None

        await at.until(again, "it is not reported again")
        after = await process_of(at, "run_host-1")
        assert after is not None
        assert (after.restarts, after.last_end) == (1, "it was killed by SIGKILL")
        node.note_processes()


async def test_a_process_that_does_not_answer_is_reported_with_its_silence(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        node = at.node("north", run_hosts=1, watchdog=LONG_LEASE_S)
        host = await at.pid("north", "run_host")
        os.kill(host, signal.SIGSTOP)

        async def silent() -> bool:
            process = await process_of(at, "run_host-1")
            return process is not None and (process.silent_for or 0.0) > 1.0

        await at.until(silent, "it answers")
        process = await process_of(at, "run_host-1")
        assert process is not None
        assert (process.pid, process.tree, process.load) == (host, None, None)
        os.kill(host, signal.SIGCONT)
        assert node.terminate() == 0


async def test_a_node_that_nobody_looks_at_reports_nothing(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", run_hosts=1)
        at.node("south", run_hosts=1)
        await report_of(at, "south")
        assert await at.journal.node_report(NodeId("north")) is None


async def test_a_killed_node_does_not_answer(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        node = at.node("north", run_hosts=1)
        await report_of(at, "north")
        node.kill_whole()
        watched = await ask_node(at.journal, "north", wait=3.0)
        assert watched is not None
        assert watched.report is None


@pytest.mark.parametrize(
    ("where", "function"),
    [("in_thread", "sits_in_thread"), ("in_loop", "sits_in_loop"), ("waiting", "lingers")],
)
async def test_the_stacks_of_a_node_name_the_function_that_a_stuck_activity_is_in(
    where: str, function: str, dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", run_hosts=1, watchdog=LONG_LEASE_S, modules=[stuck_flows.__name__])
        run = await at.client.start(stuck_flows.flow, str(tmp_path), where)
        eventually((tmp_path / where).exists, "the activity does not begin")
        watched = await ask_node(at.journal, "north", stacks=True, wait=DEADLINE_S)
        assert watched is not None
        assert watched.stacks is not None
        (host,) = [process for process in watched.stacks if process.process_id == "run_host-1"]
        (stack,) = [stack for stack in host.stacks if any(function in frame for frame in stack.frames)]
        assert stack.frames[-1].startswith("/")
        if where == "waiting":
            assert run.id in stack.name
        if where == "in_thread":
            assert stack.name == "stuck.in_thread"
        assert "createActor" not in str(watched.stacks), "it is of the process that forked"
        assert all(process.answered for process in watched.stacks)
        assert str(tmp_path) not in str(host)
        (tmp_path / "release").touch()
        await run.result(DEADLINE_S)
