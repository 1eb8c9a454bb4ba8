"""What people ask a journal about its health: what is late, blocked, lost or suspected, and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from continuum.engine.ids import NodeId
from continuum.journal.audit_facts import Action, AuditFacts, AuditQuery
from continuum.journal.health_port import HealthFacts, Review
from continuum.journal.node_code import NodeCode
from continuum.journal.operation_facts import OperationState
from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.journal.port import (
    ClaimedRun,
    Fault,
    Journal,
    Loaded,
    NodeFacts,
    RunState,
    Transition,
    VersionRow,
)
from continuum.journal.suspect_port import UNEXPLAINED, Death, Executed
from continuum.journal.version_facts import Refusal
from continuum.journal.wait import Wait
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    new_task,
    owned_run,
    query,
    queue_tasks,
    retire,
    row,
    signal,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)
from tests.contract.operating import begun

CODE = NodeCode("1.0", [Loaded("orders", "v1")], ["send"])
FACTS = NodeFacts(
    NodeId("north"), 4711, "loopback:1", "up", [("run_host", 8), ("activity_host", 9)], ["orders"], code=CODE
)


def audit_of(subject: str) -> AuditFacts:
    """Return the facts of a review by ann."""
    return AuditFacts(str(uuid4()), "ann", "python", Action.REVIEW_FINDING, subject, {})


async def health(journal: Journal, due_for: float = 0.0) -> HealthFacts:
    """Ask."""
    return await journal.health_facts(due_for=due_for)


def rare(facts: HealthFacts) -> dict[str, Any]:
    """Return what was found, by what it is."""
    names = ("overdue", "blocked", "expired", "tasks", "quarantined", "deadly", "unserved", "odd")
    return {name: found for name in names if (found := getattr(facts, name))}


async def test_nothing_is_rare_in_an_empty_journal(journal: Journal) -> None:
    facts = await health(journal)
    assert rare(facts) == {}
    assert (list(facts.nodes), dict(facts.reviewed)) == ([], {})


async def test_nothing_is_rare_while_all_that_is_due_is_owned(journal: Journal) -> None:
    worker = await worker_of(journal)
    await journal.renew([worker.id], 600.0, FACTS)
    owned = await owned_run(journal, worker)
    asleep = await owned_run(journal, worker)
    waiting = await owned_run(journal, worker)
    ended = await owned_run(journal, worker)
    await commit(journal, worker, write(asleep, transition=sleep_until(journal.now() + 3_600_000_000)))
    await commit(journal, worker, write(waiting, transition=sleep_until(None)))
    await commit(journal, worker, write(ended, transition=end()))
    await queue_tasks(journal, worker, owned, new_task())
    await take_tasks(journal, worker)
    assert rare(await health(journal)) == {}


async def test_runs_that_are_due_are_grouped(journal: Journal) -> None:
    await journal.register_versions([VersionRow("orders", "v1", "1", "shop.orders", None, None)])
    first = await begin(journal)
    await begin(journal)
    other = await begin(journal, namespace="eu")
    before = journal.now()

    facts = await health(journal)

    found = {(each.workflow, each.version, each.namespace): each for each in facts.overdue}
    assert found.keys() == {("orders", None, "default"), ("orders", None, "eu")}
    mine = found["orders", None, "default"]
    assert (mine.number, mine.more, mine.example, list(mine.refused), mine.module) == (
        2,
        False,
        first,
        [],
        "shop.orders",
    )
    assert abs(before - mine.since) < 60_000_000
    assert found["orders", None, "eu"].example == other
    assert (await health(journal, due_for=3600.0)).overdue == []


async def test_runs_that_should_have_woken_are_due(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    due = journal.now() + 1
    await commit(journal, worker, write(run, transition=sleep_until(due)))

    (found,) = (await health(journal)).overdue

    assert (found.workflow, found.version, found.number, found.example) == ("orders", "v1", 1, run.id)
    assert abs(found.since - due) < 60_000_000


async def test_runs_that_code_refused_are_apart(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    refusing = write(run, transition=Transition(RunState.RUNNING, journal.now(), release=True))
    refusing.refusal = Refusal("v2", "drift: at 3", Fault("drift", 3))
    await commit(journal, worker, refusing)
    await begin(journal)

    found = {tuple(each.refused): each for each in (await health(journal)).overdue}

    assert found.keys() == {("v2",), ()}
    assert (found["v2",].example, found["v2",].version) == (run.id, "v1")


async def test_blocked_runs_are_grouped_by_their_fault(journal: Journal) -> None:
    worker = await worker_of(journal)
    for kind in ("drift", "drift", "corrupt"):
        run = await owned_run(journal, worker)
        blocked = Transition(RunState.BLOCKED, reason=f"{kind}: so", fault=Fault(kind))
        await commit(journal, worker, write(run, transition=blocked))

    found = {each.kind: each for each in (await health(journal)).blocked}

    assert {kind: (each.workflow, each.number, each.reason) for kind, each in found.items()} == {
        "drift": ("orders", 2, "drift: so"),
        "corrupt": ("orders", 1, "corrupt: so"),
    }
    assert found["corrupt"].example == run.id
    assert found["corrupt"].latest == (await row(journal, run.id)).updated_at >= found["drift"].latest


async def test_open_runs_are_idle_while_no_node_lives(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(None)))
    found = [(each.workflow, each.number, each.example) for each in (await health(journal)).idle]
    assert found == [("orders", 1, run.id)]
    await journal.renew([worker.id], 600.0, FACTS)
    assert list((await health(journal)).idle) == []


async def test_suspended_runs_that_wait_for_nothing_are_grouped_by_workflow(journal: Journal) -> None:
    worker = await worker_of(journal)
    kept = Wait("unread", -1, "stop", 1)
    left: dict[str, ClaimedRun] = {}
    for name, waits in {
        "nothing": [],
        "signals that came": [kept],
        "a signal": [Wait("signal", -1, "go", 1), kept],
        "not known": None,
    }.items():
        left[name] = await owned_run(journal, worker)
        parked = Transition(RunState.SUSPENDED, release=name == "signals that came", waits=waits)
        await commit(journal, worker, write(left[name], transition=parked))

    (found,) = (await health(journal)).for_nothing

    latest = await row(journal, left["signals that came"].id)
    assert (found.workflow, found.number, found.more) == ("orders", 2, False)
    assert (found.example, found.latest) == (latest.id, latest.updated_at)
    assert found.since == (await row(journal, left["nothing"].id)).updated_at
    assert list((await health(journal, due_for=3600.0)).for_nothing) == []


async def test_a_run_that_waited_for_nothing_and_has_mail_or_is_due_or_continues_is_not_found(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    for number in range(3):
        run = await owned_run(journal, worker)
        due = journal.now() + 3_600_000_000 if number == 0 else None
        await commit(journal, worker, write(run, transition=Transition(RunState.SUSPENDED, due, waits=[])))
        if number == 1:
            await journal.post([signal(run.id)])
        if number == 2:
            await commit(journal, worker, write(run, transition=Transition(RunState.RUNNING)))
    assert list((await health(journal)).for_nothing) == []


async def test_a_run_with_mail_has_no_lost_wake_while_it_is_due_or_owned(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([signal(run.id)])
    await commit(journal, worker, write(run, transition=sleep_until(None, release=False)))
    assert list((await health(journal)).lost_wakes) == []
    await commit(journal, worker, write(run, transition=sleep_until(None)))
    assert list((await health(journal)).lost_wakes) == []


async def test_when_a_finding_was_reviewed_is_known(journal: Journal) -> None:
    await journal.review_finding(Review("abc", "blocked", "orders", "ann"), ["abc"])
    assert abs((await health(journal)).reviewed["abc"] - journal.now()) < 60_000_000


async def test_an_owner_whose_lease_ran_out_is_named_with_what_it_owns(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for adapter in ("memory", "postgres"):
        monkeypatch.setattr(f"continuum.journal.{adapter}.health.EXPIRED_FOR_SECONDS", 0.0)
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task())
    await take_tasks(journal, worker)
    assert (await health(journal)).expired == []

    await journal.renew([worker.id], -1.0, None)

    (found,) = (await health(journal)).expired
    assert (found.worker, found.node, found.role, found.runs, found.tasks) == (
        worker.id,
        "north",
        "run_host",
        1,
        1,
    )
    await retire(journal, worker)
    assert (await health(journal)).expired == []


async def test_work_of_a_dead_owner_is_due_while_nobody_lives(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what sleeps or is paused; and where somebody lives, who would release it."""
    for adapter in ("memory", "postgres"):
        monkeypatch.setattr(f"continuum.journal.{adapter}.health.EXPIRED_FOR_SECONDS", 0.0)
    worker = await worker_of(journal)
    await owned_run(journal, worker)
    paused = await owned_run(journal, worker)
    _, other, mailed, asleep, late = [await owned_run(journal, worker) for _ in range(5)]
    await queue_tasks(journal, worker, other, new_task())
    await take_tasks(journal, worker)
    await commit(journal, worker, write(other, transition=sleep_until(None, release=False)))
    await commit(journal, worker, write(mailed, transition=sleep_until(None, release=False)))
    await journal.post([signal(mailed.id)])
    ever = sleep_until(journal.now() + 3_600_000_000, release=False)
    await commit(journal, worker, write(asleep, transition=ever))
    await commit(journal, worker, write(late, transition=sleep_until(journal.now() + 1, release=False)))
    await journal.pause_run(paused.id)
    await journal.renew([worker.id], -1.0, None)

    (found,) = (await health(journal)).expired
    assert (found.runs, found.due_runs, found.tasks, found.due_tasks, found.more_due) == (7, 4, 1, 1, False)

    (found,) = (await health(journal, due_for=3600.0)).expired
    assert (found.runs, found.due_runs, found.tasks, found.due_tasks) == (7, 0, 1, 0), "not for so long"

    await worker_of(journal)
    (found,) = (await health(journal)).expired
    assert (found.runs, found.due_runs, found.tasks, found.due_tasks) == (7, 0, 1, 0), "another one lives"


