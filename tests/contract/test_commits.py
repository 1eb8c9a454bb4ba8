"""The write path of owners: what a commit makes durable, and what its fence rejects."""

from __future__ import annotations

import asyncio

import pytest

from continuum.engine.events import Event, EventType
from continuum.journal.port import Journal, LeaseLost, RunState, Transition
from tests.contract.builders import (
    BODIES,
    POISON_AFTER,
    SOON,
    claim,
    commit,
    end,
    event,
    history,
    let_expire,
    new_task,
    owned_run,
    owned_runs,
    retire,
    row,
    seqs,
    signal,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)


async def test_p3_events_load_in_the_order_of_their_seq(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    written = [event(seq) for seq in range(1, 8)]

    await commit(journal, worker, write(run, *written[:3]))
    await commit(journal, worker, write(run, *written[3:]))

    assert await history(journal, run.id) == written


async def test_histories_of_many_runs_load_separately(journal: Journal) -> None:
    worker = await worker_of(journal)
    first, second = await owned_runs(journal, worker, 2)

    await commit(journal, worker, write(first, event(1, ("a",))), write(second, event(1, ("b",)), event(2)))

    loaded = await journal.load([first.id, second.id])
    assert [entry.body for entry in loaded[first.id]] == [("a",)]
    assert [entry.seq for entry in loaded[second.id]] == [1, 2]


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_loads_as_it_was_written(journal: Journal, body: tuple[object, ...]) -> None:
    """PGJ6"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await commit(journal, worker, write(run, event(1, body)))

    (stored,) = await history(journal, run.id)
    assert stored.body == body
    assert [type(item) for item in stored.body] == [type(item) for item in body]


async def test_lists_in_a_body_load_as_tuples(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await commit(journal, worker, write(run, event(1, (["a", ["b"]], 1))))

    assert (await history(journal, run.id))[0].body == (("a", ("b",)), 1)


@pytest.mark.parametrize("at", [1_700_000_000_000_001, 1_799_999_999_999_999, 946_684_800_000_000, 1])
async def test_p10_the_time_of_an_event_is_kept_to_the_microsecond(journal: Journal, at: int) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await commit(journal, worker, write(run, event(1, at=at)))

    assert (await history(journal, run.id))[0].at == at


async def test_every_event_type_can_be_journaled(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    written = [Event(seq, kind, journal.now(), ()) for seq, kind in enumerate(EventType, 1)]

    await commit(journal, worker, write(run, *written))

    assert await history(journal, run.id) == written


async def test_p10_a_commit_returns_the_journals_time(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    first = await commit(journal, worker, write(run, event(1)))
    second = await commit(journal, worker, write(run, event(2)))

    assert run.started_at <= first.at <= second.at


async def test_p10_due_times_are_kept_to_the_microsecond(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    due = journal.now() + SOON

    await commit(journal, worker, write(run, transition=sleep_until(due)))

    assert (await row(journal, run.id)).due_at == due


async def test_p1_a_rotated_token_rejects_that_run_alone(journal: Journal) -> None:
    """ACT15"""
    worker = await worker_of(journal)
    stale, kept = await owned_runs(journal, worker, 2)
    await journal.release(worker, [stale.id], crashed=False, poison_after=POISON_AFTER)
    (fresh,) = await claim(journal, worker)

    committed = await commit(journal, worker, write(stale, event(1, ("stale",))), write(kept, event(1)))

    assert committed.rejected == {stale.id}
    assert await seqs(journal, stale.id) == []
    assert await seqs(journal, kept.id) == [1]
    assert (await commit(journal, worker, write(fresh, event(1)))).rejected == frozenset()


async def test_p1_a_run_of_another_worker_is_rejected(journal: Journal) -> None:
    owner, other = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)

    assert (await commit(journal, other, write(run, event(1)))).rejected == {run.id}
    assert await seqs(journal, run.id) == []


async def test_p1_a_lost_lease_rejects_the_whole_batch(journal: Journal) -> None:
    """B60"""
    worker = await worker_of(journal)
    first, second = await owned_runs(journal, worker, 2)
    await retire(journal, worker)

    with pytest.raises(LeaseLost):
        await commit(journal, worker, write(first, event(1)), write(second, event(1)))

    assert await seqs(journal, first.id) == await seqs(journal, second.id) == []


async def test_p1_an_expired_lease_rejects_the_batch_before_any_retirement(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await let_expire(journal, worker)

    with pytest.raises(LeaseLost):
        await commit(journal, worker, write(run, event(1)))

    assert await seqs(journal, run.id) == []


async def test_p2_a_rejected_write_leaves_nothing_behind(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, tasks=[new_task(1)]))
    await journal.post([signal(run.id)])
    (mail,) = await journal.inbox(worker, None)
    await journal.release(worker, [run.id], crashed=False, poison_after=POISON_AFTER)
    await claim(journal, worker)
    before = await row(journal, run.id)

    everything = write(
        run,
        event(1),
        consumed=[mail.id],
        tasks=[new_task(2)],
        dropped_tasks=[1],
        transition=end(result=b"result"),
    )
    assert (await commit(journal, worker, everything)).rejected == {run.id}

    assert await row(journal, run.id) == before
    assert await seqs(journal, run.id) == []
    assert await journal.inbox(worker, None) == [mail]
    assert [task.seq for task in await take_tasks(journal, worker)] == [1]


async def test_p2_a_batch_without_its_lease_leaves_nothing_behind(journal: Journal) -> None:
    worker, next_one = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, worker)
    await retire(journal, worker)
    before = await row(journal, run.id)

    with pytest.raises(LeaseLost):
        await commit(journal, worker, write(run, event(1), tasks=[new_task()], transition=end()))

    assert await row(journal, run.id) == before
    assert await take_tasks(journal, next_one) == []


async def test_p3_a_seq_in_a_history_is_used_once(journal: Journal) -> None:
    """B11"""
    worker = await worker_of(journal)
    run, other = await owned_runs(journal, worker, 2)
    await commit(journal, worker, write(run, event(1, ("first",))))

    with pytest.raises(Exception) as refusal:
        await commit(journal, worker, write(other, event(1)), write(run, event(2), event(1, ("second",))))

    assert not isinstance(refusal.value, LeaseLost)
    assert [entry.body for entry in await history(journal, run.id)] == [("first",)]
    assert await seqs(journal, other.id) == []


async def test_p3_nothing_appends_to_an_ended_run(journal: Journal) -> None:
    """PGJ22"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, event(1), transition=end(result=b"done")))
    ended = await row(journal, run.id)

    again = write(run, event(2), transition=Transition(RunState.FAILED, error=b"late"))
    assert (await commit(journal, worker, again)).rejected == {run.id}

    assert await seqs(journal, run.id) == [1]
    assert await row(journal, run.id) == ended


@pytest.mark.parametrize(
    ("transition", "result", "error"),
    [
        (Transition(RunState.COMPLETED, result=b"r"), b"r", None),
        (Transition(RunState.FAILED, error=b"e"), None, b"e"),
        (Transition(RunState.CANCELLED), None, None),
    ],
)
async def test_an_ended_run_keeps_how_it_ended_and_has_no_owner(
    journal: Journal, transition: Transition, result: bytes | None, error: bytes | None
) -> None:
    """PGJ13"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await commit(journal, worker, write(run, transition=transition))

    stored = await row(journal, run.id)
    assert (stored.state, stored.result, stored.error) == (transition.state, result, error)
    assert (stored.owner, stored.due_at) == (None, None)
    assert stored.completed_at is not None
    assert stored.completed_at >= stored.started_at


async def test_a_blocked_run_has_a_reason_and_no_owner(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await commit(journal, worker, write(run, transition=Transition(RunState.BLOCKED, reason="drift: at 3")))

    stored = await row(journal, run.id)
    assert (stored.state, stored.reason, stored.owner) == (RunState.BLOCKED, "drift: at 3", None)
    assert stored.completed_at is None


async def test_a_write_consumes_the_mail_it_names_and_no_other(journal: Journal) -> None:
    """MSB6"""
    worker = await worker_of(journal)
    run, other = await owned_runs(journal, worker, 2)
    await journal.post([signal(run.id, b"1"), signal(run.id, b"2"), signal(other.id, b"3")])
    first, second, third = await journal.inbox(worker, None)

    await commit(journal, worker, write(run, event(1), consumed=[first.id]), write(other, event(1)))

    assert await journal.inbox(worker, None) == [second, third]


async def test_several_writes_of_one_run_are_applied_in_order(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await commit(
        journal,
        worker,
        write(run, event(1), tasks=[new_task(1)], transition=sleep_until(None, release=False)),
        write(run, event(2), dropped_tasks=[1], tasks=[new_task(2)]),
        write(run, event(3), transition=Transition(RunState.RUNNING, due_at=journal.now() + SOON)),
    )

    assert await seqs(journal, run.id) == [1, 2, 3]
    assert (await row(journal, run.id)).state is RunState.RUNNING
    assert [task.seq for task in await take_tasks(journal, worker)] == [2]


async def test_a_batch_may_end_a_run_that_it_wrote_before(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    committed = await commit(
        journal,
        worker,
        write(run, event(1), transition=sleep_until(None, release=False)),
        write(run, event(2), transition=end(result=b"r")),
    )

    assert committed.rejected == frozenset()
    assert (await row(journal, run.id)).state is RunState.COMPLETED
    assert await seqs(journal, run.id) == [1, 2]


async def test_an_empty_batch_keeps_the_fence(journal: Journal) -> None:
    worker = await worker_of(journal)
    assert (await commit(journal, worker)).rejected == frozenset()
    await retire(journal, worker)

    with pytest.raises(LeaseLost):
        await commit(journal, worker)


async def test_p8_the_history_shows_whether_a_concurrent_commit_or_retirement_was_first(
    journal: Journal,
) -> None:
    for _ in range(8):
        worker = await worker_of(journal)
        (run,) = await owned_runs(journal, worker, 1)
        outcome, _ = await asyncio.gather(
            commit(journal, worker, write(run, event(1), transition=end())),
            retire(journal, worker),
            return_exceptions=True,
        )

        written = await seqs(journal, run.id)
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, LeaseLost)
            assert written == []
            assert [left.id for left in await claim(journal, await worker_of(journal))] == [run.id]
        else:
            assert written == [1]
            assert await claim(journal, await worker_of(journal)) == []
