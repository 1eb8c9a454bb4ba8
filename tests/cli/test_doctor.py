"""`continuum doctor` on a real server: each thing that is wrong is named, and its fix mends it."""

from __future__ import annotations

import asyncio
import re
import sys
import time
import zoneinfo
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from continuum.engine.ids import NodeId
from continuum.journal.ground_facts import Ground
from continuum.journal.node_code import NodeCode
from continuum.journal.port import NodeFacts
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.ground import read_ground
from continuum.local_postgres import EmbeddedPostgres
from continuum.node.config import NodeConfig
from continuum.operations.doctor import Limits, diagnose
from continuum.release import release
from continuum_migrations import expected_objects
from tests.cli.changeable_server import changeable_server, restart, run_fixes, run_sql, until_holds
from tests.cli.commands import CommandLine, Outcome, place
from tests.contract.cutting_proxy import CuttingProxy, DeafProxy, cutting_proxy
from tests.postgres.pooler import pgbouncer
from tests.postgres_server import migrated_schema
from tests.process.node import flows
from tests.process.node.nodes import await_ready, launch

RELOAD = "select pg_reload_conf()"
ROW = (
    "insert into {s}.runs (id, workflow, namespace, input, idempotency_key) "
    "values (gen_random_uuid(), 'w', 'n', '', 'k')"
)
KEYS = "on {s}.runs (namespace, workflow, idempotency_key) where idempotency_key is not null"
INVALID_KEYS = (
    "drop index {s}.runs_idempotency",
    ROW,
    ROW,
)

# By code and subject: the statements that break something, which one of them may not be able to finish.
BROKEN: dict[tuple[str, str], tuple[str, ...]] = {
    ("read-only", "default_transaction_read_only"): (
        "alter database postgres set default_transaction_read_only = on",
    ),
    ("fsync-off", "fsync"): ("alter system set fsync = off", RELOAD),
    ("full-page-writes-off", "full_page_writes"): ("alter system set full_page_writes = off", RELOAD),
    ("autovacuum-off", "autovacuum"): ("alter system set autovacuum = off", RELOAD),
    ("autovacuum-off", "track_counts"): ("alter system set track_counts = off", RELOAD),
    ("autovacuum-off", "runs"): ("alter table {s}.runs set (autovacuum_enabled = false)",),
    ("index-missing", "runs_owner"): ("drop index {s}.runs_owner",),
    ("index-missing", "suspects_pkey"): ("alter table {s}.suspects drop constraint suspects_pkey",),
    ("index-invalid", "runs_idempotency"): (
        *INVALID_KEYS,
        f"create unique index concurrently runs_idempotency {KEYS}",
        "delete from {s}.runs",
    ),
    ("function-missing", "odd_rows"): ("drop function {s}.odd_rows(integer)",),
    ("sequence-missing", "fencing_token"): ("drop sequence {s}.fencing_token",),
    ("sequence-missing", "state_change_position"): ("drop sequence {s}.state_change_position cascade",),
    ("view-missing", "runs_readable"): ("drop view {s}.runs_readable",),
    ("prepared-transaction", "left"): (
        "begin",
        "insert into {s}.deliveries values (gen_random_uuid(), 'a', 'b')",
        "prepare transaction 'left'",
    ),
    ("slot", "nobodys"): ("select pg_create_physical_replication_slot('nobodys', true)",),
}


@pytest.fixture(scope="module")
def changeable() -> Iterator[tuple[str, Path]]:
    """A server of our own."""
    with changeable_server() as made:
        yield made


@pytest.fixture(scope="module")
def dsn(changeable: tuple[str, Path]) -> str:
    """The server that `schema` and `cli` use here."""
    return changeable[0]


@pytest.fixture
def schema(dsn: str) -> Iterator[str]:
    """A fresh schema on that server."""
    with migrated_schema(dsn) as name:
        yield name


def found_by(outcome: Outcome) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the findings by code and subject."""
    assert outcome.err == ""
    assert outcome.code == (1 if any(each["severity"] != "note" for each in outcome.json) else 0)
    assert all(re.search("[;:] ", each["sentence"]) for each in outcome.json), "each ends in what to do"
    return {(each["code"], each["subject"]): each for each in outcome.json}


def examined(cli: CommandLine, *options: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Run `doctor`."""
    return found_by(cli("doctor", "--json", *options))


