"""A run without a history that becomes blocked ends if a request to stop waits for it: it has done nothing.

That is one transaction. `test_kept_cancels.py` is about blocked runs that have a history.
"""

from __future__ import annotations

import pytest

from continuum.engine.ids import RunId
from continuum.journal.port import Fault, InboxKind, Journal, Post, Posted, RunState, Transition, Worker
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
    row,
    signal,
    take_tasks,
    worker_of,
    write,
)
from tests.contract.families import claimed_child, family_write, parent_and_child, suspend

REASONS = pytest.mark.parametrize(("name", "reason"), [("", None), ("parent", "parent_cancelled")])


async def ask_to_stop(journal: Journal, run_id: RunId, name: str = "") -> None:
    """Post a cancel request to a run that is not blocked yet."""
    assert await journal.post([Post(run_id, InboxKind.CANCEL, name, (), "cancel")]) == [Posted.ACCEPTED]


async def assert_stopped(journal: Journal, run_id: RunId, reason: str | None = None) -> None:
    """Check that a run has ended as cancelled, for good."""
    stored = await row(journal, run_id)
    assert (stored.state, stored.reason, stored.fault) == (RunState.CANCELLED, reason, None)
    assert (stored.owner, stored.due_at) == (None, None)
    assert stored.completed_at is not None
    assert await journal.unblock(["orders"]) == 0


def block(kind: str = "input") -> Transition:
    """Block a run."""
    return Transition(RunState.BLOCKED, reason=f"{kind}: so", fault=Fault(kind), code="some code")


@REASONS
async def test_an_owner_that_blocks_a_run_that_was_asked_to_stop_ends_it(
    journal: Journal, name: str, reason: str | None
) -> None:
    worker = await worker_of(journal)
    run, bystander = await owned_run(journal, worker), await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task())
    await ask_to_stop(journal, run.id, name)

    await commit(journal, worker, write(run, transition=block()), write(bystander, transition=block()))

    await assert_stopped_beside(journal, run.id, bystander.id, reason)
    assert await take_tasks(journal, worker) == []


async def assert_stopped_beside(
    journal: Journal, run_id: RunId, bystander: RunId, reason: str | None
) -> None:
    """Check that one of two blocked runs has ended."""
    assert (await row(journal, bystander)).state is RunState.BLOCKED
    assert await journal.unblock(["orders"]) == 1
    await assert_stopped(journal, run_id, reason)


async def test_other_mail_does_not_end_a_run_that_becomes_blocked(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([signal(run.id)])

    await commit(journal, worker, write(run, transition=block()))

    assert (await row(journal, run.id)).state is RunState.BLOCKED


async def test_p14_a_child_that_ends_like_that_tells_its_parent_and_its_children(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    grandchild = await claimed_child(journal, worker, child)
    await suspend(journal, worker, parent)
    await ask_to_stop(journal, child.id)

    await commit(journal, worker, family_write(child, transition=block("drift")))

    await assert_stopped(journal, child.id)
    assert [run.id for run in await claim(journal, worker)] == [parent.id]
    mail = await journal.inbox(worker, [parent.id, grandchild.id])
    assert {(each.run_id, each.kind) for each in mail} == {
        (parent.id, InboxKind.CHILD_CANCELLED),
        (grandchild.id, InboxKind.CANCEL),
    }


@REASONS
async def test_poison_that_was_asked_to_stop_ends_with_its_last_death(
    journal: Journal, name: str, reason: str | None
) -> None:
    run_id = await begin(journal)
    await ask_to_stop(journal, run_id, name)
    for _ in range(POISON_AFTER):
        worker = await worker_of(journal)
        assert [run.id for run in await claim(journal, worker)] == [run_id]
        await retire(journal, worker, executing=run_id)

    await assert_stopped(journal, run_id, reason)


async def _crash(journal: Journal, worker: Worker, run_id: RunId) -> None:
    await journal.release(worker, [run_id], crashed=True, poison_after=1)


@REASONS
async def test_a_run_that_crashed_too_often_and_was_asked_to_stop_ends(
    journal: Journal, name: str, reason: str | None
) -> None:
    worker = await worker_of(journal)
    run, bystander = await owned_run(journal, worker), await owned_run(journal, worker)
    await ask_to_stop(journal, run.id, name)

    await _crash(journal, worker, run.id)
    await _crash(journal, worker, bystander.id)

    await assert_stopped_beside(journal, run.id, bystander.id, reason)


@pytest.mark.parametrize("dies", ["crash", "death"])
async def test_p14_a_poisonous_child_that_was_asked_to_stop_tells_its_parent(
    journal: Journal, dies: str
) -> None:
    worker, other = await worker_of(journal), await worker_of(journal, "south")
    parent, child = await parent_and_child(journal, worker)
    await suspend(journal, worker, parent)
    await ask_to_stop(journal, child.id)

    if dies == "crash":
        await _crash(journal, worker, child.id)
    else:
        await retire(journal, worker, executing=child.id, poison_after=1)

    await assert_stopped(journal, child.id)
    assert [run.id for run in await claim(journal, other)] == [parent.id]
    assert [mail.kind for mail in await journal.inbox(other, None)] == [InboxKind.CHILD_CANCELLED]


async def test_an_end_and_a_block_of_one_family_in_one_batch(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await ask_to_stop(journal, child.id)

    await commit(
        journal,
        worker,
        family_write(parent, transition=end()),
        family_write(child, transition=block()),
    )

    await assert_stopped(journal, child.id)
    assert (await row(journal, parent.id)).state is RunState.COMPLETED
