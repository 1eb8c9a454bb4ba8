"""Changes of the states of runs, in an order that a reader can continue in (P19)."""

from __future__ import annotations

import asyncio
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.errors import CursorExpired
from continuum.journal.change_port import Position, StateChanged
from continuum.journal.family_facts import Successor
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import InboxKind, Journal, Post, RunState
from tests.contract.builders import (
    POISON_AFTER,
    begin,
    claim,
    commit,
    end,
    new_run,
    owned_run,
    retire,
    signal,
    sleep_until,
    until,
    worker_of,
    write,
)
from tests.contract.meetings import meeting

STARTED, RUNNING, SUSPENDED = None, RunState.RUNNING, RunState.SUSPENDED
ALL = 1_000
START: LiteralString = (
    "insert into {schema}.runs (id, workflow, namespace, input) "
    "values (gen_random_uuid(), 'orders', 'default', '')"
)


async def changes(
    journal: Journal, after: Position | None = None, number: int | None = None
) -> list[StateChanged]:
    """Read everything after a position, and wait until there are `number` changes if that is given.

    Transactions of other tests on the same server may delay what is read.
    """
    found: list[StateChanged] = []
    place = after

    async def read() -> bool:
        nonlocal place
        more = True
        while more:
            page = await journal.state_changes(place, ALL)
            found.extend(page.entries)
            place, more = page.scanned, page.more
        return number is None or len(found) >= number

    await until(read)
    return found


async def test_every_change_of_a_state_is_reported_in_order(journal: Journal) -> None:
    first = await journal.latest_position()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, namespace="eu")
    await commit(journal, worker, write(run, transition=sleep_until(None)))
    await journal.post([signal(run.id)])
    (again,) = await claim(journal, worker)
    await commit(journal, worker, write(again, transition=end()))

    found = await changes(journal, first, 4)

    assert [change.state for change in found] == [STARTED, SUSPENDED, RUNNING, RunState.COMPLETED]
    assert {(change.run_id, change.workflow, change.namespace) for change in found} == {
        (run.id, "orders", "eu")
    }
    assert [change.at for change in found] == sorted(change.at for change in found)


async def test_a_write_that_changes_no_state_is_no_change(journal: Journal) -> None:
    first = await journal.latest_position()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=end(RunState.RUNNING)))
    await journal.set_attributes(run.id, {"vip": True})
    await commit(journal, worker, write(run, transition=end(RunState.FAILED)))
    assert [change.state for change in await changes(journal, first, 2)] == [STARTED, RunState.FAILED]


async def test_every_way_to_change_a_state_is_reported(journal: Journal) -> None:
    first = await journal.latest_position()
    worker = await worker_of(journal)
    poisoned = await owned_run(journal, worker)
    await journal.release(worker, [poisoned.id], crashed=True, poison_after=1)
    await journal.unblock(["orders"], [poisoned.id])
    await journal.force_cancel(poisoned.id)
    blocked = await owned_run(journal, worker)
    await commit(journal, worker, write(blocked, transition=end(RunState.BLOCKED)))
    await journal.post([Post(blocked.id, InboxKind.CANCEL, "", (), None)])
    chained = await owned_run(journal, worker)
    heir = Successor(new_run().id, "orders", b"")
    await commit(journal, worker, write(chained, successor=heir, transition=end(RunState.CONTINUED)))

    by_run: dict[str, list[RunState | None]] = {}
    for change in await changes(journal, first, 10):
        by_run.setdefault(change.run_id, []).append(change.state)

    assert by_run == {
        poisoned.id: [STARTED, RunState.BLOCKED, RUNNING, RunState.CANCELLED],
        blocked.id: [STARTED, RunState.BLOCKED, RunState.CANCELLED],
        chained.id: [STARTED, RunState.CONTINUED],
        heir.id: [STARTED],
    }


