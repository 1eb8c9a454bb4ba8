"""Tasks: which worker gets which, in what order and how many, and what happens to the results."""

from __future__ import annotations

import asyncio

import pytest

from continuum.engine.ids import NodeId
from continuum.journal.port import (
    ClaimedTask,
    InboxKind,
    Journal,
    LeaseLost,
    RunState,
    RunWrite,
    TaskResult,
    Transition,
)
from tests.contract.builders import (
    POISON_AFTER,
    begin,
    claim,
    commit,
    end,
    new_task,
    owned_run,
    queue_tasks,
    retire,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)


def result(task: ClaimedTask, kind: InboxKind = InboxKind.ACTIVITY_COMPLETED) -> TaskResult:
    """Return the result of a task."""
    completed = kind is InboxKind.ACTIVITY_COMPLETED
    return TaskResult(task, kind, (b"result",) if completed else ("E", "m", "t", ()))


async def test_a_claimed_task_has_all_that_was_queued(journal: Journal) -> None:
    """ACT16"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, trace_context="00-trace")
    task = new_task(3, dispatch=2, attempt=4, arguments=b"\x00\xff", timeout=1.5, key="charge:7")
    await queue_tasks(journal, worker, run, task)

    (claimed,) = await take_tasks(journal, worker)

    expected = ClaimedTask(run.id, 3, 2, 4, "mail", "send", b"\x00\xff", 1.5, "charge:7")
    assert claimed._replace(waited=None) == expected._replace(workflow=run.workflow, trace_context="00-trace")
    assert claimed.waited is not None
    assert 0 <= claimed.waited < 60


async def test_a_claimed_task_has_its_limits_and_what_is_left_of_them(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    limited = new_task(3, heartbeat_timeout=2.5, deadline=journal.now() + 600_000_000)
    late = new_task(4, deadline=journal.now() - 60_000_000)
    await queue_tasks(journal, worker, run, limited, late, new_task(5))

    claimed = {task.seq: task for task in await take_tasks(journal, worker)}

    assert [claimed[seq].heartbeat_timeout for seq in (3, 4, 5)] == [2.5, 0.0, 0.0]
    assert 0 < (claimed[3].remaining or 0) <= 600
    assert (claimed[4].remaining or 0) <= -60
    assert claimed[5].remaining is None


async def test_the_limits_of_a_rejected_write_are_rejected_too(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(3))
    # It may have given the same command to another activity.
    stale = RunWrite(
        run.id, run.token - 1, tasks=[new_task(seq, heartbeat_timeout=2.5, deadline=1) for seq in (3, 7)]
    )
    assert (await commit(journal, worker, stale)).rejected == {run.id}

    (claimed,) = await take_tasks(journal, worker)

    assert (claimed.seq, claimed.heartbeat_timeout) == (3, 0.0)


async def test_a_task_is_claimed_once(journal: Journal) -> None:
    """ACT16"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, tasks=[new_task(seq) for seq in range(1, 21)]))
    hands = [await worker_of(journal, node=f"node-{number}") for number in range(5)]

    hauls = await asyncio.gather(*(take_tasks(journal, hand, limit=4) for hand in hands))

    claimed = [task.seq for haul in hauls for task in haul]
    # A claim skips rows that another claim has locked; the next one finds them.
    claimed += [task.seq for task in await take_tasks(journal, hands[0])]
    assert sorted(claimed) == list(range(1, 21))


