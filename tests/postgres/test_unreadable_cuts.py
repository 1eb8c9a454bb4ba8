"""A run of which events are lost or damaged continues from before them, or a cut says why not."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.engine.events import Event, EventType, Forking
from continuum.engine.ids import RunId
from continuum.errors import CutRefused
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import RunState
from continuum.journal.port import Journal, Posted
from continuum.operations.forks import Plan, plan
from tests.contract.builders import commit, end, history, owned_run, row, worker_of, write
from tests.postgres.test_fence import DEADLINE_S, fence, in_a_loop

AT = 1_700_000_000_000_000
SITE = ("flow", "app.py:1")
UUID4 = (EventType.SIDE_EFFECT, ("uuid4", *SITE, b"0123456789abcdef"))
PAY = (EventType.ACTIVITY_SCHEDULED, ("pay", *SITE, b"", None))
PAID = (EventType.ACTIVITY_COMPLETED, (1, b""))
SIGNAL = (EventType.SIGNAL_RECEIVED, ("go", b"", None))
EVENTS = [Event(seq, type, AT, body) for seq, (type, body) in enumerate((UUID4, PAY, PAID, UUID4, SIGNAL))]
LOST = "delete from {}.events where run_id = %s and seq = %s"
DAMAGED = "update {}.events set payload = '\\xc1' where run_id = %s and seq = %s"


async def damaged_run(journal: Journal, dsn: str, schema: str, damage: str, seq: int) -> RunId:
    """Return a failed run of which an event is damaged; each event is a row of its own."""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    for event in EVENTS:
        await commit(journal, worker, write(run, event))
    await commit(
        journal, worker, write(run, transition=end(RunState.FAILED, error=pack_body(("OSError", "", ""))))
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL(damage).format(Identifier(schema)), (run.id, seq))
    return run.id


async def planned(journal: Journal, run_id: RunId, how: Forking, at: int | None) -> Plan:
    return await plan(journal, await row(journal, run_id), how, at)


@pytest.mark.parametrize("how", [Forking.FORK, Forking.RESET])
@pytest.mark.parametrize("damage", [LOST, DAMAGED], ids=["lost", "damaged"])
def test_a_run_without_its_first_event_continues_from_its_start(
    dsn: str, schema: str, damage: str, how: Forking
) -> None:
    @in_a_loop
    async def cutting(dsn: str, schema: str) -> None:
        async with fence(dsn, schema) as at, asyncio.timeout(DEADLINE_S):
            run_id = await damaged_run(at.journal, dsn, schema, damage, 0)
            found = await planned(at.journal, run_id, how, 0)
            assert (found.cut.at, found.cut.events, found.cut.unreadable) == (0, 5, 0)
            new = found.new_run(RunId("01900000-0000-7000-8000-000000000001"), AT)
            assert await at.journal.fork_run(new) is Posted.ACCEPTED
            assert await history(at.journal, new.id) == [new.forked]

    cutting(dsn, schema)


@pytest.mark.parametrize("damage", [LOST, DAMAGED], ids=["lost", "damaged"])
def test_a_cut_before_an_event_that_cannot_be_read_is_before_what_that_may_have_undone(
    dsn: str, schema: str, damage: str
) -> None:
    @in_a_loop
    async def cutting(dsn: str, schema: str) -> None:
        async with fence(dsn, schema) as at, asyncio.timeout(DEADLINE_S):
            journal = at.journal
            run_id = await damaged_run(journal, dsn, schema, damage, 3)
            reasons: dict[Any, str] = {}
            for place in (2, 3, 5):
                with pytest.raises(CutRefused) as refused:
                    await planned(journal, run_id, Forking.RESET, place)
                assert refused.value.nearest == 1
                reasons[place] = refused.value.why
            assert "event 3 cannot be read, and may have undone what the run did from event 1" in reasons[3]
            assert "event 3 cannot be read; restore it" in reasons[5]
            with pytest.raises(CutRefused, match="the place of its failure is not known"):
                await planned(journal, run_id, Forking.RESTART, None)
            found = await planned(journal, run_id, Forking.RESET, 1)
            new = found.new_run(RunId("01900000-0000-7000-8000-000000000001"), AT)
            assert await journal.fork_run(new) is Posted.ACCEPTED

    cutting(dsn, schema)