async def test_tasks_that_wait_are_grouped_by_queue_and_activity(journal: Journal) -> None:
    await journal.register_versions([VersionRow("orders", "v1", "1", "shop.orders", None, None)])
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, namespace="eu")
    tasks = [
        new_task(1),
        new_task(2),
        new_task(3, activity="print", isolated=True, queue="", node=NodeId("north")),
    ]
    await queue_tasks(journal, worker, run, *tasks)

    found = {(each.queue, each.activity): each for each in (await health(journal)).tasks}

    mail, printing = found["mail", "send"], found["", "print"]
    assert (mail.number, mail.isolated, mail.node, mail.namespace) == (2, False, None, "eu")
    assert mail.module == "shop.orders"
    assert (printing.number, printing.isolated, printing.node) == (1, True, "north")
    assert (await health(journal, due_for=3600.0)).tasks == []


async def test_runs_in_quarantine_are_no_backlog(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.blame(worker.id, Death(named=(Executed(run.id),)))
    await retire(journal, worker)

    facts = await health(journal)

    (found,) = facts.quarantined
    assert (found.workflow, found.of_tasks, found.number, found.example) == ("orders", False, 1, run.id)
    assert facts.overdue == []


async def test_a_workflow_of_several_deadly_runs_is_named(journal: Journal) -> None:
    for _ in range(3):
        worker = await worker_of(journal)
        run = await owned_run(journal, worker)
        await journal.blame(worker.id, Death(culprit=Executed(run.id)))
        await retire(journal, worker, run.id, poison_after=1)
    assert list((await health(journal)).deadly) == ["orders"]


async def test_versions_that_nobody_continues_are_counted(journal: Journal) -> None:
    worker = await worker_of(journal)
    await journal.renew(
        [worker.id], 600.0, replace(FACTS, code=CODE._replace(loaded=[Loaded("orders", "v2")]))
    )
    for due in (None, journal.now() + 3_600_000_000):
        run = await owned_run(journal, worker)
        await commit(journal, worker, write(run, transition=sleep_until(due)))

    (found,) = (await health(journal)).unserved

    assert (found.workflow, found.version, found.number, found.more) == ("orders", "v1", 2, False)
    takes = CODE._replace(loaded=[Loaded("orders", "v2", takes_others=True)])
    await journal.renew([worker.id], 600.0, replace(FACTS, code=takes))
    assert (await health(journal)).unserved == []


async def test_nodes_say_what_they_have_loaded(journal: Journal) -> None:
    worker = await journal.register_worker(NodeId("north"), "run_host", 8, 60.0, namespaces=["eu"])
    await journal.renew([worker.id], 60.0, FACTS)
    old = replace(FACTS, node=NodeId("old"), code=None)
    await journal.renew([], 60.0, old)

    north, unknown = (await health(journal)).nodes

    assert (north.node, north.alive, north.state, north.namespaces) == ("north", True, "up", ["eu"])
    assert north.activity_hosts == 1
    assert north.code is not None
    assert (north.code.release, list(north.code.activities)) == ("1.0", ["send"])
    assert [north.may_execute("orders", version) for version in ("v1", "v2", None)] == [True, False, True]
    assert north.may_perform("send", isolated=True)
    assert not north.may_perform("print")
    assert (unknown.alive, unknown.code) == (False, None)
    assert unknown.may_execute("orders", "v2"), "an older release does not say what it has"


async def test_a_node_without_an_activity_host_performs_nothing_isolated(journal: Journal) -> None:
    await journal.renew([], 60.0, replace(FACTS, processes=[("run_host", 8)]))
    (node,) = (await health(journal)).nodes
    assert (node.may_perform("send"), node.may_perform("send", isolated=True)) == (True, False)


async def test_a_finding_is_reviewed_once_and_forgotten_when_it_changes(journal: Journal) -> None:
    first, second = Review("abc", "blocked", "orders", "ann"), Review("def", "refused", "orders", "bob")
    assert await journal.review_finding(first, ["abc", "def"], audit=audit_of("abc"))
    assert not await journal.review_finding(first, ["abc", "def"], audit=audit_of("abc"))
    recorded = await journal.audited(AuditQuery(10))
    assert [(each.action, each.subject, each.outcome) for each in recorded] == [
        ("review_finding", "abc", "already"),
        ("review_finding", "abc", "done"),
    ]
    assert (await health(journal)).reviewed.keys() == {"abc"}

    assert await journal.review_finding(second, ["def"])

    assert (await health(journal)).reviewed.keys() == {"def"}


async def test_the_parts_of_a_finding_are_reviewed_and_forgotten_with_it(journal: Journal) -> None:
    review = Review("abc", "lost-wake", "orders", "ann", ["one", "two"])
    assert await journal.review_finding(review, ["abc"])
    reviewed = (await health(journal)).reviewed
    assert reviewed.keys() == {"abc", "one", "two"}
    assert len(set(reviewed.values())) == 1
    assert not await journal.review_finding(review._replace(parts=["one", "three"]), ["abc"])
    assert (await health(journal)).reviewed.keys() == {"abc", "one", "two"}, "it was silent"
    assert await journal.review_finding(review._replace(parts=["one", "three"]), [])
    assert (await health(journal)).reviewed.keys() == {"abc", "one", "three"}


async def test_mail_wakes_a_run_that_is_then_due(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(None)))
    assert (await health(journal)).overdue == []
    await journal.post([signal(run.id)])
    assert [each.example for each in (await health(journal)).overdue] == [run.id]
    assert len(await journal.query(query())) == 1


