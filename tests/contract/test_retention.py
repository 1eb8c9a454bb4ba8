"""Retention: ended runs are removed when their time is over, with all that belongs to them."""

from __future__ import annotations

from datetime import timedelta

from continuum.journal.port import (
    ClaimedRun,
    InboxKind,
    Journal,
    Loaded,
    Post,
    Posted,
    Refusal,
    RunState,
    VersionRow,
    Worker,
)
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    event,
    history,
    new_run,
    owned_run,
    signal,
    until,
    worker_of,
    write,
)
from tests.contract.families import block, continue_as_new, family_write, finish, parent_and_child


async def note(journal: Journal, version: str, retention: float | None, label: str = "1") -> None:
    """Register a version of the workflow with a retention."""
    version_row = VersionRow("orders", version, label, "shop", None, None, retention=retention)
    await journal.register_versions([version_row])


async def gone(journal: Journal, *runs: ClaimedRun) -> None:
    """Sweep until these runs are removed."""

    async def all_gone() -> bool:
        await journal.sweep()
        return not any([await journal.get_run(run.id) for run in runs])

    await until(all_gone)


async def left_behind(journal: Journal, worker: Worker, run: ClaimedRun) -> None:
    """Give a run one of everything that a run can have."""
    await journal.post([signal(run.id, key="d")])
    await journal.heartbeat(run.id, 1, b"half")
    refusal = Refusal("v0", "drift")
    await commit(journal, worker, write(run, event(0), published=[("a", b"1")], refusal=refusal))
    await journal.record_result("send", run.id, run.id, b"result")


async def test_an_ended_run_is_removed_with_all_its_rows_when_its_retention_is_over(journal: Journal) -> None:
    """ARC2, B28: results under idempotency keys stay."""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, idempotency_key="once")
    await left_behind(journal, worker, run)
    await finish(journal, worker, run, retention=0.0)

    await gone(journal, run)

    assert await history(journal, run.id) == []
    assert await journal.read_published(run.id, ["a"]) == {}
    assert await journal.last_heartbeats(run.id) == {}
    assert await journal.refusals(run.id) == []
    assert await journal.find_result("send", run.id) == b"result"
    assert await journal.post([signal(run.id, key="d")]) == [Posted.NOT_FOUND]
    assert await journal.sweep() == 0
    # Its key and its id can be used again.
    again = new_run(id=run.id, idempotency_key="once")
    assert (await journal.start([again]))[0] == (run.id, False)
    await claim(journal, worker)
    assert await journal.inbox(worker, None) == []


async def test_runs_without_retention_and_runs_within_it_stay(journal: Journal) -> None:
    """ARC4"""
    worker = await worker_of(journal)
    kept, later, over = [await owned_run(journal, worker) for _ in range(3)]
    await finish(journal, worker, kept)
    await finish(journal, worker, later, retention=3600.0)
    await finish(journal, worker, over, retention=0.0)

    await gone(journal, over)

    assert (await journal.get_run(kept.id)) is not None
    assert (await journal.get_run(later.id)) is not None


async def test_a_retention_beyond_all_calendars_lasts_for_ever(journal: Journal) -> None:
    worker = await worker_of(journal)
    longest = timedelta.max.total_seconds()
    await note(journal, "v1", longest)
    ended, forced, other = [await owned_run(journal, worker) for _ in range(3)]

    await finish(journal, worker, ended, retention=longest)
    await journal.force_cancel(forced.id)
    await finish(journal, worker, other, retention=0.0)
    await gone(journal, other)

    assert await journal.get_run(ended.id) is not None
    assert await journal.get_run(forced.id) is not None


async def test_runs_that_end_together_are_kept_for_their_own_retention(journal: Journal) -> None:
    """Also if one of them is a child, for which other rows are locked."""
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    first, kept, later, last = [await owned_run(journal, worker) for _ in range(4)]
    going_on = write(kept, event(0))
    await commit(
        journal,
        worker,
        write(later, transition=end(retention=3600.0)),
        going_on,
        write(first, transition=end(retention=0.0)),
    )
    await commit(
        journal,
        worker,
        family_write(parent, transition=end(retention=3600.0)),
        family_write(last, transition=end(retention=0.0)),
        family_write(child, transition=end(retention=0.0)),
    )

    await gone(journal, first, last, child)

    for run in (kept, later, parent):
        assert await journal.get_run(run.id) is not None


