"""What the end of a run does to its children, and which runs a forced cancel ends."""

from __future__ import annotations

import pytest

from continuum.journal.port import (
    ClaimedRun,
    ClosePolicy,
    InboxKind,
    InboxRow,
    Journal,
    Post,
    Posted,
    RunState,
    Worker,
)
from tests.contract.builders import (
    claim,
    commit,
    end,
    event,
    new_run,
    new_task,
    owned_run,
    queue_tasks,
    row,
    take_tasks,
    worker_of,
)
from tests.contract.families import (
    block,
    claimed_child,
    continue_as_new,
    family_write,
    finish,
    parent_and_child,
    suspend,
)

CANCELLED, COMPLETED, FAILED = RunState.CANCELLED, RunState.COMPLETED, RunState.FAILED
CASCADE, CANCEL, ABANDON = ClosePolicy.CASCADE, ClosePolicy.CANCEL, ClosePolicy.ABANDON


async def mail_of(journal: Journal, worker: Worker, run: ClaimedRun) -> list[InboxRow]:
    return await journal.inbox(worker, [run.id])


@pytest.mark.parametrize(
    ("policy", "state", "asked"),
    [
        (CASCADE, CANCELLED, True),
        (CASCADE, COMPLETED, False),
        (CASCADE, FAILED, False),
        (CANCEL, CANCELLED, True),
        (CANCEL, COMPLETED, True),
        (CANCEL, FAILED, True),
        (ABANDON, CANCELLED, False),
        (ABANDON, COMPLETED, False),
        (ABANDON, FAILED, False),
    ],
)
async def test_p15_the_end_of_a_parent_stops_its_children_as_their_policy_says(
    journal: Journal, policy: ClosePolicy, state: RunState, asked: bool
) -> None:
    """CHD7"""
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker, policy)

    await finish(journal, worker, parent, state=state)

    mail = await mail_of(journal, worker, child)
    assert [(row.kind, row.name, row.body) for row in mail] == (
        [(InboxKind.CANCEL, "parent", ())] if asked else []
    )
    assert (await row(journal, child.id)).state is RunState.RUNNING


async def test_p15_a_child_without_owner_is_due_when_it_is_asked_to_stop(journal: Journal) -> None:
    """CHD7"""
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await suspend(journal, worker, child)

    await finish(journal, worker, parent, state=CANCELLED)

    assert [run.id for run in await claim(journal, worker)] == [child.id]


async def test_p15_a_blocked_child_ends_with_its_parent_and_passes_the_request_on(journal: Journal) -> None:
    """CHD7: its code cannot run, so the journal ends it."""
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    grandchild = await claimed_child(journal, worker, child)
    await block(journal, worker, child)

    await finish(journal, worker, parent, state=CANCELLED)

    found = await row(journal, child.id)
    assert (found.state, found.reason, found.completed_at is not None) == (
        CANCELLED,
        "parent_cancelled",
        True,
    )
    assert [mail.name for mail in await mail_of(journal, worker, grandchild)] == ["parent"]