async def test_the_highest_priority_comes_first_and_then_the_oldest(journal: Journal) -> None:
    """CON3"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    priorities = {1: 0, 2: 5, 3: 0, 4: 5, 5: -1}
    await queue_tasks(journal, worker, run, *(new_task(seq, priority=p) for seq, p in priorities.items()))

    claimed = [(await take_tasks(journal, worker, limit=1))[0].seq for _ in priorities]

    assert claimed == [2, 4, 1, 3, 5]


async def test_priorities_count_across_queues(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1, queue="a"), new_task(2, queue="b", priority=1))

    assert [task.seq for task in await take_tasks(journal, worker, limit=1)] == [2]


async def test_a_node_runs_no_more_of_a_queue_than_its_limit_over_all_its_workers(journal: Journal) -> None:
    first, second = await worker_of(journal), await worker_of(journal)
    elsewhere = await worker_of(journal, node="south")
    run = await owned_run(journal, first)
    await queue_tasks(journal, first, run, *(new_task(seq) for seq in range(1, 7)))
    limits = {"mail": 3}

    assert len(await take_tasks(journal, first, 2, limits=limits)) == 2
    assert len(await take_tasks(journal, second, limits=limits)) == 1
    assert await take_tasks(journal, first, limits=limits) == []
    assert len(await take_tasks(journal, elsewhere, limits=limits)) == 3


async def test_workers_of_one_node_that_claim_at_once_keep_its_limit(journal: Journal) -> None:
    hands = [await worker_of(journal) for _ in range(4)]
    run = await owned_run(journal, hands[0])
    await commit(journal, hands[0], write(run, tasks=[new_task(seq) for seq in range(1, 41)]))

    taken = 0
    for limit in (3, 8, 13, 18):
        hauls = await asyncio.gather(*(take_tasks(journal, hand, limits={"mail": limit}) for hand in hands))
        taken += sum(len(haul) for haul in hauls)
        assert taken == limit


async def test_a_completed_task_makes_room_in_its_queue(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1), new_task(2))
    (first,) = await take_tasks(journal, worker, limits={"mail": 1})

    await journal.complete_tasks(worker, [result(first)])

    assert [task.seq for task in await take_tasks(journal, worker, limits={"mail": 1})] == [2]


async def test_each_unlisted_queue_has_the_unlisted_limit(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    tasks = [new_task(seq, queue=queue) for seq, queue in enumerate("aaabbbccc", 1)]
    await queue_tasks(journal, worker, run, *tasks)

    claimed = await take_tasks(journal, worker, limits={"a": 3, "c": 0}, unlisted_limit=2)

    assert sorted(task.queue for task in claimed) == list("aaabb")


async def test_isolated_tasks_go_to_workers_that_claim_isolated_ones(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1, isolated=True), new_task(2))

    assert [task.seq for task in await take_tasks(journal, worker)] == [2]
    assert [task.seq for task in await take_tasks(journal, worker, isolated=True)] == [1]


async def test_tasks_of_unknown_activities_stay(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1, activity="print"))

    assert await take_tasks(journal, worker) == []
    assert await take_tasks(journal, worker, activities=()) == []
    assert len(await take_tasks(journal, worker, activities=("send", "print"))) == 1


async def test_a_task_for_one_node_is_not_claimed_by_another(journal: Journal) -> None:
    here, there = await worker_of(journal, node="north"), await worker_of(journal, node="south")
    run = await owned_run(journal, here)
    await queue_tasks(journal, here, run, new_task(1, node=NodeId("south")))

    assert await take_tasks(journal, here) == []
    assert len(await take_tasks(journal, there)) == 1


async def test_a_task_for_a_retired_node_may_be_claimed_by_any(journal: Journal) -> None:
    here = await worker_of(journal, node="north")
    run = await owned_run(journal, here)
    await queue_tasks(journal, here, run, new_task(1, node=NodeId("south")))

    await journal.retire_node(NodeId("south"))

    assert len(await take_tasks(journal, here)) == 1


async def test_p8_a_retired_worker_claims_no_task(journal: Journal) -> None:
    worker = await worker_of(journal)
    await retire(journal, worker)

    with pytest.raises(LeaseLost):
        await take_tasks(journal, worker)


async def test_a_new_dispatch_of_a_command_replaces_the_older_one(journal: Journal) -> None:
    """ACT26"""
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    await take_tasks(journal, hand)

    await queue_tasks(journal, owner, run, new_task(1, dispatch=2, attempt=2))

    (task,) = await take_tasks(journal, hand)
    assert (task.dispatch, task.attempt) == (2, 2)


async def test_queueing_the_same_dispatch_again_changes_nothing(journal: Journal) -> None:
    """ACT17"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1, dispatch=2))
    await take_tasks(journal, worker)

    await queue_tasks(journal, worker, run, new_task(1, dispatch=2), new_task(1, dispatch=1))

    assert await take_tasks(journal, worker) == []


async def test_a_dropped_task_is_not_claimed(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1), new_task(2))

    await commit(journal, worker, write(run, dropped_tasks=[1]))

    assert [task.seq for task in await take_tasks(journal, worker)] == [2]


