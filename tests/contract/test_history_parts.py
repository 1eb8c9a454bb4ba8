"""Parts of histories: those that are asked for, and when the events were written."""

from __future__ import annotations

import pytest

from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.port import Journal
from tests.contract.builders import commit, event, history, owned_run, worker_of, write

HOUR = 3_600_000_000
NOBODY = RunId("01900000-0000-7000-8000-000000000009")


async def written(journal: Journal) -> RunId:
    """A run with nine events in rows of one, four and four; all call from one place."""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    calls = [
        Event(
            seq, EventType.ACTIVITY_SCHEDULED, HOUR * (seq // 5 + 1), ("charge", "flow", "a.py:1", b"", None)
        )
        for seq in range(9)
    ]
    await commit(journal, worker, write(run, calls[0]))
    await commit(journal, worker, write(run, *calls[1:5]))
    await commit(journal, worker, write(run, *calls[5:]))
    return run.id


@pytest.mark.parametrize("most", [1, 3, 8, 100])
@pytest.mark.parametrize("first", range(10))
async def test_a_part_has_the_events_from_a_place_on(journal: Journal, first: int, most: int) -> None:
    run = await written(journal)
    assert await journal.load_part(run, first, most) == (await history(journal, run))[first : first + most]


async def test_an_unknown_run_has_no_parts(journal: Journal) -> None:
    assert await journal.load_part(NOBODY, 0, 10) == []
    assert await journal.outline(NOBODY, 10) == []


async def test_an_outline_says_when_events_were_written(journal: Journal) -> None:
    run = await written(journal)
    found = await journal.outline(run, 10)
    assert [tuple(each) for each in found] == [(0, 4, HOUR, HOUR, 5), (5, 8, 2 * HOUR, 2 * HOUR, 4)]


async def test_an_outline_has_no_more_parts_than_are_wanted(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    for seq in range(20):
        await commit(journal, worker, write(run, event(seq, at=HOUR + seq)))
    assert [each.events for each in await journal.outline(run.id, 4)] == [5, 5, 5, 5]
    assert [each.events for each in await journal.outline(run.id, 1)] == [20]
