"""A chain whose latest run somebody has deleted by hand has no latest run, and stops nobody (I11)."""

from __future__ import annotations

import asyncio

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import Action
from continuum.journal.port import Posted
from tests.contract.builders import begin, owned_run, signal, worker_of
from tests.contract.families import continue_as_new
from tests.contract.test_audit import facts, outcomes
from tests.postgres.test_fence import DEADLINE_S, Fence, fence, in_a_loop, two_connections


async def cut_chain(at: Fence, dsn: str, schema: str) -> RunId:
    """Return the first run of a chain without its second one."""
    worker = await worker_of(at.journal)
    first = await owned_run(at.journal, worker)
    second = await continue_as_new(at.journal, worker, first)
    async with two_connections(dsn) as (by_hand, _):
        await by_hand.execute(f'delete from "{schema}".runs where id = %s'.encode(), (second.id,))
        await by_hand.commit()
    return first.id


@in_a_loop
async def test_attributes_of_a_cut_chain_find_no_run(dsn: str, schema: str) -> None:
    async with fence(dsn, schema) as at, asyncio.timeout(DEADLINE_S):
        first = await cut_chain(at, dsn, schema)

        assert not await at.journal.set_attributes(first, {"a": 1})
        assert not await at.journal.set_attributes(first, {"a": 1}, audit=facts(Action.SET_ATTRIBUTES))
        assert await at.journal.force_cancel(first) is Posted.NOT_FOUND
        assert await outcomes(at.journal) == [("s", "not_found")]


@in_a_loop
async def test_mail_for_a_cut_chain_does_not_hold_up_other_mail(dsn: str, schema: str) -> None:
    async with fence(dsn, schema) as at, asyncio.timeout(DEADLINE_S):
        first, other = await cut_chain(at, dsn, schema), await begin(at.journal)

        assert await at.journal.post([signal(first), signal(other)]) == [Posted.NOT_FOUND, Posted.ACCEPTED]
