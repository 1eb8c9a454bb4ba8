"""Uses a client and a journal on a database that is not set up as others are."""

from __future__ import annotations

import asyncio

import continuum
from continuum import workflow
from continuum.journal.postgres import PostgresJournal
from tests.contract.builders import end, event, new_task, owned_run, take_tasks, worker_of, write

TEXT = "emoji \U0001f600 日本 €"
NAMESPACE = "größe €"


@workflow(name="using.quick")
async def quick(text: str) -> str:
    """Return the input."""
    return text


async def use(dsn: str, schema: str, *, listen: bool) -> None:
    """Start a run, find it again, own one, and write to it."""
    async with continuum.connect(dsn, schema=schema, listen=listen) as client:
        run = await client.start(
            quick, TEXT, attributes={"t": TEXT}, idempotency_key=TEXT, namespace=NAMESPACE
        )
        found = await run.get()
        assert (found.attributes, found.namespace) == ({"t": TEXT}, NAMESPACE)
        page = await client.query([(("attributes", "t"), "eq", TEXT)], namespace=NAMESPACE)
        assert [entry.id for entry in page.entries] == [run.id]
        assert abs(found.started_at.timestamp() - client._journal.now() / 1e6) < 3600
    journal = PostgresJournal(dsn, schema=schema, listen=listen)
    await journal.open()
    try:
        worker = await worker_of(journal)
        owned = await owned_run(journal, worker)
        await journal.commit(worker, 1, [write(owned, event(1), tasks=[new_task()])])
        assert len(await take_tasks(journal, worker)) == 1
        await asyncio.gather(*(journal.load([owned.id]) for _ in range(8)))
        committed = await journal.commit(worker, 2, [write(owned, event(2), transition=end(result=b"r"))])
        assert committed.rejected == frozenset()
    finally:
        await journal.close()