async def test_a_reader_that_continues_misses_nothing_and_gets_nothing_twice(journal: Journal) -> None:
    first = await journal.latest_position()
    runs = [await begin(journal) for _ in range(5)]
    seen: list[str] = []
    place = first

    async def read_one_more() -> bool:
        nonlocal place
        page = await journal.state_changes(place, 1)
        seen.extend(change.run_id for change in page.entries)
        place = page.scanned
        return len(seen) >= len(runs)

    await until(read_one_more)
    assert seen == runs
    assert await changes(journal, place) == []


async def test_a_page_has_the_wanted_changes_of_those_looked_at(journal: Journal) -> None:
    first = await journal.latest_position()
    await begin(journal, workflow="greet")
    wanted = await begin(journal, namespace="eu")
    await begin(journal)
    last = (await changes(journal, first, 3))[-1].position

    page = await journal.state_changes(first, ALL, namespace="eu", workflow="orders")
    assert [change.run_id for change in page.entries] == [wanted]
    assert page.scanned == last
    assert not page.more

    short = await journal.state_changes(first, 1, namespace="eu")
    assert (short.entries, short.more) == ([], True)
    assert first < short.scanned < last


async def test_the_first_reader_finds_the_runs_that_are_there_as_they_are(journal: Journal) -> None:
    worker = await worker_of(journal)
    ended = await owned_run(journal, worker)
    await commit(journal, worker, write(ended, transition=end()))
    waiting = await begin(journal)

    found = await changes(journal, None, 3)

    states = {run: [change.state for change in found if change.run_id == run] for run in (ended.id, waiting)}
    assert states == {ended.id: [STARTED, RunState.COMPLETED], waiting: [STARTED]}


async def test_changes_of_a_removed_run_are_passed_over(journal: Journal) -> None:
    first = await journal.latest_position()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=end(retention=0.0)))
    await until(lambda: _gone(journal, run.id))
    left = await begin(journal)
    assert [change.run_id for change in await changes(journal, first, 1)] == [left]


async def _gone(journal: Journal, run_id: str) -> bool:
    await journal.sweep()
    return await journal.get_run(run_id) is None  # type: ignore[arg-type]


async def test_a_position_of_another_journal_is_refused(journal: Journal) -> None:
    await journal.latest_position()
    with pytest.raises(CursorExpired, match="begin again without a cursor"):
        await journal.state_changes(2**62, ALL)


async def test_a_dead_worker_is_no_change_until_poison(journal: Journal) -> None:
    first = await journal.latest_position()
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await retire(journal, worker, run.id)
    again = await worker_of(journal)
    (claimed,) = await claim(journal, again)
    await commit(journal, again, write(claimed, transition=end()))
    assert POISON_AFTER > 1
    assert [change.state for change in await changes(journal, first, 2)] == [STARTED, RunState.COMPLETED]


