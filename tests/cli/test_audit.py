"""`continuum audit list`, and what commands that change something share: --by, --reason, and a question."""

from __future__ import annotations

import getpass
import io
import os
import socket
from collections.abc import Callable
from typing import Any

import click
import pytest

from continuum.cli.main import continuum
from continuum.engine.ids import NodeId
from continuum.journal.facts import NodeFacts, RunState, Transition
from continuum.journal.port import VersionRow
from continuum.journal.postgres import PostgresJournal
from tests.cli.commands import CommandLine
from tests.cli.test_commands import on_journal, started
from tests.cli.test_namespaces import commands
from tests.unit.client.working import Ending

SECRET = "4111-1111"
NOBODY = "00000000-0000-4000-8000-000000000007"
# Every command is in one of these: it changes something on behalf of a person and records that; it changes
# nothing; or it only executes workflows.
CHANGING = {
    "attributes",
    "cancel",
    "health review",
    "migrate",
    "nodes drain",
    "repair",
    "runs fork",
    "runs reset",
    "runs restart",
    "operations cancel",
    "operations pause",
    "operations resume",
    "runs attributes",
    "runs cancel",
    "runs delete",
    "runs signal",
    "pause",
    "resume",
    "runs pause",
    "runs resume",
    "runs unblock",
    "signal",
    "start",
    "versions gc",
}
READING = {
    "audit list",
    "check",
    "completion",
    "contracts check",
    "contracts show",
    "debug",
    "doctor",
    "explain",
    "replay",
    "result",
    "runs events",
    "runs export",
    "runs history",
    "runs list",
    "runs read",
    "runs show",
    "verify",
    "versions check",
    "versions list",
    "operations list",
    "operations show",
    "nodes list",
    "nodes show",
    "pauses",
}
EXECUTING = {"demo", "dev", "init", "observer", "run-node"}


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No actor is set, and nobody is at a terminal."""
    monkeypatch.delenv("CONTINUUM_ACTOR", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


class Terminal(io.StringIO):
    """A terminal at which a person answers."""

    def isatty(self) -> bool:
        return True


def rows(cli: CommandLine, *arguments: str) -> list[dict[str, Any]]:
    """Return the recorded changes, the first one first."""
    listed = cli("audit", "list", "--json", "--limit", "100", *arguments)
    assert (listed.code, listed.err) == (0, "")
    entries: list[dict[str, Any]] = listed.json["entries"]
    return entries[::-1]


def short(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return action, subject and outcome of each row."""
    return [(row["action"], row["subject"], row["outcome"]) for row in found]


def test_no_command_is_forgotten_by_the_record() -> None:
    assert not CHANGING & READING
    assert {name for name, _ in commands(continuum)} == CHANGING | READING | EXECUTING


def test_every_command_that_changes_something_says_who_and_why() -> None:
    found = {
        name
        for name, command in commands(continuum)
        if {"by", "reason"} <= {part.name for part in command.params}
    }
    assert found == CHANGING


def test_every_change_is_listed(cli: CommandLine) -> None:
    run_id = started(
        cli, f'"{SECRET}"', "--attribute", f'card="{SECRET}"', "--by", "ann", "--reason", "ticket 7"
    )
    assert cli("signal", run_id, "review", f'"{SECRET}"', "--by", "ann").code == 0
    assert cli("attributes", run_id, f'{{"card": "{SECRET}"}}', "--by", "ann").code == 0
    assert cli("runs", "unblock", run_id, "--by", "ann").code == 1
    assert cli("cancel", run_id, "--by", "ann").code == 0
    assert cli("cancel", run_id, "--force", "--yes", "--by", "ann").code == 0
    assert cli("signal", run_id, "review", "1", "--by", "ann").code == 1
    assert cli("signal", NOBODY, "review", "1", "--by", "ann").code == 1
    assert cli("nodes", "drain", "nobody", "--by", "ann").code == 1

    found = rows(cli)
    assert short(found) == [
        ("start", run_id, "done"),
        ("signal", run_id, "done"),
        ("set_attributes", run_id, "done"),
        ("unblock", run_id, "already"),
        ("cancel", run_id, "done"),
        ("force_cancel", run_id, "done"),
        ("signal", run_id, "refused"),
        ("signal", NOBODY, "not_found"),
        ("drain_node", "nobody", "not_found"),
    ]
    assert {(row["actor"], row["via"]) for row in found} == {("ann", "cli")}
    assert [row["reason"] for row in found] == ["ticket 7", *[None] * 8]
    assert SECRET not in cli("audit", "list").out
    assert found[0]["arguments"]["attributes"] == {"card": {"bytes": len(SECRET) + 2}}


