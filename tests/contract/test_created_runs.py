"""Writes that create their run: the start, the claim and the first step in one commit."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.limits import DEADLY_RUNS
from continuum.journal.port import (
    CreatedRun,
    Journal,
    LeaseLost,
    NewRun,
    Posted,
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
    new_run,
    new_task,
    owned_run,
    owned_runs,
    retire,
    row,
    signal,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)
from tests.contract.families import new_child


async def creating(
    journal: Journal, run: NewRun, *events: Event, transition: Transition | None = None, **facts: Any
) -> RunWrite:
    """Return a first write that creates a run, which is active afterwards by default."""
    (token,) = await journal.draw_tokens(1)
    created = CreatedRun(run, "v1", journal.now())
    running = Transition(RunState.RUNNING)
    return RunWrite(run.id, token, list(events), transition=transition or running, creates=created, **facts)


async def exists(journal: Journal, run_id: RunId) -> bool:
    return await journal.get_run(run_id) is not None


async def test_a_first_write_creates_the_run_and_ends_it(journal: Journal) -> None:
    worker, run = await worker_of(journal), new_run()

    assert await is_accepted(
        journal, worker, await creating(journal, run, event(0), transition=end(result=b"done"))
    )

    stored = await row(journal, run.id)
    assert (stored.state, stored.result, stored.owner) == (RunState.COMPLETED, b"done", None)
    assert await history(journal, run.id) == [event(0)]
    assert await claim(journal, worker) == []


async def test_a_created_run_has_the_facts_of_its_start(journal: Journal) -> None:
    worker = await worker_of(journal)
    facts: dict[str, Any] = {"namespace": "shop", "attributes": {"customer": 7}, "trace_context": "00-trace"}
    run = new_run(**facts, idempotency_key="k1")
    first = await creating(journal, run)
    assert first.creates is not None

    assert await is_accepted(journal, worker, first)

    stored = await row(journal, run.id)
    assert (stored.workflow, stored.version, stored.input) == ("orders", "v1", b"input")
    assert {name: getattr(stored, name) for name in facts} == facts
    assert stored.started_at == first.creates.started_at


async def test_a_created_run_has_an_owner_that_goes_on_writing(journal: Journal) -> None:
    worker, run = await worker_of(journal), new_run()
    first = await creating(journal, run, event(0))

    assert await is_accepted(journal, worker, first)
    await commit(journal, worker, RunWrite(run.id, first.token, [event(1)]))

    assert (await row(journal, run.id)).owner == worker.id
    assert await history(journal, run.id) == [event(0), event(1)]


async def test_a_created_run_is_released_with_its_worker(journal: Journal) -> None:
    worker, other, run = await worker_of(journal), await worker_of(journal), new_run()
    first = await creating(journal, run, event(0))
    assert await is_accepted(journal, worker, first)

    await retire(journal, worker)

    (again,) = await claim(journal, other)
    assert (again.id, again.attempt, again.fresh) == (run.id, 2, False)
    assert (again.started_at, again.input) == (first.creates and first.creates.started_at, b"input")
    assert again.token > first.token


async def test_a_created_run_gets_mail_and_is_claimed_when_it_was_released(journal: Journal) -> None:
    worker, run = await worker_of(journal), new_run()
    assert await is_accepted(
        journal, worker, await creating(journal, run, event(0), transition=sleep_until(None))
    )
    assert await claim(journal, worker) == []

    assert await journal.post([signal(run.id)]) == [Posted.ACCEPTED]

    assert [claimed.id for claimed in await claim(journal, worker)] == [run.id]


async def test_a_first_write_carries_tasks_and_children(journal: Journal) -> None:
    worker, run, child = await worker_of(journal), new_run(), new_child(1)

    first = await creating(journal, run, event(0), tasks=[new_task(0)], children=[child])
    assert await is_accepted(journal, worker, first)

    assert [task.run_id for task in await take_tasks(journal, worker)] == [run.id]
    assert [claimed.parent for claimed in await claim(journal, worker)] == [run.id]


@pytest.mark.parametrize("taken", ["id", "key"])
async def test_a_run_whose_id_or_key_is_taken_is_not_created(journal: Journal, taken: str) -> None:
    """P2: nothing of the write is left."""
    worker = await worker_of(journal)
    before = await begin(journal, idempotency_key="k1")
    run = new_run(id=before) if taken == "id" else new_run(idempotency_key="k1")
    child = new_child(1)

    first = await creating(journal, run, event(0), tasks=[new_task(0)], children=[child])
    assert not await is_accepted(journal, worker, first)

    assert await exists(journal, run.id) is (taken == "id")
    assert not await exists(journal, child.id)
    assert await take_tasks(journal, worker) == []
    assert await history(journal, before) == []
    assert [claimed.id for claimed in await claim(journal, worker)] == [before]
    assert [started.run_id for started in await journal.start([run])] == [before]


async def test_a_start_finds_the_created_run_by_its_key(journal: Journal) -> None:
    worker, run = await worker_of(journal), new_run(idempotency_key="k1")
    assert await is_accepted(journal, worker, await creating(journal, run, transition=end()))

    assert await journal.start([new_run(idempotency_key="k1")]) == [(run.id, True)]
    assert await journal.start([new_run(idempotency_key="k1", namespace="shop")]) != [(run.id, True)]


async def test_one_of_two_workers_creates_the_run_of_a_key(journal: Journal) -> None:
    workers = [await worker_of(journal) for _ in range(2)]
    runs = [new_run(idempotency_key="k1") for _ in workers]
    writes = [await creating(journal, run, event(0)) for run in runs]

    created = await asyncio.gather(
        *(is_accepted(journal, worker, write) for worker, write in zip(workers, writes, strict=True))
    )

    assert sorted(created) == [False, True]
    assert [await exists(journal, run.id) for run in runs] == created


async def test_the_first_of_two_writes_with_one_key_creates_its_run(journal: Journal) -> None:
    worker, runs = await worker_of(journal), [new_run(idempotency_key="k1") for _ in range(2)]

    committed = await commit(journal, worker, *[await creating(journal, run, event(0)) for run in runs])

    assert committed.rejected == {runs[1].id}
    assert [await exists(journal, run.id) for run in runs] == [True, False]


async def test_a_batch_creates_runs_and_writes_to_others(journal: Journal) -> None:
    """P1: what is not created is rejected alone."""
    worker = await worker_of(journal)
    one, other = await owned_runs(journal, worker, 2)
    run, refused = new_run(), new_run(id=other.id)

    committed = await commit(
        journal,
        worker,
        write(one, event(0)),
        await creating(journal, run, event(0)),
        write(other, event(0), transition=end()),
    )
    again = await commit(journal, worker, write(one, event(1)), await creating(journal, refused, event(5)))

    assert committed.rejected == set()
    assert again.rejected == {refused.id}
    assert [await history(journal, run_id) for run_id in (run.id, other.id)] == [[event(0)], [event(0)]]
    assert await history(journal, one.id) == [event(0), event(1)]


async def test_a_run_is_written_to_in_the_batch_that_creates_it(journal: Journal) -> None:
    worker, run = await worker_of(journal), new_run()
    first = await creating(journal, run, event(0))

    assert await is_accepted(
        journal, worker, first, RunWrite(run.id, first.token, [event(1)], transition=end())
    )

    assert await history(journal, run.id) == [event(0), event(1)]
    assert (await row(journal, run.id)).state is RunState.COMPLETED


async def test_a_run_of_a_workflow_that_kills_processes_is_not_created(journal: Journal) -> None:
    worker = await worker_of(journal)
    doomed = [await worker_of(journal) for _ in range(DEADLY_RUNS)]
    runs = [await owned_run(journal, each) for each in doomed]
    for dead, run in zip(doomed, runs, strict=True):
        await journal.blame(dead.id, Death(culprit=Executed(run.id)))
        await retire(journal, dead)

    harmless = await creating(journal, new_run("refunds"), event(0))
    assert await is_accepted(journal, worker, harmless)
    assert not await is_accepted(journal, worker, await creating(journal, new_run(), event(0)))


async def test_a_worker_without_a_lease_creates_nothing(journal: Journal) -> None:
    worker, run = await worker_of(journal), new_run(idempotency_key="k1")
    first = await creating(journal, run, event(0))
    await retire(journal, worker)

    with pytest.raises(LeaseLost):
        await commit(journal, worker, first)

    assert not await exists(journal, run.id)


async def test_a_repeated_batch_says_again_what_was_created(journal: Journal) -> None:
    """P12."""
    first, second = await worker_of(journal), await worker_of(journal)
    runs = [new_run(idempotency_key="k1"), new_run(idempotency_key="k1")]
    writes = [await creating(journal, run, event(0)) for run in runs]

    for _ in range(2):
        assert not (await journal.commit(first, 1, [replace(writes[0])])).rejected
        assert (await journal.commit(second, 1, [replace(writes[1])])).rejected == {runs[1].id}

    assert await history(journal, runs[0].id) == [event(0)]


async def test_a_start_of_a_run_that_was_created_changes_nothing(journal: Journal) -> None:
    """As a client does that has not heard the outcome of the commit."""
    worker, run = await worker_of(journal), new_run()
    assert await is_accepted(
        journal, worker, await creating(journal, run, event(0), transition=end(result=b"done"))
    )

    assert await journal.start([run]) == [(run.id, True)]

    assert (await row(journal, run.id)).result == b"done"
    assert await claim(journal, worker) == []


async def test_a_created_run_is_in_the_feed_from_its_start_on(journal: Journal) -> None:
    worker, run = await worker_of(journal), new_run()
    await journal.state_changes(None, 1)

    assert await is_accepted(journal, worker, await creating(journal, run, transition=end()))

    seen: list[RunState | None] = []
    place = None
    while len(seen) < 2:
        page = await journal.state_changes(place, 100)
        seen += [change.state for change in page.entries]
        place = page.scanned
    assert seen == [None, RunState.COMPLETED]
