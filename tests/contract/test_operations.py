"""Operations: one change of all runs that a search finds, part after part, each run once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.audit_facts import Action, AuditFacts, AuditQuery, ChangeOutcome
from continuum.journal.facts import InboxKind, RunState
from continuum.journal.forked_run import ForkedRun, SeenHistory
from continuum.journal.notification import Notification, Topic
from continuum.journal.operation_facts import OperationState, RunCount
from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.journal.port import ClaimedRun, Journal, Posted, Refusal, Successor, VersionRow, Worker
from continuum.operations.bulk import bulk_change
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    event,
    history,
    new_run,
    new_task,
    owned_run,
    query,
    queue_tasks,
    row,
    signal,
    take_tasks,
    until,
    worker_of,
    write,
)
from tests.contract.families import block, continue_as_new, family_write, finish, parent_and_child
from tests.contract.operating import begun, leased, operation_of, outcomes, part, row_of

NOBODY = "00000000-0000-4000-8000-000000000000"
NO_RUN = RunId(NOBODY)


async def runs_of(journal: Journal, number: int, workflow: str = "orders") -> list[RunId]:
    """Start runs, and return their ids in order."""
    new = [new_run(workflow) for _ in range(number)]
    return sorted(started.run_id for started in await journal.start(new))


async def reset_of(journal: Journal, run_id: RunId) -> RunId:
    """Let an open run without events continue as the next run of its chain, and return that."""
    forked = Event(0, EventType.RUN_FORKED, 1, (run_id, "reset"))
    seen = SeenHistory(RunState.RUNNING, 0)
    run = ForkedRun(RunId(str(uuid4())), run_id, True, [], forked, "v1", seen)
    assert await journal.fork_run(run) is Posted.ACCEPTED
    return run.id


async def heard(notifications: AsyncIterator[Notification], run_id: RunId) -> None:
    """Wait for the next notification about a run."""
    while (await anext(notifications)).ids != (run_id,):
        pass


async def test_p22_parts_go_through_the_runs_in_the_order_of_ids_and_change_each_once(
    journal: Journal,
) -> None:
    runs = await runs_of(journal, 7)
    await runs_of(journal, 3, "refunds")
    execution = await begun(journal, "cancel", "workflow:orders")

    first = await part(journal, execution, limit=3)
    assert first == (OperationState.RUNNING, 3, 0, 0, 3)
    assert sorted(await outcomes(journal, execution)) == runs[:3]
    counts = [await part(journal, execution, limit=3) for _ in range(2)]

    assert counts == [("running", 6, 0, 0, 3), ("completed", 7, 0, 0, 1)]
    assert await outcomes(journal, execution) == dict.fromkeys(runs, ("cancel", "done"))
    found = await row_of(journal, execution)
    assert (found.state, found.done, found.held, found.actor, found.reason) == (
        "completed",
        7,
        False,
        "ann",
        "ticket 7",
    )
    worker = await worker_of(journal)
    await claim(journal, worker)
    assert [mail.kind for mail in await journal.inbox(worker, None)] == [InboxKind.CANCEL] * 7


async def test_a_part_looks_at_so_many_runs_and_no_further(journal: Journal) -> None:
    await runs_of(journal, 5, "refunds")
    execution = await begun(journal, "cancel", "workflow:orders")

    assert await part(journal, execution, look=2) == ("running", 0, 0, 0, 0)
    assert await part(journal, execution, look=2) == ("running", 0, 0, 0, 0)
    assert await part(journal, execution, look=2) == ("completed", 0, 0, 0, 0)


async def test_p22_who_has_lost_the_lease_changes_nothing(journal: Journal) -> None:
    await runs_of(journal, 4)
    operation = await operation_of(journal, bulk_change("cancel", "workflow:orders"))
    await journal.begin_operation(operation)
    dead = await leased(journal, operation, ttl=0.001)

    async def free() -> bool:
        found = await journal.operation(operation.id)
        return found is not None and not found.held

    await until(free)
    heir = await leased(journal, operation)
    assert await journal.lease_operation(operation.id, 1.0) is None

    assert await part(journal, dead) is None
    assert await journal.renew_operation(dead, 1.0) is None
    assert await outcomes(journal, heir) == {}
    assert await part(journal, heir, limit=3) == ("running", 3, 0, 0, 3)
    assert await journal.renew_operation(heir, 0.0) == "running"
    last = await leased(journal, operation)
    assert await part(journal, last, limit=3) == ("completed", 4, 0, 0, 1)
    assert await journal.lease_operation(operation.id, 1.0) is None


async def test_runs_that_start_later_are_spared(journal: Journal) -> None:
    early = await begin(journal)
    execution = await begun(journal, "cancel", "workflow:orders")
    late = [await begin(journal, id=RunId(f"00000000-0000-4000-8000-00000000000{n}")) for n in range(3)]

    assert await part(journal, execution) == ("completed", 1, 0, 0, 1)

    assert list(await outcomes(journal, execution)) == [early]
    assert late[0] not in await outcomes(journal, execution)


async def test_a_chain_that_began_before_is_changed_by_its_latest_run(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    execution = await begun(journal, "cancel", "workflow:orders")
    latest = await continue_as_new(journal, worker, first)

    assert await part(journal, execution) == ("completed", 1, 0, 0, 1)

    assert await outcomes(journal, execution) == {latest.id: ("cancel", "done")}
    again = await begun(journal, "cancel", "workflow:orders")
    assert await part(journal, again) == ("completed", 0, 1, 0, 1)
    assert await outcomes(journal, again) == {latest.id: ("cancel", "already")}


def run_id(number: int) -> RunId:
    """Return an id whose place is known."""
    return RunId(f"{number:08d}-0000-4000-8000-000000000000")


async def moved(journal: Journal, worker: Worker, run: ClaimedRun, to: RunId) -> ClaimedRun:
    """Continue a run as new under an id, and claim its successor."""
    successor = Successor(to, "orders", b"next")
    await commit(journal, worker, family_write(run, transition=end(result=None), successor=successor))
    (claimed,) = await claim(journal, worker)
    return claimed


async def test_p22_a_chain_that_continues_meanwhile_is_changed_once(journal: Journal) -> None:
    worker = await worker_of(journal)
    behind = await owned_run(journal, worker, id=run_id(1))
    ahead = await owned_run(journal, worker, id=run_id(5))
    await owned_run(journal, worker, id=run_id(4))
    execution = await begun(journal, "signal", "workflow:orders", signal="go")

    assert await part(journal, execution, limit=1) == ("running", 1, 0, 0, 1)
    # One goes where the operation has not been yet, and one to where it has been.
    behind = await moved(journal, worker, behind, run_id(9))
    ahead = await moved(journal, worker, ahead, run_id(0))
    assert await part(journal, execution, limit=2) == ("running", 3, 0, 0, 2)
    assert await part(journal, execution, limit=2) == ("completed", 3, 0, 0, 0)

    mail = await journal.inbox(worker, None)
    assert sorted(each.run_id for each in mail) == sorted([behind.id, ahead.id, run_id(4)])
    assert await outcomes(journal, execution) == dict.fromkeys(
        (run_id(1), run_id(4), ahead.id), ("signal", "done")
    )


async def test_an_operation_is_paused_continued_and_cancelled(journal: Journal) -> None:
    await runs_of(journal, 4)
    execution = await begun(journal, "cancel", "workflow:orders")
    await part(journal, execution, limit=1)

    def facts(action: Action) -> AuditFacts:
        ids = {Action.PAUSE_OPERATION: 1, Action.RESUME_OPERATION: 2, Action.CANCEL_OPERATION: 3}
        return AuditFacts(f"{ids[action]:08}{NOBODY[8:]}", "bob", "cli", action, execution.operation, {})

    change, name = journal.change_operation, execution.operation
    paused = facts(Action.PAUSE_OPERATION)
    assert await change(name, OperationState.PAUSED, audit=paused) is ChangeOutcome.DONE
    assert await change(name, OperationState.PAUSED) is ChangeOutcome.ALREADY
    assert await part(journal, execution) is None
    assert await journal.renew_operation(execution, 0.0) == "paused"
    assert await journal.lease_operation(name, 1.0) is None
    assert await change(name, OperationState.RUNNING) is ChangeOutcome.DONE
    token = await journal.lease_operation(name, 60.0)
    assert token is not None
    assert await part(journal, execution._replace(token=token), limit=1) == ("running", 2, 0, 0, 1)
    assert await change(name, OperationState.CANCELLED) is ChangeOutcome.DONE
    assert await change(name, OperationState.RUNNING) is ChangeOutcome.REFUSED
    assert await change(NOBODY, OperationState.PAUSED) is ChangeOutcome.NOT_FOUND
    assert await part(journal, execution._replace(token=token)) is None
    assert len(await outcomes(journal, execution)) == 2


async def test_an_operation_that_nobody_executes_takes_another_rate(journal: Journal) -> None:
    await runs_of(journal, 2)
    execution = await begun(journal, "cancel", "workflow:orders")
    set_rate, name = journal.set_operation_rate, execution.operation
    assert await set_rate(name, 7.5) is ChangeOutcome.REFUSED
    await journal.renew_operation(execution, 0.0)
    audit = AuditFacts(NOBODY, "bob", "cli", Action.RESUME_OPERATION, name, {"rate": 7.5})
    assert await set_rate(name, 7.5, audit=audit) is ChangeOutcome.DONE
    assert await set_rate(name, 7.5) is ChangeOutcome.ALREADY
    assert (await row_of(journal, execution)).rate == 7.5
    (row,) = [row for row in await journal.audited(AuditQuery(10)) if row.actor == "bob"]
    assert (row.action, row.subject, row.arguments, row.outcome) == (
        "resume_operation",
        name,
        {"rate": 7.5},
        "done",
    )
    assert await set_rate(NOBODY, 7.5) is ChangeOutcome.NOT_FOUND
    await journal.change_operation(name, OperationState.CANCELLED)
    assert await set_rate(name, 8.0) is ChangeOutcome.REFUSED


async def test_an_operation_is_begun_once(journal: Journal) -> None:
    operation = await operation_of(journal, bulk_change("cancel", "state:open", namespace="eu"), rate=2.5)
    audit = AuditFacts(NOBODY, "ann", "cli", Action.BEGIN_OPERATION, operation.id, {})

    assert await journal.begin_operation(operation, audit=audit)
    assert not await journal.begin_operation(operation)

    (found,) = await journal.operations(10)
    assert found == await journal.operation(operation.id)
    assert found[:11] == tuple(value for name, value in operation._asdict().items() if name != "payload")
    assert await journal.operation(NOBODY) is None


async def test_operations_are_listed_in_pages_the_latest_first(journal: Journal) -> None:
    made = [await operation_of(journal, bulk_change("cancel", f"workflow:w{number}")) for number in range(3)]
    for operation in made:
        await journal.begin_operation(operation)

    first = await journal.operations(2)
    rest = await journal.operations(2, (first[-1].created_at, first[-1].id))

    assert [each.id for each in [*first, *rest]] == [each.id for each in reversed(made)]


async def test_a_signal_goes_to_runs_that_take_it(journal: Journal) -> None:
    worker = await worker_of(journal)
    await journal.register_versions([VersionRow("orders", "v1", "1", "shop", {"review": {}}, None)])
    await journal.register_versions([VersionRow("refunds", "v1", "1", "shop", {"other": {}}, None)])
    ended = await owned_run(journal, worker)
    await finish(journal, worker, ended)
    takes, refuses = await begin(journal), await begin(journal, workflow="refunds")
    execution = await begun(journal, "signal", "namespace:default", signal="review", value="yes")

    assert await part(journal, execution) == ("completed", 1, 2, 0, 3)

    assert await outcomes(journal, execution) == {
        ended.id: ("signal", "refused"),
        takes: ("signal", "done"),
        refuses: ("signal", "refused"),
    }
    await claim(journal, worker)
    assert [(mail.kind, mail.name) for mail in await journal.inbox(worker, None)] == [
        (InboxKind.SIGNAL, "review")
    ]


async def test_blocked_runs_are_unblocked_or_end_without_a_history_when_they_are_cancelled(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    first, second = await owned_run(journal, worker), await owned_run(journal, worker)
    await block(journal, worker, first)
    other = await begin(journal)
    execution = await begun(journal, "unblock", "workflow:orders", namespace="default")
    assert await part(journal, execution) == ("completed", 1, 2, 0, 3)
    assert await outcomes(journal, execution) == {
        first.id: ("unblock", "done"),
        second.id: ("unblock", "already"),
        other: ("unblock", "already"),
    }
    assert (await row(journal, first.id)).state is RunState.RUNNING

    await block(journal, worker, second)
    cancelled = await begun(journal, "cancel", "state:blocked")
    assert await part(journal, cancelled) == ("completed", 1, 0, 0, 1)
    assert (await row(journal, second.id)).state is RunState.CANCELLED


async def test_open_runs_are_paused_and_resumed_each_by_itself(journal: Journal) -> None:
    worker = await worker_of(journal)
    ended, owned = await owned_run(journal, worker), await owned_run(journal, worker)
    await finish(journal, worker, ended)
    free, before = await begin(journal), await begin(journal)
    await journal.pause_run(before, by="bob", reason="first")
    execution = await begun(journal, "pause", "workflow:orders")

    assert await part(journal, execution) == ("completed", 2, 2, 0, 4)

    assert await outcomes(journal, execution) == {
        ended.id: ("pause", "refused"),
        owned.id: ("pause", "done"),
        free: ("pause", "done"),
        before: ("pause", "already"),
    }
    paused = [(await row(journal, run)).pause for run in (owned.id, free, before)]
    assert [(each.by, each.reason) for each in paused if each is not None] == [
        ("ann", "ticket 7"),
        ("ann", "ticket 7"),
        ("bob", "first"),
    ]
    assert (await journal.paused_here(worker)).runs == {owned.id}
    assert await claim(journal, worker) == []

    await journal.resume_run(before)
    resumed = await begun(journal, "resume", "workflow:orders")
    assert await part(journal, resumed) == ("completed", 2, 2, 0, 4)
    assert await outcomes(journal, resumed) == {
        ended.id: ("resume", "refused"),
        owned.id: ("resume", "done"),
        free: ("resume", "done"),
        before: ("resume", "already"),
    }
    assert (await journal.paused_here(worker)).runs == set()
    assert {run.id for run in await claim(journal, worker)} == {free, before}


async def test_activities_that_waited_for_a_paused_run_are_claimed_once_many_are_resumed(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task())
    await part(journal, await begun(journal, "pause", "workflow:orders"))
    assert await take_tasks(journal, worker) == []

    await part(journal, await begun(journal, "resume", "workflow:orders"))

    assert [task.run_id for task in await take_tasks(journal, worker)] == [run.id]


async def test_a_pause_of_many_changes_what_a_reset_made_and_notifies_owners(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    latest = await reset_of(journal, first.id)
    (claimed,) = await claim(journal, worker)
    assert claimed.id == latest
    notifications = journal.notifications([Topic.PAUSED])
    first_news = anext(notifications)
    await journal.pause_together(PauseScope(PauseKind.QUEUE, "mail"))
    await first_news

    assert await part(journal, await begun(journal, "pause", f"id:{first.id}")) == ("completed", 0, 0, 0, 0)
    assert await part(journal, await begun(journal, "pause", "workflow:orders")) == ("completed", 1, 0, 0, 1)

    assert (await row(journal, latest)).pause is not None
    await heard(notifications, latest)
    assert await part(journal, await begun(journal, "resume", "workflow:orders")) == ("completed", 1, 0, 0, 1)
    await heard(notifications, latest)


async def test_attributes_are_merged_into_those_of_each_run(journal: Journal) -> None:
    runs = [await begin(journal, attributes={"a": 1, "b": 1}) for _ in range(2)]
    execution = await begun(journal, "attributes", "@a:1", attributes={"b": 2, "c": [3]})

    assert await part(journal, execution) == ("completed", 2, 0, 0, 2)

    assert [(await row(journal, run)).attributes for run in runs] == [{"a": 1, "b": 2, "c": [3]}] * 2
    assert set((await outcomes(journal, execution)).values()) == {("set_attributes", "done")}


async def test_ended_runs_are_deleted_with_all_their_rows_and_open_ones_stay(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, chained = await owned_run(journal, worker, idempotency_key="once"), await owned_run(journal, worker)
    refusal = Refusal("v0", "drift")
    await journal.post([signal(run.id, key="d")])
    await commit(journal, worker, write(run, event(0), published=[("a", b"1")], refusal=refusal))
    latest = await continue_as_new(journal, worker, chained)
    await finish(journal, worker, run)
    await finish(journal, worker, latest)
    parent, child = await parent_and_child(journal, worker)
    await finish(journal, worker, child)
    open_run = await begin(journal)
    execution = await begun(journal, "delete", "namespace:default")

    assert await part(journal, execution) == ("completed", 2, 3, 0, 5)

    assert await outcomes(journal, execution) == {
        run.id: ("delete_run", "done"),
        latest.id: ("delete_run", "done"),
        parent.id: ("delete_run", "refused"),
        child.id: ("delete_run", "refused"),
        open_run: ("delete_run", "refused"),
    }
    for gone in (run.id, chained.id, latest.id):
        assert await journal.get_run(gone) is None
    assert await history(journal, run.id) == []
    assert await journal.read_published(run.id, ["a"]) == {}
    assert await journal.refusals(run.id) == []
    assert (await journal.start([new_run(idempotency_key="once")]))[0].existing is False


async def test_a_run_that_has_continued_is_left_to_the_latest_of_its_chain(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    latest = await continue_as_new(journal, worker, first)
    await commit(journal, worker, write(latest, transition=end(RunState.FAILED, error=b"")))
    execution = await begun(journal, "cancel", "workflow:orders")

    assert await part(journal, execution) == ("completed", 0, 1, 0, 1)
    assert await outcomes(journal, execution) == {latest.id: ("cancel", "refused")}


@pytest.mark.parametrize(("most", "found"), [(2, (2, True)), (3, (3, False)), (10, (3, False))])
async def test_counts_are_exact_up_to_a_number(journal: Journal, most: int, found: tuple[int, bool]) -> None:
    runs = await runs_of(journal, 3)
    await runs_of(journal, 2, "refunds")

    counted = await journal.count(query(("workflow", "in", ["orders"])), most)

    assert (counted.number, counted.more) == found
    assert set(counted.first) <= set(runs)
    for nothing in (("workflow", "in", ["none"]), ("state", "in", [RunState.BLOCKED])):
        counted = await journal.count(query(nothing), most)
        assert counted == RunCount(counted.at, 0)
    running = query(("state", "in", [RunState.RUNNING]), ("workflow", "in", ["orders"]))
    assert (await journal.count(running, 10)).number == 3