def try_each(dsn: str, schema: str, *statements: str) -> None:
    """Run statements one after the other; one that is refused leaves what it has begun."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            try:
                connection.execute(statement.replace("{s}", schema).encode())
            except psycopg.errors.UniqueViolation:
                continue


def rows_of(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_nothing_is_wrong_where_a_node_runs(cli: CommandLine, dsn: str, schema: str) -> None:
    node = launch(NodeConfig(modules=(flows.__name__,), dsn=dsn, schema=schema, name="north"))
    try:
        await_ready(node)
        assert examined(cli) == {}
        nothing = "nothing is wrong with the server, the schema and this machine"
        assert cli("doctor").out == f"{nothing} ({place(cli)})\n"
    finally:
        node.end()


@pytest.mark.parametrize(("code", "subject"), BROKEN)
def test_each_thing_that_is_wrong_is_found_and_its_fix_mends_it(
    cli: CommandLine,
    dsn: str,
    schema: str,
    code: str,
    subject: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("continuum.cli.doctor.LIMITS", Limits(slot_bytes=0))
    try_each(dsn, schema, *BROKEN[code, subject])
    options = ("--transaction-age", "0") if code == "prepared-transaction" else ()
    until_holds(lambda: (code, subject) in examined(cli, *options))
    found = examined(cli, *options)
    assert found.keys() == {(code, subject)}
    run_fixes(cli, dsn, found[code, subject]["fixes"])
    until_holds(lambda: examined(cli, *options) == {})


def test_a_column_that_is_computed_is_added_again_with_its_indexes(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    definition = (
        "select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d join pg_attribute a "
        f"on a.attrelid = d.adrelid and a.attnum = d.adnum "
        f"where d.adrelid = '{schema}.runs'::regclass and a.attname = 'wakes_at'"
    )
    before = rows_of(dsn, definition)
    try_each(dsn, schema, "alter table {s}.runs drop column wakes_at")
    found = examined(cli)
    assert found.keys() == {("column-missing", "runs.wakes_at"), ("index-missing", "runs_asleep")}
    said = cli("health", "--json").json
    assert [each["code"] for each in said] == ["schema"], "what health asks needs the column"
    assert said[0]["fixes"] == [f"continuum doctor --schema {schema}"]
    for each in found.values():
        run_fixes(cli, dsn, each["fixes"])
    assert examined(cli) == {}
    assert rows_of(dsn, definition) == before


def test_a_column_with_values_of_its_own_comes_from_a_backup(cli: CommandLine, dsn: str, schema: str) -> None:
    try_each(dsn, schema, "alter table {s}.versions drop column label cascade")
    found = examined(cli)
    assert found.keys() == {("column-missing", "versions.label"), ("view-missing", "runs_readable")}
    finding = found["column-missing", "versions.label"]
    assert finding["sentence"].endswith("; stop the nodes, and restore it from a backup")
    assert finding["fixes"] == []
    (said,) = cli("health", "--json").json
    assert said["sentence"] == (
        f"schema {schema} has lost column versions.label, view runs_readable; `continuum doctor --schema "
        f"{schema}` says how each comes back"
    )


def test_numbers_of_a_sequence_continue_behind_those_that_it_has_given(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    try_each(
        dsn,
        schema,
        "insert into {s}.runs (id, workflow, namespace, input, token) "
        "values (gen_random_uuid(), 'w', 'n', '', 77)",
        "insert into {s}.state_changes values (88, gen_random_uuid(), 0, now())",
        "update {s}.state_change_log set removed = 99",
        "drop sequence {s}.fencing_token",
        "drop sequence {s}.state_change_position cascade",
    )
    for each in examined(cli).values():
        run_fixes(cli, dsn, each["fixes"])
    assert rows_of(dsn, f"select nextval('{schema}.fencing_token')") == [(78,)]
    insert = f"insert into {schema}.state_changes (run_id, state, at) values (gen_random_uuid(), 0, now())"
    assert rows_of(dsn, f"{insert} returning position") == [(100,)]


def test_a_node_claims_runs_after_the_fix_of_a_lost_sequence(cli: CommandLine, dsn: str, schema: str) -> None:
    node = launch(NodeConfig(modules=(flows.__name__,), dsn=dsn, schema=schema, name="north"))
    try:
        await_ready(node)
        try_each(dsn, schema, "drop sequence {s}.fencing_token")
        run = cli("start", flows.order.name, "1").out.strip()
        said = cli("health", "--json").json
        assert "has lost sequence fencing_token" in said[0]["sentence"]
        run_fixes(cli, dsn, examined(cli)["sequence-missing", "fencing_token"]["fixes"])
        assert cli("signal", run, "go", '"yes"').code == 0
        assert cli("result", run).code == 0
        assert cli("health", "--json").json == []
    finally:
        node.end()


def test_an_index_that_a_rebuild_left_behind_is_dropped(cli: CommandLine, dsn: str, schema: str) -> None:
    build = "create unique index concurrently left_ccnew on {s}.runs (workflow)"
    rows = [ROW.replace("'k'", f"'{key}'") for key in "ab"]
    try_each(dsn, schema, *rows, build)
    found = examined(cli)
    assert found.keys() == {("index-invalid", "left_ccnew")}
    run_fixes(cli, dsn, found["index-invalid", "left_ccnew"]["fixes"])
    assert examined(cli) == {}


def test_an_old_transaction_is_named_and_its_fix_ends_it(cli: CommandLine, dsn: str, schema: str) -> None:
    with psycopg.connect(dsn, application_name="forgotten") as forgotten:
        forgotten.execute(f"insert into {schema}.deliveries values (gen_random_uuid(), 'a', 'b')".encode())
        assert examined(cli) == {}, "a young one is none"
        found = examined(cli, "--transaction-age", "0")
        key = ("old-transaction", str(forgotten.info.backend_pid))
        assert found.keys() == {key}
        assert "forgotten, idle in transaction" in found[key]["sentence"]
        run_fixes(cli, dsn, found[key]["fixes"])
        until_holds(lambda: examined(cli, "--transaction-age", "0") == {})
        with pytest.raises(psycopg.OperationalError):
            forgotten.commit()


def test_dead_rows_that_nothing_removes_are_counted(cli: CommandLine, dsn: str, schema: str) -> None:
    try_each(
        dsn,
        schema,
        "alter table {s}.deliveries set (autovacuum_enabled = false)",
        "insert into {s}.deliveries select gen_random_uuid(), 'a', n::text from generate_series(1, 20000) n",
        "delete from {s}.deliveries",
    )
    both = {("autovacuum-off", "deliveries"), ("bloat", "deliveries")}
    until_holds(lambda: examined(cli).keys() == both)
    found = examined(cli)
    assert "20,000 dead rows" in found["bloat", "deliveries"]["sentence"]
    for finding in found.values():
        run_fixes(cli, dsn, finding["fixes"])
    until_holds(lambda: examined(cli) == {})


def test_a_schema_that_is_missing_is_made_by_its_fix(cli: CommandLine, dsn: str, empty_name: str) -> None:
    here = ("--json", "--dsn", dsn, "--schema", empty_name)
    found = found_by(cli.bare("doctor", *here))
    assert found.keys() == {("schema", empty_name)}
    run_fixes(cli, dsn, found["schema", empty_name]["fixes"])
    assert found_by(cli.bare("doctor", *here)) == {}


def test_connections_that_do_not_fit_are_given_room(
    cli: CommandLine, changeable: tuple[str, Path], schema: str
) -> None:
    dsn, _ = changeable

    async def listed() -> None:
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        await journal.renew(
            [], 60.0, NodeFacts(NodeId("n"), 7, "local", "up", [("run_host", 8)], (), {}, 300)
        )
        await journal.close()

    asyncio.run(listed())
    found = examined(cli)
    assert found.keys() == {("connections", "server")}
    run_fixes(cli, dsn, found["connections", "server"]["fixes"])
    restart(*changeable)
    asyncio.run(listed())
    assert examined(cli) == {}


def test_a_role_is_granted_what_it_lacks_and_needs_no_right_to_create(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    role = f'odd "role" {uuid4().hex[:6]}'
    quoted = role.replace('"', '""')
    try_each(
        dsn,
        schema,
        f'create role "{quoted}" login',
        "revoke execute on all functions in schema {s} from public",
    )
    here = ("--json", "--dsn", make_conninfo(dsn, user=role), "--schema", schema)
    lacking = {("rights", "tables"), ("rights", "sequences"), ("rights", "functions")}
    try:
        found = found_by(cli.bare("doctor", *here))
        assert found.keys() == {*lacking, ("rights", "schemas")}
        for finding in found.values():
            run_fixes(cli, dsn, finding["fixes"])
        assert found_by(cli.bare("doctor", *here)) == {}
    finally:
        run_sql(dsn, f'drop owned by "{quoted}"', f'drop role "{quoted}"')


def test_a_role_that_may_not_see_other_sessions_is_a_note(cli: CommandLine, dsn: str, schema: str) -> None:
    role = f"blind_{uuid4().hex[:6]}"
    run_sql(
        dsn,
        f"create role {role} login",
        f"grant usage on schema {schema} to {role}",
        f"grant select, insert, update, delete on all tables in schema {schema} to {role}",
        f"grant select, usage on all sequences in schema {schema} to {role}",
    )
    here = ("--json", "--dsn", make_conninfo(dsn, user=role), "--schema", schema)
    try:
        with psycopg.connect(dsn):
            outcome = cli.bare("doctor", *here)
            found = found_by(outcome)
            assert (outcome.code, list(found)) == (0, [("activity-hidden", role)])
            run_fixes(cli, dsn, found["activity-hidden", role]["fixes"])
            assert found_by(cli.bare("doctor", *here)) == {}
    finally:
        run_sql(dsn, f"drop owned by {role}", f"drop role {role}")


def test_a_pooler_in_transaction_mode_is_found_by_a_notification(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    with pgbouncer(dsn) as pooled:
        found = found_by(cli.bare("doctor", "--json", "--dsn", pooled, "--schema", schema))
        assert found.keys() == {("listen", "server")}
        assert "--no-listen" in found["listen", "server"]["sentence"]

        async def listed() -> None:
            journal = PostgresJournal(pooled, schema=schema, listen=False)
            await journal.open()
            facts = NodeFacts(NodeId("n"), 7, "local", "up", [("run_host", 8)], (), {}, 0)
            await journal.renew([], 60.0, facts)
            await journal.close()

        asyncio.run(listed())
        assert found_by(cli.bare("doctor", "--json", "--dsn", pooled, "--schema", schema)) == {}


def test_a_notification_that_does_not_arrive_is_found(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(kind: type[CuttingProxy]) -> Ground:
        async with cutting_proxy(dsn, kind) as (_, through):
            return await read_ground(through, schema)

    expected = expected_objects()
    assert diagnose(asyncio.run(main(CuttingProxy)), expected) == []
    # Only where none can arrive: elsewhere a busy machine takes longer.
    monkeypatch.setattr("continuum.journal.postgres.ground.HEARD_WITHIN_SECONDS", 0.2)
    (finding,) = diagnose(asyncio.run(main(DeafProxy)), expected)
    assert (finding.code, "did not arrive within 0.2 s" in finding.sentence) == ("listen", True)


@pytest.mark.parametrize(
    ("seconds", "said"), [(90.0, r"\b(89|90)\.\d s ahead of"), (-90.0, r"\b(89|90)\.\d s behind")]
)
def test_a_clock_that_differs_from_the_servers_is_found(
    dsn: str, schema: str, seconds: float, said: str
) -> None:
    def diagnosed(offset: float) -> list[tuple[str, str]]:
        ground = asyncio.run(read_ground(dsn, schema, clock=lambda: time.time() + offset))
        return [(each.code, each.sentence) for each in diagnose(ground, expected_objects())]

    ((code, sentence),) = diagnosed(seconds)
    assert code == "clock"
    assert re.search(said, sentence)
    assert diagnosed(0.0) == []


def test_missing_time_zones_are_found(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=[])
    try:
        assert examined(cli).keys() == {("time-zones", "machine")}
    finally:
        zoneinfo.reset_tzpath()
    assert examined(cli) == {}


def test_servers_that_are_too_old_or_stand_by_are_refused(dsn: str, schema: str) -> None:
    ground = asyncio.run(read_ground(dsn, schema))
    expected = expected_objects()

    def codes(**changed: Any) -> list[str]:
        return [each.code for each in diagnose(replace(ground, **changed), expected)]

    assert codes() == []
    assert codes(server_version=130_004) == ["postgres-old"]
    assert codes(server_version=140_003) == ["postgres-minor"]
    assert codes(server_version=140_004) == []
    assert codes(in_recovery=True) == ["read-only"]


def test_settings_of_the_command_line_have_no_command_that_mends_them(cli: CommandLine) -> None:
    """The server of the other tests runs without fsync."""
    with EmbeddedPostgres.temporary() as server:
        found = found_by(cli.bare("doctor", "--json", "--dsn", server.dsn, "--schema", "nowhere"))
    finding = found["fsync-off", "fsync"]
    assert (finding["fixes"], "command line" in finding["sentence"]) == ([], True)
    assert "loses the latest commits" in finding["sentence"]


def test_findings_are_readable_with_the_commands_below_them(cli: CommandLine, dsn: str, schema: str) -> None:
    try_each(dsn, schema, "drop index {s}.runs_owner")
    done = cli("doctor")
    assert done.code == 1
    assert "error  index-missing  " in done.out
    assert f"    $ continuum repair index-missing runs_owner --schema {schema}\n" in done.out


def test_every_index_of_a_new_schema_is_expected_and_no_other(dsn: str, schema: str) -> None:
    ground = asyncio.run(read_ground(dsn, schema))
    there = {index.name for index in ground.indexes}
    assert there - {"migrations_pkey"} == expected_objects().indexes.keys()


def test_every_table_column_sequence_and_view_of_a_new_schema_is_expected_and_no_other(
    dsn: str, schema: str
) -> None:
    columns = rows_of(
        dsn,
        "select c.relname::text, a.attname::text, a.attgenerated <> '' from pg_class c "
        "join pg_attribute a on a.attrelid = c.oid "
        f"where c.relnamespace = '{schema}'::regnamespace and c.relkind = 'r' and c.relname <> 'migrations' "
        "and a.attnum > 0 and not a.attisdropped",
    )
    relations = rows_of(
        dsn,
        "select c.relkind::text, c.relname::text from pg_class c "
        f"where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('S', 'v') and not exists "
        "(select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass "
        "and d.deptype = 'i' and d.refobjsubid > 0)",
    )
    expected = expected_objects()
    assert {(table, name) for table, name, _ in columns} == {
        (table, name) for table, names in expected.columns.items() for name in names
    }
    assert {f"{table}.{name}" for table, name, computed in columns if computed} == expected.computed.keys()
    assert {name for kind, name in relations if kind == "S"} == set(expected.sequences)
    assert {name for kind, name in relations if kind == "v"} == expected.views.keys()


def test_a_node_with_another_clock_or_release_is_named(
    cli: CommandLine, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def report(clock: float, of: str) -> None:
        monkeypatch.setattr("continuum.journal.postgres.journal.machine_time", lambda: time.time() + clock)
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        worker = await journal.register_worker(NodeId("north"), "run_host", 8, 60.0)
        facts = NodeFacts(NodeId("north"), 7, "local", "up", code=NodeCode(of, [], []))
        await journal.renew([worker.id], 60.0, facts)
        await journal.close()

    asyncio.run(report(-30.0, "0.0.1"))
    found = examined(cli)
    assert found.keys() == {("node-clock", "north"), ("release-differs", "north")}
    # What it reported was on its way for a moment.
    assert re.search(r"\b3\d\.\d s behind", found["node-clock", "north"]["sentence"])
    assert found["release-differs", "north"]["severity"] == "note"
    asyncio.run(report(0.0, release()))
    assert examined(cli) == {}
