"""What operators and housekeeping do with runs: cancel by force, unblock, sweep."""

from __future__ import annotations

from continuum.journal.port import Journal, Posted, RunState, Transition
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    event,
    new_run,
    new_task,
    owned_run,
    owned_runs,
    queue_tasks,
    retire,
    row,
    seqs,
    signal,
    take_tasks,
    worker_of,
    write,
)


async def test_a_forced_cancel_ends_a_run_and_fences_its_owner(journal: Journal) -> None:
    """B58"""
    worker = await worker_of(journal)
    run, kept = await owned_runs(journal, worker, 2)

    assert await journal.force_cancel(run.id) is Posted.ACCEPTED

    committed = await commit(journal, worker, write(run, event(1), transition=end()), write(kept, event(1)))
    assert committed.rejected == {run.id}
    assert await seqs(journal, run.id) == []
    stored = await row(journal, run.id)
    assert (stored.state, stored.owner, stored.due_at) == (RunState.CANCELLED, None, None)
    assert stored.completed_at is not None


async def test_a_forced_cancel_ends_runs_without_owner(journal: Journal) -> None:
    worker = await worker_of(journal)
    blocked = await owned_run(journal, worker)
    await commit(journal, worker, write(blocked, transition=Transition(RunState.BLOCKED)))
    free = await begin(journal)

    assert await journal.force_cancel(blocked.id) is Posted.ACCEPTED
    assert await journal.force_cancel(free) is Posted.ACCEPTED

    assert await claim(journal, worker) == []
    assert await journal.post([signal(free)]) == [Posted.TERMINAL]


async def test_a_forced_cancel_reports_when_there_is_nothing_to_end(journal: Journal) -> None:
    """B55"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=end(result=b"r")))

    assert await journal.force_cancel(run.id) is Posted.TERMINAL
    assert await journal.force_cancel(new_run().id) is Posted.NOT_FOUND
    assert (await row(journal, run.id)).state is RunState.COMPLETED


async def test_unblocked_runs_are_claimable_and_have_no_reason(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=Transition(RunState.BLOCKED, reason="drift")))

    assert await journal.unblock(["orders"]) == 1

    stored = await row(journal, run.id)
    assert (stored.state, stored.reason) == (RunState.RUNNING, None)
    assert [again.id for again in await claim(journal, worker)] == [run.id]
    assert await journal.unblock(["orders"]) == 0


async def test_unblocking_changes_only_the_named_runs(journal: Journal) -> None:
    worker = await worker_of(journal)
    first, second, running = await owned_runs(journal, worker, 3)
    blocked = Transition(RunState.BLOCKED, reason="drift")
    await commit(journal, worker, write(first, transition=blocked), write(second, transition=blocked))

    assert await journal.unblock(["refunds"]) == 0
    assert await journal.unblock(["refunds"], [first.id]) == 0
    assert await journal.unblock(["orders"], [first.id, running.id, new_run().id]) == 1

    assert (await row(journal, second.id)).state is RunState.BLOCKED
    assert (await row(journal, running.id)).owner == worker.id


async def test_unblocking_resets_the_count_of_deaths(journal: Journal) -> None:
    run_id = await begin(journal)
    for _ in range(2):
        worker = await worker_of(journal)
        await claim(journal, worker)
        await retire(journal, worker, executing=run_id, poison_after=2)
    await journal.unblock(["orders"])

    worker = await worker_of(journal)
    await claim(journal, worker)
    await retire(journal, worker, executing=run_id, poison_after=2)

    assert (await row(journal, run_id)).state is RunState.RUNNING


async def test_a_sweep_removes_only_what_ended_runs_left_behind(journal: Journal) -> None:
    worker = await worker_of(journal)
    ended, live = await owned_runs(journal, worker, 2)
    for run in (ended, live):
        await queue_tasks(journal, worker, run, new_task(1))
        await journal.heartbeat(run.id, 1, b"half")
        await journal.post([signal(run.id), signal(run.id)])
    await commit(journal, worker, write(ended, event(1), transition=end()))

    assert await journal.sweep() == 3
    assert await journal.sweep() == 0

    assert await journal.last_heartbeats(ended.id) == {}
    assert await journal.last_heartbeats(live.id) == {1: b"half"}
    assert [task.run_id for task in await take_tasks(journal, worker)] == [live.id]
    assert len(await journal.inbox(worker, None)) == 2
    assert await seqs(journal, ended.id) == [1]
