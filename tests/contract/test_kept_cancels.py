"""A blocked run that has a history keeps a request to stop until it is unblocked, and compensates then."""

from __future__ import annotations

import pytest

from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.journal.port import (
    ClaimedRun,
    ClosePolicy,
    Fault,
    InboxKind,
    InboxRow,
    Journal,
    Post,
    Posted,
    Refusal,
    RunState,
    Transition,
    Worker,
)
from tests.contract.builders import (
    claim,
    commit,
    end,
    event,
    owned_run,
    retire,
    row,
    seqs,
    worker_of,
    write,
)
from tests.contract.families import claimed_child, continue_as_new, family_write, parent_and_child, suspend
from tests.contract.operating import begun, outcomes, part
from tests.contract.test_forked_runs import forked

POISON = 1
WAYS = pytest.mark.parametrize("way", ["commit", "crash", "death"])


def cancel(run: ClaimedRun) -> Post:
    """Return a request to stop a run."""
    return Post(run.id, InboxKind.CANCEL, "cancel", (), "cancel")


def blocking() -> Transition:
    """Return the transition that blocks a run."""
    return Transition(RunState.BLOCKED, reason="drift: at 1", fault=Fault("drift", 1), code="some code")


async def begun_run(journal: Journal, worker: Worker) -> ClaimedRun:
    """Return a claimed run that has a history."""
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, event(0)))
    return run


async def block(journal: Journal, worker: Worker, run: ClaimedRun, way: str = "commit") -> None:
    """Block a run that has a history, in one of the ways in which runs become blocked."""
    if way == "commit":
        await commit(journal, worker, family_write(run, event(1), transition=blocking()))
    elif way == "crash":
        await journal.release(worker, [run.id], crashed=True, poison_after=POISON)
    else:
        await retire(journal, worker, executing=run.id, poison_after=POISON)


async def mail_of(journal: Journal, run: ClaimedRun) -> list[InboxRow]:
    """Unblock and claim a run, and return its mail."""
    assert await journal.unblock(["orders"], [run.id]) == 1
    worker = await worker_of(journal, "south")
    assert run.id in {claimed.id for claimed in await claim(journal, worker)}
    return await journal.inbox(worker, [run.id])


async def assert_kept(journal: Journal, run: ClaimedRun, name: str = "cancel") -> None:
    """Check that a run is blocked still, and reads one request to stop once it is unblocked."""
    found = await row(journal, run.id)
    assert (found.state, found.completed_at, found.due_at) == (RunState.BLOCKED, None, None)
    assert [(mail.kind, mail.name) for mail in await mail_of(journal, run)] == [(InboxKind.CANCEL, name)]


@WAYS
async def test_a_request_is_kept_until_the_run_is_unblocked(journal: Journal, way: str) -> None:
    worker = await worker_of(journal)
    run = await begun_run(journal, worker)
    await block(journal, worker, run, way)

    assert await journal.post([cancel(run)]) == [Posted.ACCEPTED]
    assert await journal.post([cancel(run)]) == [Posted.DUPLICATE]

    await assert_kept(journal, run)
    assert (await row(journal, run.id)).state is RunState.RUNNING


@WAYS
async def test_a_request_that_was_there_before_is_kept_too(journal: Journal, way: str) -> None:
    worker = await worker_of(journal)
    run = await begun_run(journal, worker)
    assert await journal.post([cancel(run)]) == [Posted.ACCEPTED]

    await block(journal, worker, run, way)

    await assert_kept(journal, run)


