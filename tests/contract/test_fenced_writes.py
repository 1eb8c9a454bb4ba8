"""Writes without ownership and writes after the end of a run leave nothing behind."""

from __future__ import annotations

import pytest

from continuum.engine.ids import RunId
from continuum.journal.port import Journal, Posted, RunState, RunWrite
from tests.contract.builders import (
    begin,
    commit,
    end,
    event,
    new_run,
    new_task,
    owned_run,
    queue_tasks,
    row,
    seqs,
    take_tasks,
    worker_of,
    write,
)


def everything(run_id: RunId, token: int) -> RunWrite:
    """Return a write with something in every field."""
    return RunWrite(run_id, token, [event(0)], tasks=[new_task()], transition=end(result=b"result"))


@pytest.mark.parametrize("token", [0, 1, 2**40])
async def test_p1_no_worker_writes_a_run_without_owner(journal: Journal, token: int) -> None:
    """PGJ21, PGJ23, PGJ24: no token makes a write without ownership valid."""
    worker = await worker_of(journal)
    run_id = await begin(journal)

    assert (await commit(journal, worker, everything(run_id, token))).rejected == {run_id}

    assert await seqs(journal, run_id) == []
    assert (await row(journal, run_id)).state is RunState.RUNNING
    assert await take_tasks(journal, worker) == []


async def test_p1_an_owners_write_needs_the_token_of_its_claim(journal: Journal) -> None:
    """PGJ19, PGJ20, PGJ21, PGJ24"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    for token in (0, run.token - 1, run.token + 1):
        assert (await commit(journal, worker, everything(run.id, token))).rejected == {run.id}

    assert await seqs(journal, run.id) == []
    stored = await row(journal, run.id)
    assert (stored.state, stored.result, stored.owner) == (RunState.RUNNING, None, worker.id)
    assert await take_tasks(journal, worker) == []


async def test_p2_a_write_to_an_unknown_run_creates_none(journal: Journal) -> None:
    """MJN2, B12"""
    worker = await worker_of(journal)
    unknown = new_run().id

    assert (await commit(journal, worker, everything(unknown, 1))).rejected == {unknown}

    assert await journal.get_run(unknown) is None
    assert await seqs(journal, unknown) == []
    assert await take_tasks(journal, worker) == []


async def test_a_retry_written_after_a_forced_cancel_queues_no_task(journal: Journal) -> None:
    """CAN3, CAN12: waiting tasks are removed with the run, and a late retry creates none."""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, event(0)))
    await queue_tasks(journal, worker, run, new_task(0))

    assert await journal.force_cancel(run.id) is Posted.ACCEPTED
    again = write(run, event(1), tasks=[new_task(0, dispatch=2, attempt=2)])
    assert (await commit(journal, worker, again)).rejected == {run.id}

    assert await take_tasks(journal, worker) == []
    assert await seqs(journal, run.id) == [0]
    assert (await row(journal, run.id)).state is RunState.CANCELLED


async def test_a_timer_that_fires_after_a_cancel_is_not_written(journal: Journal) -> None:
    """CAN5, B41"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, event(0), transition=end(RunState.CANCELLED)))

    assert (await commit(journal, worker, write(run, event(1)))).rejected == {run.id}

    assert await seqs(journal, run.id) == [0]
