"""P23: nobody becomes the owner of what is paused, and a request to stop lifts the pauses that there are."""

from __future__ import annotations

from typing import Any

import pytest

from continuum.engine.children import ClosePolicy
from continuum.engine.ids import NodeId, RunId
from continuum.journal.announced_run import AnnouncedRun, CreatedRun, TakenRun
from continuum.journal.audit_facts import Action, AuditFacts, AuditQuery, SeenRun
from continuum.journal.look_port import LookedFor
from continuum.journal.notification import Topic
from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.journal.port import (
    ClaimedRun,
    InboxKind,
    Journal,
    Loaded,
    NewChild,
    Post,
    Posted,
    RunState,
    RunWrite,
    Successor,
    Worker,
)
from continuum.journal.resumed_run import ResumedRun
from tests.contract.builders import (
    CODE,
    SOON,
    begin,
    claim,
    commit,
    end,
    event,
    is_accepted,
    new_run,
    new_task,
    owned_run,
    queue_tasks,
    retire,
    row,
    signal,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)

WORKFLOW = PauseScope(PauseKind.WORKFLOW, "orders")
NAMESPACE = PauseScope(PauseKind.NAMESPACE, "default")
QUEUE = PauseScope(PauseKind.QUEUE, "mail")
NOBODY = RunId("00000000-0000-4000-8000-000000000007")
TOGETHER = pytest.mark.parametrize(
    "scope", [WORKFLOW, PauseScope(PauseKind.WORKFLOW, "orders", "default"), NAMESPACE], ids=str
)


def cancel(run_id: RunId) -> Post:
    return Post(run_id, InboxKind.CANCEL, "", (), "cancel")


async def released(journal: Journal, worker: Worker, due_at: int | None = None) -> ClaimedRun:
    """Return a run that waits without an owner."""
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, event(0), transition=sleep_until(due_at)))
    return run


async def claimed_ids(journal: Journal, worker: Worker) -> list[RunId]:
    return [run.id for run in await claim(journal, worker)]


async def paused_here(journal: Journal, worker: Worker) -> set[RunId]:
    return set((await journal.paused_here(worker)).runs)


async def test_p23_nobody_claims_a_paused_run_until_it_is_resumed(journal: Journal) -> None:
    worker = await worker_of(journal)
    run_id, other = await begin(journal), await begin(journal)
    assert (await journal.pause_run(run_id)).posted is Posted.ACCEPTED

    assert await claimed_ids(journal, worker) == [other]
    assert await journal.next_due(CODE) is None

    assert (await journal.resume_run(run_id)).posted is Posted.ACCEPTED
    assert await journal.next_due(CODE) is not None
    assert await claimed_ids(journal, worker) == [run_id]


@TOGETHER
async def test_p23_nobody_claims_runs_that_are_paused_together(journal: Journal, scope: PauseScope) -> None:
    worker = await worker_of(journal)
    run_id = await begin(journal)
    elsewhere = await begin(journal, workflow="refunds", namespace="other")
    code = (*CODE, Loaded("refunds", "v1"))
    begun, pause = await journal.pause_together(scope, by="ann", reason="audit")
    assert (begun, pause.scope, pause.by, pause.reason) == (True, scope, "ann", "audit")

    assert [run.id for run in await claim(journal, worker, code=code)] == [elsewhere]
    assert await journal.next_due(code) is None

    assert await journal.resume_together(scope)
    assert await claimed_ids(journal, worker) == [run_id]


async def test_a_workflow_is_paused_in_one_namespace(journal: Journal) -> None:
    worker = await worker_of(journal)
    held, free = await begin(journal), await begin(journal, namespace="other")
    await journal.pause_together(PauseScope(PauseKind.WORKFLOW, "orders", "default"))

    assert await claimed_ids(journal, worker) == [free]
    assert not await journal.resume_together(WORKFLOW), "that is another pause"
    assert await claimed_ids(journal, worker) == []
    assert (await row(journal, held)).pause is not None


