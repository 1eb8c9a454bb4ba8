"""P21 on Postgres: a run that is broken off while it is made from the events of another leaves nothing."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditQuery
from continuum.journal.forked_run import ForkMail
from continuum.journal.port import InboxKind, Posted, RunState
from tests.contract.builders import (
    claim,
    commit,
    event,
    history,
    new_task,
    owned_run,
    queue_tasks,
    row,
    signal,
    worker_of,
    write,
)
from tests.contract.families import claimed_child
from tests.contract.test_forked_runs import facts_of, forked
from tests.postgres.test_fence import DEADLINE_S, Fence, fence, in_a_loop

# Every write that a reset makes, in its order.
WRITES = [
    "update on runs",
    "insert on runs",
    "insert on events",
    "insert on inbox",
    "delete on inbox",
    "delete on tasks",
    "insert on audit",
]


def breaking(schema: str, at: str) -> str:
    """Return the statements that make a kind of write fail, once it is made."""
    kind, _, table = at.partition(" on ")
    return (
        f'create function "{schema}".breaks() returns trigger language plpgsql as '
        "$$ begin raise exception 'broken off'; end $$; "
        f'create trigger breaks after {kind} on "{schema}".{table} '
        f'for each statement execute function "{schema}".breaks()'
    )


@pytest.mark.parametrize("at_write", WRITES)
def test_p21_a_reset_that_is_broken_off_leaves_nothing(dsn: str, schema: str, at_write: str) -> None:
    @in_a_loop
    async def resetting(dsn: str, schema: str) -> None:
        async with fence(dsn, schema) as at, asyncio.timeout(DEADLINE_S):
            journal = at.journal
            worker = await worker_of(journal)
            run = await owned_run(journal, worker)
            await commit(journal, worker, write(run, event(0), event(1)))
            await queue_tasks(journal, worker, run, new_task(1))
            child = await claimed_child(journal, worker, run, seq=1)
            await journal.post([signal(run.id)])
            events = await history(journal, run.id)
            before = await row(journal, run.id)
            new = forked(run.id, events[:1], 2, mail=[ForkMail(InboxKind.SIGNAL, "review", (b"again",))])

            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(breaking(schema, at_write).encode())
            with pytest.raises(psycopg.Error, match="broken off"):
                await journal.fork_run(new, audit=facts_of(new))

            assert await journal.get_run(new.id) is None
            assert await row(journal, run.id) == before
            assert [mail.run_id for mail in await journal.inbox(worker, None)] == [run.id]
            assert await journal.audited(AuditQuery(9)) == []
            assert (await row(journal, child.id)).state is RunState.RUNNING

            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(f'drop function "{schema}".breaks() cascade'.encode())
            assert await journal.fork_run(new, audit=facts_of(new)) is Posted.ACCEPTED
            assert await chain(at, run.id) == [run.id, new.id]
            assert [each.id for each in await claim(journal, worker)] == [new.id]

    resetting(dsn, schema)


async def chain(at: Fence, root: RunId) -> list[RunId]:
    """Return the runs of a chain in order."""
    found = [await row(at.journal, root)]
    while found[-1].continued_to is not None:
        found.append(await row(at.journal, found[-1].continued_to))
    return [each.id for each in found]