async def test_an_ended_child_is_not_asked_to_stop(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await finish(journal, worker, child)
    await finish(journal, worker, parent, state=CANCELLED)

    found = await row(journal, child.id)
    assert (found.state, found.reason) == (COMPLETED, None)


async def test_a_cancelled_child_keeps_the_reason_that_its_owner_wrote(journal: Journal) -> None:
    worker = await worker_of(journal)
    _, child = await parent_and_child(journal, worker)

    await finish(journal, worker, child, state=CANCELLED, reason="parent_cancelled")

    assert (await row(journal, child.id)).reason == "parent_cancelled"


async def test_a_parent_can_ask_one_child_to_stop(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker, ABANDON)
    other = await claimed_child(journal, worker, parent, seq=2)

    for _ in range(2):
        await commit(journal, worker, family_write(parent, cancels=[child.id]))

    assert [(mail.kind, mail.name) for mail in await mail_of(journal, worker, child)] == [
        (InboxKind.CANCEL, "parent")
    ]
    assert await mail_of(journal, worker, other) == []


async def test_p14_a_blocked_child_without_a_history_that_is_asked_to_stop_reports_its_end(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    grandchild = await claimed_child(journal, worker, child)
    await block(journal, worker, child)

    await commit(journal, worker, family_write(parent, cancels=[child.id]))

    found = await row(journal, child.id)
    assert (found.state, found.reason) == (CANCELLED, "parent_cancelled")
    assert [mail.kind for mail in await mail_of(journal, worker, parent)] == [InboxKind.CHILD_CANCELLED]
    assert [mail.name for mail in await mail_of(journal, worker, grandchild)] == ["parent"]


async def test_p14_a_blocked_child_without_a_history_that_is_cancelled_reports_its_end(
    journal: Journal,
) -> None:
    """CAN6: durably, without an engine that could run it."""
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    grandchild = await claimed_child(journal, worker, child)
    await suspend(journal, worker, parent)
    await queue_tasks(journal, worker, child, new_task())
    await block(journal, worker, child)

    assert await journal.post([Post(child.id, InboxKind.CANCEL, "", (), "cancel")]) == [Posted.ACCEPTED]

    assert (await row(journal, child.id)).state is CANCELLED
    assert [run.id for run in await claim(journal, worker)] == [parent.id]
    assert [mail.kind for mail in await mail_of(journal, worker, parent)] == [InboxKind.CHILD_CANCELLED]
    assert [mail.name for mail in await mail_of(journal, worker, grandchild)] == ["parent"]
    assert await take_tasks(journal, worker) == []


async def test_p15_a_forced_cancel_ends_the_whole_family_except_abandoned_children(journal: Journal) -> None:
    """CHD7, CAN3"""
    worker, others = await worker_of(journal), await worker_of(journal, "south")
    parent, child = await parent_and_child(journal, worker)
    spared = await claimed_child(journal, worker, parent, seq=2, policy=ABANDON)
    cancelled = await claimed_child(journal, worker, parent, seq=3, policy=CANCEL)
    await commit(journal, worker, family_write(child, tasks=[new_task()]))
    grandchild = await claimed_child(journal, worker, child)
    await journal.release(worker, [grandchild.id], crashed=False, poison_after=3)
    (grandchild,) = await claim(journal, others)

    assert await journal.force_cancel(parent.id) is Posted.ACCEPTED

    ended = [await row(journal, run.id) for run in (parent, child, cancelled, grandchild)]
    assert {found.state for found in ended} == {CANCELLED}
    assert [found.reason for found in ended] == [None] + ["parent_cancelled"] * 3
    assert {found.owner for found in ended} == {None}
    assert (await row(journal, spared.id)).state is RunState.RUNNING
    assert await mail_of(journal, worker, spared) == []
    assert await take_tasks(journal, worker) == []
    fenced = await commit(journal, worker, family_write(child, event(0)))
    assert fenced.rejected == {child.id}
    fenced = await commit(journal, others, family_write(grandchild, event(0)))
    assert fenced.rejected == {grandchild.id}


async def test_p14_a_child_ended_by_force_is_reported_to_its_parent(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)

    assert await journal.force_cancel(child.id) is Posted.ACCEPTED

    (mail,) = await mail_of(journal, worker, parent)
    assert (mail.kind, mail.name, mail.body) == (InboxKind.CHILD_CANCELLED, "1", ())
    assert await journal.force_cancel(child.id) is Posted.TERMINAL  # CAN11


async def test_a_forced_cancel_of_an_unknown_run_finds_nothing(journal: Journal) -> None:
    """CAN7"""
    assert await journal.force_cancel(new_run().id) is Posted.NOT_FOUND


async def test_p15_the_children_of_a_run_that_continues_stay_alive(journal: Journal) -> None:
    """CNT9: they belong to the successor, and are cancelled with it."""
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    child = await claimed_child(journal, worker, first, policy=CANCEL)

    second = await continue_as_new(journal, worker, first)

    assert await mail_of(journal, worker, child) == []
    assert (await row(journal, child.id)).parent == second.id
    await finish(journal, worker, second, state=CANCELLED)
    assert [mail.name for mail in await mail_of(journal, worker, child)] == ["parent"]


async def test_p15_a_forced_cancel_of_a_first_run_ends_the_children_of_the_latest(journal: Journal) -> None:
    """CNT9, CNT13: the first run stays completed, the latest run and its child are cancelled."""
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    child = await claimed_child(journal, worker, first)
    second = await continue_as_new(journal, worker, first)

    assert await journal.force_cancel(first.id) is Posted.ACCEPTED

    assert (await row(journal, first.id)).state is RunState.CONTINUED
    assert (await row(journal, second.id)).state is CANCELLED
    assert (await row(journal, child.id)).reason == "parent_cancelled"


async def test_a_batch_with_a_parent_and_a_blocked_grandchild_cancels_all(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker, CANCEL)
    blocked = await claimed_child(journal, worker, child, policy=CANCEL)
    await block(journal, worker, blocked)

    await commit(
        journal,
        worker,
        family_write(parent, transition=end()),
        family_write(child, transition=end(FAILED)),
    )

    assert (await row(journal, blocked.id)).reason == "parent_cancelled"