async def test_p9_a_result_becomes_mail_for_the_run(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1), new_task(2, dispatch=3))
    first, second = await take_tasks(journal, hand)

    await journal.complete_tasks(hand, [result(first), result(second, InboxKind.ACTIVITY_RAISED)])

    mail = sorted(await journal.inbox(owner, None), key=lambda m: m.name)
    assert [(m.run_id, m.kind, m.name, m.key, m.body) for m in mail] == [
        (run.id, InboxKind.ACTIVITY_COMPLETED, "1", "1", (b"result",)),
        (run.id, InboxKind.ACTIVITY_RAISED, "2", "3", ("E", "m", "t", ())),
    ]


async def test_p5_a_result_makes_a_sleeping_run_claimable(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    (task,) = await take_tasks(journal, hand)
    await commit(journal, owner, write(run, transition=sleep_until(None)))
    assert await claim(journal, owner) == []

    await journal.complete_tasks(hand, [result(task)])

    assert [again.id for again in await claim(journal, owner)] == [run.id]


async def test_p9_a_result_counts_although_its_worker_was_retired(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    (task,) = await take_tasks(journal, hand)
    await retire(journal, hand)

    await journal.complete_tasks(hand, [result(task)])

    kinds = [mail.kind for mail in await journal.inbox(owner, None)]
    assert kinds == [InboxKind.ACTIVITY_INTERRUPTED, InboxKind.ACTIVITY_COMPLETED]


async def test_p9_a_result_counts_although_its_task_was_dispatched_again(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    (task,) = await take_tasks(journal, hand)
    await queue_tasks(journal, owner, run, new_task(1, dispatch=2))

    await journal.complete_tasks(hand, [result(task)])

    assert [(mail.kind, mail.key) for mail in await journal.inbox(owner, None)] == [
        (InboxKind.ACTIVITY_COMPLETED, "1")
    ]
    assert [again.dispatch for again in await take_tasks(journal, hand)] == [2]


async def test_p9_a_result_reaches_the_owner_that_the_run_has_by_then(journal: Journal) -> None:
    owner, other_worker, hand = [await worker_of(journal) for _ in range(3)]
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    (task,) = await take_tasks(journal, hand)
    await retire(journal, owner)
    await claim(journal, other_worker)

    await journal.complete_tasks(hand, [result(task)])

    assert [mail.kind for mail in await journal.inbox(other_worker, None)] == [InboxKind.ACTIVITY_COMPLETED]


async def test_p9_a_failure_counts_although_its_worker_was_retired(journal: Journal) -> None:
    """It registers anew after an outage, and delivers what it has."""
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    (task,) = await take_tasks(journal, hand)
    await retire(journal, hand)

    await journal.complete_tasks(await worker_of(journal), [result(task, InboxKind.ACTIVITY_RAISED)])

    kinds = [(mail.kind, mail.key) for mail in await journal.inbox(owner, None)]
    assert kinds == [(InboxKind.ACTIVITY_INTERRUPTED, "1"), (InboxKind.ACTIVITY_RAISED, "1")]


@pytest.mark.parametrize(
    "kind", [InboxKind.ACTIVITY_RAISED, InboxKind.ACTIVITY_CRASHED, InboxKind.ACTIVITY_TIMED_OUT]
)
async def test_p9_a_failure_from_a_worker_that_lost_the_task_is_dropped(
    journal: Journal, kind: InboxKind
) -> None:
    """ACT26"""
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    (task,) = await take_tasks(journal, hand)
    await queue_tasks(journal, owner, run, new_task(1, dispatch=2))

    await journal.complete_tasks(hand, [TaskResult(task, kind, ())])

    assert await journal.inbox(owner, None) == []
    assert len(await take_tasks(journal, hand)) == 1


async def test_p9_a_failure_from_a_worker_that_never_had_the_task_is_dropped(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    (task,) = await take_tasks(journal, hand)

    await journal.complete_tasks(owner, [result(task, InboxKind.ACTIVITY_RAISED)])
    assert await journal.inbox(owner, None) == []

    await journal.complete_tasks(hand, [result(task, InboxKind.ACTIVITY_RAISED)])
    assert len(await journal.inbox(owner, None)) == 1


async def test_p9_a_failure_of_an_earlier_dispatch_does_not_affect_the_later_one(journal: Journal) -> None:
    """ACT29, B20"""
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    (earlier,) = await take_tasks(journal, hand)
    await queue_tasks(journal, owner, run, new_task(1, dispatch=2))
    (later,) = await take_tasks(journal, hand)

    failed = [result(task, InboxKind.ACTIVITY_RAISED) for task in (earlier, later)]
    await journal.complete_tasks(hand, failed[:1])
    assert await journal.inbox(owner, None) == []

    await journal.complete_tasks(hand, failed[1:])
    assert [mail.key for mail in await journal.inbox(owner, None)] == ["2"]


async def test_a_repeated_result_is_one_inbox_entry(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1))
    (task,) = await take_tasks(journal, worker)

    for _ in range(2):
        await journal.complete_tasks(worker, [result(task)])

    assert len(await journal.inbox(worker, None)) == 1


async def test_p3_a_result_for_an_ended_run_is_dropped(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1))
    (task,) = await take_tasks(journal, worker)
    await commit(journal, worker, write(run, transition=end()))

    await journal.complete_tasks(worker, [result(task)])

    assert await journal.sweep() == 0


async def test_a_blocked_run_keeps_the_result_for_later(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1))
    (task,) = await take_tasks(journal, worker)
    await commit(journal, worker, write(run, transition=Transition(RunState.BLOCKED)))

    await journal.complete_tasks(worker, [result(task)])

    await journal.unblock(["orders"])
    await claim(journal, worker)
    assert len(await journal.inbox(worker, None)) == 1


async def test_the_latest_heartbeat_of_each_activity_is_kept(journal: Journal) -> None:
    run_id, other = await begin(journal), await begin(journal)
    await journal.heartbeat(run_id, 1, b"10 %")
    await journal.heartbeat(run_id, 1, b"20 %")
    await journal.heartbeat(run_id, 4, b"half")

    assert await journal.last_heartbeats(run_id) == {1: b"20 %", 4: b"half"}
    assert await journal.last_heartbeats(other) == {}


async def test_a_task_that_is_started_again_uncounted_is_claimed_with_its_last_heartbeat(
    journal: Journal,
) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1), new_task(2))
    assert [task.last_heartbeat for task in await take_tasks(journal, hand)] == [None, None]
    await journal.heartbeat(run.id, 1, b"half")
    await journal.retire_worker(hand.id, executing=None, poison_after=POISON_AFTER)
    # Its run starts it again under the same number.
    await queue_tasks(journal, owner, run, new_task(1), new_task(2))

    again = await take_tasks(journal, await worker_of(journal))

    assert [(task.seq, task.dispatch, task.last_heartbeat) for task in again] == [
        (1, 1, b"half"),
        (2, 1, None),
    ]


