"""Concurrent writes to parents, children and successors in Postgres: the order of locks, and what each sees.

The memory journal has no such moments: each of its methods is one step.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from continuum.engine.ids import RunId
from continuum.journal.port import (
    ClaimedRun,
    ClosePolicy,
    Committed,
    InboxKind,
    Post,
    Posted,
    RunState,
    Successor,
    Worker,
)
from continuum.journal.postgres import PostgresJournal
from tests.contract.builders import begin, claim, commit, end, event, owned_run, row, signal, worker_of, write
from tests.contract.families import (
    block,
    claimed_child,
    continue_as_new,
    family_write,
    finish,
    new_child,
    parent_and_child,
)
from tests.contract.meetings import LOCK_RUN, Meeting, meeting

TRY_RUN: LiteralString = "select from {schema}.runs where id = %s for no key update nowait"


@asynccontextmanager
async def two_journals(dsn: str, schema: str) -> AsyncIterator[tuple[PostgresJournal, PostgresJournal]]:
    """Yield two journals, so that two commits can run at once."""
    first, second = PostgresJournal(dsn, schema=schema), PostgresJournal(dsn, schema=schema)
    await first.open()
    try:
        await second.open()
        yield first, second
    finally:
        await second.close()
        await first.close()


def descending_ids() -> Iterator[RunId]:
    """Return ids each smaller than the one before, so that children sort before their parents."""
    return (RunId(str(UUID(int=2**127 - number))) for number in count(1))


def continued(
    journal: PostgresJournal, worker: Worker, run: ClaimedRun
) -> tuple[RunId, asyncio.Task[Committed]]:
    """Continue a run as new; return its successor's id and the commit, which is still running."""
    successor = Successor(RunId(str(uuid4())), "orders", b"")
    write = family_write(run, transition=end(), successor=successor)
    return successor.id, asyncio.create_task(commit(journal, worker, write))


async def older_child(met: Meeting, worker: Worker, parent: ClaimedRun, policy: ClosePolicy) -> ClaimedRun:
    """Return a claimed child whose id sorts before its parent's."""
    child = new_child(1, policy)._replace(id=RunId("00000000-0000-4000-8000-" + uuid4().hex[:12]))
    await commit(met.journal, worker, write(parent, children=[child]))
    (claimed,) = await claim(met.journal, worker)
    return claimed


