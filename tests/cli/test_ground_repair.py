"""`continuum repair` of indexes and functions: each command of a finding mends it as it is printed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from continuum.errors import InvalidOption, NotRepairable
from continuum.journal.index_mends import IndexFacts
from continuum.operations.index_repair import expected_index, plan_index
from continuum_migrations import expected_objects
from tests.cli import shop
from tests.cli.commands import CommandLine
from tests.cli.test_repair import fix
from tests.process.node.nodes import eventually

KEY = "index {name} on {s}.runs (namespace, workflow, idempotency_key) where idempotency_key is not null"
ROW = (
    "insert into {s}.runs (id, workflow, namespace, input, idempotency_key) "
    "values (gen_random_uuid(), 'w', 'n', '', 'k')"
)
# A build that duplicates stop leaves an index that is not valid.
INVALID_KEYS = (
    "drop index {s}.runs_idempotency",
    ROW,
    ROW,
    "create unique " + KEY.replace("index", "index concurrently").replace("{name}", "runs_idempotency"),
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at a terminal."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


def sql(dsn: str, schema: str, *statements: str) -> list[Any]:
    """Run statements, each by itself, and return the rows of the last; duplicates stop one alone."""
    rows: list[Any] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            try:
                cursor = connection.execute(statement.replace("{s}", schema).encode())
            except psycopg.errors.UniqueViolation:
                continue
            rows = cursor.fetchall() if cursor.description else []
    return rows


def findings(cli: CommandLine) -> list[tuple[str, str, list[str]]]:
    """Return code, subject and commands of what `doctor` finds about the schema."""
    found = cli("doctor", "--json").json
    ours = ("index-missing", "index-invalid", "function-missing", "table-missing")
    return [(each["code"], each["subject"], each["fixes"]) for each in found if each["code"] in ours]


def definitions(dsn: str, schema: str) -> list[Any]:
    """Return each index of the schema as the server describes it."""
    return sql(
        dsn,
        schema,
        "select i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisprimary, i.indisvalid "
        "from pg_index i where i.indrelid in "
        "(select oid from pg_class where relnamespace = '{s}'::regnamespace) order by 2",
    )


def recorded(cli: CommandLine) -> list[tuple[str, str]]:
    """Return subject and outcome of the repairs on record, the first one first."""
    entries = cli("audit", "list", "--action", "repair", "--json", "--limit", "200").json["entries"]
    return [(row["subject"], row["outcome"]) for row in entries[::-1]]


def test_every_index_of_the_schema_is_made_again_as_it_was(cli: CommandLine, dsn: str, schema: str) -> None:
    before = definitions(dsn, schema)
    for index in expected_objects().indexes.values():
        drop = f"alter table {{s}}.{index.table} drop constraint" if index.primary else "drop index"
        sql(dsn, schema, f"{drop} {'' if index.primary else '{s}.'}{index.name}")
    found = findings(cli)
    assert {(code, name) for code, name, _ in found} == {
        ("index-missing", name) for name in expected_objects().indexes
    }
    for _, name, (command,) in found:
        done = fix(cli, command, "--yes")
        assert (done.code, done.out.splitlines()[-1]) == (0, f"done: index-missing of {name} is mended"), done
    assert findings(cli) == []
    assert definitions(dsn, schema) == before


def test_a_repair_shows_its_statement_asks_and_is_on_record(cli: CommandLine, dsn: str, schema: str) -> None:
    sql(dsn, schema, "drop index {s}.runs_owner")
    ((_, _, (command,)),) = findings(cli)
    before = definitions(dsn, schema)
    preview = fix(cli, command)
    assert (preview.code, "nobody confirmed it" in preview.err) == (1, True), preview
    assert preview.out.splitlines() == [
        "index-missing  runs_owner  index runs_owner of table runs is missing",
        f'    - CREATE INDEX CONCURRENTLY "runs_owner" ON "{schema}"."runs" (owner) WHERE owner IS NOT NULL;',
    ]
    assert (definitions(dsn, schema), recorded(cli)) == (before, [])

    done = fix(cli, command, "--yes", "--json", "--by", "ann")
    assert (done.code, done.json["outcome"]) == (0, "done")
    again = fix(cli, command, "--yes", "--json", "--by", "ann")
    assert (again.code, again.json["outcome"]) == (0, "already")
    assert again.json.keys() == done.json.keys()
    assert recorded(cli) == [("runs_owner", each) for each in ("begun", "done", "already")]
    (row, *_) = cli("audit", "list", "--json", "--limit", "1").json["entries"]
    assert (row["actor"], row["arguments"]["code"]) == ("ann", "index-missing")


def test_an_invalid_index_is_rebuilt(cli: CommandLine, dsn: str, schema: str) -> None:
    before = definitions(dsn, schema)
    sql(dsn, schema, *INVALID_KEYS, "delete from {s}.runs")
    ((code, name, (command,)),) = findings(cli)
    assert (code, name) == ("index-invalid", "runs_idempotency")
    assert fix(cli, command, "--yes").code == 0
    assert (findings(cli), definitions(dsn, schema)) == ([], before)


def test_duplicates_stop_a_rebuild_and_what_it_leaves_behind_is_dropped(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    sql(dsn, schema, *INVALID_KEYS)
    ((_, _, (command,)),) = findings(cli)
    refused = fix(cli, command, "--yes")
    assert (refused.code, len(refused.err.splitlines())) == (1, 1), refused
    assert "several rows have the same key" in refused.err
    assert recorded(cli) == [("runs_idempotency", "begun"), ("runs_idempotency", "failed")]
    assert cli("verify", "--json").json[0]["rule"] == "key-twice"

    sql(dsn, schema, "delete from {s}.runs")
    commands = {name: command for _, name, (command,) in findings(cli)}
    assert commands.keys() == {"runs_idempotency", "runs_idempotency_ccnew"}
    for command in commands.values():
        assert fix(cli, command, "--yes").code == 0
    assert findings(cli) == []


def test_duplicates_stop_a_build(cli: CommandLine, dsn: str, schema: str) -> None:
    sql(dsn, schema, *INVALID_KEYS[:-1])
    refused = cli("repair", "index_missing", "runs_idempotency", "--yes")
    assert (refused.code, "several rows have the same key" in refused.err) == (1, True), refused
    assert [code for code, _, _ in findings(cli)] == ["index-invalid"]
    assert cli("repair", "index-missing", "runs_idempotency", "--yes").out.startswith("already")


def test_a_key_that_was_built_and_is_not_the_primary_key_becomes_it(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    before = definitions(dsn, schema)
    sql(
        dsn,
        schema,
        "alter table {s}.suspects drop constraint suspects_pkey",
        "create unique index suspects_pkey on {s}.suspects (run_id, seq)",
    )
    ((_, _, (command,)),) = findings(cli)
    assert fix(cli, command, "--yes").code == 0
    assert (findings(cli), definitions(dsn, schema)) == ([], before)


class Terminal(io.StringIO):
    """A terminal at which something happens before the answer."""

    def __init__(self, dsn: str, schema: str, *meanwhile: str) -> None:
        super().__init__()
        self._meanwhile = (dsn, schema, *meanwhile)

    def isatty(self) -> bool:
        return True

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        sql(*self._meanwhile)
        return "y\n"


def test_another_index_than_the_one_that_was_shown_is_left_alone(
    cli: CommandLine, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(dsn, schema, *INVALID_KEYS)
    monkeypatch.setattr("sys.stdin", Terminal(dsn, schema, INVALID_KEYS[0], INVALID_KEYS[-1]))
    done = cli("repair", "index-invalid", "runs_idempotency")
    assert (done.code, "stale" in done.err) == (1, True), done
    assert recorded(cli) == [("runs_idempotency", "stale")]


def test_an_index_that_somebody_made_before_the_answer_is_there_already(
    cli: CommandLine, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = "create index runs_owner on {s}.runs (owner) where owner is not null"
    sql(dsn, schema, "drop index {s}.runs_owner")
    monkeypatch.setattr("sys.stdin", Terminal(dsn, schema, made))
    done = cli("repair", "index-missing", "runs_owner")
    assert (done.code, "already" in done.out) == (0, True), done
    assert recorded(cli) == [("runs_owner", "already")]


def test_a_repair_that_is_killed_is_on_record_as_begun_and_another_one_ends_it(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    sql(dsn, schema, "drop index {s}.runs_owner")
    building = "select pid from pg_stat_progress_create_index where datname = current_database()"
    with psycopg.connect(dsn) as writer:
        # The build waits for this transaction.
        writer.execute(ROW.replace("{s}", schema).encode())
        command = [sys.executable, "-m", "continuum.cli", "repair", "index-missing", "runs_owner", "--yes"]
        process = subprocess.Popen([*command, *cli.options], env={**os.environ})
        eventually(lambda: bool(sql(dsn, schema, building)), "it does not build")
        assert recorded(cli) == [("runs_owner", "begun")]
        process.send_signal(signal.SIGKILL)
        process.wait()
        sql(dsn, schema, f"select pg_terminate_backend(({building}))")
        eventually(lambda: not sql(dsn, schema, building), "it still builds")
        writer.rollback()
    assert recorded(cli) == [("runs_owner", "begun")]
    ((code, _, (fixing,)),) = findings(cli)
    assert code == "index-invalid"
    assert fix(cli, fixing, "--yes").code == 0
    assert findings(cli) == []
    assert recorded(cli)[1:] == [("runs_owner", "begun"), ("runs_owner", "done")]


def test_a_role_that_does_not_own_the_table_is_refused_before_anything_is_written(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    role = f"reader_{uuid4().hex[:6]}"
    sql(
        dsn,
        schema,
        "drop index {s}.runs_owner",
        f"create role {role} login",
        f"grant usage on schema {{s}} to {role}",
        f"grant select, insert, update, delete on all tables in schema {{s}} to {role}",
    )
    try:
        here = ("--yes", "--dsn", make_conninfo(dsn, user=role), "--schema", schema)
        refused = cli.bare("repair", "index-missing", "runs_owner", *here)
        assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1)
        assert f"role {role} does not own table runs; repair it as " in refused.err
        assert recorded(cli) == []
    finally:
        sql(dsn, schema, f"drop owned by {role}", f"drop role {role}")


@pytest.mark.parametrize(
    ("code", "name", "said"),
    [
        ("index-missing", "runs_owners", "did you mean runs_owner?"),
        ("index-missing", "runs_owner_ccnew", "is no index of this release's schema"),
        ("index-invalid", 'x"; drop table runs; --', "is no index of this release's schema"),
        ("function-missing", "odd_row", "did you mean odd_rows?"),
        ("function-missing", "$(rm)", "is no function of this release's schema"),
    ],
)
def test_other_names_are_refused(cli: CommandLine, code: str, name: str, said: str) -> None:
    refused = cli("repair", code, name, "--yes")
    assert (refused.code, refused.out, said in refused.err) == (1, "", True), refused
    assert recorded(cli) == []


def test_a_server_that_damages_such_indexes_is_updated_first() -> None:
    index = expected_objects().indexes["runs_owner"]
    with pytest.raises(NotRepairable, match=r"Postgres 14\.3 damages indexes"):
        plan_index("index-missing", index.name, index, IndexFacts(140_003, "r", "r", True))
    with pytest.raises(NotRepairable, match="restore it from a backup"):
        plan_index("index-missing", index.name, index, IndexFacts(150_003, "r", None, False))
    with pytest.raises(InvalidOption):
        expected_index("index-invalid", "left_ccnew", expected_objects().indexes)


def test_a_table_that_is_missing_is_one_finding(cli: CommandLine, dsn: str, schema: str) -> None:
    sql(dsn, schema, "drop table {s}.heartbeats")
    assert findings(cli) == [("table-missing", "heartbeats", [])]
    refused = cli("repair", "index-missing", "heartbeats_pkey", "--yes")
    assert (refused.code, "restore it from a backup" in refused.err) == (1, True)


def functions(dsn: str, schema: str) -> list[Any]:
    """Return the functions of the schema."""
    return sql(
        dsn,
        schema,
        "select pg_get_functiondef(oid) from pg_proc where pronamespace = '{s}'::regnamespace order by 1",
    )


def test_missing_functions_are_created_again_in_one_transaction(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    before = functions(dsn, schema)
    # Among them the one that keeps the record.
    lost = ("odd_rows", "record_change", "is_moment")
    sql(dsn, schema, *(f"drop function {{s}}.{name} cascade" for name in lost))
    found = findings(cli)
    assert len(found) == 3
    (first, *others) = [command for _, _, (command,) in found]
    preview = fix(cli, first)
    assert (preview.code, preview.out.count(" is missing\n")) == (1, 3), preview
    assert fix(cli, first, "--yes").code == 0
    assert (findings(cli), functions(dsn, schema)) == ([], before)
    assert all("already" in fix(cli, command, "--yes").out for command in others)
    assert [outcome for _, outcome in recorded(cli)] == ["done", "already", "already"]


def test_another_function_that_gets_lost_before_the_answer_stops_the_repair(
    cli: CommandLine, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose = "drop function {s}.is_moment cascade"
    sql(dsn, schema, "drop function {s}.odd_rows")
    monkeypatch.setattr("sys.stdin", Terminal(dsn, schema, lose))
    done = cli("repair", "function-missing", "odd_rows")
    assert (done.code, "stale" in done.err) == (1, True), done
    assert cli("migrate").code == 0
    assert recorded(cli) == [("odd_rows", "stale")]


def test_a_migration_creates_lost_functions_again_and_every_command_names_it(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    before = functions(dsn, schema)
    sql(dsn, schema, "drop function {s}.any_pause cascade", "drop function {s}.is_moment cascade")
    sql(dsn, schema, "drop index {s}.runs_owner")
    for command in (
        "runs list",
        "health",
        "verify",
        "pauses",
        "operations list",
        f"run-node {shop.__name__}",
    ):
        told = cli(*command.split())
        said = told.out + told.err
        assert told.code == 1, command
        assert f"any_pause, is_moment; run `continuum migrate --schema {schema}`" in said, command
    (finding,) = cli("health", "--json").json
    assert finding["fixes"] == [f"continuum migrate --schema {schema}"]

    done = cli("migrate", "--by", "ann")
    mend = f"continuum repair index-missing runs_owner --schema {schema}"
    assert done.out.splitlines() == [
        f"schema {schema}: created again functions any_pause, is_moment, which were lost",
        f"schema {schema}: index runs_owner is lost, and a migration builds none again: {mend}",
    ]
    assert functions(dsn, schema) == before
    (row,) = cli("audit", "list", "--action", "migrate", "--json").json["entries"]
    assert row["actor"] == "ann"
    assert "functions/pauses.sql" in row["arguments"]["files"]
    assert fix(cli, mend, "--yes").code == 0
    assert cli("migrate").out == f"schema {schema}: up to date\n"


def test_a_lost_column_is_no_reason_to_migrate_again_and_again(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    sql(dsn, schema, "alter table {s}.runs drop column for_nothing cascade")
    (finding,) = cli("health", "--json").json
    assert finding["code"] == "schema"
    assert "has lost column runs.for_nothing; `continuum doctor" in finding["sentence"]