@pytest.mark.parametrize("way", ["forced", "given up", "ended"])
async def test_a_heartbeat_reports_that_its_task_is_gone(journal: Journal, way: str) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1), new_task(2))
    await take_tasks(journal, worker)
    assert await journal.heartbeat(run.id, 1, b"10 %")
    assert not await journal.heartbeat(run.id, 3, b"of no task")

    if way == "forced":
        await journal.force_cancel(run.id)
    elif way == "given up":
        await commit(journal, worker, write(run, dropped_tasks=[1]))
    else:
        await commit(journal, worker, write(run, transition=Transition(RunState.COMPLETED)))

    assert not await journal.heartbeat(run.id, 1, b"20 %")
    assert await journal.heartbeat(run.id, 2, b"10 %") is (way == "given up")


async def test_the_first_result_under_a_key_wins(journal: Journal) -> None:
    """C7"""
    first, second = await begin(journal), await begin(journal)

    assert await journal.find_result("charge", "k") is None
    assert await journal.record_result("charge", "k", first, b"one") == b"one"
    assert await journal.record_result("charge", "k", second, b"two") == b"one"
    assert await journal.find_result("charge", "k") == b"one"
    assert await journal.find_result("refund", "k") is None


async def test_concurrent_results_under_a_key_all_see_the_same_one(journal: Journal) -> None:
    run_id = await begin(journal)

    seen = await asyncio.gather(
        *(journal.record_result("charge", "k", run_id, str(number).encode()) for number in range(8))
    )

    assert len(set(seen)) == 1
