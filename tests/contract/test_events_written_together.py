"""Events of one write, of several writes in one batch, and of many batches: each loads as it was written."""

from __future__ import annotations

import pytest

from continuum.engine.events import Event, EventType
from continuum.journal.port import Journal
from tests.contract.builders import (
    BODIES,
    CODE,
    commit,
    event,
    history,
    owned_run,
    owned_runs,
    worker_of,
    write,
)

HOUR = 3_600_000_000


@pytest.mark.parametrize(
    "body",
    [
        *BODIES,
        (["a", ["b"]], {"key": (1, 2)}),
        (b"x" * 1_800,),
        (b"x" * 100_000,),
    ],
)
async def test_a_body_among_others_loads_as_one_by_itself(journal: Journal, body: tuple[object, ...]) -> None:
    worker = await worker_of(journal)
    alone, among = await owned_runs(journal, worker, 2)

    await commit(
        journal,
        worker,
        write(alone, event(0, body)),
        write(among, event(0), event(1, body), event(2, body), event(3)),
    )

    (expected,) = (entry.body for entry in await history(journal, alone.id))
    bodies = [entry.body for entry in await history(journal, among.id)]
    assert bodies == [("what",), expected, expected, ("what",)]
    assert [type(part) for part in bodies[1]] == [type(part) for part in expected]


async def test_p10_each_event_keeps_its_time(journal: Journal) -> None:
    """Also one that is earlier than the event before."""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    times = [1, 1_799_999_999_999_999, 1_799_999_999_999_999, 946_684_800_000_000, HOUR]
    written = [event(seq, at=at) for seq, at in enumerate(times)]

    await commit(journal, worker, write(run, *written))

    assert await history(journal, run.id) == written


async def test_several_writes_of_a_run_in_one_batch_load_in_order(journal: Journal) -> None:
    worker = await worker_of(journal)
    run, other = await owned_runs(journal, worker, 2)
    written = [Event(seq, EventType.TIMER_FIRED, HOUR + seq, (seq,)) for seq in range(6)]

    await commit(
        journal,
        worker,
        write(run, *written[:1]),
        write(other, event(0)),
        write(run, *written[1:4]),
        write(run),
        write(run, *written[4:]),
    )
    await commit(journal, worker, write(run, event(6)))

    assert await history(journal, run.id) == [*written, event(6)]
    assert await history(journal, other.id) == [event(0)]


async def test_many_events_load_in_order(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    written = [event(seq, (b"x" * (seq % 500),)) for seq in range(2_000)]

    await commit(journal, worker, write(run, *written))

    assert await history(journal, run.id) == written


async def test_p3_a_write_from_the_same_event_on_is_refused(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    written = [event(0), event(1)]
    await commit(journal, worker, write(run, *written))

    with pytest.raises(Exception, match=r"already has an event 0|duplicate key"):
        await commit(journal, worker, write(run, event(0), event(1), event(2)))

    assert await history(journal, run.id) == written


async def test_p1_a_stale_owner_adds_nothing_to_what_was_written_together(journal: Journal) -> None:
    stale, owner = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, stale)
    written = [event(0), event(1), event(2)]
    await commit(journal, stale, write(run, *written))
    await journal.release(stale, [run.id], crashed=False, poison_after=3)
    (claimed,) = await journal.claim(owner, CODE, 10)

    assert (await commit(journal, stale, write(run, event(1), event(2)))).rejected == {run.id}
    await commit(journal, owner, write(claimed, event(3), event(4)))

    assert await history(journal, run.id) == [*written, event(3), event(4)]