def test_the_actor_is_that_of_the_environment_and_else_the_account(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(cli)
    monkeypatch.setenv("CONTINUUM_ACTOR", "robot")
    started(cli)
    started(cli, "--by", "ann")
    account = f"{getpass.getuser()}@{socket.gethostname()}"
    assert [row["actor"] for row in rows(cli)] == [account, "robot", "ann"]


def test_a_user_without_an_entry_has_a_number(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise OSError("no entry")

    monkeypatch.setattr(getpass, "getuser", unknown)
    started(cli)
    assert rows(cli)[0]["actor"] == f"uid {os.getuid()}@{socket.gethostname()}"


@pytest.mark.parametrize("option", ["--by", "--reason"])
@pytest.mark.parametrize("text", ["", "two\nlines", "x" * 1001])
def test_a_bad_name_or_reason_is_refused_before_anything_is_written(
    cli: CommandLine, option: str, text: str
) -> None:
    refused = cli("start", "greeting", option, text)
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1)
    assert cli("runs", "list", "--json").json["entries"] == []
    assert rows(cli) == []


def test_the_list_has_pages_and_filters(cli: CommandLine) -> None:
    runs = [started(cli, "--by", by) for by in ("ann", "bob", "ann")]
    cli("cancel", runs[0], "--by", "bob")

    first = cli("audit", "list", "--limit", "3")
    assert [line.split("\t")[3] for line in first.out.splitlines()] == ["action", "cancel", "start", "start"]
    cursor = first.err.removeprefix("more: --cursor ").strip()
    rest = cli("audit", "list", "--json", "--cursor", cursor).json
    assert ([row["subject"] for row in rest["entries"]], rest["next_cursor"]) == ([runs[0]], None)

    assert [row["subject"] for row in rows(cli, "--actor", "ann")] == [runs[0], runs[2]]
    assert short(rows(cli, "--action", "cancel")) == [("cancel", runs[0], "done")]
    assert [row["action"] for row in rows(cli, "--subject", runs[0])] == ["start", "cancel"]
    assert len(rows(cli, "--since", "1h")) == 4
    at = rows(cli)[2]["at"]
    assert [row["action"] for row in rows(cli, "--since", at)] == ["start", "cancel"]
    assert (
        rows(cli, "--since", "2999-01-01T00:00:00Z")
        == rows(cli, "--since", "9999-12-31T23:59:59-10:00")
        == []
    )
    assert len(rows(cli, "--since", "0001-01-01T00:00:00+10:00")) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--since", "yesterday"), "'yesterday' is neither a duration like"),
        (("--since", "999999d"), "'999999d' is neither a duration like"),
        (("--action", "cancle"), "'cancle' is not one of"),
    ],
)
def test_wrong_filters_are_wrong_use(cli: CommandLine, arguments: tuple[str, str], message: str) -> None:
    refused = cli("audit", "list", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert message in refused.err


def test_a_wrong_cursor_is_refused(cli: CommandLine) -> None:
    refused = cli("audit", "list", "--cursor", "x")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "continuum: 'x' is not a cursor of this list; begin without one\n"


def test_a_forced_cancel_without_a_terminal_is_refused_in_one_line(cli: CommandLine) -> None:
    run_id = started(cli)
    refused = cli("cancel", run_id, "--force")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        f"continuum: run {run_id} was not cancelled: nobody confirmed it; "
        "without a terminal, --yes does it without a question\n"
    )
    assert cli("runs", "show", run_id, "--json").json["state"] == "running"
    assert short(rows(cli)) == [("start", run_id, "done")]


def family(cli: CommandLine) -> str:
    """Return a suspended run with an open child."""
    run_id = started(cli)

    async def bearing(journal: PostgresJournal) -> None:
        ending = Ending(journal)
        await ending.bear(run_id)
        await ending.write(run_id, Transition(RunState.SUSPENDED, None, True))

    on_journal(cli, bearing)
    return run_id