@pytest.mark.parametrize("together", [False, True])
async def test_a_timer_and_a_signal_wait_and_are_due_at_once_afterwards(
    journal: Journal, together: bool
) -> None:
    worker = await worker_of(journal)
    waiter = await released(journal, worker)
    sleeper = await released(journal, worker, journal.now())

    async def pause() -> None:
        if together:
            await journal.pause_together(WORKFLOW)
        else:
            await journal.pause_run(sleeper.id)
            await journal.pause_run(waiter.id)

    await pause()
    assert await journal.post([signal(waiter.id)]) == [Posted.ACCEPTED]
    assert await claimed_ids(journal, worker) == []
    assert await journal.next_due(CODE) is None

    await journal.resume_together(WORKFLOW)
    await journal.resume_run(sleeper.id)
    await journal.resume_run(waiter.id)
    assert set(await claimed_ids(journal, worker)) == {sleeper.id, waiter.id}


async def test_a_paused_run_sleeps_on_when_it_is_resumed_before_its_time(journal: Journal) -> None:
    worker = await worker_of(journal)
    later = journal.now() + SOON
    run = await released(journal, worker, later)
    await journal.pause_run(run.id)
    assert await journal.next_due(CODE) is None
    await journal.resume_run(run.id)

    assert await claimed_ids(journal, worker) == []
    assert await journal.next_due(CODE) == later


@pytest.mark.parametrize("together", [False, True])
async def test_p23_an_owner_learns_of_the_pause_and_writes_on(journal: Journal, together: bool) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    assert await paused_here(journal, worker) == set()
    await (journal.pause_together(WORKFLOW) if together else journal.pause_run(run.id))

    here = await journal.paused_here(worker)
    assert here.runs == {run.id}
    assert list(here.scopes) == ([WORKFLOW] if together else [])
    assert await is_accepted(journal, worker, write(run, event(0), transition=sleep_until(journal.now())))
    assert await paused_here(journal, worker) == set()
    assert await claimed_ids(journal, worker) == []


async def test_p23_the_death_of_its_owner_frees_no_paused_run(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal, "south")
    run = await owned_run(journal, worker)
    await journal.pause_run(run.id)
    await retire(journal, worker)

    assert await claimed_ids(journal, other) == []
    await journal.resume_run(run.id)
    assert await claimed_ids(journal, other) == [run.id]


async def test_p23_no_first_write_takes_a_paused_run(journal: Journal) -> None:
    worker = await worker_of(journal)
    held, run = new_run(), new_run()
    await journal.start([held])
    await journal.start([run])

    async def take(start: Any) -> bool:
        stored = await row(journal, start.id)
        announced = AnnouncedRun(start.id, "orders", "default", b"input", None, stored.started_at)
        (token,) = await journal.draw_tokens(1)
        taking = RunWrite(start.id, token, [event(0)], transition=end(), takes=TakenRun(announced, "v1"))
        return await is_accepted(journal, worker, taking)

    await journal.pause_run(held.id)
    assert not await take(held)
    await journal.resume_run(held.id)
    await journal.pause_together(WORKFLOW)
    assert not await take(run)
    await journal.resume_together(WORKFLOW)
    assert await take(held)
    assert await take(run)


@TOGETHER
async def test_p23_no_first_write_creates_a_run_that_is_paused_with_others(
    journal: Journal, scope: PauseScope
) -> None:
    worker = await worker_of(journal)

    async def create() -> bool:
        start = new_run()
        (token,) = await journal.draw_tokens(1)
        creating = RunWrite(start.id, token, [event(0)], transition=end())
        creating.creates = CreatedRun(start, "v1", journal.now())
        return await is_accepted(journal, worker, creating)

    await journal.pause_together(scope)
    assert not await create()
    await journal.resume_together(scope)
    assert await create()