async def test_a_chain_stays_while_its_latest_run_lives_and_is_removed_as_a_whole(journal: Journal) -> None:
    """ARC3, B57: its first id leads to the latest run for as long as that exists."""
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    await left_behind(journal, worker, first)
    second = await continue_as_new(journal, worker, first)
    third = await continue_as_new(journal, worker, second)
    await journal.sweep()
    assert await journal.post([signal(first.id, key="e")]) == [Posted.ACCEPTED]

    await finish(journal, worker, third, retention=0.0)
    await gone(journal, first, second, third)

    assert await journal.read_published(first.id, ["a"]) == {}
    assert await history(journal, first.id) == []


async def test_the_retention_of_the_latest_run_counts_for_its_chain(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    second = await continue_as_new(journal, worker, first)
    other = await owned_run(journal, worker)
    await finish(journal, worker, second)
    await finish(journal, worker, other, retention=0.0)

    await gone(journal, other)

    assert await journal.get_run(first.id) is not None
    assert await journal.get_run(second.id) is not None


async def test_a_child_stays_while_its_parent_lives(journal: Journal) -> None:
    """ARC4"""
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    other = await owned_run(journal, worker)
    await finish(journal, worker, child, retention=0.0)
    await finish(journal, worker, other, retention=0.0)
    await gone(journal, other)
    assert await journal.get_run(child.id) is not None

    await finish(journal, worker, parent)

    await gone(journal, child)
    assert await journal.get_run(parent.id) is not None


async def test_a_child_whose_parent_is_removed_ends_like_any_run(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await finish(journal, worker, parent, retention=0.0)
    await gone(journal, parent)

    await finish(journal, worker, child)

    found = await journal.get_run(child.id)
    assert found is not None
    assert found.state is RunState.COMPLETED


async def test_a_removed_run_leaves_nothing_to_claim(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await finish(journal, worker, run, retention=0.0)
    await gone(journal, run)
    fresh = await begin(journal)

    assert await journal.next_due([Loaded("orders", "v1")]) is not None
    assert [each.id for each in await claim(journal, worker)] == [fresh]


async def test_the_next_sweep_removes_the_runs_beyond_the_limit_of_one(journal: Journal) -> None:
    worker = await worker_of(journal)
    await journal.start([new_run() for _ in range(450)])
    runs = await claim(journal, worker, 450)
    await commit(journal, worker, *(write(run, transition=end(retention=0.0)) for run in runs))

    await gone(journal, *runs[::50])
    await gone(journal, *runs)


async def test_a_family_ended_by_force_is_kept_as_long_as_its_code_says(journal: Journal) -> None:
    worker = await worker_of(journal)
    await note(journal, "v1", 0.0)
    parent, child = await parent_and_child(journal, worker)

    await journal.force_cancel(parent.id)

    await gone(journal, parent, child)


async def test_a_cancelled_blocked_run_is_kept_as_long_as_its_code_says(journal: Journal) -> None:
    worker = await worker_of(journal)
    await note(journal, "v1", 0.0)
    run = await owned_run(journal, worker)
    await block(journal, worker, run)

    await journal.post([Post(run.id, InboxKind.CANCEL, "", (), "cancel")])

    await gone(journal, run)


async def test_a_run_that_never_began_is_kept_as_long_as_the_latest_code_says(journal: Journal) -> None:
    worker = await worker_of(journal)
    await note(journal, "v1", 3600.0)
    await note(journal, "v2", 0.0, label="2")
    begun, waiting = await owned_run(journal, worker), await begin(journal)

    await journal.force_cancel(begun.id)
    await journal.force_cancel(waiting)

    async def removed() -> bool:
        await journal.sweep()
        return await journal.get_run(waiting) is None

    await until(removed)
    assert await journal.get_run(begun.id) is not None


async def test_a_run_ended_by_force_stays_when_its_code_has_no_retention_any_more(journal: Journal) -> None:
    worker = await worker_of(journal)
    await note(journal, "v1", 0.0)
    await note(journal, "v1", None)
    assert [row.retention for row in await journal.versions()] == [None]
    run = await owned_run(journal, worker)
    other = await owned_run(journal, worker)

    await journal.force_cancel(run.id)
    await finish(journal, worker, other, retention=0.0)
    await gone(journal, other)

    assert await journal.get_run(run.id) is not None