async def test_p19_a_change_that_commits_late_is_not_skipped(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        first = await met.journal.latest_position()
        # The other transaction began first and commits last: a reader that passed it would never come back.
        await met.hold(START)
        assert (await met.journal.state_changes(first, ALL)).scanned == first
        early = await begin(met.journal)
        for _ in range(3):
            page = await met.journal.state_changes(first, ALL)
            assert (page.entries, page.scanned) == ([], first)

        await met.other.commit()
        found = await changes(met.journal, first, 2)
        assert len({change.run_id for change in found}) == 2
        assert found[1].run_id == early
        assert await changes(met.journal, found[-1].position) == []


async def test_p19_a_change_that_is_rolled_back_is_not_reported(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        first = await met.journal.latest_position()
        await met.hold(START)
        kept = await begin(met.journal)
        await met.other.rollback()
        assert [change.run_id for change in await changes(met.journal, first, 1)] == [kept]


async def test_the_first_reader_waits_for_open_writers_and_finds_what_they_wrote(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        await met.hold(START)
        reading = asyncio.create_task(met.journal.state_changes(None, ALL))
        await met.waiting(1)
        await met.other.commit()
        await reading
        assert len(await changes(met.journal, None, 1)) == 1


async def test_nothing_is_recorded_before_the_first_reader(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        await begin(met.journal)
        assert await count(met.other, schema) == 0
        await met.journal.latest_position()
        await met.journal.start([new_run()])
        assert await count(met.other, schema) == 2


async def test_recording_ends_when_nobody_reads_and_old_cursors_are_refused(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        first = await met.journal.latest_position()
        await begin(met.journal)
        await changes(met.journal, first, 1)
        await met.hold("update {schema}.state_change_log set read_at = now() - interval '8 days'")
        await met.other.commit()
        await met.journal.sweep()
        assert await count(met.other, schema) == 0
        await begin(met.journal)
        assert await count(met.other, schema) == 0
        with pytest.raises(CursorExpired):
            await met.journal.state_changes(first, ALL)
        assert len(await changes(met.journal, None, 2)) == 2


async def test_old_changes_are_removed_and_a_cursor_before_them_is_refused(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        first = await met.journal.latest_position()
        await begin(met.journal)
        await changes(met.journal, first, 1)
        await met.hold("update {schema}.state_changes set at = at - interval '8 days'")
        await met.other.commit()
        young = await begin(met.journal)
        await met.journal.sweep()
        with pytest.raises(CursorExpired):
            await met.journal.state_changes(first, ALL)
        assert [change.run_id for change in await changes(met.journal, None, 1)] == [young]


def test_the_memory_journal_removes_old_changes(runner: asyncio.Runner) -> None:
    async def main() -> None:
        now = 0
        journal = MemoryJournal(lambda: now)
        first = await journal.latest_position()
        await journal.start([new_run()])
        now += 8 * 24 * 3600 * 1_000_000
        await journal.start([new_run()])
        await journal.sweep()
        assert len((await journal.state_changes(None, ALL)).entries) == 1
        with pytest.raises(CursorExpired):
            await journal.state_changes(first, ALL)

    runner.run(main())


async def count(connection: psycopg.AsyncConnection[Any], schema: str) -> int:
    """Return how many changes are recorded."""
    found = await connection.execute(
        SQL("select count(*) from {}").format(Identifier(schema, "state_changes"))
    )
    ((number,),) = await found.fetchall()
    await connection.commit()
    return int(number)


async def test_p19_the_changes_of_a_run_are_in_the_order_in_which_they_happened(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        first = await met.journal.latest_position()
        worker = await worker_of(met.journal)
        # This transaction has its number first, and changes the run last.
        await met.hold(START)
        run = await owned_run(met.journal, worker)
        await commit(met.journal, worker, write(run, transition=end(RunState.BLOCKED)))
        await met.hold("update {schema}.runs set state = 6 where id = %s", run.id)
        await met.other.commit()
        found = [change.state for change in await changes(met.journal, first, 4) if change.run_id == run.id]
        assert found == [STARTED, RunState.BLOCKED, RunState.CANCELLED]


async def test_p19_readers_beside_many_writers_see_each_change_once(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        place = await met.journal.latest_position()
        started: list[str] = []

        async def keep_starting() -> None:
            for _ in range(25):
                started.extend([await begin(met.journal)])

        async def keep_failing() -> None:
            for _ in range(25):
                await met.hold(START)
                await met.other.rollback()

        writers = [
            asyncio.create_task(writing) for writing in (keep_failing(), *(keep_starting() for _ in range(8)))
        ]
        seen: list[str] = []

        async def read() -> bool:
            nonlocal place
            page = await met.journal.state_changes(place, 7)
            seen.extend(change.run_id for change in page.entries)
            place = page.scanned
            return len(seen) >= 8 * 25

        await until(read)
        await asyncio.gather(*writers)
        assert sorted(seen) == sorted(started)
        assert await changes(met.journal, place) == []