async def test_p23_no_first_write_resumes_a_paused_run(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await released(journal, worker)
    await journal.post([signal(run.id)])
    (parked,) = await journal.parked([run.id])

    async def resumes() -> bool:
        taking = RunWrite(run.id, parked.claim.token, [event(1)], transition=end())
        taking.takes = ResumedRun(parked.before, "v1")
        return await is_accepted(journal, worker, taking)

    await journal.pause_run(run.id)
    assert (await journal.parked([run.id]), await resumes()) == ([], False)
    await journal.resume_run(run.id)
    await journal.pause_together(NAMESPACE)
    assert (await journal.parked([run.id]), await resumes()) == ([], False)
    await journal.resume_together(NAMESPACE)
    assert await resumes()


async def test_p23_nobody_claims_a_task_of_a_paused_run(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, other = await owned_run(journal, worker), await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task())
    await queue_tasks(journal, worker, other, new_task())
    wanted = LookedFor(NodeId("north"), [worker.id], CODE, ["send"])
    await journal.pause_run(run.id)

    assert [task.run_id for task in await take_tasks(journal, worker)] == [other.id]
    assert (await journal.look(wanted, None)).tasks is None
    await journal.resume_run(run.id)
    assert (await journal.look(wanted, None)).tasks is not None
    await journal.pause_together(WORKFLOW)
    assert await take_tasks(journal, worker) == []
    await journal.resume_together(WORKFLOW)
    assert [task.run_id for task in await take_tasks(journal, worker)] == [run.id]


async def hold(journal: Journal, worker: Worker) -> None:
    """Claim while nothing may be claimed: claims put aside what they pass over."""
    for _ in range(2):
        assert await take_tasks(journal, worker) == []


async def test_tasks_that_claims_have_passed_over_are_claimed_once_their_run_is_resumed(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1), new_task(2, isolated=True))
    await journal.pause_run(run.id)
    await hold(journal, worker)
    await queue_tasks(journal, worker, run, new_task(3))
    await hold(journal, worker)
    assert await take_tasks(journal, worker, isolated=True) == []
    await journal.pause_together(WORKFLOW)
    await journal.resume_run(run.id)
    await hold(journal, worker)
    await journal.pause_run(run.id)
    await journal.resume_together(WORKFLOW)
    await hold(journal, worker)

    await journal.resume_run(run.id)
    assert [task.seq for task in await take_tasks(journal, worker)] == [1, 3]
    assert [task.seq for task in await take_tasks(journal, worker, isolated=True)] == [2]


@TOGETHER
async def test_tasks_that_claims_have_passed_over_wait_for_each_pause_of_their_run(
    journal: Journal, scope: PauseScope
) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1), new_task(2))
    wanted = LookedFor(NodeId("north"), [worker.id], CODE, ["send"])
    other = NAMESPACE if scope is WORKFLOW else WORKFLOW
    for again in (scope, scope, other):
        await journal.pause_together(again)
        await hold(journal, worker)
        assert (await journal.look(wanted, None)).tasks is None
        if again is scope:
            await journal.resume_together(scope)
            assert (await journal.look(wanted, None)).tasks is not None
    assert await journal.held_by_pause(other) == (1, False, 2, False)

    await journal.resume_together(other)
    assert [task.seq for task in await take_tasks(journal, worker, 1)] == [1]
    await journal.pause_together(scope)
    await hold(journal, worker)
    await journal.resume_together(scope)
    assert [task.seq for task in await take_tasks(journal, worker)] == [2]


@pytest.mark.parametrize("scope", [None, WORKFLOW, NAMESPACE], ids=str)
async def test_a_request_to_stop_frees_tasks_that_claims_have_passed_over(
    journal: Journal, scope: PauseScope | None
) -> None:
    worker = await worker_of(journal)
    run, held = await owned_run(journal, worker), await owned_run(journal, worker)
    for each in (run, held):
        await queue_tasks(journal, worker, each, new_task())
        if scope is None:
            await journal.pause_run(each.id)
    if scope is not None:
        await journal.pause_together(scope)
    await hold(journal, worker)

    assert await journal.post([cancel(run.id)]) == [Posted.ACCEPTED]
    assert [task.run_id for task in await take_tasks(journal, worker)] == [run.id]


