"""Connections that are open and dead: every wait on them ends, and the next call has another connection."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

import continuum
from continuum import JournalUnavailable, workflow
from continuum.journal.notification import Topic
from continuum.journal.port import RunState
from continuum.journal.postgres import PostgresJournal, notifications
from tests.contract.builders import event, owned_run, row, seqs, worker_of, write
from tests.silent_proxy import SilentProxy, silent_proxy

# After so long a silent server is doubted: short enough for a test.
SILENCE_S = 0.3
# Far longer than all of it.
DEADLINE_S = 60.0


@workflow(name="silent.quick")
async def quick() -> None:
    """Do nothing."""


@asynccontextmanager
async def behind_a_proxy(dsn: str, schema: str) -> AsyncIterator[tuple[PostgresJournal, SilentProxy]]:
    """Yield an impatient journal whose connections can fall silent."""
    async with asyncio.timeout(DEADLINE_S), silent_proxy(dsn) as (proxy, through):
        journal = PostgresJournal(through, schema=schema)
        journal._database.silence = SILENCE_S
        await journal.open()
        try:
            yield journal, proxy
        finally:
            await journal.close()


async def until_one_waits(dsn: str) -> None:
    """Return once a statement waits for a lock."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as onlooker:
        while await (await onlooker.execute("select from pg_locks where not granted")).fetchone() is None:
            pass


Test = Callable[[PostgresJournal, SilentProxy], Awaitable[None]]


def run(dsn: str, schema: str, test: Test) -> None:
    """Run a test on such a journal."""

    async def main() -> None:
        async with behind_a_proxy(dsn, schema) as (journal, proxy):
            await test(journal, proxy)

    asyncio.run(main())


def test_a_statement_on_a_silent_connection_fails_and_the_next_one_has_another(dsn: str, schema: str) -> None:
    async def test(journal: PostgresJournal, proxy: SilentProxy) -> None:
        await asyncio.gather(*(journal.versions() for _ in range(4)))
        proxy.fall_silent()
        with pytest.raises(JournalUnavailable, match=r"cannot be reached \(no answer on an open connection"):
            await journal.versions()
        assert await asyncio.gather(*(journal.versions() for _ in range(4))) == [[]] * 4

    run(dsn, schema, test)


def test_a_silence_in_the_middle_of_a_statement_ends_it(dsn: str, schema: str) -> None:
    async def test(journal: PostgresJournal, proxy: SilentProxy) -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as holder:
            await holder.execute("select pg_advisory_lock(7)")
            asking = asyncio.create_task(journal._database.fetch_text(b"SELECT pg_advisory_lock(7)"))
            await until_one_waits(dsn)
            proxy.fall_silent()
            # It ends on the server now, and its result is lost.
            await holder.execute("select pg_advisory_unlock(7)")
        with pytest.raises(JournalUnavailable, match="no answer on an open connection"):
            await asking

    run(dsn, schema, test)


def test_a_slow_statement_of_a_living_server_is_waited_for(dsn: str, schema: str) -> None:
    async def test(journal: PostgresJournal, proxy: SilentProxy) -> None:
        before = proxy.accepted
        seconds = SILENCE_S * 5
        assert await journal._database.fetch_text(f"SELECT pg_sleep({seconds})".encode()) == [("",)]
        assert proxy.accepted >= before + 2, "nobody asked whether the statement still runs"

    run(dsn, schema, test)


def test_a_commit_whose_answer_is_swallowed_takes_effect_once(dsn: str, schema: str) -> None:
    async def test(journal: PostgresJournal, proxy: SilentProxy) -> None:
        worker = await worker_of(journal)
        owned = await owned_run(journal, worker)
        writes = [write(owned, event(1))]
        await journal.commit(worker, 10**9 - 1, [])
        async with await psycopg.AsyncConnection.connect(dsn) as holder:
            await holder.execute(
                SQL("select from {}.runs where id = %s for update").format(Identifier(schema)), (owned.id,)
            )
            first = asyncio.create_task(journal.commit(worker, 10**9, writes))
            await until_one_waits(dsn)
            proxy.fall_silent()
            await holder.rollback()
        with pytest.raises(JournalUnavailable):
            await first
        assert (await journal.commit(worker, 10**9, writes)).rejected == frozenset()
        assert await seqs(journal, owned.id) == [1]
        assert (await row(journal, owned.id)).state is RunState.RUNNING

    run(dsn, schema, test)


