"""The runner against a real server: once, in order, however many start together."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from continuum.engine.ids import NodeId
from continuum.errors import InvalidOption
from continuum.journal.port import Loaded, RunWrite, Topic
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.statements import statements_for
from continuum_migrations import (
    InvalidSchemaName,
    MigrationChanged,
    MigrationError,
    NodesAlive,
    NotOurSchema,
    OldLayout,
    SchemaBehind,
    SchemaTooNew,
    ServerTooOld,
    check,
    drop,
    migrate,
    runner,
    runs_to_drop,
)
from continuum_migrations.files import read_files
from tests.contract.builders import event, new_run
from tests.postgres_server import unused_schema

FIRST = "create table {schema}.first (id int primary key, extra jsonb default '{}');"
SECOND = "create table {schema}.second (id int); insert into {schema}.second values (1); select 100 % 7;"
FIRST_FILE, SECOND_FILE = "tables/0001_first.sql", "tables/0002_second.sql"
ONE_FILE, TWO_FILE = "functions/one.sql", "functions/two.sql"
ALL_FILES = [FIRST_FILE, SECOND_FILE, ONE_FILE, TWO_FILE]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with two files of tables and two of functions."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "functions").mkdir()
    (tmp_path / FIRST_FILE).write_text(FIRST)
    (tmp_path / SECOND_FILE).write_text(SECOND)
    (tmp_path / ONE_FILE).write_text(function("one", 1))
    (tmp_path / TWO_FILE).write_text(function("two", 2))
    return tmp_path


def function(name: str, value: int) -> str:
    return f"CREATE OR REPLACE FUNCTION {{schema}}.{name}() RETURNS int LANGUAGE sql AS 'select {value}';"


def rows(dsn: str, statement: Any, schema: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(SQL(statement).format(schema=Identifier(schema))).fetchall()


def test_every_file_is_applied_in_order(dsn: str, empty_name: str, source: Path) -> None:
    assert asyncio.run(migrate(dsn, empty_name, source=source)) == ALL_FILES
    assert rows(dsn, "select id from {schema}.second", empty_name) == [(1,)]


def test_a_second_call_applies_nothing(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    assert asyncio.run(migrate(dsn, empty_name, source=source)) == []


def test_a_new_file_is_applied_alone(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / "tables/0003_third.sql").write_text("create table {schema}.third ();")
    assert asyncio.run(migrate(dsn, empty_name, source=source)) == ["tables/0003_third.sql"]


def test_a_changed_file_of_functions_is_applied_again_as_a_whole(
    dsn: str, empty_name: str, source: Path
) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / ONE_FILE).write_text(function("one", 11) + function("another", 12))
    with pytest.raises(
        SchemaBehind, match=r"lacks functions/one\.sql of this code; run continuum migrate --schema test_"
    ):
        asyncio.run(check(dsn, empty_name, source=source))
    assert asyncio.run(migrate(dsn, empty_name, source=source)) == [ONE_FILE]
    asyncio.run(check(dsn, empty_name, source=source))
    values = rows(dsn, "select {schema}.one(), {schema}.another(), {schema}.two()", empty_name)
    assert values == [(11, 12, 2)]


@pytest.mark.parametrize("call", [migrate, check])
def test_code_whose_functions_were_replaced_changes_nothing(
    dsn: str, empty_name: str, source: Path, call: Any
) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / ONE_FILE).write_text(function("one", 11))
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / ONE_FILE).write_text(function("one", 1))
    with pytest.raises(SchemaTooNew, match=r"has a newer functions/one\.sql than this code; run a release"):
        asyncio.run(call(dsn, empty_name, source=source))
    assert rows(dsn, "select {schema}.one()", empty_name) == [(11,)]


def test_functions_of_newer_code_stay(dsn: str, empty_name: str, source: Path) -> None:
    (source / "functions/three.sql").write_text(function("three", 3))
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / "functions/three.sql").unlink()
    asyncio.run(check(dsn, empty_name, source=source))
    assert rows(dsn, "select {schema}.three()", empty_name) == [(3,)]


def test_changed_functions_that_fail_leave_the_earlier_ones(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / ONE_FILE).write_text(function("one", 11))
    (source / TWO_FILE).write_text("select 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        asyncio.run(migrate(dsn, empty_name, source=source))
    assert rows(dsn, "select {schema}.one(), {schema}.two()", empty_name) == [(1, 2)]


def test_applied_files_are_recorded_with_their_checksums(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    ledger = rows(dsn, "select file, length(checksum) from {schema}.migrations order by id", empty_name)
    assert ledger == [(file, 64) for file in ALL_FILES]


def test_nodes_that_start_together_apply_each_file_once(dsn: str, empty_name: str, source: Path) -> None:
    async def main() -> list[list[str]]:
        return await asyncio.gather(*(migrate(dsn, empty_name, source=source) for _ in range(8)))

    applied = asyncio.run(main())
    assert sorted(file for each in applied for file in each) == sorted(ALL_FILES)


def test_nodes_that_start_together_replace_changed_functions_once(
    dsn: str, empty_name: str, source: Path
) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / ONE_FILE).write_text(function("one", 11))

    async def main() -> list[list[str]]:
        return await asyncio.gather(*(migrate(dsn, empty_name, source=source) for _ in range(8)))

    assert sorted(asyncio.run(main())) == [*([[]] * 7), [ONE_FILE]]
    assert rows(dsn, "select count(*) from {schema}.migrations", empty_name) == [(5,)]


def test_a_failing_migration_leaves_those_before_it_and_nothing_of_itself(
    dsn: str, empty_name: str, source: Path
) -> None:
    (source / SECOND_FILE).write_text("create table {schema}.half (); select 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        asyncio.run(migrate(dsn, empty_name, source=source))
    assert rows(dsn, "select file from {schema}.migrations", empty_name) == [(FIRST_FILE,)]
    assert rows(dsn, "select to_regclass('{schema}.half')", empty_name) == [(None,)]


@pytest.mark.parametrize("call", [migrate, check])
def test_a_changed_file_of_tables_is_refused(dsn: str, empty_name: str, source: Path, call: Any) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / FIRST_FILE).write_text(FIRST + "-- harmless?")
    with pytest.raises(MigrationChanged, match="0001_first"):
        asyncio.run(call(dsn, empty_name, source=source))


def test_a_renamed_file_of_tables_is_refused(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / SECOND_FILE).rename(source / "tables/0002_renamed.sql")
    with pytest.raises(MigrationChanged, match="0002_renamed"):
        asyncio.run(migrate(dsn, empty_name, source=source))


@pytest.mark.parametrize("call", [migrate, check])
def test_a_schema_newer_than_the_code_is_refused(dsn: str, empty_name: str, source: Path, call: Any) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / SECOND_FILE).unlink()
    with pytest.raises(SchemaTooNew, match=r"has tables/0002_second\.sql, which this code does not know"):
        asyncio.run(call(dsn, empty_name, source=source))


def test_check_passes_for_an_up_to_date_schema(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    asyncio.run(check(dsn, empty_name, source=source))


def test_check_of_a_missing_schema_names_the_command(dsn: str, empty_name: str, source: Path) -> None:
    with pytest.raises(SchemaBehind, match="run continuum migrate"):
        asyncio.run(check(dsn, empty_name, source=source))
    assert rows(dsn, "select to_regnamespace('{schema}')", empty_name) == [(None,)]


def test_check_of_a_missing_schema_names_existing_schemas(dsn: str, empty_name: str, source: Path) -> None:
    with unused_schema(dsn) as there:
        asyncio.run(migrate(dsn, there, source=source))
        with pytest.raises(SchemaBehind, match=rf"no schema {empty_name}, but has .*{there}"):
            asyncio.run(check(dsn, empty_name, source=source))


def test_check_of_an_older_schema_names_what_it_lacks(dsn: str, empty_name: str, source: Path) -> None:
    asyncio.run(migrate(dsn, empty_name, source=source))
    (source / "tables/0003_third.sql").write_text("select 1;")
    with pytest.raises(SchemaBehind, match=r"lacks tables/0003_third\.sql of this code; run"):
        asyncio.run(check(dsn, empty_name, source=source))


@pytest.mark.parametrize("name", ["", "Mixed", "1st", 'x"; drop', "a" * 42, "pg_mine", "new\n"])
def test_a_name_that_cannot_be_a_schema_is_refused_before_connecting(name: str, source: Path) -> None:
    with pytest.raises(InvalidSchemaName):
        asyncio.run(migrate("host=/nonexistent", name, source=source))
    if not name.startswith("pg_"):
        with pytest.raises(InvalidOption):
            PostgresJournal("host=/nonexistent", schema=name)


def test_the_longest_name_has_room_for_every_topic(dsn: str) -> None:
    longest = "longest_".ljust(41, "x")
    try:
        asyncio.run(migrate(dsn, longest))
        for topic in Topic:
            name = topic.name.lower()
            channel = statements_for(longest).channel(name)
            execute(dsn, f"select {{schema}}.notify('{name}', array['a'])", longest)
            assert len(channel.encode()) < 64
    finally:
        asyncio.run(drop(dsn, longest))


def test_a_server_that_is_too_old_is_refused(
    dsn: str, empty_name: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "OLDEST_SERVER", 99)
    with pytest.raises(ServerTooOld, match="use a server of version 99 or newer"):
        asyncio.run(migrate(dsn, empty_name, source=source))


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_given_connection_is_used_and_left_idle(
    dsn: str, empty_name: str, source: Path, autocommit: bool
) -> None:
    async def main() -> list[str]:
        async with await AsyncConnection.connect(dsn, autocommit=autocommit) as connection:
            applied = await migrate(connection, empty_name, source=source)
            await check(connection, empty_name, source=source)
            return applied

    assert asyncio.run(main()) == ALL_FILES
    assert rows(dsn, "select count(*) from {schema}.migrations", empty_name) == [(4,)]


def test_a_connection_inside_a_transaction_is_refused(dsn: str, empty_name: str, source: Path) -> None:
    async def main() -> None:
        async with await AsyncConnection.connect(dsn) as connection:
            await connection.execute("select 1")
            await migrate(connection, empty_name, source=source)

    with pytest.raises(MigrationError, match="commit it, or give a DSN"):
        asyncio.run(main())


def test_an_existing_schema_needs_no_right_to_create_one(dsn: str, empty_name: str, source: Path) -> None:
    role = f"role_{empty_name}"

    async def main() -> list[str]:
        async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(SQL("set role {}").format(Identifier(role)))
            return await migrate(connection, empty_name, source=source)

    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(SQL("create role {}").format(Identifier(role)))
        try:
            admin.execute(
                SQL("create schema {} authorization {}").format(Identifier(empty_name), Identifier(role))
            )
            assert asyncio.run(main()) == ALL_FILES
        finally:
            admin.execute(SQL("drop owned by {}").format(Identifier(role)))
            admin.execute(SQL("drop role {}").format(Identifier(role)))


FUNCTION = "create function {schema}.total() returns int language sql as 'select 1'"
OLD_LEDGER = (
    "create schema {schema}; create table {schema}.migrations (version int primary key, name text not null, "
    "checksum text not null, applied_at timestamptz not null default now()); "
    "insert into {schema}.migrations values (1, 'initial', 'a'), (2, 'snapshots', 'b')"
)


def execute(dsn: str, statements: Any, schema: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL(statements).format(schema=Identifier(schema)))


@pytest.mark.parametrize("call", [migrate, check])
def test_the_old_layout_is_refused_in_one_line(dsn: str, empty_name: str, source: Path, call: Any) -> None:
    execute(dsn, OLD_LEDGER, empty_name)
    todo = f"cannot be migrated; run continuum migrate --schema {empty_name} --fresh to drop it"
    with pytest.raises(OldLayout, match=todo):
        asyncio.run(call(dsn, empty_name, source=source))


def test_an_old_layout_is_dropped(dsn: str, empty_name: str, source: Path) -> None:
    execute(dsn, OLD_LEDGER, empty_name)
    assert asyncio.run(runs_to_drop(dsn, empty_name)) == 0
    asyncio.run(drop(dsn, empty_name))
    assert asyncio.run(migrate(dsn, empty_name, source=source)) == ALL_FILES


@pytest.mark.parametrize("made", ["create table {schema}.orders ()", FUNCTION])
def test_a_schema_that_is_not_ours_is_not_dropped(dsn: str, empty_name: str, made: str) -> None:
    execute(dsn, f"create schema {{schema}}; {made}", empty_name)
    for call in (drop, runs_to_drop):
        with pytest.raises(NotOurSchema, match="was not made by continuum migrate"):
            asyncio.run(call(dsn, empty_name))


OTHER_LEDGER = (
    "create schema {schema}; create table {schema}.migrations (level int primary key, checksum text); "
    "create table {schema}.orders ()"
)


def test_a_ledger_of_another_program_is_no_schema_of_ours(dsn: str, empty_name: str) -> None:
    execute(dsn, OTHER_LEDGER, empty_name)
    with pytest.raises(NotOurSchema, match="was not made by continuum migrate"):
        asyncio.run(drop(dsn, empty_name))
    for call in (migrate, check):
        with pytest.raises(NotOurSchema, match="a table migrations of another program"):
            asyncio.run(call(dsn, empty_name))
    assert rows(dsn, "select level from {schema}.migrations", empty_name) == []


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("create table {schema}.notes ()", "{schema}.notes"),
        ("create view {schema}.open_runs as select id from {schema}.runs", "{schema}.open_runs"),
        ("create view {other}.open_runs as select id from {schema}.runs", "{other}.open_runs"),
        ("create table {other}.notes (run uuid references {schema}.runs)", "{other}.notes"),
    ],
)
def test_a_drop_takes_nothing_of_others_along(dsn: str, schema: str, made: str, named: str) -> None:
    with unused_schema(dsn) as other:
        execute(dsn, f"create schema {other}", schema)
        execute(dsn, made.replace("{other}", other), schema)
        with pytest.raises(NotOurSchema) as refused:
            asyncio.run(drop(dsn, schema))
        named = named.replace("{schema}", schema).replace("{other}", other)
        assert f"would take along {named}, which" in str(refused.value)
        assert rows(dsn, "select id from {schema}.runs", schema) == []


def test_a_connection_whose_rows_are_mappings_serves_as_well(dsn: str, schema: str, empty_name: str) -> None:
    async def main() -> list[str]:
        async with await AsyncConnection.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
            with pytest.raises(SchemaBehind, match=f"has no schema {empty_name}, but has"):
                await check(connection, empty_name)
            await check(connection, schema)
            await drop(connection, schema)
            return await migrate(connection, schema)

    assert "tables/0001_initial.sql" in asyncio.run(main())


@pytest.mark.parametrize("statements", ["select 1", "create schema {schema}"])
def test_a_missing_or_empty_schema_needs_no_drop(
    dsn: str, empty_name: str, source: Path, statements: str
) -> None:
    execute(dsn, statements, empty_name)
    assert asyncio.run(runs_to_drop(dsn, empty_name)) is None
    asyncio.run(drop(dsn, empty_name))
    assert asyncio.run(migrate(dsn, empty_name, source=source)) == ALL_FILES


def test_a_schema_that_a_node_uses_is_not_dropped(dsn: str, schema: str) -> None:
    async def main() -> None:
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        try:
            worker = await journal.register_worker(NodeId("north"), "run_host", 1, 60.0)
            with pytest.raises(NodesAlive, match="is in use by north; stop these nodes"):
                await drop(dsn, schema)
            with pytest.raises(NodesAlive, match="is in use by north"):
                await runs_to_drop(dsn, schema)
            await journal.retire_worker(worker.id, executing=None, poison_after=3)
            await journal.register_worker(NodeId("south"), "run_host", 1, 0.0)
            await drop(dsn, schema)
        finally:
            await journal.close()

    asyncio.run(main())
    assert rows(dsn, "select to_regnamespace('{schema}')", schema) == [(None,)]


def test_runs_that_continued_as_new_before_the_state_had_a_name_get_it(
    dsn: str, empty_name: str, tmp_path: Path
) -> None:
    (tmp_path / "tables").mkdir()
    for file in read_files().tables:
        if "continued" in file.name:
            break
        (tmp_path / file.name).write_text(file.sql)

    async def main() -> None:
        await migrate(dsn, empty_name, source=tmp_path)
        insert = (
            "insert into {schema}.runs (id, workflow, namespace, input, state, continued_to)"
            " select gen_random_uuid(), 'w' || n, 'default', '', 4,"
            " case when n = 1 then gen_random_uuid() end from generate_series(1, 2) n returning workflow"
        )
        rows(dsn, insert, empty_name)
        await migrate(dsn, empty_name)

    asyncio.run(main())
    states = rows(dsn, "select workflow, state from {schema}.runs order by 1", empty_name)
    assert states == [("w1", 7), ("w2", 4)]


def test_runs_continue_while_functions_are_replaced(dsn: str, empty_name: str, tmp_path: Path) -> None:
    """The node keeps its connections and prepared statements."""

    def write(remark: str) -> None:
        known = read_files()
        for file in known.tables:
            (tmp_path / file.name).write_text(file.sql)
        for file in known.functions:
            (tmp_path / file.name).write_text(file.sql + remark)

    (tmp_path / "tables").mkdir()
    (tmp_path / "functions").mkdir()
    write("")

    async def main() -> None:
        await migrate(dsn, empty_name, source=tmp_path)
        journal = PostgresJournal(dsn, schema=empty_name)
        await journal.open()
        try:
            worker = await journal.register_worker(NodeId("north"), "run_host", 1, 60.0)
            await journal.start([new_run()])
            (run,) = await journal.claim(worker, [Loaded("orders", "v1")], 10)
            for number in range(20):
                if number == 10:
                    write("\n-- A remark.\n")
                    assert len(await migrate(dsn, empty_name, source=tmp_path)) == len(read_files().functions)
                write_ = RunWrite(run.id, run.token, [event(number)])
                assert (await journal.commit(worker, number + 1, [write_])).rejected == frozenset()
            assert len((await journal.load([run.id]))[run.id]) == 20
        finally:
            await journal.close()

    asyncio.run(main())