async def test_p23_a_paused_queue_holds_its_tasks_and_no_run(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, run_id = await owned_run(journal, worker), await begin(journal)
    await queue_tasks(journal, worker, run, new_task(1), new_task(2, queue="print"))
    await journal.pause_together(QUEUE)

    assert [task.queue for task in await take_tasks(journal, worker)] == ["print"]
    assert await claimed_ids(journal, worker) == [run_id]
    assert await paused_here(journal, worker) == set()
    assert (await row(journal, run.id)).pause is None
    await journal.resume_together(QUEUE)
    assert [task.queue for task in await take_tasks(journal, worker)] == ["mail"]


@pytest.mark.parametrize("scope", [None, WORKFLOW, NAMESPACE], ids=str)
async def test_p23_a_request_to_stop_lifts_the_pauses_there_are(
    journal: Journal, scope: PauseScope | None
) -> None:
    worker = await worker_of(journal)
    run, held = await released(journal, worker), await released(journal, worker)

    async def pause() -> None:
        if scope is not None:
            await journal.resume_together(scope)
            await journal.pause_together(scope)
        else:
            await journal.pause_run(run.id)
            await journal.pause_run(held.id)

    await pause()
    await journal.post([signal(held.id)])
    assert await journal.next_due(CODE) is None
    assert await journal.post([cancel(run.id)]) == [Posted.ACCEPTED]

    assert (await row(journal, run.id)).pause is None
    assert await journal.next_due(CODE) is not None
    (stopping,) = await claim(journal, worker)
    assert stopping.id == run.id
    assert await paused_here(journal, worker) == set()
    await queue_tasks(journal, worker, stopping, new_task())
    assert [task.run_id for task in await take_tasks(journal, worker)] == [run.id]
    await commit(journal, worker, write(stopping, event(1), transition=sleep_until(journal.now())))

    await pause()
    assert await claimed_ids(journal, worker) == [], "a later pause holds it"
    assert await journal.post([cancel(run.id)]) == [Posted.ACCEPTED]
    assert await claimed_ids(journal, worker) == [run.id], "and asking again lifts that"
    assert await journal.post([cancel(run.id)]) == [Posted.DUPLICATE]


async def test_the_end_of_a_parent_lifts_the_pauses_of_its_children(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker)
    child = new_run()
    starting = write(parent, event(0), children=[NewChild(0, child.id, "orders", b"", ClosePolicy.CANCEL)])
    await commit(journal, worker, starting)
    await journal.pause_run(child.id)
    assert await claimed_ids(journal, worker) == []

    await commit(journal, worker, write(parent, event(1), transition=end()))
    assert await claimed_ids(journal, worker) == [child.id]


async def test_a_run_that_continues_as_new_stays_paused(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.pause_run(run.id, by="ann")
    later = new_run().id
    continuing = write(run, event(0), transition=end(RunState.CONTINUED))
    continuing.successor = Successor(later, "orders", b"", ())
    await commit(journal, worker, continuing)

    assert await claimed_ids(journal, worker) == []
    assert (await row(journal, run.id)).pause is None, "it has ended"
    again = await journal.pause_run(run.id)
    assert (again.posted, again.run_id) == (Posted.DUPLICATE, later)
    assert again.pause is not None
    assert again.pause.by == "ann"
    assert (await journal.resume_run(run.id)).run_id == later
    assert await claimed_ids(journal, worker) == [later]


async def test_pausing_and_resuming_twice_is_as_once(journal: Journal) -> None:
    run_id = await begin(journal)
    first = await journal.pause_run(run_id, by="ann", reason="audit")
    again = await journal.pause_run(run_id, by="bob")
    assert again == (Posted.DUPLICATE, run_id, first.pause)
    stored = (await row(journal, run_id)).pause
    assert stored is not None
    assert (stored.scope, stored.by, stored.reason) == (None, "ann", "audit")
    assert (await journal.resume_run(run_id)).posted is Posted.ACCEPTED
    assert (await journal.resume_run(run_id)).posted is Posted.DUPLICATE
    assert (await row(journal, run_id)).pause is None

    begun, pause = await journal.pause_together(QUEUE, by="ann")
    assert await journal.pause_together(QUEUE, by="bob") == (False, pause)
    assert begun
    assert [await journal.resume_together(QUEUE) for _ in range(2)] == [True, False]


async def test_an_ended_run_is_not_paused_nor_one_that_is_not_there(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=end()))
    assert (await journal.pause_run(run.id)).posted is Posted.TERMINAL
    assert (await journal.resume_run(run.id)).posted is Posted.TERMINAL
    assert (await journal.pause_run(NOBODY)).posted is Posted.NOT_FOUND
    assert (await journal.resume_run(NOBODY)).posted is Posted.NOT_FOUND


async def test_a_run_that_has_changed_since_it_was_seen_is_not_paused(journal: Journal) -> None:
    run_id = await begin(journal)
    seen = SeenRun(run_id, (await row(journal, run_id)).updated_at)
    await journal.set_attributes(run_id, {"moved": True})
    assert (await journal.pause_run(run_id, seen=seen)).posted is Posted.STALE
    assert (await row(journal, run_id)).pause is None
    fresh = SeenRun(run_id, (await row(journal, run_id)).updated_at)
    assert (await journal.pause_run(run_id, seen=fresh)).posted is Posted.ACCEPTED


async def test_the_list_has_the_latest_pause_first(journal: Journal) -> None:
    for scope in (WORKFLOW, QUEUE, NAMESPACE):
        await journal.pause_together(scope, reason=scope.kind)
    found = await journal.pauses(2)
    assert [(pause.scope, pause.reason) for pause in found] == [(NAMESPACE, "namespace"), (QUEUE, "queue")]


async def test_a_pause_counts_what_it_holds(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1), new_task(2, queue="print"))
    await begin(journal)
    await begin(journal, namespace="other")
    await begin(journal, workflow="refunds")

    assert await journal.held_by_pause(WORKFLOW) == (3, False, 2, False)
    assert await journal.held_by_pause(PauseScope(PauseKind.WORKFLOW, "orders", "other")) == (
        1,
        False,
        0,
        False,
    )
    assert await journal.held_by_pause(NAMESPACE) == (3, False, 2, False)
    assert await journal.held_by_pause(QUEUE) == (0, False, 1, False)


