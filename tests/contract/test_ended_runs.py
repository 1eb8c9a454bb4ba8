"""How runs ended, as a caller who waits for a result reads it."""

from __future__ import annotations

import pytest

from continuum.engine.ids import RunId
from continuum.journal.ended_run import EndedRun
from continuum.journal.family_facts import Successor
from continuum.journal.port import Journal, RunState, Transition
from tests.contract.builders import (
    CODE,
    begin,
    commit,
    end,
    new_run,
    owned_run,
    row,
    sleep_until,
    worker_of,
    write,
)


@pytest.mark.parametrize(
    "transition",
    [
        end(result=b"r"),
        end(),
        end(RunState.FAILED, error=b"e"),
        end(RunState.CANCELLED, reason="parent_cancelled"),
    ],
    ids=["completed", "completed without a result", "failed", "cancelled"],
)
async def test_the_end_of_a_run_is_what_its_row_says(journal: Journal, transition: Transition) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=transition))

    stored = await row(journal, run.id)
    assert await journal.ended([run.id]) == [
        EndedRun(run.id, transition.state, stored.result, stored.error, stored.reason, run.id, None)
    ]
    assert (stored.result, stored.error, stored.reason) == (
        transition.result,
        transition.error,
        transition.reason,
    )


async def test_a_run_that_continued_names_its_successor_and_the_first_of_its_chain(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, second = await owned_run(journal, worker), new_run().id
    successor = Successor(second, "orders", b"input")
    await commit(journal, worker, write(run, transition=end(), successor=successor))
    (claimed,) = await journal.claim(worker, [*CODE], 10)
    await commit(journal, worker, write(claimed, transition=end(result=b"r")))

    found = {ended.id: ended for ended in await journal.ended([run.id, second])}
    assert (found[run.id].state, found[run.id].root, found[run.id].continued_to) == (
        RunState.CONTINUED,
        run.id,
        second,
    )
    assert (found[second].state, found[second].root, found[second].continued_to) == (
        RunState.COMPLETED,
        run.id,
        None,
    )


async def test_runs_that_have_not_ended_are_left_out(journal: Journal) -> None:
    worker = await worker_of(journal)
    ended, asleep = await owned_run(journal, worker), await owned_run(journal, worker)
    await commit(journal, worker, write(ended, transition=end()))
    await commit(journal, worker, write(asleep, transition=sleep_until(None)))
    waiting, unknown = await begin(journal), new_run().id

    every = [ended.id, asleep.id, waiting, unknown]
    assert [found.id for found in await journal.ended(every)] == [ended.id]
    assert await journal.ended([]) == []


async def test_only_ids_without_a_run_are_missing(journal: Journal) -> None:
    worker = await worker_of(journal)
    ended = await owned_run(journal, worker)
    await commit(journal, worker, write(ended, transition=end()))
    waiting, unknown = await begin(journal), [new_run().id for _ in range(2)]

    missing: list[RunId] = await journal.missing([unknown[0], ended.id, unknown[1], waiting])
    assert sorted(missing) == sorted(unknown)
    assert await journal.missing([]) == []
