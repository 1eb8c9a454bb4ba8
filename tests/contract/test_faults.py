"""Why a run cannot be executed, as facts: stored with the reason, read with it, and gone with it."""

from __future__ import annotations

import pytest

from continuum.journal.port import Fault, InboxKind, Journal, Post, Refusal, RunState, Transition
from tests.contract.builders import (
    begin,
    claim,
    commit,
    owned_run,
    query,
    retire,
    row,
    sleep_until,
    worker_of,
    write,
)

DRIFT = Fault("drift", 7, "activity pay", 'activity "ship"', "orders.py:12, in order")


def blocked(fault: Fault | None) -> Transition:
    return Transition(RunState.BLOCKED, reason="drift: at 7", fault=fault)


async def test_a_blocked_run_has_the_fault_that_blocked_it(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=blocked(DRIFT)))

    assert (await row(journal, run.id)).fault == DRIFT
    assert [found.fault for found in await journal.query(query())] == [DRIFT]


async def test_a_fault_may_have_a_kind_alone_or_be_missing(journal: Journal) -> None:
    worker = await worker_of(journal)
    for fault in (Fault("corrupt"), None):
        run = await owned_run(journal, worker)
        await commit(journal, worker, write(run, transition=blocked(fault)))
        assert (await row(journal, run.id)).fault == fault


async def test_an_unblocked_run_has_no_fault(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=blocked(DRIFT)))
    await journal.unblock(["orders"])
    assert (await row(journal, run.id)).fault is None


async def test_a_cancelled_blocked_run_has_no_fault(journal: Journal) -> None:
    worker = await worker_of(journal)
    posted, forced = [await owned_run(journal, worker) for _ in range(2)]
    for run in (posted, forced):
        await commit(journal, worker, write(run, transition=blocked(DRIFT)))
    await journal.post([Post(posted.id, InboxKind.CANCEL, "", (), "cancel")])
    await journal.force_cancel(forced.id)
    for run in (posted, forced):
        found = await row(journal, run.id)
        assert (found.state, found.fault) == (RunState.CANCELLED, None)


async def test_a_later_transition_replaces_the_fault(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    suspended = Transition(RunState.SUSPENDED, journal.now(), release=True, reason="odd", fault=DRIFT)
    await commit(journal, worker, write(run, transition=suspended))
    assert (await row(journal, run.id)).fault == DRIFT
    (again,) = await claim(journal, worker)
    await commit(journal, worker, write(again, transition=Transition(RunState.COMPLETED, result=b"")))
    assert (await row(journal, run.id)).fault is None


async def test_a_run_that_kills_its_processes_has_the_fault_poison(journal: Journal) -> None:
    run_id = await begin(journal)
    worker = await worker_of(journal)
    (run,) = await claim(journal, worker)
    await retire(journal, worker, executing=run.id, poison_after=1)
    assert (await row(journal, run_id)).fault == Fault("poison")


@pytest.mark.parametrize(
    ("manner", "last"),
    [(None, ""), ("it was killed by SIGKILL", "; the last time it was killed by SIGKILL")],
)
async def test_the_reason_of_a_poisoned_run_says_how_its_process_ended(
    journal: Journal, manner: str | None, last: str
) -> None:
    run_id = await begin(journal)
    for other in ("it did not answer", manner):
        worker = await worker_of(journal)
        await claim(journal, worker)
        await journal.retire_worker(worker.id, executing=run_id, poison_after=2, manner=other)
    reason = f"poison: its process died 2 times while executing it{last}"
    assert (await row(journal, run_id)).reason == reason


async def test_a_run_that_fails_inside_the_engine_has_the_fault_poison(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.release(worker, [run.id], crashed=True, poison_after=1)
    stored = await row(journal, run.id)
    assert stored.fault == Fault("poison")
    assert stored.reason == "poison: executing it failed 1 times inside the engine"


async def test_a_refusal_has_the_fault_of_its_code(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    first, second = Refusal("v2", "drift", DRIFT), Refusal("v3", "drift")
    for refusal in (first, second):
        await commit(journal, worker, write(run, transition=None, refusal=refusal))
    assert await journal.refusals(run.id) == [first, second]
    again = Refusal("v2", "other", Fault("drift", 9))
    await commit(journal, worker, write(run, transition=sleep_until(None), refusal=again))
    assert await journal.refusals(run.id) == [second, again]