async def test_a_look_says_that_workers_own_paused_runs(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    wanted = LookedFor(NodeId("north"), [worker.id], CODE, [])
    assert not (await journal.look(wanted, None)).paused
    await journal.pause_run(run.id)
    assert (await journal.look(wanted, None)).paused
    await journal.resume_run(run.id)
    await journal.pause_together(NAMESPACE)
    assert (await journal.look(wanted, None)).paused


async def test_owners_are_notified(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    notifications = journal.notifications([Topic.PAUSED])
    first = anext(notifications)
    await journal.pause_together(WORKFLOW)
    assert (await first).topic is Topic.PAUSED
    await journal.pause_run(run.id)
    while (await anext(notifications)).ids != (run.id,):
        pass


def facts(action: Action, subject: str, n: int) -> AuditFacts:
    return AuditFacts(f"00000000-0000-4000-8000-{n:012}", "ann", "cli", action, subject, {}, "audit")


async def test_p20_pauses_are_recorded_once_with_what_came_of_them(journal: Journal) -> None:
    run_id = await begin(journal)
    for n in (1, 1, 2):
        await journal.pause_run(run_id, audit=facts(Action.PAUSE, run_id, n))
    await journal.resume_run(run_id, audit=facts(Action.RESUME, run_id, 3))
    await journal.resume_run(NOBODY, audit=facts(Action.RESUME, NOBODY, 4))
    for n in (5, 6):
        await journal.pause_together(QUEUE, audit=facts(Action.PAUSE, "queue mail", n))
    for n in (7, 8):
        await journal.resume_together(QUEUE, audit=facts(Action.RESUME, "queue mail", n))

    found = [(found.action, found.subject, found.outcome) for found in await journal.audited(AuditQuery(100))]
    assert found[::-1] == [
        ("pause", run_id, "done"),
        ("pause", run_id, "already"),
        ("resume", run_id, "done"),
        ("resume", NOBODY, "not_found"),
        ("pause", "queue mail", "done"),
        ("pause", "queue mail", "already"),
        ("resume", "queue mail", "done"),
        ("resume", "queue mail", "already"),
    ]
