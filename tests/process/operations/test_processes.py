"""Each cause that lies with processes and their code, made for real: its waker, its time, and its fix."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from continuum import RunCancelled, RunHandle, Workflow
from continuum.operations.health_check import check_health
from tests.process.node import deadly_flows
from tests.process.node.nodes import DEADLINE_S, Node, Site, eventually, site
from tests.process.operations import deployed_after, deployed_before
from tests.process.operations import waiting_flows as flows
from tests.process.operations.explaining import (
    MODULE,
    apply,
    commands,
    explained,
    facts,
    frozen,
    is_near,
    is_over,
)

MODULES = [MODULE]
BEFORE, AFTER = [deployed_before.__name__], [deployed_after.__name__]
SHORT_LEASE_S = 2.0


def stop(node: Node) -> None:
    """Stop a node in order."""
    assert node.terminate() == 0
    eventually(lambda: not node.left(), f"left behind: {node.left()}")


async def said_of_blocked(at: Site) -> str:
    """Return what health says about the blocked runs, which are of one workflow and cause."""
    report = await check_health(at.journal)
    (finding,) = [each for each in report.findings if each.code == "blocked"]
    return finding.sentence


async def replace(at: Site, node: Node, modules: Sequence[str]) -> Node:
    """Stop a node, and start one with other code."""
    stop(node)
    return at.node(f"{node.name}-next", modules=modules)


async def test_without_a_node_the_fix_starts_one_of_the_module_that_had_the_workflow(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        node = at.node("north", modules=MODULES)

        async def has_registered() -> bool:
            return bool(await at.journal.versions())

        # It works before it has registered what it has loaded.
        await at.until(has_registered, "the node registers no version")
        stop(node)
        run = await at.client.start(flows.sleeps, 0.0)
        cause = await explained(run, "no_node")
        assert cause.sentence == "no node is running"
        assert commands(cause)[0] == f"continuum run-node {MODULE}"
        await apply(at, cause.fixes[0])
        assert await run.result(DEADLINE_S) == "rested"
        await is_over(run, "no_node")


async def test_a_workflow_or_namespace_that_no_node_serves_names_what_the_nodes_have(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, namespaces=("eu",))

        async def is_listed() -> bool:
            return await at.row("north") is not None

        # It works before its first renewal lists it.
        await at.until(is_listed, "the node is not listed")
        unknown = await at.client.start("explain.unknown", namespace="eu")
        cause = await explained(unknown, "no_node")
        assert "they have explain.activity" in cause.sentence
        assert cause.evidence["nodes"]["north"]["namespaces"] == ["eu"]
        elsewhere = await at.client.start(flows.sleeps, 0.0, namespace="us")
        cause = await explained(elsewhere, "no_node")
        assert cause.sentence == "no running node that has explain.sleep serves namespace us"
        assert commands(cause)[0] == f"continuum run-node {MODULE} --namespace us"
        await apply(at, cause.fixes[0])
        assert await elsewhere.result(DEADLINE_S) == "rested"


async def test_a_run_that_waits_while_no_node_runs_says_both(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", modules=MODULES)
        run = await at.client.start(flows.waits_for_signal)
        await explained(run, "signal")
        stop(north)
        await explained(run, "no_node")
        assert [cause.code for cause in (await run.explain()).causes] == ["no_node", "signal"]


async def test_nodes_that_drain_are_named_and_the_fix_starts_another(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, lease_ttl=SHORT_LEASE_S, drain=600.0)
        busy = await at.client.start(flows.runs_activity, str(tmp_path))
        await explained(busy, "activity_running")
        await at.client.drain_node("north")

        async def drains() -> bool:
            row = await at.row("north")
            return row is not None and row.state == "draining"

        await at.until(drains, "north does not drain")
        run = await at.client.start(flows.sleeps, 0.0)
        cause = await explained(run, "draining")
        assert cause.evidence == {"nodes": ["north"]}
        await apply(at, cause.fixes[0])
        assert await run.result(DEADLINE_S) == "rested"
        (tmp_path / "end").touch()


async def test_a_run_that_no_node_has_claimed_yet_names_those_with_room(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", modules=MODULES, run_hosts=1)
        async with frozen(at, north):
            started = datetime.now(UTC)
            run = await at.client.start(flows.sleeps, 0.0)
            cause = await explained(run, "ready")
            assert cause.wakes_by == "a node that has explain.sleep: north"
            assert is_near(cause.since, started)
            assert is_near(cause.wakes_at, datetime.now(UTC))
        assert await run.result(DEADLINE_S) == "rested"
        await is_over(run, "ready")


async def test_a_run_for_which_no_node_has_room_names_them_and_the_fix_starts_another(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, run_hosts=1, active_runs=1)
        busy = await at.client.start(flows.runs_activity, str(tmp_path))
        await explained(busy, "activity_running")
        started = datetime.now(UTC)
        run = await at.client.start(flows.sleeps, 0.0)
        cause = await explained(run, "full")
        assert facts(cause, "active", "limits") == {"active": {"north": 1}, "limits": {"north": 1}}
        assert (cause.wakes_by, cause.wakes_at) == ("one of these nodes, once it has room: north", None)
        assert is_near(cause.since, started)
        await apply(at, cause.fixes[0])
        assert await run.result(DEADLINE_S) == "rested"
        (tmp_path / "end").touch()


async def test_a_run_that_kills_processes_waits_for_its_trial_and_the_fix_has_another_beside(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        deadly = [deadly_flows.__name__]
        at.node("north", modules=deadly, run_hosts=1)
        runs = [await at.client.start(deadly_flows.poisoned, "fault") for _ in range(4)]
        # While it is tried, it waits for the end of that.
        waker = "the process of a node that tries suspects: north"
        cause = await explained(runs[-1], "quarantine", waker)
        assert cause.since is not None
        assert is_near(cause.since, datetime.now(UTC))
        assert commands(cause)[0] == f"continuum run-node {deadly[0]}"
        await apply(at, cause.fixes[0])
        await is_over(runs[-1], "quarantine")


async def test_a_run_whose_row_hides_its_mail_has_lost_its_wake_and_the_fix_wakes_it(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", modules=MODULES)
        run = await at.client.start(flows.waits_for_signal)
        await explained(run, "signal")
        stop(north)
        await run.signal(flows.go, "yes")
        await at.sql("update {schema}.runs set due_at = null returning 1")
        changed = datetime.now(UTC)
        at.node("south", modules=MODULES)
        cause = await explained(run, "lost_wake")
        assert (cause.wakes_by, cause.wakes_at, cause.evidence["mail"]) == (None, None, 1)
        assert cause.since is not None
        assert cause.since <= changed
        assert commands(cause)[0] == f"continuum repair lost-wake {run.id}"
        await apply(at, cause.fixes[0])
        await run.result(DEADLINE_S)
        await is_over(run, "lost_wake")


async def test_a_timer_that_the_row_says_is_due_later_is_a_lost_wake_until_then(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", modules=MODULES)
        # Longer than it takes to stop the node, on a slow machine too.
        run = await at.client.start(flows.sleeps, 8.0)
        await explained(run, "timer")
        stop(north)
        ((due,),) = await at.sql(
            "update {schema}.runs set due_at = due_at + interval '1 hour' returning due_at::text"
        )
        at.node("south", modules=MODULES)
        cause = await explained(run, "lost_wake")
        assert is_near(cause.wakes_at, datetime.fromisoformat(due))
        await apply(at, cause.fixes[0])
        assert await run.result(DEADLINE_S) == "rested"


@pytest.mark.slow
async def test_code_that_does_not_match_is_named_and_the_fix_starts_the_earlier_code(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", modules=BEFORE)
        run = await at.client.start(deployed_before.changing)
        await explained(run, "signal")
        await replace(at, north, AFTER)
        await run.signal(deployed_before.go, "yes")
        cause = await explained(run, "refused")
        assert list(cause.evidence["refused_by"]) == [deployed_after.changing.version_hash]
        assert cause.evidence["version"] == deployed_before.changing.version_hash
        assert commands(cause)[0] == f"continuum run-node {BEFORE[0]}"
        await apply(at, cause.fixes[0])
        assert await run.result(DEADLINE_S) == "charged: yes"


@pytest.mark.slow
async def test_a_version_that_no_node_has_is_named_and_the_fix_starts_its_code(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", modules=BEFORE)
        run = await at.client.start(deployed_before.strict)
        await explained(run, "signal")
        await replace(at, north, AFTER)

        async def names_it() -> bool:
            return deployed_before.strict.version_hash in (await run.explain()).sentence

        await at.until(names_it, "the version is not named")
        cause = await explained(run, "no_node")
        assert cause.sentence.endswith("of deployed.strict, and none takes other versions")
        await apply(at, cause.fixes[0])
        await is_over(run, "no_node")
        await run.signal(deployed_before.go, "yes")
        assert await run.result(DEADLINE_S) == "yes before"


@asynccontextmanager
async def continued_by_other_code(
    at: Site, workflow: Workflow[[], Any]
) -> AsyncIterator[tuple[RunHandle[Any], Node]]:
    """Give a parked run to a node of other code, beside one of its own code that stands still meanwhile."""
    north = at.node("north", modules=BEFORE)
    run = await at.client.start(workflow)
    await explained(run, "signal")
    stop(north)
    async with frozen(at, at.node("mended", modules=BEFORE)):
        south = at.node("south", modules=AFTER, poll=0.5)
        await run.signal(deployed_before.go, "yes")
        yield run, south


@pytest.mark.slow
async def test_a_drift_says_what_differs_and_the_fix_continues_the_run_on_mended_code(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        async with continued_by_other_code(at, deployed_before.drifting) as (run, south):
            cause = await explained(run, "drift")
            stop(south)
        assert facts(cause, "kind", "position") == {"kind": "drift", "position": 0}
        assert "deployed.ship" in cause.evidence["actual"]
        assert cause.wakes_by == "a node that starts with other code"
        await apply(at, cause.fixes[0])
        assert await run.result(DEADLINE_S) == "charged: yes"


@pytest.mark.slow
async def test_a_blocked_run_that_was_asked_to_stop_compensates_once_the_fix_unblocks_it(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        async with continued_by_other_code(at, deployed_before.undoing) as (run, south):
            unblocks, stops, ends = (await explained(run, "drift")).fixes
            await apply(at, stops)
            stop(south)
            cause = await explained(run, "drift")
        asked = "; it was asked to stop, and compensates once it is unblocked"
        assert cause.sentence.endswith(f"{asked}, unless a signal that came before ends it first")
        assert cause.fixes == (unblocks, ends)
        await apply(at, unblocks)
        with pytest.raises(RunCancelled):
            await run.result(DEADLINE_S)
        undone = [event for event in await run.history() if event.type == "compensation_completed"]
        assert len(undone) == 1


@pytest.mark.slow
async def test_a_drift_ends_when_a_node_starts_with_other_code(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", modules=BEFORE)
        run = await at.client.start(deployed_before.drifting)
        await explained(run, "signal")
        south = await replace(at, north, AFTER)
        await run.signal(deployed_before.go, "yes")
        await explained(run, "drift")
        said = await said_of_blocked(at)
        assert said.endswith("; unblock it once a running node has code that continues it")
        await replace(at, south, BEFORE)
        assert await run.result(DEADLINE_S) == "charged: yes"


@pytest.mark.slow
async def test_an_input_that_does_not_fit_is_unblocked_by_the_fix_where_the_code_fits(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        async with frozen(at, at.node("mended", modules=AFTER)):
            north = at.node("north", modules=BEFORE, poll=0.5)
            run = await at.client.start("deployed.reading", 1, 2)
            cause = await explained(run, "input")
            stop(north)
        said = await said_of_blocked(at)
        assert (said.count("cancel it"), "deploy code" in said) == (1, False), "the reason says it"
        assert "actual" in cause.evidence
        stops, unblocks = cause.fixes
        assert " cancel " in stops.command
        await apply(at, unblocks)
        assert await run.result(DEADLINE_S) == 3


@pytest.mark.slow
async def test_poison_is_unblocked_by_the_fix_once_the_code_is_mended(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", modules=BEFORE)
        run = await at.client.start(deployed_before.deadly)
        cause = await explained(run, "poison")
        assert cause.evidence["deaths"] == 3
        assert cause.wakes_by is None
        await replace(at, north, AFTER)
        assert (await run.explain()).causes[0].code == "poison"
        await apply(at, cause.fixes[0])
        assert await run.result(DEADLINE_S) == "mended"


@pytest.mark.parametrize("restored", [True, False])
async def test_a_run_with_a_damaged_history_continues_by_the_fixes(
    restored: bool, dsn: str, schema: str
) -> None:
    """By the first once it is restored, else by the second, from before what is damaged."""
    async with site(dsn, schema) as at:
        north = at.node("north", modules=BEFORE)
        run = await at.client.start(deployed_before.changing)
        await explained(run, "signal")
        stop(north)
        ((payload,),) = await at.sql("select payload from {schema}.events where seq = 0")
        await at.sql("update {schema}.events set payload = '\\xc1' where seq = 0")
        at.node("south", modules=BEFORE)
        await run.signal(deployed_before.go, "yes")
        cause = await explained(run, "corrupt")
        if restored:
            await at.sql("update {schema}.events set payload = %s where seq = 0", payload)
        assert commands(cause)[1:] == [
            f"continuum runs reset {run.id} --at 0",
            f"continuum cancel {run.id} --force",
        ]
        await apply(at, cause.fixes[0 if restored else 1])
        assert await run.result(DEADLINE_S) == "charged: yes"


@pytest.mark.slow
async def test_an_owner_without_a_lease_is_replaced_by_the_fix(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", modules=MODULES, lease_ttl=SHORT_LEASE_S)
        run = await at.client.start(flows.waits_for_signal)
        await explained(run, "signal")
        north.kill_whole()
        cause = await explained(run, "lease_lost")
        assert facts(cause, "node", "others") == {"node": "north", "others": []}
        assert (cause.wakes_at, commands(cause)[0]) == (None, f"continuum run-node {MODULE}")
        await apply(at, cause.fixes[0])
        found = await is_over(run, "lease_lost")
        assert [each.code for each in found.causes] == ["signal"]


@pytest.mark.slow
async def test_a_silent_owner_is_replaced_when_its_lease_ends(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        north = at.node("north", modules=MODULES, lease_ttl=8.0)
        run = await at.client.start(flows.waits_for_signal)
        await explained(run, "signal")
        at.node("south", modules=MODULES)
        north.kill_whole()
        cause = await explained(run, "owner_silent")
        assert facts(cause, "node", "others") == {"node": "north", "others": ["south"]}
        assert cause.wakes_by == "its owner, or a process of node south"
        assert cause.wakes_at is not None
        assert cause.wakes_at > datetime.now(UTC)
        await is_over(run, "owner_silent")
        await is_over(run, "lease_lost")
        ((released,),) = await at.sql("select updated_at from {schema}.runs")
        assert released > cause.wakes_at - timedelta(seconds=0.5)
        assert is_near(cause.wakes_at, released)


async def test_code_that_hangs_after_an_activity_is_named_and_its_process_is_killed_in_time(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, run_hosts=1, watchdog=10.0, lease_ttl=6.0)
        beside = await at.client.start(flows.waits_for_signal)
        await explained(beside, "signal")
        started = datetime.now(UTC)
        run = await at.client.start(flows.hangs_after_activity)
        cause = await explained(run, "hanging")
        assert cause.sentence.startswith("its own code keeps process ")
        assert facts(cause, "node", "run", "seq") == {"node": "north", "run": run.id, "seq": None}
        assert is_near(cause.since, started)
        assert cause.wakes_by == "the watchdog of node north, which kills the process"
        activity = (await run.explain()).causes[1]
        assert activity.sentence.endswith("whether it still runs is not known, because its process hangs")
        other = await explained(beside, "hanging")
        assert (other.evidence["run"], commands(other)) == (run.id, [f"continuum explain {run.id}"])

        await apply(at, cause.fixes[0])
        await is_over(run, "hanging")
        await at.until(lambda: is_gone(cause.evidence["pid"]), "the process still runs")
        killed = datetime.now(UTC)
        assert cause.wakes_at is not None
        assert killed > cause.wakes_at - timedelta(seconds=0.5)
        assert is_near(cause.wakes_at, killed)
        await beside.signal(flows.go, "yes")
        assert await beside.result(DEADLINE_S) == "yes"


async def is_gone(pid: int) -> bool:
    """Return whether there is no such process."""
    return not psutil.pid_exists(pid)
