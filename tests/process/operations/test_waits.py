"""Each cause that lies with what the code waits for, made for real: its waker, its time, and its fix."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from continuum import Fix, RunHandle
from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditQuery
from continuum.operations.health_check import check_health
from tests.process.node.nodes import DEADLINE_S, Site, site
from tests.process.operations import waiting_flows as flows
from tests.process.operations.explaining import (
    MODULE,
    apply,
    commands,
    explained,
    facts,
    is_near,
    is_over,
)

MODULES = [MODULE]


async def happened(run: RunHandle[Any], type: str) -> datetime:
    """Return when the last event of this type was written."""
    return [event.at for event in await run.history() if event.type == type][-1]


async def test_a_signal_names_what_lies_unread_and_the_fix_sends_it(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.waits_for_signal)
        cause = await explained(run, "signal")
        assert cause.since is not None
        assert abs((datetime.now(UTC) - cause.since).total_seconds()) < DEADLINE_S
        assert (cause.wakes_by, cause.wakes_at) == ("the sender of signal go", None)
        assert cause.evidence["place"].startswith("operations/waiting_flows.py:")
        assert cause.evidence["unread"] == []

        await run.signal("og", "yes")

        async def names_it() -> bool:
            found = await run.explain()
            return found.causes[0].code == "signal" and found.causes[0].evidence["unread"] == ["og"]

        await at.until(names_it, "the misspelled signal is not named")
        await apply(at, cause.fixes[0], '"yes"')
        assert await run.result(DEADLINE_S) == "yes"
        over = (await run.explain()).causes[0]
        assert (over.code, over.sentence[:15]) == ("ended", "it completed at")


async def test_a_signal_with_a_timeout_has_the_time_of_its_timer(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.waits_for_a_while, 2.0)
        cause = await explained(run, "signal")
        assert [each.code for each in (await run.explain()).causes] == ["signal"]
        assert await run.result(DEADLINE_S) == "nothing came"
        assert is_near(cause.wakes_at, await happened(run, "timer_fired"))


async def test_a_timer_has_its_time(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.sleeps, 2.0)
        cause = await explained(run, "timer")
        owner = await run.owner()
        assert owner is not None
        assert cause.wakes_by == f"process {owner.pid} of node north"
        assert cause.evidence["place"].startswith("operations/waiting_flows.py:")
        assert await run.result(DEADLINE_S) == "rested"
        assert is_near(cause.wakes_at, await happened(run, "timer_fired"))


async def test_the_fix_of_a_timer_stops_the_run(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.sleeps, 3600.0)
        cause = await explained(run, "timer")
        await apply(at, cause.fixes[0])
        assert (await explained(run, "ended")).evidence == {"by_parent": False}


async def test_an_activity_in_the_loop_has_its_place_and_its_process(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.runs_activity, str(tmp_path))
        cause = await explained(run, "activity_running")
        owner = await run.owner()
        assert owner is not None
        assert facts(cause, "activity", "attempt", "where") == {
            "activity": "explain.stays",
            "attempt": 1,
            "where": f"process {owner.pid} of node north",
        }
        assert cause.wakes_by == "activity explain.stays"
        await apply(at, cause.fixes[0])
        await explained(run, "ended")


async def test_an_activity_of_a_queue_has_its_heartbeat_and_its_deadline(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.runs_task, str(tmp_path))
        cause = await explained(run, "activity_running")

        async def has_heartbeat() -> bool:
            return "heartbeat" in (await run.explain()).causes[0].evidence

        await at.until(has_heartbeat, "there is no heartbeat")
        cause = await explained(run, "activity_running")
        assert cause.evidence["heartbeat"] == {"done": 3}
        assert cause.since is not None
        assert cause.wakes_at is not None
        assert round((cause.wakes_at - cause.since).total_seconds()) == 600
        (tmp_path / "end").touch()
        assert await run.result(DEADLINE_S) == "ended"


async def test_a_queued_activity_has_its_place_and_another_node_runs_it(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, queues={"narrow": 1})
        runs = [await at.client.start(flows.runs_task, str(tmp_path))]
        await explained(runs[0], "activity_running")
        for _ in range(2):
            runs.append(await at.client.start(flows.runs_task, str(tmp_path)))
            cause = await explained(runs[-1], "activity_queued")
        assert facts(cause, "queue", "position", "running", "limits") == {
            "queue": "narrow",
            "position": 2,
            "running": 1,
            "limits": {"north": 1},
        }
        assert cause.wakes_by == "a process that serves queue narrow: north"
        assert commands(cause)[0] == f"continuum run-node {MODULE}"
        await apply(at, cause.fixes[0])
        await explained(runs[-1], "activity_running")
        (tmp_path / "end").touch()
        for run in runs:
            assert await run.result(DEADLINE_S) == "ended"


async def test_an_activity_that_no_process_may_run_says_what_is_missing(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, activity_hosts=0)
        run = await at.client.start(flows.runs_apart)
        cause = await explained(run, "activity_queued")
        assert cause.evidence["limits"] == {}
        assert cause.sentence.endswith("none that has loaded it has an activity host")
        assert cause.wakes_by == "a node that has explain.apart"
        await apply(at, cause.fixes[0])
        assert await run.result(DEADLINE_S) == "done apart"


async def test_an_activity_of_a_worker_that_does_not_exist_runs_after_the_fix(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, activity_hosts=0)
        run = await at.client.start(flows.runs_apart)
        await explained(run, "activity_queued")
        await at.sql("update {schema}.tasks set owner = 99999, claimed_at = now()")
        cause = await explained(run, "lost_wake")
        assert cause.wakes_by is None
        (finding,) = [each for each in (await check_health(at.journal)).findings if each.count]
        assert (finding.code, finding.subject) == ("owner-unknown", "explain.isolated")
        assert finding.fixes == (cause.fixes[0].command,)
        await apply(at, cause.fixes[0])
        assert "owner-unknown" not in {each.code for each in (await check_health(at.journal)).findings}
        at.node("south", modules=MODULES, activity_hosts=1)
        assert await run.result(DEADLINE_S) == "done apart"


async def test_tasks_that_no_node_may_run_get_one_by_the_fix(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES, activity_hosts=0)
        run = await at.client.start(flows.runs_apart)
        await explained(run, "activity_queued")
        (finding,) = (await check_health(at.journal, due_for=0.0)).findings
        assert finding.code == "queue-unserved"
        assert finding.fixes == (f"continuum run-node {MODULE} --activity-hosts 1 --schema {schema}",)
        await apply(at, Fix(finding.fixes[0]))
        assert await run.result(DEADLINE_S) == "done apart"


async def test_an_activity_that_backs_off_has_its_error_and_the_time_of_the_next_attempt(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.retries, soon=True)
        cause = await explained(run, "backing_off")
        assert cause.sentence.startswith("attempt 2 of 3 of activity explain.fails_once begins at ")
        assert "reset" not in " ".join(commands(cause)), "it begins sooner than a person types"
        assert facts(cause, "activity", "attempt", "attempts", "error") == {
            "activity": "explain.fails_once",
            "attempt": 2,
            "attempts": 3,
            "error": "ConnectionError: the bank does not answer",
        }
        assert await run.result(DEADLINE_S) == "2"
        assert is_near(cause.wakes_at, await happened(run, "activity_restarted"))


async def test_the_fix_of_a_back_off_stops_the_run(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.retries, soon=False)
        cause = await explained(run, "backing_off")
        await apply(at, cause.fixes[-1])
        await explained(run, "ended")


async def test_the_fix_of_a_long_back_off_tries_at_once_and_is_recorded(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.backs_off_for_long, str(tmp_path))
        cause = await explained(run, "backing_off")
        assert cause.sentence.startswith("attempt 2 of 7 of activity explain.breaks begins at ")
        fix, _ = cause.fixes
        assert " runs reset " in fix.command
        (tmp_path / "mended").touch()
        await apply(at, fix)
        assert await run.result(DEADLINE_S) == "mended"
        (row,) = await at.journal.audited(AuditQuery(1))
        assert (row.action, row.outcome) == ("reset", "done")
        effects = [event for event in await run.history() if event.type == "activity_scheduled"]
        assert [event.name for event in effects] == ["explain.undone", "explain.breaks"], "not done again"


async def test_a_child_is_followed_down_to_what_holds_it(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.waits_for_child, 1)

        async def is_down() -> bool:
            found = await run.explain()
            return found.causes[0].code == "child" and "signal go" in found.sentence

        await at.until(is_down, "the child is not followed")
        cause = await explained(run, "child")
        assert facts(cause, "workflow", "causes") == {"workflow": "explain.parent", "causes": ["child"]}
        assert cause.wakes_by == "the sender of signal go"
        await apply(at, cause.fixes[0], '"yes"')
        assert await run.result(DEADLINE_S) == "yes"


async def test_the_root_of_a_failure_is_the_child_in_which_it_began(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.fails, 2)
        cause = await explained(run, "ended")
        root = cause.evidence["root"]
        assert (root["type"], root["message"]) == ("ValueError", "there is no such account")
        assert root["run"] not in (run.id, None)
        assert f"the failure began in its child {root['run']} of explain.failing" in cause.sentence
        deepest = await at.client.explain(root["run"])
        assert "root" not in deepest.causes[0].evidence


async def test_a_cancel_that_compensates_says_what_and_the_fix_ends_it(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.compensates, str(tmp_path))
        await explained(run, "signal")
        await run.cancel()

        async def compensates() -> bool:
            found = await run.explain()
            return [cause.code for cause in found.causes] == ["cancelling", "activity_running"]

        await at.until(compensates, "it does not compensate")
        cause = await explained(run, "cancelling")
        assert cause.evidence == {"compensating": ["explain.undo"]}
        assert cause.since == await happened(run, "cancel_requested")
        await apply(at, cause.fixes[0])
        await explained(run, "ended")


async def test_code_that_waits_for_itself_waits_for_nothing(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.waits_for_itself)
        cause = await explained(run, "nothing")
        assert (cause.wakes_by, cause.wakes_at) == (None, None)
        await apply(at, cause.fixes[0])
        await explained(run, "ended")


async def test_a_run_that_an_earlier_release_has_parked_says_so(dsn: str, schema: str) -> None:
    async with site(dsn, schema) as at:
        at.node("north", modules=MODULES)
        run = await at.client.start(flows.waits_for_signal)
        await explained(run, "signal")
        # All that a node of that release leaves out.
        await at.sql("update {schema}.runs set waits_for = null")
        cause = await explained(run, "unrecorded")
        await apply(at, cause.fixes[0])
        await explained(run, "ended")


async def executes(at: Site, run: RunHandle[Any]) -> int:
    """Return the process that owns a run."""
    row = await at.journal.get_run(RunId(run.id))
    assert row is not None
    assert row.owner_pid is not None
    return row.owner_pid


async def test_a_run_whose_code_is_executed_names_the_process(dsn: str, schema: str, tmp_path: Path) -> None:
    async with site(dsn, schema) as at:
        # The node claims it, because it was there before. Another first step is executed without an owner.
        run = await at.client.start(flows.executes, str(tmp_path))
        at.node("north", modules=MODULES)
        cause = await explained(run, "executing")
        assert facts(cause, "node", "pid") == {"node": "north", "pid": await executes(at, run)}
        assert cause.wakes_by == "its code"
        assert cause.fixes == ()
        (tmp_path / "end").touch()
        assert await run.result(DEADLINE_S) == "ended"
        await is_over(run, "executing")
