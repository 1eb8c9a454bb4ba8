"""The effects, output and exit codes of each command."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from continuum import Signal, connect
from continuum.cli.values import address
from continuum.engine.ids import NodeId
from continuum.journal.facts import NodeFacts, RunState, Transition
from continuum.journal.port import Fault
from continuum.journal.postgres import PostgresJournal
from continuum.operations.json_text import to_json
from tests.cli.commands import CommandLine, place
from tests.unit.client.working import Ending, greeting


def on_journal(cli: CommandLine, do: Any) -> None:
    """Change the journal as a node would."""

    async def doing() -> None:
        journal = PostgresJournal(cli.options[1], schema=cli.options[3])
        await journal.open()
        try:
            await do(journal)
        finally:
            await journal.close()

    asyncio.run(doing())


def started(cli: CommandLine, *arguments: str) -> str:
    """Start a run and return its id."""
    outcome = cli("start", "greeting", *arguments)
    assert outcome.code == 0
    return str(uuid.UUID(outcome.out.strip()))


def test_start_prints_the_run_id_alone(cli: CommandLine) -> None:
    run_id = started(cli, '"ann"', '{"a": [1]}', "--attribute", "vip=true", "--namespace", "eu")
    shown = cli("runs", "show", run_id, "--json").json
    assert (shown["input"], shown["attributes"], shown["namespace"]) == (
        ["ann", {"a": [1]}],
        {"vip": True},
        "eu",
    )
    assert shown["state"] == "running"


def test_start_with_a_used_key_returns_the_same_run(cli: CommandLine) -> None:
    assert started(cli, "--key", "k") == started(cli, "--key", "k")


def test_start_takes_an_id(cli: CommandLine) -> None:
    run_id = str(uuid.uuid4())
    assert started(cli, "--id", run_id) == run_id


def test_result_prints_json(cli: CommandLine) -> None:
    run_id = started(cli)
    value = {"at": datetime(2025, 1, 2, tzinfo=UTC), "price": Decimal("1.50"), "raw": b"\x00"}
    on_journal(cli, lambda journal: Ending(journal).complete(run_id, value))
    outcome = cli("result", run_id, "--timeout", "30")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.json == {"at": "2025-01-02T00:00:00+00:00", "price": "1.50", "raw": "AA=="}


def test_result_of_a_failed_run_prints_one_line_and_exits_with_1(cli: CommandLine) -> None:
    run_id = started(cli)
    on_journal(cli, lambda journal: Ending(journal).fail(run_id, "ValueError", "no\nsuch name"))
    outcome = cli("result", run_id)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"continuum: run {run_id} failed: ValueError: no such name\n"


def test_result_exits_with_1_after_the_timeout(cli: CommandLine) -> None:
    outcome = cli("result", started(cli), "--timeout", "0")
    assert outcome.code == 1
    assert "has not ended within 0 s; it waits for a node that has loaded greeting, ask" in outcome.err


def test_result_of_a_blocked_run_fails_at_once(cli: CommandLine) -> None:
    run_id = started(cli)
    blocked = Transition(RunState.BLOCKED, reason="poison: it dies")
    on_journal(cli, lambda journal: Ending(journal).write(run_id, blocked))
    outcome = cli("result", run_id, "--timeout", "0")
    message = f"continuum: run {run_id} is blocked and waits for an operator: poison: it dies\n"
    assert (outcome.code, outcome.err) == (1, message)


def test_show_prints_the_fault_of_a_blocked_run_as_json(cli: CommandLine) -> None:
    run_id = started(cli)
    assert cli("runs", "show", run_id, "--json").json["fault"] is None
    fault = Fault("drift", 3, "a timer", "an activity", "flows.py:9")
    blocked = Transition(RunState.BLOCKED, reason="drift: as it is", fault=fault)
    on_journal(cli, lambda journal: Ending(journal).write(run_id, blocked))
    assert cli("runs", "show", run_id, "--json").json["fault"] == {
        "kind": "drift",
        "position": 3,
        "expected": "a timer",
        "actual": "an activity",
        "where": "flows.py:9",
    }
    shown = cli("runs", "show", run_id).out
    assert "3\t≠\ta timer\tan activity at flows.py:9\n" in shown
    assert shown.count("drift") == 1, "the reason is said once"


def test_show_says_the_reason_of_a_blocked_run_once(cli: CommandLine) -> None:
    run_id = started(cli)
    blocked = Transition(RunState.BLOCKED, reason="input: no text", fault=Fault("input", actual="no text"))
    on_journal(cli, lambda journal: Ending(journal).write(run_id, blocked))
    assert cli("runs", "show", run_id).out.count("no text") == 1


def test_unblock_releases_one_blocked_run(cli: CommandLine) -> None:
    run_id, other = started(cli), started(cli)
    outcome = cli("runs", "unblock", run_id)
    assert (outcome.code, outcome.err) == (1, f"continuum: run {run_id} is not blocked, it is running\n")

    async def block_both(journal: PostgresJournal) -> None:
        ending = Ending(journal)
        for run in (run_id, other):
            await ending.write(run, Transition(RunState.BLOCKED, reason="poison: it dies"))

    on_journal(cli, block_both)
    assert cli("runs", "unblock", run_id, "--namespace", "other").code == 1
    outcome = cli("runs", "unblock", run_id)
    again = f"nodes will try run {run_id} again; `continuum runs show {run_id}` shows what came of it\n"
    assert (outcome.code, outcome.out, outcome.err) == (0, again, "")
    states = [cli("runs", "show", run, "--json").json["state"] for run in (run_id, other)]
    assert states == ["running", "blocked"]


def test_cancel_warns_if_no_node_can_stop_the_run(cli: CommandLine) -> None:
    run_id = started(cli)
    outcome = cli("cancel", run_id)
    missing = "waits for a node that has loaded greeting"
    assert (outcome.code, outcome.out) == (0, f"pending: with nobody, {missing}\n")
    assert outcome.err == (
        f"run {run_id} waits for a node that has loaded greeting before it can stop; "
        "--force ends it without its code\n"
    )


def test_a_forced_cancel_shows_in_the_result(cli: CommandLine) -> None:
    run_id = started(cli)
    forced = cli("cancel", run_id, "--force", "--yes")
    assert (forced.code, forced.out) == (0, "cancelled\n")
    outcome = cli("result", run_id)
    assert (outcome.code, outcome.err) == (1, f"continuum: run {run_id} was cancelled\n")
    again = cli("cancel", run_id)
    assert (again.code, again.err) == (
        1,
        f"continuum: run {run_id} is already cancelled and takes nothing more\n",
    )


def test_a_signal_with_a_delivery_id_arrives_once(cli: CommandLine) -> None:
    run_id = started(cli)
    for _ in range(2):
        assert cli("signal", run_id, "review", '"yes"', "--delivery-id", "d").code == 0

    async def look(journal: PostgresJournal) -> None:
        node = Ending(journal)
        await node.claim()
        assert node.worker is not None
        assert [row.name for row in await journal.inbox(node.worker, None)] == ["review"]

    on_journal(cli, look)


def test_a_refused_signal_prints_one_line_and_exits_with_1(cli: CommandLine) -> None:
    """SIG1: the sender has no workflow code."""
    on_journal(cli, lambda journal: Ending(journal).declare(Signal("review", int)))
    run_id = started(cli)
    for name, value, message in (
        ("reveiw", "1", f"run {run_id} takes no signal 'reveiw'; it takes review"),
        ("review", '"1"', "signal review: expected int, got str"),
    ):
        outcome = cli("signal", run_id, name, value)
        assert (outcome.code, outcome.out, outcome.err) == (1, "", f"continuum: {message}\n")
    assert cli("signal", run_id, "review", "1").code == 0


def test_published_values_can_be_read_without_a_node(cli: CommandLine) -> None:
    run_id = started(cli)
    on_journal(cli, lambda journal: Ending(journal).publish(run_id, progress={"done": 3}))
    assert cli("runs", "read", run_id, "progress").json == {"done": 3}
    assert cli("runs", "read", run_id, "progress", "--json").out == '{"done": 3}\n'
    missing = cli("runs", "read", run_id, "other")
    message = f"continuum: run {run_id} has published no 'other'; looked in {place(cli)}\n"
    assert (missing.code, missing.out, missing.err) == (1, "", message)


def test_show_prints_the_chain_and_list_prints_children(cli: CommandLine) -> None:
    run_id = started(cli)
    made: dict[str, str] = {}

    async def work(journal: PostgresJournal) -> None:
        node = Ending(journal)
        made["child"] = await node.bear(run_id)
        made["next"] = await node.continue_as_new(run_id)
        await node.complete(made["next"], "hello")

    on_journal(cli, work)
    assert f"\ncontinued_to\t{made['next']}\n" in cli("runs", "show", run_id).out
    assert f"\ncontinued_from\t{run_id}\n" in cli("runs", "show", made["next"]).out
    # Its children moved to the run that continues its work.
    listed = cli("runs", "list", "--parent", made["next"], "--json").json
    assert [entry["id"] for entry in listed["entries"]] == [made["child"]]
    assert cli("result", run_id, "--timeout", "30").out == '"hello"\n'


def test_show_prints_the_traceback_of_a_failed_run(cli: CommandLine) -> None:
    run_id = started(cli)
    on_journal(cli, lambda journal: Ending(journal).fail(run_id, "ValueError", "no such name"))
    shown = cli("runs", "show", run_id).out
    assert "\nerror\tValueError: no such name\n" in shown
    assert shown.endswith("\n\na stack\n")


def test_a_failure_without_a_message_is_shown_as_its_type(cli: CommandLine) -> None:
    run_id = started(cli)
    on_journal(cli, lambda journal: Ending(journal).fail(run_id, "TimeoutError", ""))
    assert cli("runs", "list").out.endswith("\tTimeoutError\n")


def test_times_are_shown_as_text(cli: CommandLine) -> None:
    run_id = started(cli)
    at = cli("runs", "show", run_id, "--json").json["started_at"]
    assert f"\nstarted_at\t{at}\n" in cli("runs", "show", run_id).out


@pytest.mark.parametrize("group", [(), ("runs",), ("nodes",), ("versions",)])
def test_help_lists_each_command_in_full(group: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    outcome = CommandLine((), capsys).bare(*group, "--help")
    assert outcome.code == 0
    assert "..." not in outcome.out.partition("Commands:")[2]


def test_attributes_are_merged_and_found(cli: CommandLine) -> None:
    run_id = started(cli)
    started(cli)
    assert cli("attributes", run_id, '{"vip": true}').code == 0
    listed = cli("runs", "list", "--attribute", "vip=true", "--json").json
    assert [run["id"] for run in listed["entries"]] == [run_id]


def test_runs_are_listed_page_by_page(cli: CommandLine) -> None:
    ids = {started(cli) for _ in range(3)}
    first = cli("runs", "list", "--state", "running", "--workflow", "greeting", "--limit", "2", "--json").json
    second = cli(
        "runs", "list", "--state", "running", "--workflow", "greeting", "--limit", "2", "--json", "--cursor",
        first["next_cursor"],
    ).json  # fmt: skip
    assert {run["id"] for run in first["entries"] + second["entries"]} == ids
    assert second["next_cursor"] is None


def test_a_list_in_a_pipe_is_tab_separated(cli: CommandLine) -> None:
    run_id = started(cli)
    header, row = cli("runs", "list").out.splitlines()
    assert header.split("\t") == ["id", "workflow", "state", "started", "note"]
    assert row.split("\t")[:3] == [run_id, "greeting", "running"]


def test_a_history_is_shown(cli: CommandLine) -> None:
    run_id = started(cli)
    assert cli("runs", "history", run_id, "--json").json == []
    assert cli("runs", "history", run_id).out == "seq\tat\ttype\tname\tpayload\n"


def test_nodes_are_listed_with_their_processes(cli: CommandLine) -> None:
    facts = NodeFacts(NodeId("north"), 7, "127.0.0.1:1900", "running", [("run_host", 8)])
    on_journal(cli, lambda journal: journal.register_worker(NodeId("north"), "run_host", 8, 60.0))
    on_journal(cli, lambda journal: journal.renew([], 10.0, facts))
    (node,) = cli("nodes", "list", "--json").json
    assert node.pop("lease_age") >= 0
    assert node == {
        "node": "north",
        "pid": 7,
        "address": "127.0.0.1:1900",
        "state": "running",
        "live_runs": 0,
        "processes": [{"role": "run_host", "pid": 8, "waiting_for_a_thread": 0}],
        "workflows": [],
        "namespaces": None,
        "workers": [{"role": "run_host", "pid": 8, "runs": 0, "tasks": {}}],
    }
    (row,) = cli("nodes", "list").out.splitlines()[1:]
    assert row.startswith("north\t7\t")
    assert row.endswith("\t1\tall")


def test_a_node_is_shown_with_what_each_of_its_processes_owns(cli: CommandLine) -> None:
    processes = [("launcher", 7), ("run_host", 8)]
    facts = NodeFacts(NodeId("north"), 7, "local", "draining", processes, ["flow"], {8: 41})
    on_journal(cli, lambda journal: journal.register_worker(NodeId("north"), "run_host", 8, 60.0))
    on_journal(cli, lambda journal: journal.renew([], 10.0, facts))
    (listed,), shown = cli("nodes", "list", "--json").json, cli("nodes", "show", "north", "--json").json
    assert shown | {"lease_age": 0} == listed | {"lease_age": 0}
    assert [process["waiting_for_a_thread"] for process in shown["processes"]] == [0, 41]
    lines = cli("nodes", "show", "north").out.splitlines()
    assert lines[0] == "node        north"
    assert lines[1].startswith("state       draining, heard from ")
    assert lines[4:] == [
        "workflows   flow",
        "",
        "process\tpid\truns\ttasks\twaiting for a thread",
        "launcher\t7\t-\t-\t-",
        "run_host\t8\t0\t0\t41",
    ]
    assert "no node is named south" in cli("nodes", "show", "south").err


def test_nodes_are_listed_with_the_namespaces_that_they_serve(cli: CommandLine) -> None:
    facts = NodeFacts(NodeId("north"), 7, "local", "up", [])
    on_journal(cli, lambda journal: journal.renew([], 10.0, facts))
    served = ("tenant", "other")
    on_journal(
        cli,
        lambda journal: journal.register_worker(NodeId("north"), "run_host", 8, 60.0, namespaces=served),
    )
    (node,) = cli("nodes", "list", "--json").json
    assert node["namespaces"] == ["other", "tenant"]
    (row,) = cli("nodes", "list").out.splitlines()[1:]
    assert row.endswith("\tother, tenant")


def test_a_list_of_several_namespaces_names_them(cli: CommandLine) -> None:
    started(cli)
    assert cli("runs", "list").out.splitlines()[0] == "id\tworkflow\tstate\tstarted\tnote"
    run_id = started(cli, "--namespace", "eu")
    header, latest, _ = cli("runs", "list").out.splitlines()
    assert header == "id\tworkflow\tnamespace\tstate\tstarted\tnote"
    assert latest.startswith(f"{run_id}\tgreeting\teu\trunning\t")
    one = cli("runs", "list", "--namespace", "eu").out.splitlines()
    assert one[0] == "id\tworkflow\tstate\tstarted\tnote"


def test_runs_show_says_that_no_node_serves_the_namespace_of_a_run(cli: CommandLine) -> None:
    run_id = started(cli)
    assert cli("runs", "show", run_id, "--json").json["reason"] == "waits for a node that has loaded greeting"
    facts = NodeFacts(NodeId("north"), 7, "local", "up", [])
    on_journal(cli, lambda journal: journal.renew([], 10.0, facts))
    on_journal(
        cli,
        lambda journal: journal.register_worker(NodeId("north"), "run_host", 8, 60.0, namespaces=["tenant"]),
    )
    unserved = "waits for a node: no node serves namespace default"
    assert cli("runs", "show", run_id, "--json").json["reason"] == unserved
    assert f"reason\t{unserved}" in cli("runs", "show", run_id).out
    assert cli("runs", "list").out.endswith(f"\t{unserved}\n")
    assert cli("cancel", run_id).err == (
        f"run {run_id} {unserved}, and cannot stop before one does; --force ends it without its code\n"
    )
    assert f"it {unserved}, ask again later" in cli("result", run_id, "--timeout", "0").err
    on_journal(
        cli,
        lambda journal: journal.register_worker(NodeId("north"), "run_host", 9, 60.0, namespaces=["default"]),
    )
    assert cli("runs", "show", run_id, "--json").json["reason"] == "waits for a node that has loaded greeting"


def test_migrate_applies_each_migration_once(
    dsn: str, empty_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = CommandLine(("--dsn", dsn, "--schema", empty_name), capsys)
    refused = cli("runs", "list")
    assert refused.code == 1
    assert "run continuum migrate" in refused.err
    applied = cli("migrate").out
    assert "applied tables 0001_initial, 0002_" in applied
    assert "; functions audit, blocked_runs, chains" in applied
    assert cli("migrate").out == f"schema {empty_name}: up to date\n"
    assert cli("runs", "list").code == 0


def test_a_fresh_migration_drops_all_runs_after_a_confirmation(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs() -> int:
        return len(cli("runs", "list", "--json").json["entries"])

    started(cli)
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    declined = cli("migrate", "--fresh")
    assert declined.code == 1
    refused = declined.out
    assert refused.endswith("nothing changed\n")
    parts = conninfo_to_dict(cli.options[1])
    question = (
        f"Drop schema {cli.options[3]} in database {parts['dbname']} on {parts['host']}, with its 1 run, "
        "and create it anew? [y/N]: "
    )
    assert refused.startswith(question)
    assert runs() == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert "applied tables 0001_initial" in cli("migrate", "--fresh").out
    assert runs() == 0
    started(cli)
    assert "applied tables 0001_initial" in cli("migrate", "--fresh", "--yes").out
    assert runs() == 0


def test_a_fresh_migration_without_an_answer_drops_nothing_and_names_yes(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(cli)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    refused = cli("migrate", "--fresh")
    assert refused.code == 1
    assert refused.err == (
        f"continuum: schema {cli.options[3]} was not dropped: nobody confirmed it; "
        "without a terminal, --yes drops it without a question\n"
    )
    assert len(cli("runs", "list", "--json").json["entries"]) == 1


def test_a_fresh_migration_creates_a_missing_schema_without_a_question(
    dsn: str, empty_name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = CommandLine(("--dsn", dsn, "--schema", empty_name), capsys)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    made = cli("migrate", "--fresh")
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith(f"schema {empty_name}: applied tables 0001_initial")


def test_a_fresh_migration_is_refused_while_a_node_is_alive(cli: CommandLine) -> None:
    on_journal(cli, lambda journal: journal.register_worker(NodeId("north"), "run_host", 7, 60.0))
    for answered in ([], ["--yes"]):
        refused = cli("migrate", "--fresh", *answered)
        assert (refused.code, refused.out) == (1, "")
        assert "is in use by north; stop these nodes" in refused.err


def test_an_old_layout_is_refused_with_what_to_do(
    dsn: str, empty_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("create schema {}").format(Identifier(empty_name)))
        connection.execute(
            SQL("create table {}.migrations (version int primary key, name text, checksum text)").format(
                Identifier(empty_name)
            )
        )
    cli = CommandLine(("--dsn", dsn, "--schema", empty_name), capsys)
    todo = f"run continuum migrate --schema {empty_name} --fresh to drop it with all its runs"
    for command in (("runs", "list"), ("migrate",)):
        refused = cli(*command)
        assert refused.code == 1
        assert len(refused.err.splitlines()) == 1
        assert todo in refused.err
    assert "applied tables 0001_initial" in cli("migrate", "--fresh", "--yes").out
    assert cli("runs", "list").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "show"),
        ("runs", "history"),
        ("runs", "unblock"),
        ("result",),
        ("cancel",),
        ("cancel", "--force"),
    ],
)
@pytest.mark.parametrize("run", ["no-such-run", str(uuid.UUID(int=7))])
def test_an_unknown_run_exits_with_1(cli: CommandLine, arguments: tuple[str, ...], run: str) -> None:
    outcome = cli(*arguments, run)
    assert (outcome.code, outcome.out) == (1, "")
    nobody = f"no run has the id {run}; `continuum runs list` shows those there are"
    assert outcome.err == f"continuum: {nobody}; looked in {place(cli)}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing command"),
        (("runs",), "Missing command"),
        (("fly",), "No such command 'fly'"),
        (("start",), "Missing argument 'WORKFLOW'"),
        (("start", "w", "ann"), "'ann' is not JSON; text is quoted twice"),
        (("start", "w", "--id", "7"), "'7' is not a valid UUID"),
        (("start", "w", "--attribute", "x"), "'x' is not of the form NAME=VALUE"),
        (("signal", "r", "n"), "Missing argument"),
        (("attributes", "r", "[1]"), "attributes are a JSON map"),
        (("runs", "list", "--limit", "0"), "0 is not in the range"),
        (("run-node", "--queue", "mail=many"), "the limit of mail is a whole number"),
        (("run-node", "--queue", "mail=0"), "the limit of queue 'mail' must be at least 1"),
        (("run-node", "--run-hosts", "0"), "at least one run host"),
        (
            ("run-node", "--namespace", ""),
            "a namespace has 1 to 255 bytes without control characters, not ''",
        ),
        (("run-node", "--namespace", "a", "--namespace", "b\t"), "not 'b\\t'"),
        (("run-node", "--log-format", "xml"), "'xml' is not one of 'text', 'json'"),
        (("run-node", "--log-level", "loud"), "'loud' is not one of 'debug', 'info'"),
        (("run-node", "--bind", "here"), "'here' is not of the form HOST:PORT"),
        (("run-node", "--join", "127.0.0.1:1900"), "--join needs --bind"),
    ],
)
def test_wrong_usage_prints_one_line_and_exits_with_2(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = CommandLine((), capsys).bare(*arguments)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert message in outcome.err


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        ("postgresql://127.0.0.1:1/none", "Postgres cannot be reached"),
        ("nothing like a DSN", "the DSN cannot be read"),
    ],
)
@pytest.mark.parametrize("command", [("runs", "list"), ("migrate",), ("start", "greeting")])
def test_a_bad_database_prints_one_line_and_exits_with_1(
    command: tuple[str, ...], dsn: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = CommandLine((), capsys).bare(*command, "--dsn", dsn)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert message in outcome.err


def test_the_program_runs_as_a_module_and_takes_the_dsn_from_the_environment(dsn: str, schema: str) -> None:
    root = Path(__file__).parents[2]
    path = os.pathsep.join(str(root / room) for room in ("continuum", "actors", "supervision", "migrations"))
    environment = os.environ | {"CONTINUUM_DSN": dsn, "PYTHONPATH": path}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "continuum.cli", *arguments, "--schema", schema]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    done = run("start", "greeting", '"ann"')
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert run("result", done.stdout.strip(), "--timeout", "0").returncode == 1
    assert run("start").returncode == 2


def test_without_a_dsn_the_embedded_server_is_used(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    path = os.pathsep.join(str(root / room) for room in ("continuum", "actors", "supervision", "migrations"))
    blocked = tmp_path / "a file"
    blocked.touch()
    environment = {name: value for name, value in os.environ.items() if name != "CONTINUUM_DSN"}
    environment |= {"CONTINUUM_DATA_DIR": str(blocked), "PYTHONPATH": path}
    command = [sys.executable, "-m", "continuum.cli", "runs", "list"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "CONTINUUM_DATA_DIR" in done.stderr


def test_every_value_can_be_printed_as_json() -> None:
    value = {1: {3, 1, 2}, "t": (None, uuid.UUID(int=1))}
    assert to_json(value) == '{"1": [1, 2, 3], "t": [null, "00000000-0000-0000-0000-000000000001"]}'


def test_an_ipv6_address_can_be_parsed() -> None:
    assert address("[::1]:1900") == ("::1", 1900)


def test_a_client_and_the_command_line_see_the_same_runs(cli: CommandLine) -> None:
    async def main() -> str:
        async with connect(cli.options[1], schema=cli.options[3]) as client:
            return (await client.start(greeting, "ann")).id

    run_id = asyncio.run(main())
    assert cli("runs", "show", run_id).out.startswith(f"field\tvalue\nid\t{run_id}\nworkflow\tgreeting\n")
