"""A read-only journal: the server itself refuses every write, with a pooler in between or without."""

from __future__ import annotations

import asyncio

import pytest

from continuum.errors import JournalUnavailable
from continuum.journal.postgres import PostgresJournal
from tests.contract.builders import begin, signal


def test_a_read_only_journal_reads_and_the_server_refuses_its_writes(dsn: str, schema: str) -> None:
    async def main() -> None:
        writing = PostgresJournal(dsn, schema=schema, listen=False)
        reading = PostgresJournal(dsn, schema=schema, listen=False, read_only=True)
        await writing.open()
        await reading.open()
        try:
            run_id = await begin(writing)
            row = await reading.get_run(run_id)
            assert row is not None
            assert await reading.load([run_id]) == {run_id: []}
            for write in (begin(reading), reading.post([signal(run_id)]), reading.force_cancel(run_id)):
                with pytest.raises(JournalUnavailable, match="takes no writes"):
                    await write
            assert await writing.get_run(run_id) == row
        finally:
            await reading.close()
            await writing.close()

    asyncio.run(main())
