"""The runner against a real server: once, in order, however many start together."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from continuum.engine.events import Event, EventType
from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.journal.event_codec import pack_body
from continuum.journal.port import InboxKind, Loaded, Post, Posted, RunWrite, Worker
from continuum.journal.postgres import PostgresJournal
from continuum_migrations import (
    InvalidSchemaName,
    MigrationChanged,
    MigrationError,
    SchemaBehind,
    SchemaTooNew,
    ServerTooOld,
    check,
    migrate,
    runner,
)
from continuum_migrations.files import read_migrations
from tests.postgres_server import unused_schema

FIRST = "create table {schema}.first (id int primary key, extra jsonb default '{}');"
SECOND = "create table {schema}.second (id int); insert into {schema}.second values (1); select 100 % 7;"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with two migrations."""
    (tmp_path / "0001_first.sql").write_text(FIRST)
    (tmp_path / "0002_second.sql").write_text(SECOND)
    return tmp_path


def rows(dsn: str, statement: Any, schema: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(SQL(statement).format(schema=Identifier(schema))).fetchall()


def test_every_migration_is_applied_in_order(dsn: str, empty_name: str, source: Path) -> None:
    assert asyncio.run(migrate(dsn, empty_name, source=source)) == [1, 2]
    assert rows(dsn, "select id from {schema}.second", empty_name) == [(1,)]


def test_a_second_call_applies_nothing(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    assert asyncio.run(migrate(dsn, empty_name, source=source)) == []


def test_a_new_file_is_applied_alone(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / "0003_third.sql").write_text("create table {schema}.third ();")
    assert asyncio.run(migrate(dsn, empty_name, source=source)) == [3]


def test_what_was_applied_is_recorded_with_its_checksum(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    ledger = rows(dsn, "select version, name, length(checksum) from {schema}.migrations", empty_name)
    assert ledger == [(1, "first", 64), (2, "second", 64)]


def test_nodes_that_start_together_apply_each_migration_once(dsn: str, empty_name: str, source: Path) -> None:
    async def main() -> list[list[int]]:
        return await asyncio.gather(*(migrate(dsn, empty_name, source=source) for _ in range(8)))

    applied = asyncio.run(main())
    assert sorted(version for each in applied for version in each) == [1, 2]


def test_a_failing_migration_leaves_those_before_it_and_nothing_of_itself(
    dsn: str, empty_name: str, source: Path
) -> None:
    (source / "0002_second.sql").write_text("create table {schema}.half (); select 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        asyncio.run(migrate(dsn, empty_name, source=source))
    assert rows(dsn, "select version from {schema}.migrations", empty_name) == [(1,)]
    assert rows(dsn, "select to_regclass('{schema}.half')", empty_name) == [(None,)]


@pytest.mark.parametrize("call", [migrate, check])
def test_a_changed_file_is_refused(dsn: str, empty_name: str, source: Path, call: Any) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / "0001_first.sql").write_text(FIRST + "-- harmless?")
    with pytest.raises(MigrationChanged, match="0001_first"):
        asyncio.run(call(dsn, empty_name, source=source))


@pytest.mark.parametrize("call", [migrate, check])
def test_a_schema_newer_than_the_code_is_refused(dsn: str, empty_name: str, source: Path, call: Any) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / "0002_second.sql").unlink()
    with pytest.raises(SchemaTooNew, match="at version 2 and this code knows 1"):
        asyncio.run(call(dsn, empty_name, source=source))


def test_check_says_nothing_about_an_up_to_date_schema(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    asyncio.run(check(dsn, empty_name, source=source))


def test_check_of_a_missing_schema_names_the_command(dsn: str, empty_name: str, source: Path) -> None:
    with pytest.raises(SchemaBehind, match="run continuum migrate"):
        asyncio.run(check(dsn, empty_name, source=source))
    assert rows(dsn, "select to_regnamespace('{schema}')", empty_name) == [(None,)]


def test_check_of_a_missing_schema_names_those_that_are_there(
    dsn: str, empty_name: str, source: Path
) -> None:
    with unused_schema(dsn) as there:
        asyncio.run(migrate(dsn, there, source=source))
        with pytest.raises(SchemaBehind, match=rf"no schema {empty_name}, but has .*{there}"):
            asyncio.run(check(dsn, empty_name, source=source))


def test_check_of_an_older_schema_names_both_versions(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / "0003_third.sql").write_text("select 1;")
    with pytest.raises(SchemaBehind, match=r"at version 2 and this code needs 3; run continuum migrate"):
        asyncio.run(check(dsn, empty_name, source=source))


@pytest.mark.parametrize("name", ["", "Mixed", "1st", 'x"; drop', "a" * 64, "pg_mine", "new\n"])
def test_a_name_that_cannot_be_a_schema_is_refused_before_connecting(name: str, source: Path) -> None:
    with pytest.raises(InvalidSchemaName):
        asyncio.run(migrate("host=/nonexistent", name, source=source))


def test_a_server_that_is_too_old_is_refused(
    dsn: str, empty_name: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "OLDEST_SERVER", 99)
    with pytest.raises(ServerTooOld, match="use a server of version 99 or newer"):
        asyncio.run(migrate(dsn, empty_name, source=source))


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_callers_own_connection_is_used_and_left_idle(
    dsn: str, empty_name: str, source: Path, autocommit: bool
) -> None:
    async def main() -> list[int]:
        async with await AsyncConnection.connect(dsn, autocommit=autocommit) as connection:
            applied = await migrate(connection, empty_name, source=source)
            await check(connection, empty_name, source=source)
            return applied

    assert asyncio.run(main()) == [1, 2]
    assert rows(dsn, "select count(*) from {schema}.migrations", empty_name) == [(2,)]


def test_a_connection_inside_a_transaction_is_refused(dsn: str, empty_name: str, source: Path) -> None:
    async def main() -> None:
        async with await AsyncConnection.connect(dsn) as connection:
            await connection.execute("select 1")
            await migrate(connection, empty_name, source=source)

    with pytest.raises(MigrationError, match="commit it, or give a DSN"):
        asyncio.run(main())


def test_an_existing_schema_needs_no_right_to_create_one(dsn: str, empty_name: str, source: Path) -> None:
    role = f"role_{empty_name}"

    async def main() -> list[int]:
        async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(SQL("set role {}").format(Identifier(role)))
            return await migrate(connection, empty_name, source=source)

    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(SQL("create role {}").format(Identifier(role)))
        try:
            admin.execute(
                SQL("create schema {} authorization {}").format(Identifier(empty_name), Identifier(role))
            )
            assert asyncio.run(main()) == [1, 2]
        finally:
            admin.execute(SQL("drop owned by {}").format(Identifier(role)))
            admin.execute(SQL("drop role {}").format(Identifier(role)))


def test_runs_that_lived_before_there_were_families_go_on(dsn: str, empty_name: str, tmp_path: Path) -> None:
    """A schema of the second version, with runs in every state, brought up to this code."""
    for migration in read_migrations()[:2]:
        (tmp_path / f"{migration.version:04}_{migration.name}.sql").write_text(migration.sql)
    assert asyncio.run(migrate(dsn, empty_name, source=tmp_path)) == [1, 2]
    ids = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(6)]
    owned, fresh, due, waiting, blocked, ended = (RunId(each) for each in ids)
    with psycopg.connect(dsn) as old:

        def execute(statement: LiteralString, *parameters: object) -> None:
            old.execute(SQL(statement).format(schema=Identifier(empty_name)), parameters)

        execute(
            "insert into {schema}.workers (node, role, pid, expires_at) "
            "values ('north', 'run_host', 1, now() + interval '1 hour')"
        )
        for run_id, state, version in zip(
            ids, (1, 1, 2, 2, 3, 4), ("1", None, "1", "1", "1", "1"), strict=True
        ):
            execute(
                "insert into {schema}.runs (id, workflow, namespace, input, state, version) "
                "values (%s, 'orders', 'default', '', %s, %s)",
                run_id,
                state,
                version,
            )
        execute(
            "update {schema}.runs set owner = 1, token = nextval('{schema}.fencing_token') where id = %s",
            owned,
        )
        execute("update {schema}.runs set due_at = now() where id = any (%s::uuid[])", [fresh, due])
        execute(
            "insert into {schema}.events (run_id, seq, type, at, payload) values (%s, 0, 9, now(), %s)",
            owned,
            pack_body(("before",)),
        )
        execute(
            "insert into {schema}.inbox (run_id, kind, name, payload) values (%s, 1, 'review', %s)",
            owned,
            pack_body((b"yes",)),
        )
    assert asyncio.run(migrate(dsn, empty_name))[0] == 3

    async def go_on(journal: PostgresJournal) -> None:
        owner = Worker(WorkerId(1), NodeId("north"))
        (mail,) = await journal.inbox(owner, None)
        assert mail.body == (b"yes",)
        write = RunWrite(owned, 1, [Event(1, EventType.SIDE_EFFECT, journal.now(), ("after",))], [mail.id])
        assert (await journal.commit(owner, 1, [write])).rejected == frozenset()
        assert [event.body for event in (await journal.load([owned]))[owned]] == [("before",), ("after",)]

        heir = await journal.register_worker(NodeId("south"), "run_host", 2, 60.0)
        claimed = await journal.claim(heir, [Loaded("orders", "1")], 10)
        assert {(run.id, run.version, run.parent, run.depth, run.root) for run in claimed} == {
            (fresh, "1", None, 0, fresh),
            (due, "1", None, 0, due),
        }
        assert await journal.post([Post(waiting, InboxKind.SIGNAL, "review", (b"v",), "d")]) == [
            Posted.ACCEPTED
        ]
        assert await journal.unblock(["orders"]) == 1
        again = await journal.claim(heir, [Loaded("orders", "1")], 10)
        assert {run.id for run in again} == {waiting, blocked}
        assert await journal.force_cancel(owned) is Posted.ACCEPTED
        assert await journal.force_cancel(ended) is Posted.TERMINAL
        assert [row.open_runs for row in await journal.versions()] == [4]

    async def main() -> None:
        journal = PostgresJournal(dsn, schema=empty_name)
        await journal.open()
        try:
            await go_on(journal)
        finally:
            await journal.close()

    asyncio.run(main())