async def test_the_first_write_of_a_run_is_its_history(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([cancel(run)])

    await commit(journal, worker, write(run, event(0), transition=blocking()))

    await assert_kept(journal, run)
    assert await seqs(journal, run.id) == [0]


async def test_a_request_by_force_ends_the_run_at_once(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await begun_run(journal, worker)
    await block(journal, worker, run)
    await journal.post([cancel(run)])

    assert await journal.force_cancel(run.id) is Posted.ACCEPTED

    assert (await row(journal, run.id)).state is RunState.CANCELLED
    assert await journal.unblock(["orders"]) == 0


@pytest.mark.parametrize("ends", [False, True])
async def test_p14_a_blocked_child_keeps_the_request_of_its_parent(journal: Journal, ends: bool) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker, ClosePolicy.CANCEL)
    grandchild = await claimed_child(journal, worker, child)
    await commit(journal, worker, family_write(child, event(0)))
    await block(journal, worker, child)

    stop = {"transition": end()} if ends else {"cancels": [child.id]}
    await commit(journal, worker, family_write(parent, **stop))

    assert await journal.inbox(worker, [parent.id, grandchild.id]) == []
    await assert_kept(journal, child, "parent")


async def test_p14_a_parent_hears_of_a_blocked_child_once_that_has_compensated(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await suspend(journal, worker, parent)
    await commit(journal, worker, family_write(child, event(0)))
    await block(journal, worker, child)
    await journal.post([cancel(child)])
    assert await claim(journal, worker) == []

    await journal.unblock(["orders"])
    (again,) = await claim(journal, worker)
    await commit(journal, worker, family_write(again, event(2), transition=end(RunState.CANCELLED)))

    assert [run.id for run in await claim(journal, worker)] == [parent.id]
    assert [mail.kind for mail in await journal.inbox(worker, [parent.id])] == [InboxKind.CHILD_CANCELLED]


async def test_a_bulk_change_asks_blocked_runs_once(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await begun_run(journal, worker)
    await block(journal, worker, run)
    first = await begun(journal, "cancel", "state:blocked")
    assert await part(journal, first) == ("completed", 1, 0, 0, 1)
    second = await begun(journal, "cancel", "state:blocked")
    assert await part(journal, second) == ("completed", 0, 1, 0, 1)
    assert await outcomes(journal, second) == {run.id: ("cancel", "already")}

    await assert_kept(journal, run)


async def test_p16_a_request_to_the_first_run_of_a_chain_is_kept_by_the_latest(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    latest = await continue_as_new(journal, worker, first)
    await commit(journal, worker, write(latest, event(0)))
    await block(journal, worker, latest)

    assert await journal.post([cancel(first)]) == [Posted.ACCEPTED]

    await assert_kept(journal, latest)


async def test_p21_the_run_that_a_blocked_one_is_reset_to_has_the_request(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await begun_run(journal, worker)
    await block(journal, worker, run)
    await journal.post([cancel(run)])

    new = forked(run.id, [event(0)], 2)
    assert await journal.fork_run(new) is Posted.ACCEPTED

    (claimed,) = await claim(journal, worker)
    assert claimed.id == new.id
    assert [mail.kind for mail in await journal.inbox(worker, [new.id])] == [InboxKind.CANCEL]


async def test_p21_the_request_has_lifted_the_pauses_of_the_run_that_gets_it(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await begun_run(journal, worker)
    await block(journal, worker, run)
    scope = PauseScope(PauseKind.WORKFLOW, "orders")
    await journal.pause_together(scope)
    await journal.post([cancel(run)])

    asked = forked(run.id, [event(0)], 2)
    assert await journal.fork_run(asked) is Posted.ACCEPTED
    assert [claimed.id for claimed in await claim(journal, worker)] == [asked.id]

    own = forked(asked.id, [event(0)], 2, succeeds=False)
    assert await journal.fork_run(own) is Posted.ACCEPTED
    assert await claim(journal, worker) == []


async def test_other_code_that_refuses_the_run_too_leaves_it_blocked_with_its_request(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    run = await begun_run(journal, worker)
    await block(journal, worker, run)
    await journal.post([cancel(run)])
    assert await journal.unblock(["orders"], code="other code") == 1
    (again,) = await claim(journal, worker)

    back = Transition(RunState.SUSPENDED, journal.now(), release=True, code="other code")
    refusal = Refusal("v2", "drift: at 0", Fault("drift", 0))
    await commit(journal, worker, write(again, transition=back, refusal=refusal))

    await assert_kept(journal, run)
