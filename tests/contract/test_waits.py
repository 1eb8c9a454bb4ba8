"""What a suspended run waits for, as its owner has written it with the run's state."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.journal.port import Journal, RunState, Transition
from continuum.journal.wait import Wait
from tests.contract.builders import (
    claim,
    commit,
    end,
    owned_run,
    query,
    retire,
    row,
    signal,
    sleep_until,
    worker_of,
    write,
)

REVIEW = Wait("signal", -1, "review", 1_700_000_000_000_000, 1_800_000_000_000_000, "shop/flows.py:7")
MAIL = Wait("activity", 3, "send", 1_700_000_000_000_001)


def parked(waits: Sequence[Wait] | None, *, release: bool = False) -> Transition:
    """Return the transition of a run that waits."""
    return Transition(RunState.SUSPENDED, release=release, waits=waits)


async def test_a_suspended_run_says_what_it_waits_for(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await commit(journal, worker, write(run, transition=parked([REVIEW, MAIL])))

    assert (await row(journal, run.id)).waits == (REVIEW, MAIL)
    (listed,) = await journal.query(query(("id", "eq", run.id)))
    assert listed.waits == (REVIEW, MAIL)


async def test_the_last_transition_of_a_batch_says_it(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    first, second = write(run, transition=parked([REVIEW])), write(run, transition=parked([MAIL]))
    await commit(journal, worker, first, second)

    assert (await row(journal, run.id)).waits == (MAIL,)


async def test_a_run_that_waits_for_nothing_differs_from_one_whose_waits_are_not_known(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await commit(journal, worker, write(run, transition=parked([])))
    assert (await row(journal, run.id)).waits == ()

    await commit(journal, worker, write(run, transition=sleep_until(None, release=False)))
    assert (await row(journal, run.id)).waits is None


async def test_a_released_run_says_it_until_it_is_claimed(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=parked([REVIEW], release=True)))
    assert (await row(journal, run.id)).waits == (REVIEW,)

    await journal.post([signal(run.id)])
    assert (await row(journal, run.id)).waits == (REVIEW,)
    (claimed,) = await claim(journal, worker)

    assert (await row(journal, claimed.id)).waits is None


async def test_a_run_says_it_after_its_owner_has_died(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=parked([REVIEW])))

    await retire(journal, worker)

    assert (await row(journal, run.id)).waits == (REVIEW,)


async def test_a_run_that_continues_or_has_ended_waits_for_nothing(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=parked([REVIEW])))

    await commit(journal, worker, write(run, transition=Transition(RunState.RUNNING)))
    assert (await row(journal, run.id)).waits is None

    await commit(journal, worker, write(run, transition=parked([REVIEW])))
    await commit(journal, worker, write(run, transition=end()))
    assert (await row(journal, run.id)).waits is None


async def test_p2_waits_of_a_stale_owner_are_rejected(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=parked([REVIEW])))

    stale = run._replace(token=run.token + 1)
    done = await commit(journal, worker, write(stale, transition=parked([MAIL])))

    assert done.rejected == {run.id}
    assert (await row(journal, run.id)).waits == (REVIEW,)
