"""Runs that wait and that mail has woken: what is read of them, and first writes that resume one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.limits import DEADLY_RUNS, PARKED_EVENTS
from continuum.journal.parked_run import ParkedRun
from continuum.journal.port import (
    InboxKind,
    Journal,
    LeaseLost,
    Post,
    Refusal,
    RunState,
    RunWrite,
    Transition,
    Worker,
)
from continuum.journal.resumed_run import read_woken, woken
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
    seqs,
    signal,
    sleep_until,
    worker_of,
    write,
)
from tests.contract.families import parent_and_child, suspend


async def parked_run(journal: Journal, worker: Worker, events: int = 1) -> RunId:
    """Start a run and let its owner release it: it waits for a signal."""
    run = await owned_run(journal, worker)
    steps = [event(seq) for seq in range(events)]
    await commit(journal, worker, write(run, *steps, transition=sleep_until(None)))
    return run.id


async def woken_run(journal: Journal, worker: Worker) -> ParkedRun:
    """Park a run, post a signal to it, and read it."""
    run_id = await parked_run(journal, worker)
    await journal.post([signal(run_id)])
    (parked,) = await journal.parked([run_id])
    return parked


def resuming(
    parked: ParkedRun, *events: Event, transition: Transition | None = None, consume: bool = True
) -> RunWrite:
    """Return a first write that takes a parked run and consumes its mail."""
    consumed = [entry.id for entry in parked.mail] if consume else []
    written = RunWrite(parked.claim.id, parked.claim.token, list(events), consumed, transition=transition)
    written.takes = parked.resumed
    return written


async def test_a_parked_run_is_read_as_a_claim_would_get_it(journal: Journal) -> None:
    worker = await worker_of(journal)
    parked = await woken_run(journal, worker)

    (claimed,) = await claim(journal, worker)

    assert parked.claim == claimed._replace(token=parked.claim.token)
    assert parked.before < parked.claim.token < claimed.token
    assert parked.events == await history(journal, claimed.id)
    assert parked.mail == await journal.inbox(worker, [claimed.id])


async def test_a_first_write_resumes_the_run_and_ends_it(journal: Journal) -> None:
    worker = await worker_of(journal)
    parked = await woken_run(journal, worker)

    assert await is_accepted(journal, worker, resuming(parked, event(1), transition=end(result=b"done")))

    stored = await row(journal, parked.claim.id)
    assert (stored.state, stored.result, stored.owner) == (RunState.COMPLETED, b"done", None)
    assert await seqs(journal, parked.claim.id) == [0, 1]
    assert await claim(journal, worker) == []


async def test_a_run_that_was_resumed_has_an_owner_that_goes_on_writing(journal: Journal) -> None:
    worker = await worker_of(journal)
    parked = await woken_run(journal, worker)

    assert await is_accepted(journal, worker, resuming(parked, transition=Transition(RunState.RUNNING)))
    await commit(journal, worker, write(parked.claim, event(1)))

    stored = await row(journal, parked.claim.id)
    assert (stored.owner, stored.state) == (worker.id, RunState.RUNNING)
    assert await seqs(journal, parked.claim.id) == [0, 1]
    assert await journal.inbox(worker, None) == []


async def test_a_run_that_was_resumed_is_released_with_its_worker(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal)
    parked = await woken_run(journal, worker)
    assert await is_accepted(journal, worker, resuming(parked, transition=Transition(RunState.RUNNING)))

    await retire(journal, worker)

    (again,) = await claim(journal, other)
    assert (again.id, again.attempt) == (parked.claim.id, parked.claim.attempt + 1)
    assert again.token > parked.claim.token


async def test_one_of_two_workers_resumes_a_run(journal: Journal) -> None:
    workers = [await worker_of(journal) for _ in range(2)]
    parked = await woken_run(journal, workers[0])
    (other,) = await journal.parked([parked.claim.id])
    writes = [resuming(each, event(1), transition=sleep_until(None)) for each in (parked, other)]

    resumed = await asyncio.gather(
        *(is_accepted(journal, worker, first) for worker, first in zip(workers, writes, strict=True))
    )

    assert sorted(resumed) == [False, True]
    assert await seqs(journal, parked.claim.id) == [0, 1]


async def test_a_run_that_somebody_has_owned_since_is_not_resumed(journal: Journal) -> None:
    """Its history may be longer, and its mail consumed."""
    worker, other = await worker_of(journal), await worker_of(journal)
    parked = await woken_run(journal, worker)
    first = resuming(parked, event(1), transition=end(result=b"done"))
    (claimed,) = await claim(journal, other)

    assert not await is_accepted(journal, worker, first)
    await commit(journal, other, write(claimed, event(1), transition=sleep_until(None)))
    assert not await is_accepted(journal, worker, first)

    assert (await row(journal, claimed.id)).state is RunState.SUSPENDED
    (again,) = await claim(journal, other)
    assert [entry.kind for entry in await journal.inbox(other, [again.id])] == [InboxKind.SIGNAL]


async def test_a_run_that_has_ended_since_is_not_resumed(journal: Journal) -> None:
    worker = await worker_of(journal)
    parked = await woken_run(journal, worker)
    await journal.force_cancel(parked.claim.id)

    assert not await is_accepted(journal, worker, resuming(parked, event(1), transition=end()))

    assert (await row(journal, parked.claim.id)).state is RunState.CANCELLED
    assert await seqs(journal, parked.claim.id) == [0]


@pytest.mark.parametrize("kind", [InboxKind.SIGNAL, InboxKind.CANCEL])
async def test_mail_that_comes_meanwhile_stays_for_the_owner(journal: Journal, kind: InboxKind) -> None:
    worker = await worker_of(journal)
    parked = await woken_run(journal, worker)
    await journal.post([signal(parked.claim.id, b"later") if kind is InboxKind.SIGNAL else cancel(parked)])

    assert await is_accepted(
        journal, worker, resuming(parked, event(1), transition=Transition(RunState.RUNNING))
    )

    (entry,) = await journal.inbox(worker, [parked.claim.id])
    assert entry.kind is kind


async def test_mail_that_comes_meanwhile_wakes_the_run_that_is_released(journal: Journal) -> None:
    """P5"""
    worker = await worker_of(journal)
    parked = await woken_run(journal, worker)
    await journal.post([signal(parked.claim.id, b"later")])

    assert await is_accepted(journal, worker, resuming(parked, event(1), transition=sleep_until(None)))

    assert [claimed.id for claimed in await claim(journal, worker)] == [parked.claim.id]


async def test_another_version_resumes_nothing(journal: Journal) -> None:
    worker = await worker_of(journal)
    parked = await woken_run(journal, worker)
    first = resuming(parked, event(1))
    first.takes = parked.resumed._replace(version="v2")

    assert not await is_accepted(journal, worker, first)


async def test_a_worker_without_a_lease_resumes_nothing(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal)
    parked = await woken_run(journal, worker)
    await retire(journal, worker)

    with pytest.raises(LeaseLost):
        await commit(journal, worker, resuming(parked, event(1)))

    assert [claimed.id for claimed in await claim(journal, other)] == [parked.claim.id]


async def test_a_repeated_batch_says_again_what_was_resumed(journal: Journal) -> None:
    """P12: also when another worker has resumed the run."""
    first, second = await worker_of(journal), await worker_of(journal)
    parked = await woken_run(journal, first)
    (other,) = await journal.parked([parked.claim.id])

    for _ in range(2):
        done = await journal.commit(first, 10**10, [resuming(parked, event(1), transition=end())])
        lost = await journal.commit(second, 10**10, [resuming(other, event(1), transition=end())])
        assert not done.rejected
        assert lost.rejected == {parked.claim.id}

    assert await seqs(journal, parked.claim.id) == [0, 1]


async def _owned(journal: Journal, worker: Worker) -> RunId:
    return (await owned_run(journal, worker)).id


async def _fresh(journal: Journal, worker: Worker) -> RunId:
    return await begin(journal)


async def _released_while_running(journal: Journal, worker: Worker) -> RunId:
    run = await owned_run(journal, worker)
    await journal.release(worker, [run.id], crashed=False, poison_after=3)
    return run.id


async def _child(journal: Journal, worker: Worker) -> RunId:
    _, child = await parent_and_child(journal, worker)
    await suspend(journal, worker, child)
    return child.id


async def _refused(journal: Journal, worker: Worker) -> RunId:
    run = await owned_run(journal, worker)
    refusal = Refusal("v2", "drift: other code", None)
    await commit(journal, worker, write(run, refusal=refusal, transition=sleep_until(None)))
    return run.id


async def _long(journal: Journal, worker: Worker) -> RunId:
    return await parked_run(journal, worker, PARKED_EVENTS + 1)


@pytest.mark.parametrize("made", [_owned, _fresh, _released_while_running, _child, _refused, _long])
async def test_any_other_run_is_left_to_claims(
    journal: Journal, made: Callable[[Journal, Worker], Awaitable[RunId]]
) -> None:
    worker = await worker_of(journal)
    run_id = await made(journal, worker)
    await journal.post([signal(run_id)])

    assert await journal.parked([run_id]) == []


async def test_the_longest_history_that_is_read_is_read_whole(journal: Journal) -> None:
    worker = await worker_of(journal)
    run_id = await parked_run(journal, worker, PARKED_EVENTS)

    (parked,) = await journal.parked([run_id, run_id, RunId("00000000-0000-4000-8000-000000000000")])

    assert [entry.seq for entry in parked.events] == list(range(PARKED_EVENTS))
    assert parked.mail == []


async def test_a_run_of_a_workflow_that_kills_processes_is_neither_read_nor_resumed(journal: Journal) -> None:
    worker = await worker_of(journal)
    (parked,) = await journal.parked([await parked_run(journal, worker)])
    for _ in range(DEADLY_RUNS):
        doomed = await worker_of(journal)
        run = await owned_run(journal, doomed)
        await journal.blame(doomed.id, Death(culprit=Executed(run.id)))
        await retire(journal, doomed)

    assert await journal.parked([parked.claim.id]) == []
    assert not await is_accepted(journal, worker, resuming(parked, event(1)))


def test_a_text_names_the_run_that_has_mail() -> None:
    run_id = RunId("01234567-89ab-4cde-8f01-23456789abcd")
    assert read_woken(woken(run_id)) == run_id


@pytest.mark.parametrize(
    "text", ["", "mail", "mail ", "mail x", "1 AQ==", "mail 01234567-89AB-4cde-8f01-23456789abcd"]
)
def test_any_other_text_names_no_run(text: str) -> None:
    assert read_woken(text) is None


def cancel(parked: ParkedRun) -> Post:
    """Return a cancel request."""
    return Post(parked.claim.id, InboxKind.CANCEL, "", (), "cancel")
