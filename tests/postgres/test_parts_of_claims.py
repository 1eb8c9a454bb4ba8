"""One transaction sets few tasks of paused runs aside, or lets few of them go, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

from continuum.journal.notification import Topic
from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.journal.port import Worker
from continuum.journal.postgres import PostgresJournal
from continuum_migrations.names import NAMES
from tests.contract.builders import take_tasks, worker_of

PAUSED = PauseScope(PauseKind.WORKFLOW, "held")
AT_ONCE = int(NAMES["limit.held_tasks"])
MANY = 3 * AT_ONCE + 50

TASKS: LiteralString = """
insert into {schema}.runs (id, workflow, version, namespace, input, state)
select gen_random_uuid(), %(workflow)s, 'v1', 'default', '', 2 from generate_series(1, %(tasks)s);
insert into {schema}.tasks
    (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments, timeout)
select r.id, 1, 1, 1, %(queue)s, 0, false, 'send', '', 0 from {schema}.runs r
where r.workflow = %(workflow)s and not exists (select from {schema}.tasks t where t.run_id = r.id)
"""
CLAIM_PART: LiteralString = """
select c.run_id, c.queue, c.held
from {schema}.claim_tasks_in_parts(%(worker)s, '{{send}}', false, '{{}}', '{{}}', 9, 9, null) c
"""
HELD: LiteralString = "select count(*) from {schema}.tasks where held_by is not null"


@dataclass
class Queues:
    """A journal with a worker, and a session beside it."""

    journal: PostgresJournal
    worker: Worker
    cursor: psycopg.AsyncClientCursor[Any]
    schema: str

    async def fill(self, workflow: str, tasks: int, queue: str = "mail") -> None:
        await self._execute(TASKS, workflow=workflow, tasks=tasks, queue=queue)

    async def claim_part(self, function: LiteralString = "claim_tasks_in_parts") -> list[Any]:
        """Claim as a journal does in one transaction."""
        claim = CLAIM_PART.replace("claim_tasks_in_parts", function)
        return await (await self._execute(claim, worker=self.worker.id)).fetchall()

    async def held(self) -> int:
        ((held,),) = await (await self._execute(HELD)).fetchall()
        return int(held)

    async def _execute(self, text: LiteralString, **given: object) -> psycopg.AsyncCursor[Any]:
        return await self.cursor.execute(SQL(text).format(schema=Identifier(self.schema)), given)


@asynccontextmanager
async def queues(dsn: str, schema: str) -> AsyncIterator[Queues]:
    journal = PostgresJournal(dsn, schema=schema)
    await journal.open()
    try:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            worker = await worker_of(journal)
            yield Queues(journal, worker, psycopg.AsyncClientCursor(connection), schema)
    finally:
        await journal.close()


def test_a_part_of_a_claim_sets_so_many_tasks_aside_and_the_claim_continues(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with queues(dsn, schema) as world:
            await world.fill("held", MANY)
            await world.fill("free", 1)
            await world.journal.pause_together(PAUSED)

            assert await world.claim_part() == [(None, None, True)]
            assert await world.held() == AT_ONCE
            assert await world.claim_part("claim_tasks") == [], "nodes of earlier releases know no such row"
            assert len(await take_tasks(world.journal, world.worker)) == 1
            assert await world.held() == MANY

    asyncio.run(main())


def test_tasks_of_paused_runs_in_one_queue_leave_room_for_every_other_queue(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with queues(dsn, schema) as world:
            await world.fill("held", MANY, "early")
            await world.fill("held", 3, "late")
            await world.fill("free", 1, "late")
            await world.journal.pause_together(PAUSED)
            notifications = world.journal.notifications([Topic.TASKS])
            told = asyncio.ensure_future(anext(notifications))

            assert [(queue, held) for _, queue, held in await world.claim_part()] == [("late", True)]
            assert (await told).topic is Topic.TASKS, "a claim of the other tasks continues"

    asyncio.run(main())


def test_a_claim_that_can_set_nothing_aside_does_not_try_for_ever(dsn: str, schema: str) -> None:
    """A session of a person may keep rows locked for long."""

    async def main() -> None:
        async with queues(dsn, schema) as world, await psycopg.AsyncConnection.connect(dsn) as other:
            await world.fill("held", MANY)
            await world.journal.pause_together(PAUSED)
            await other.execute(
                SQL("select from {}.runs where workflow = 'held' for update").format(Identifier(schema))
            )

            assert await take_tasks(world.journal, world.worker) == []
            assert await world.held() == 0

    asyncio.run(main())


def test_the_end_of_a_pause_and_each_claim_after_it_let_so_many_tasks_go(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with queues(dsn, schema) as world:
            await world.fill("held", MANY)
            await world.journal.pause_together(PAUSED)
            assert await take_tasks(world.journal, world.worker) == []
            assert await world.held() == MANY

            await world.journal.resume_together(PAUSED)
            assert await world.held() == MANY - AT_ONCE
            assert len(await world.claim_part()) == 9
            assert await world.held() == MANY - 2 * AT_ONCE

    asyncio.run(main())
