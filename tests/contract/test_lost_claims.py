"""After a claim whose result was lost, a worker can release what it owns without knowing."""

from __future__ import annotations

from continuum.journal.port import InboxKind, Journal, Loaded, Post, Posted, RunState
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    new_task,
    owned_run,
    owned_runs,
    row,
    signal,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)


async def test_runs_of_a_lost_claim_go_to_the_next_claim(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal)
    known, lost = await owned_runs(journal, worker, 2)
    theirs = await owned_run(journal, other)

    assert await journal.release_other_runs(worker, [known.id]) == 1

    assert [run.id for run in await claim(journal, other)] == [lost.id]
    assert (await commit(journal, worker, write(known, transition=end()))).rejected == frozenset()
    assert (await commit(journal, other, write(theirs, transition=end()))).rejected == frozenset()
    assert await journal.release_other_runs(worker, []) == 0


async def test_tasks_of_a_lost_claim_go_to_the_next_claim(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, tasks=[new_task(1), new_task(2)]))
    assert len(await take_tasks(journal, worker)) == 2

    assert await journal.release_other_tasks(worker, [(run.id, 1)]) == 1

    assert [task.seq for task in await take_tasks(journal, other)] == [2]


async def test_the_tasks_of_an_ended_run_are_removed(journal: Journal) -> None:
    worker = await worker_of(journal)
    done, forced = await owned_runs(journal, worker, 2)
    await commit(journal, worker, write(done, tasks=[new_task(1)]), write(forced, tasks=[new_task(1)]))

    await commit(journal, worker, write(done, transition=end()))
    assert await journal.force_cancel(forced.id) is Posted.ACCEPTED

    assert await take_tasks(journal, worker) == []


async def test_the_next_due_time_counts_only_loaded_code(journal: Journal) -> None:
    """TMW11, B43"""
    worker = await worker_of(journal)
    later = journal.now() + 3_600_000_000
    sooner, later_run = await owned_runs(journal, worker, 2)
    await commit(
        journal,
        worker,
        write(sooner, transition=sleep_until(later)),
        write(later_run, transition=sleep_until(later + 1)),
    )

    assert await journal.next_due([Loaded(sooner.workflow, sooner.version)]) == later
    assert await journal.next_due([Loaded(sooner.workflow, "another")]) is None
    assert await journal.next_due([Loaded("another", sooner.version)]) is None


async def test_mail_that_arrives_before_a_release_makes_the_run_due(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([signal(run.id)])
    await commit(journal, worker, write(run, transition=sleep_until(None)))

    assert [claimed.id for claimed in await claim(journal, worker)] == [run.id]


async def test_mail_for_a_blocked_run_waits_until_it_is_unblocked(journal: Journal) -> None:
    worker = await worker_of(journal)
    run_id = await begin(journal)
    (run,) = await claim(journal, worker)
    await commit(journal, worker, write(run, transition=end(RunState.BLOCKED)))
    assert await journal.post([signal(run_id)]) == [Posted.ACCEPTED]
    assert await claim(journal, worker) == []

    assert await journal.unblock([run.workflow]) == 1

    assert [claimed.id for claimed in await claim(journal, worker)] == [run_id]


async def test_a_blocked_run_without_a_history_ends_at_once_when_it_is_cancelled(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=end(RunState.BLOCKED)))

    assert await journal.post([Post(run.id, InboxKind.CANCEL, "cancel", (), "cancel")]) == [Posted.ACCEPTED]

    assert (await row(journal, run.id)).state is RunState.CANCELLED