def test_a_forced_cancel_shows_what_would_end_and_asks(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = family(cli)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    declined = cli("cancel", run_id, "--force")
    assert (declined.code, declined.out) == (1, f"run {run_id}: nothing changed\n")
    assert declined.err.startswith(f"End run {run_id} of greeting (suspended")
    assert "and with it 1 open child" in declined.err
    assert cli("runs", "show", run_id, "--json").json["state"] == "suspended"
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert cli("cancel", run_id, "--force").out == "cancelled\n"
    assert short(rows(cli)) == [("start", run_id, "done"), ("force_cancel", run_id, "done")]


def meanwhile(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Answer yes at a terminal, after something has happened."""

    def answer(*_question: Any, **_options: Any) -> bool:
        do()
        return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(click, "confirm", answer)


def test_a_forced_cancel_does_nothing_to_a_run_that_changes_before_the_answer(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = family(cli)
    meanwhile(monkeypatch, lambda: cli("attributes", run_id, '{"moved": true}', "--yes"))
    stale = cli("cancel", run_id, "--force")
    assert (stale.code, stale.out) == (1, "")
    assert "has changed since it was looked at, and nothing was done" in stale.err
    assert cli("runs", "show", run_id, "--json").json["state"] == "suspended"
    assert short(rows(cli))[-1] == ("force_cancel", run_id, "stale")


def test_a_forced_cancel_of_an_ended_run_needs_no_question(cli: CommandLine) -> None:
    run_id = started(cli)
    assert cli("cancel", run_id, "--force", "--yes").code == 0
    again = cli("cancel", run_id, "--force")
    assert (again.code, again.err) == (
        1,
        f"continuum: run {run_id} is already cancelled and takes nothing more\n",
    )
    assert short(rows(cli))[-1] == ("force_cancel", run_id, "refused")


def register(cli: CommandLine, *versions: str) -> None:
    """Register versions, one after another."""

    async def registering(journal: PostgresJournal) -> None:
        for version in versions:
            await journal.register_versions([VersionRow("pay", version, "1", "shop", None, None)])

    on_journal(cli, registering)


def test_versions_are_deleted_after_a_confirmation_and_each_is_on_record(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(cli, "v1", "v2", "v3")
    refused = cli("versions", "gc")
    assert refused.code == 1
    assert refused.err == (
        "continuum: 2 versions not deleted: nobody confirmed it; "
        "without a terminal, --yes does it without a question\n"
    )
    assert cli("versions", "gc", "--dry-run").err == "2 would be deleted\n"
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    declined = cli("versions", "gc", "--json")
    assert (declined.code, declined.json["forgotten"]) == (1, 0)
    assert len(cli("versions", "list", "--json").json) == 3
    meanwhile(monkeypatch, lambda: cli("versions", "gc", "--yes", "--by", "bob"))
    assert cli("versions", "gc", "--by", "ann").err.endswith("0 deleted\n")
    assert [(row["actor"], *rest) for row, rest in zip(rows(cli), short(rows(cli)), strict=True)] == [
        ("bob", "delete_version", "pay v1", "done"),
        ("bob", "delete_version", "pay v2", "done"),
        ("ann", "delete_version", "pay v1", "already"),
        ("ann", "delete_version", "pay v2", "already"),
    ]
    assert cli("versions", "gc").code == 0, "nothing to delete needs no question"


def test_a_drained_node_is_on_record(cli: CommandLine) -> None:
    async def register_node(journal: PostgresJournal) -> None:
        await journal.renew([], 60.0, NodeFacts(NodeId("north"), 1, "loopback:1", "up"))

    on_journal(cli, register_node)
    for _ in range(2):
        assert cli("nodes", "drain", "north", "--reason", "new kernel").code == 0
    assert short(rows(cli)) == [("drain_node", "north", "done"), ("drain_node", "north", "already")]
    assert {row["reason"] for row in rows(cli)} == {"new kernel"}


def test_a_migration_is_on_record_once_there_is_one(
    dsn: str, empty_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = CommandLine(("--dsn", dsn, "--schema", empty_name), capsys)
    assert cli("migrate", "--by", "ann").code == 0
    assert cli("migrate", "--by", "bob").code == 0, "up to date: nothing is changed"
    (row,) = rows(cli)
    assert (row["actor"], row["action"], row["subject"], row["outcome"]) == (
        "ann",
        "migrate",
        empty_name,
        "done",
    )
    assert "functions/audit.sql" in row["arguments"]["files"]
    assert cli("migrate", "--fresh", "--yes", "--by", "eve").code == 0
    (row,) = rows(cli)
    assert (row["actor"], row["arguments"]["fresh"]) == ("eve", True)