async def test_everything_that_a_dead_process_had_is_suspected_first_and_tried_apart_later(
    journal: Journal,
) -> None:
    run = await owned_run(journal, first := await worker_of(journal))
    await journal.blame(first.id, UNEXPLAINED)
    await retire(journal, first)
    assert (await health(journal)).quarantined == []
    second = await worker_of(journal)
    assert [each.id for each in await claim(journal, second)] == [run.id]
    await journal.blame(second.id, UNEXPLAINED)
    await retire(journal, second)
    assert [each.example for each in (await health(journal)).quarantined] == [run.id]


@pytest.mark.parametrize("age", [0.0, 3600.0], ids=["old", "new"])
async def test_pauses_that_stand_for_long_are_found_with_what_they_hold(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    for adapter in ("memory", "postgres"):
        monkeypatch.setattr(f"continuum.journal.{adapter}.health.PAUSED_FOR_SECONDS", age)
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task())
    first, second = await begin(journal, workflow="refunds"), await begin(journal, workflow="refunds")
    await journal.pause_together(
        PauseScope(PauseKind.WORKFLOW, "orders", "default"), by="ann", reason="audit"
    )
    for run_id in (first, second):
        await journal.pause_run(run_id, by="bob")

    found = (await health(journal)).old_pauses
    if age:
        assert list(found) == []
        return
    together, alone = found
    assert (together.pause.scope, together.pause.by, together.pause.reason) == (
        PauseScope(PauseKind.WORKFLOW, "orders", "default"),
        "ann",
        "audit",
    )
    assert together[1:7] == (1, False, 1, False, None, None)
    assert together.latest == together.pause.since
    assert (alone.pause.scope, alone.pause.by, alone[1:7]) == (
        None,
        "bob",
        (2, False, 0, False, "refunds", first),
    )
    stored = (await row(journal, first)).pause, (await row(journal, second)).pause
    assert (alone.pause.since, alone.latest) == tuple(pause.since for pause in stored if pause is not None)

    await journal.resume_run(first)
    await journal.resume_run(second)
    await journal.resume_together(PauseScope(PauseKind.WORKFLOW, "orders", "default"))
    assert list((await health(journal)).old_pauses) == []


async def test_a_change_of_many_that_nobody_executes_is_found_until_somebody_does(journal: Journal) -> None:
    await begin(journal)
    execution = await begun(journal, "cancel", "workflow:orders")
    assert list((await health(journal)).interrupted) == []
    await journal.renew_operation(execution, 0.0)

    (found,) = (await health(journal)).interrupted
    assert (found.id, found.action, found.search, found.by, found.done, found.expected) == (
        execution.operation,
        "cancel",
        "workflow:orders",
        "ann",
        0,
        "1 run",
    )
    assert list((await journal.health_facts(due_for=60.0)).interrupted) == []

    await journal.change_operation(execution.operation, OperationState.PAUSED)
    assert list((await health(journal)).interrupted) == []
    await journal.change_operation(execution.operation, OperationState.RUNNING)
    assert await journal.lease_operation(execution.operation, 60.0) is not None
    assert list((await health(journal)).interrupted) == []
