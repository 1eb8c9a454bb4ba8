"""P21: which runs have begun with events of another is known, also once some of them are removed."""

from __future__ import annotations

import pytest

from continuum.engine.events import EventType
from continuum.engine.ids import RunId
from continuum.journal.forked_run import SeenHistory, StoredFork
from continuum.journal.port import ClaimedRun, Journal, Posted, Worker
from tests.contract.builders import claim, commit, end, event, history, is_accepted, row, worker_of, write
from tests.contract.test_forked_runs import forked, run_of


async def fork_of(journal: Journal, origin: RunId, at: int) -> RunId:
    """Make a run with the first events of another."""
    events = await history(journal, origin)
    seen = SeenHistory((await row(journal, origin)).state, len(events))
    new = forked(origin, events[:at], len(events), succeeds=False, seen=seen)
    assert await journal.fork_run(new) is Posted.ACCEPTED
    return new.id


async def ended(journal: Journal, worker: Worker, run: ClaimedRun) -> None:
    """End a run whose retention is over then."""
    seq = len(await history(journal, run.id))
    await commit(journal, worker, write(run, event(seq), transition=end(result=b"", retention=0.0)))


async def test_p21_forks_are_known_by_each_of_their_relatives(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, _ = await run_of(journal, worker, 3)
    stranger, _ = await run_of(journal, worker, 1)
    assert await journal.forks_of([run.id]) == []

    first = await fork_of(journal, run.id, 2)
    second = await fork_of(journal, first, 1)
    await fork_of(journal, stranger.id, 0)

    known = [StoredFork(first, run.id, run.id, 2, False), StoredFork(second, first, first, 1, False)]
    for relative in (run.id, first, second):
        assert await journal.forks_of([relative]) == known
    assert [fork.events for fork in await journal.forks_of([stranger.id, second])] == [2, 1, 0]


async def test_p21_a_fork_of_a_run_that_was_reset_to_belongs_to_the_chain(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, events = await run_of(journal, worker, 2)
    latest = forked(run.id, events[:1], 2)
    assert await journal.fork_run(latest) is Posted.ACCEPTED

    fork = await fork_of(journal, latest.id, 2)
    assert await journal.forks_of([run.id]) == [StoredFork(fork, latest.id, run.id, 2, False)]
    # A run that takes the place of another is no fork.
    assert await journal.forks_of([latest.id]) == []


async def test_p21_a_fork_is_known_until_its_last_relative_is_removed(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, _ = await run_of(journal, worker, 1)
    open_then = await fork_of(journal, run.id, 1)
    await ended(journal, worker, run)
    ended_then = await fork_of(journal, run.id, 1)
    await journal.sweep()
    assert await journal.get_run(run.id) is None

    known = await journal.forks_of([ended_then])
    assert [(fork.fork, fork.is_lost) for fork in known] == [(open_then, True), (ended_then, False)]
    first, second = await claim(journal, worker, limit=2)
    await ended(journal, worker, first)
    await journal.sweep()
    assert await journal.get_run(first.id) is None
    assert len(await journal.forks_of([second.id])) == 2
    await ended(journal, worker, second)
    await journal.sweep()
    assert await journal.forks_of([run.id, first.id, second.id]) == []


@pytest.mark.parametrize("others", [0, 2])
async def test_p21_nothing_is_made_once_a_relative_has_compensated_meanwhile(
    journal: Journal, others: int
) -> None:
    """Also if the compensation is written with other events."""
    worker = await worker_of(journal)
    run, events = await run_of(journal, worker, 2)
    relative, _ = await run_of(journal, worker, 3)
    assert await is_accepted(journal, worker, write(relative, event(3, (0, b"r"))))

    made = forked(run.id, events, 2, succeeds=False, relatives=[(relative.id, 3)])
    assert await journal.fork_run(made) is Posted.ACCEPTED
    body = ("refund", "flow", "app.py:1", b"", None, 0)
    undoing = event(4, body)._replace(type=EventType.COMPENSATION_SCHEDULED)
    await commit(journal, worker, write(relative, undoing, *map(event, range(5, 5 + others))))
    stale = forked(run.id, events, 2, relatives=[(relative.id, 4)])
    assert await journal.fork_run(stale) is Posted.STALE
    seen = forked(run.id, events, 2, relatives=[(relative.id, 5 + others)])
    assert await journal.fork_run(seen) is Posted.ACCEPTED
