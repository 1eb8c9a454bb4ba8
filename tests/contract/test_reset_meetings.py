"""P21 on Postgres: the reset of a child meets the end or the reset of its parent, whichever comes first."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from continuum.engine.ids import RunId
from continuum.journal.forked_run import SeenHistory
from continuum.journal.port import ClosePolicy, InboxKind, Journal, Posted, RunState, Successor, Transition
from tests.contract.builders import claim, commit, history, row, worker_of
from tests.contract.families import family_write, finish, parent_and_child
from tests.contract.meetings import meeting
from tests.contract.test_forked_runs import failed_family, forked
from tests.interleavings.world import journal_in


@pytest.mark.parametrize("reset_first", [True, False])
@pytest.mark.parametrize("continues", [True, False])
async def test_p21_the_next_run_of_a_child_is_not_left_behind_by_its_parent(
    runner: asyncio.Runner, dsn: str, schema: str, *, reset_first: bool, continues: bool
) -> None:
    async with meeting(dsn, schema) as met:
        worker = await worker_of(met.journal)
        parent, child = await parent_and_child(met.journal, worker, ClosePolicy.CANCEL)
        new, successor = forked(child.id, [], 0), Successor(RunId(str(uuid4())), "orders", b"input")
        other = await journal_in(met.dsn, met.schema, met.other)

        async def end_parent(journal: Journal) -> None:
            if continues:
                ended = Transition(RunState.CONTINUED)
                await commit(journal, worker, family_write(parent, transition=ended, successor=successor))
            else:
                await finish(journal, worker, parent)

        async def reset(journal: Journal) -> None:
            assert await journal.fork_run(new) is Posted.ACCEPTED

        first, second = (reset, end_parent) if reset_first else (end_parent, reset)
        await first(other)
        waiting = asyncio.create_task(second(met.journal))
        await met.waiting(1)
        await met.other.commit()
        await waiting

        if continues:
            assert (await row(met.journal, new.id)).parent == successor.id
        else:
            await claim(met.journal, worker)
            mail = await met.journal.inbox(worker, [new.id])
            assert [(each.kind, each.name) for each in mail] == [(InboxKind.CANCEL, "parent")]


@pytest.mark.parametrize("child_first", [True, False])
async def test_p21_a_child_and_its_parent_are_not_cut_at_the_same_moment(
    runner: asyncio.Runner, dsn: str, schema: str, *, child_first: bool
) -> None:
    async with meeting(dsn, schema) as met:
        worker = await worker_of(met.journal)
        parent, child = await failed_family(met.journal, worker)
        events = await history(met.journal, parent.id)
        of_child = forked(child.id, [], 0, seen=SeenHistory(RunState.FAILED, 0))
        of_parent = forked(parent.id, events, 2, seen=SeenHistory(RunState.FAILED, 2), children=[child.id])
        other = await journal_in(met.dsn, met.schema, met.other)

        first, second = (of_child, of_parent) if child_first else (of_parent, of_child)
        assert await other.fork_run(first) is Posted.ACCEPTED
        waiting = asyncio.create_task(met.journal.fork_run(second))
        await met.waiting(1)
        await met.other.commit()
        assert await waiting is Posted.STALE
