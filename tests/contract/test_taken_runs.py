"""Starts that are announced to one worker, and first writes that take their run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.announced_run import AnnouncedRun, TakenRun
from continuum.journal.limits import DEADLY_RUNS
from continuum.journal.port import (
    InboxKind,
    Journal,
    LeaseLost,
    Post,
    RunState,
    RunWrite,
    Transition,
)
from continuum.journal.suspect_port import Death, Executed
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    event,
    history,
    is_accepted,
    owned_run,
    retire,
    row,
    signal,
    sleep_until,
    worker_of,
)


async def taking(
    journal: Journal,
    run_id: RunId,
    *events: Event,
    transition: Transition | None = None,
    said: dict[str, Any] | None = None,
) -> RunWrite:
    """Return a first write that takes a run; `said` is what the announcement says otherwise than the row."""
    (token,) = await journal.draw_tokens(1)
    stored = await row(journal, run_id)
    announced = AnnouncedRun(
        run_id, stored.workflow, stored.namespace, b"input", stored.trace_context, stored.started_at
    )
    taken = TakenRun(announced._replace(**(said or {})), "v1")
    return RunWrite(run_id, token, list(events), transition=transition, takes=taken)


async def test_a_first_write_takes_the_run_and_ends_it(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await begin(journal)

    assert await is_accepted(
        journal, worker, await taking(journal, run, event(0), transition=end(result=b"done"))
    )

    stored = await row(journal, run)
    assert (stored.state, stored.result, stored.owner) == (RunState.COMPLETED, b"done", None)
    assert stored.version == "v1"
    assert await history(journal, run) == [event(0)]
    assert await claim(journal, worker) == []


async def test_a_run_that_was_taken_has_an_owner_that_goes_on_writing(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await begin(journal)
    first = await taking(journal, run, event(0), transition=Transition(RunState.RUNNING))

    assert await is_accepted(journal, worker, first)
    await commit(journal, worker, RunWrite(run, first.token, [event(1)]))

    assert (await row(journal, run)).owner == worker.id
    assert await history(journal, run) == [event(0), event(1)]


async def test_a_run_that_was_taken_is_released_with_its_worker(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal)
    run = await begin(journal)
    first = await taking(journal, run, event(0), transition=Transition(RunState.RUNNING))
    assert await is_accepted(journal, worker, first)

    await retire(journal, worker)

    (again,) = await claim(journal, other)
    assert (again.id, again.attempt, again.fresh) == (run, 2, False)
    assert again.token > first.token


async def test_one_of_two_workers_takes_a_run(journal: Journal) -> None:
    workers = [await worker_of(journal) for _ in range(2)]
    run = await begin(journal)
    writes = [await taking(journal, run, event(0), transition=sleep_until(None)) for _ in workers]

    taken = await asyncio.gather(
        *(is_accepted(journal, worker, write) for worker, write in zip(workers, writes, strict=True))
    )

    assert sorted(taken) == [False, True]
    assert await history(journal, run) == [event(0)]


async def test_a_run_that_was_claimed_is_not_taken(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal)
    run = await begin(journal)
    write = await taking(journal, run, event(0))
    (claimed,) = await claim(journal, other)

    assert not await is_accepted(journal, worker, write)
    await journal.release(other, [claimed.id], crashed=False, poison_after=3)
    assert not await is_accepted(journal, worker, write)

    assert await history(journal, run) == []


async def test_a_run_that_has_ended_is_not_taken(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await begin(journal)
    write = await taking(journal, run, event(0))
    await journal.force_cancel(run)

    assert not await is_accepted(journal, worker, write)

    assert (await row(journal, run)).state is RunState.CANCELLED


@pytest.mark.parametrize("kind", [InboxKind.SIGNAL, InboxKind.CANCEL])
async def test_a_run_with_mail_is_left_to_a_claim(journal: Journal, kind: InboxKind) -> None:
    worker = await worker_of(journal)
    run = await begin(journal)
    write = await taking(journal, run, event(0), transition=end(result=b"done"))
    await journal.post([signal(run) if kind is InboxKind.SIGNAL else Post(run, kind, "", ())])

    assert not await is_accepted(journal, worker, write)

    (claimed,) = await claim(journal, worker)
    assert claimed.id == run
    assert not claimed.fresh


@pytest.mark.parametrize(
    "said",
    [
        {"input": b"other"},
        {"workflow": "refunds"},
        {"namespace": "shop"},
        {"trace_context": "00-trace"},
        {"started_at": 1},
    ],
)
async def test_a_forged_announcement_takes_nothing(journal: Journal, said: dict[str, Any]) -> None:
    worker = await worker_of(journal)
    run = await begin(journal)

    assert not await is_accepted(journal, worker, await taking(journal, run, event(0), said=said))

    assert await history(journal, run) == []
    assert [claimed.id for claimed in await claim(journal, worker)] == [run]


async def test_a_run_of_a_workflow_that_kills_processes_is_not_taken(journal: Journal) -> None:
    worker = await worker_of(journal)
    harmless = await begin(journal, workflow="refunds")
    doomed = [await worker_of(journal) for _ in range(DEADLY_RUNS)]
    runs = [await owned_run(journal, each) for each in doomed]
    for dead, run in zip(doomed, runs, strict=True):
        await journal.blame(dead.id, Death(culprit=Executed(run.id)))
        await retire(journal, dead)
    fresh = await begin(journal)

    assert await is_accepted(journal, worker, await taking(journal, harmless, event(0)))
    assert not await is_accepted(journal, worker, await taking(journal, fresh, event(0)))


async def test_a_worker_without_a_lease_takes_nothing(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal)
    run = await begin(journal)
    write = await taking(journal, run, event(0))
    await retire(journal, worker)

    with pytest.raises(LeaseLost):
        await commit(journal, worker, write)

    assert [claimed.id for claimed in await claim(journal, other)] == [run]


async def test_a_repeated_batch_says_again_what_was_taken(journal: Journal) -> None:
    """P12: also when another worker has taken the run by its first write."""
    first, second = await worker_of(journal), await worker_of(journal)
    run = await begin(journal)
    writes = [await taking(journal, run, event(0), transition=end(result=b"done")) for _ in range(2)]

    for _ in range(2):
        assert not (await journal.commit(first, 1, [writes[0]])).rejected
        assert (await journal.commit(second, 1, [writes[1]])).rejected == {run}

    assert await history(journal, run) == [event(0)]


async def test_no_claim_gets_a_drawn_token(journal: Journal) -> None:
    worker = await worker_of(journal)
    drawn = await journal.draw_tokens(5)

    claimed = await owned_run(journal, worker)

    assert len(set(drawn)) == 5
    assert claimed.token > max(drawn)