async def test_p15_the_end_of_a_child_locks_its_parent_before_itself(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        worker = await worker_of(met.journal)
        parent = await owned_run(met.journal, worker)
        child = await older_child(met, worker, parent, ClosePolicy.CASCADE)
        await met.hold(LOCK_RUN, parent.id)

        ending = asyncio.create_task(finish(met.journal, worker, child))
        await met.waiting(1)
        await met.hold(TRY_RUN, child.id)
        await met.other.rollback()

        await ending
        assert len(await met.journal.inbox(worker, [parent.id])) == 1


async def test_p15_the_end_of_a_parent_locks_it_before_its_children(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        worker = await worker_of(met.journal)
        parent = await owned_run(met.journal, worker)
        child = await older_child(met, worker, parent, ClosePolicy.CANCEL)
        await met.hold(LOCK_RUN, parent.id)

        ending = asyncio.create_task(
            commit(
                met.journal,
                worker,
                family_write(parent, transition=end()),
                family_write(child, event(0)),
            )
        )
        await met.waiting(1)
        await met.hold(TRY_RUN, child.id)
        await met.other.rollback()

        assert (await ending).rejected == frozenset()
        assert [mail.name for mail in await met.journal.inbox(worker, [child.id])] == ["parent"]


@pytest.mark.parametrize("way", ["force", "cancel"])
async def test_p15_a_cancel_request_from_outside_locks_the_parent_first(
    runner: asyncio.Runner, dsn: str, schema: str, way: str
) -> None:
    """CHD7: the parent is locked first, even if only the child is named."""
    async with meeting(dsn, schema) as met:
        worker = await worker_of(met.journal)
        parent, child = await parent_and_child(met.journal, worker)
        await block(met.journal, worker, child)
        await met.hold(LOCK_RUN, parent.id)

        if way == "force":
            cancelling = asyncio.create_task(met.journal.force_cancel(child.id))
        else:
            posting = met.journal.post([Post(child.id, InboxKind.CANCEL, "", (), "cancel")])
            cancelling = asyncio.create_task(_only(posting))
        await met.waiting(1)
        await met.hold(TRY_RUN, child.id)
        await met.other.rollback()

        assert await cancelling is Posted.ACCEPTED
        assert len(await met.journal.inbox(worker, [parent.id])) == 1


async def _only(posting: object) -> Posted:
    (posted,) = await posting  # type: ignore[misc]
    return Posted(posted)


async def test_p15_parents_and_children_that_end_together_on_two_workers_never_deadlock(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    """B50: a deadlock would end one of the commits with an error."""
    async with two_journals(dsn, schema) as (north, south):
        first, second = await worker_of(north, "north"), await worker_of(south, "south")
        ids = descending_ids()
        for _ in range(6):
            families: list[tuple[ClaimedRun, ClaimedRun]] = []
            for number in range(12):
                keeper, keeping = ((north, first), (south, second))[number % 2]
                parent = await owned_run(keeper, keeping)
                child = new_child(1, ClosePolicy.CANCEL)._replace(id=next(ids))
                await commit(keeper, keeping, write(parent, children=[child]))
                other, holding = ((south, second), (north, first))[number % 2]
                (claimed,) = await claim(other, holding)
                families.append((parent, claimed))
            ends = [
                [family_write(run, transition=end()) for run in side]
                for side in (
                    [pair[number % 2] for number, pair in enumerate(families)],
                    [pair[1 - number % 2] for number, pair in enumerate(families)],
                )
            ]
            done = await asyncio.gather(
                *(commit(north, first, *ends[0][at : at + 4]) for at in (0, 4, 8)),
                *(commit(south, second, *ends[1][at : at + 4]) for at in (0, 4, 8)),
            )
            assert {rejected for outcome in done for rejected in outcome.rejected} == set()
            assert (
                await asyncio.gather(
                    *(north.force_cancel(parent.id) for parent, _ in families),
                    *(south.force_cancel(child.id) for _, child in families),
                )
                == [Posted.TERMINAL] * 24
            )


async def test_p15_forced_cancels_posts_and_commits_on_one_family_never_deadlock(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with two_journals(dsn, schema) as (north, south):
        first, second = await worker_of(north, "north"), await worker_of(south, "south")
        for _ in range(12):
            parent = await owned_run(north, first)
            children = [new_child(seq, ClosePolicy.CANCEL) for seq in range(6)]
            await commit(north, first, write(parent, children=children))
            claimed = await claim(south, second)
            asks = [Post(child.id, InboxKind.CANCEL, "", (), "cancel") for child in reversed(children)]

            await asyncio.gather(
                commit(south, second, *(family_write(run, transition=end()) for run in claimed)),
                commit(north, first, family_write(parent, cancels=[child.id for child in children])),
                south.post([*asks, signal(parent.id)]),
                north.post([signal(parent.id), *asks]),
                north.force_cancel(parent.id),
            )

            assert (await row(north, parent.id)).state is RunState.CANCELLED
            assert {(await row(north, child.id)).state.terminal for child in children} == {True}


async def test_p16_mail_that_waits_for_continue_as_new_goes_to_the_successor(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    """CNT10, CNT12, B33: posted to the predecessor while its last commit runs."""
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        first = await owned_run(journal, worker)
        other = await begin(journal)
        await met.hold(LOCK_RUN, first.id)

        successor, continuing = continued(journal, worker, first)
        await met.waiting(1)
        posting = asyncio.create_task(journal.post([signal(first.id, key="d")]))
        await met.waiting(2)
        several = asyncio.create_task(journal.post([signal(other), signal(first.id, key="e")]))
        await met.waiting(3)
        await met.other.rollback()

        await continuing
        assert await posting == [Posted.ACCEPTED]
        assert await several == [Posted.ACCEPTED] * 2
        await claim(journal, worker)
        # Both waited for the same row, so neither is the first by right.
        assert {mail.key for mail in await journal.inbox(worker, [successor])} == {"d", "e"}
        assert await journal.post([signal(successor, key="d")]) == [Posted.DUPLICATE]


async def test_p16_mail_that_continue_as_new_waits_for_goes_to_the_successor(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    """CNT10, B33"""
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        first = await owned_run(journal, worker)
        await met.hold(LOCK_RUN, first.id)

        posting = asyncio.create_task(journal.post([signal(first.id)]))
        await met.waiting(1)
        continuing = asyncio.create_task(continue_as_new(journal, worker, first))
        await met.waiting(2)
        await met.other.rollback()

        assert await posting == [Posted.ACCEPTED]
        second = await continuing
        assert [mail.run_id for mail in await journal.inbox(worker, None)] == [second.id]


async def test_p16_a_forced_cancel_that_waits_for_continue_as_new_ends_the_successor(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    """CNT13"""
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        first = await owned_run(journal, worker)
        await met.hold(LOCK_RUN, first.id)

        successor, continuing = continued(journal, worker, first)
        await met.waiting(1)
        cancelling = asyncio.create_task(journal.force_cancel(first.id))
        await met.waiting(2)
        await met.other.rollback()

        await continuing
        assert await cancelling is Posted.ACCEPTED
        assert (await row(journal, successor)).state is RunState.CANCELLED


async def test_p15_a_forced_cancel_finds_a_grandchild_started_while_it_waited(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    """B49: generation by generation, each read after the one above it is locked."""
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        parent, child = await parent_and_child(journal, worker)
        born = new_child()
        await met.hold(LOCK_RUN, child.id)

        bearing = asyncio.create_task(commit(journal, worker, family_write(child, children=[born])))
        await met.waiting(1)
        cancelling = asyncio.create_task(journal.force_cancel(parent.id))
        await met.waiting(2)
        await met.other.rollback()

        assert (await bearing).rejected == frozenset()
        assert await cancelling is Posted.ACCEPTED
        for run_id in (parent.id, child.id, born.id):
            assert (await row(journal, run_id)).state is RunState.CANCELLED


async def test_p16_attributes_that_wait_for_continue_as_new_belong_to_the_successor(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    """ATR1, ATR2"""
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        first = await owned_run(journal, worker)
        await met.hold(LOCK_RUN, first.id)

        successor, continuing = continued(journal, worker, first)
        await met.waiting(1)
        merging = asyncio.create_task(journal.set_attributes(first.id, {"paid": True}))
        await met.waiting(2)
        await met.other.rollback()

        await continuing
        assert await merging
        assert (await row(journal, successor)).attributes == {"paid": True}


async def test_p15_the_successor_of_a_child_is_asked_to_stop_when_its_parent_ends_meanwhile(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    """CNT9: also when its owner still has an earlier run of the parent's chain as the parent."""
    async with two_journals(dsn, schema) as (north, south), meeting(dsn, schema) as met:
        first_worker, second_worker = await worker_of(north, "north"), await worker_of(south, "south")
        first = await owned_run(north, first_worker)
        await commit(north, first_worker, write(first, children=[new_child(1, ClosePolicy.CANCEL)]))
        (child,) = await claim(south, second_worker)
        second = await continue_as_new(north, first_worker, first)
        await met.hold(LOCK_RUN, child.id)

        successor, continuing = continued(south, second_worker, child)
        await met.waiting(1)
        ending = asyncio.create_task(finish(north, first_worker, second))
        await met.waiting(2)
        await met.other.rollback()

        await asyncio.gather(continuing, ending)
        (claimed,) = await claim(south, second_worker)
        assert claimed.id == successor
        assert [mail.name for mail in await south.inbox(second_worker, [claimed.id])] == ["parent"]


async def test_p2_p14_a_failed_commit_leaves_no_part_of_a_family(
    runner: asyncio.Runner, dsn: str, schema: str
) -> None:
    async with meeting(dsn, schema) as met:
        journal, worker = met.journal, await worker_of(met.journal)
        parent = await owned_run(journal, worker)
        child = await claimed_child(journal, worker, parent)
        await commit(journal, worker, family_write(child, event(0)))
        sister = new_child(2)

        with pytest.raises(psycopg.errors.UniqueViolation):
            await commit(
                journal,
                worker,
                family_write(parent, children=[sister], published=[("a", b"1")]),
                family_write(child, event(0), transition=end()),
            )

        assert await journal.get_run(sister.id) is None
        assert await journal.read_published(parent.id, ["a"]) == {}
        assert await journal.inbox(worker, None) == []