def test_a_listener_notices_a_silent_connection_and_listens_on_another(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "LISTEN_CHECK_SECONDS", SILENCE_S)
    monkeypatch.setattr(notifications, "FIRST_RETRY_SECONDS", 0.01)

    async def test(journal: PostgresJournal, proxy: SilentProxy) -> None:
        news = journal.notifications([Topic.DONE])
        assert (await anext(news)).ids == ()
        proxy.fall_silent()
        assert (await anext(news)).ids == (), (
            "a new connection begins with the news that any run may have ended"
        )
        asking = asyncio.ensure_future(anext(news))
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as sender:
            await sender.execute("select pg_notify(%s, 'some-run')", (f"{schema}.done",))
        assert (await asking).ids == ("some-run",)

    run(dsn, schema, test)


def test_closing_does_not_wait_for_a_silent_server(dsn: str, schema: str) -> None:
    async def test(journal: PostgresJournal, proxy: SilentProxy) -> None:
        journal._database.silence = DEADLINE_S * 2
        await journal.versions()
        proxy.fall_silent()
        proxy.ignores = True
        asking = asyncio.create_task(journal.versions())
        await proxy.swallowed.wait()
        await journal.close()
        with pytest.raises(JournalUnavailable):
            await asking

    run(dsn, schema, test)


def test_a_cancelled_statement_on_a_silent_connection_ends_at_once(dsn: str, schema: str) -> None:
    async def test(journal: PostgresJournal, proxy: SilentProxy) -> None:
        journal._database.silence = DEADLINE_S * 2
        await journal.versions()
        proxy.fall_silent()
        proxy.ignores = True
        asking = asyncio.create_task(journal.versions())
        await proxy.swallowed.wait()
        asking.cancel()
        # The driver by itself would wait for the server first, for ten seconds.
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(8):
                await asking

    run(dsn, schema, test)


def test_a_cancelled_statement_is_cancelled_in_the_server(dsn: str, schema: str) -> None:
    async def test(journal: PostgresJournal, proxy: SilentProxy) -> None:
        asking = asyncio.create_task(journal._database.fetch_text(b"SELECT pg_sleep(61)"))
        find = (
            "select count(*) from pg_stat_activity where query = 'SELECT pg_sleep(61)' and state = 'active'"
        )
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as onlooker:
            while await (await onlooker.execute(find)).fetchone() != (1,):
                pass
            asking.cancel()
            while await (await onlooker.execute(find)).fetchone() != (0,):
                pass
        with pytest.raises(asyncio.CancelledError):
            await asking

    run(dsn, schema, test)


def test_connections_that_the_server_has_closed_fail_no_statement(dsn: str, schema: str) -> None:
    async def test(journal: PostgresJournal, proxy: SilentProxy) -> None:
        worker = await worker_of(journal)
        await journal.commit(worker, 1, [])
        await asyncio.gather(*(journal.versions() for _ in range(4)))
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as killer:
            await killer.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where pid <> pg_backend_pid() and strpos(query, %s) > 0",
                (schema,),
            )
        await proxy.end()
        assert await journal.versions() == []
        await journal.commit(worker, 2, [])

    run(dsn, schema, test)


def test_a_stopped_server_is_reported_and_used_again_once_it_continues(dsn: str, schema: str) -> None:
    async def test(journal: PostgresJournal, proxy: SilentProxy) -> None:
        stopped = (await journal._database.fetch_text(b"select pg_backend_pid()"))[0][0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            # Only this process of the server is stopped: the others say that it does not work on it.
            with pytest.raises(JournalUnavailable, match="no answer on an open connection"):
                await journal.versions()
            assert await journal.versions() == []
        finally:
            os.kill(stopped, signal.SIGCONT)

    run(dsn, schema, test)


def test_a_timeout_of_a_result_is_kept_on_a_silent_connection(dsn: str, schema: str) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(DEADLINE_S),
            silent_proxy(dsn) as (proxy, through),
            continuum.connect(through, schema=schema) as client,
        ):
            handle = await client.start(quick)
            proxy.fall_silent()
            proxy.ignores = True
            with pytest.raises(TimeoutError, match="the database does not answer; ask again later"):
                async with asyncio.timeout(8):
                    await client.handle(handle.id).result(timeout=0.5)

    asyncio.run(main())
