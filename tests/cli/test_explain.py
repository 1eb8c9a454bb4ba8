"""`continuum explain` on a terminal and for programs."""

from __future__ import annotations

from datetime import datetime
from shlex import split
from typing import LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

import continuum
from continuum.cli.database import Target
from continuum.cli.repeatable_commands import repeated
from continuum.engine.events import EventType
from continuum.journal.event_codec import pack_body
from tests.cli.commands import CommandLine
from tests.cli.stored_world import stored_world

MENDED = "once a running node has code that continues it"
UNKNOWN = "01900000-0000-7000-8000-00000000beef"

GIVE_UP = "to give it up: it ends now, and has nothing to compensate"


def update(dsn: str, schema: str, statement: LiteralString, *parameters: object) -> None:
    """Change what is stored."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("set search_path to {}").format(Identifier(schema)))
        connection.execute(statement, parameters or None)


def test_it_prints_the_causes_with_their_fixes(cli: CommandLine, dsn: str, schema: str) -> None:
    world = stored_world(dsn, schema)
    said = cli("explain", world.blocked)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"run {world.blocked} of orders is blocked",
        "",
        "drift: it is blocked by drift: another command",
        "  woken by  a node that starts with other code",
        f"  fix       continuum runs unblock {world.blocked} --schema {schema}   ({MENDED})",
        f"  fix       continuum cancel {world.blocked} --schema {schema}   ({GIVE_UP})",
    ]


def test_for_programs_it_prints_the_same_as_data(cli: CommandLine, dsn: str, schema: str) -> None:
    world = stored_world(dsn, schema)
    found = cli("explain", world.asleep, "--json").json
    assert (found["run_id"], found["workflow"], found["state"]) == (world.asleep, "orders", "suspended")
    first = found["causes"][0]
    assert set(first) == {"code", "sentence", "since", "evidence", "wakes_by", "wakes_at", "fixes"}
    assert (first["code"], found["sentence"]) == ("no_node", first["sentence"])
    assert datetime.fromisoformat(first["since"]).tzinfo is not None
    assert [set(fix) for fix in first["fixes"]] == [{"command", "when"}] * 2
    assert all(fix["command"].endswith(f"--schema {schema}") for fix in first["fixes"])


def test_an_id_of_an_earlier_run_explains_the_latest_of_its_chain(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    world = stored_world(dsn, schema)
    assert cli("explain", world.first, "--json").json["run_id"] == world.latest


def test_a_run_that_does_not_exist_is_refused_in_one_line(cli: CommandLine) -> None:
    said = cli("explain", UNKNOWN)
    assert (said.code, said.out) == (1, "")
    assert UNKNOWN in said.err
    assert said.err.count("\n") == 1


def test_the_namespace_guards_it(cli: CommandLine, dsn: str, schema: str) -> None:
    world = stored_world(dsn, schema)
    assert cli("explain", world.failed, "--namespace", "other").code == 1
    assert cli("explain", world.failed, "--namespace", "default").code == 0


def test_a_character_that_would_move_a_cursor_is_escaped(cli: CommandLine, dsn: str, schema: str) -> None:
    world = stored_world(dsn, schema)
    update(dsn, schema, r"""update runs set waits_for = '[["signal", -1, "go\u009b2J\n", 1, null, null]]'""")
    said = cli("explain", world.asleep)
    assert said.code == 0
    assert r"signal go\x9b2J\n since" in said.out
    assert all(line.isprintable() for line in said.out.splitlines())


def test_a_damaged_id_of_a_child_hides_no_failure(cli: CommandLine, dsn: str, schema: str) -> None:
    world = stored_world(dsn, schema)
    bodies = {
        EventType.CHILD_STARTED: ("pack", "flow", "flow.py:3", "no id", b"", 0),
        EventType.CHILD_FAILED: (0, "OSError", "no", ""),
    }
    update(dsn, schema, "delete from events where run_id = %s", world.failed)
    for seq, (type, body) in enumerate(bodies.items()):
        insert = "insert into events (run_id, seq, type, at, payload) values (%s, %s, %s, now(), %s)"
        update(dsn, schema, insert, world.failed, seq, int(type), pack_body(body))
    said = cli("explain", world.failed)
    assert (said.code, said.err) == (0, "")
    assert "ended: it failed at" in said.out


def test_show_names_unread_mail_and_leads_to_the_explanation(cli: CommandLine, dsn: str, schema: str) -> None:
    world = stored_world(dsn, schema)
    assert cli("runs", "show", world.parent, "--json").json["unread"] == {
        "stop_requested": False,
        "signals": {"review": 1},
    }
    update(
        dsn, schema, "insert into inbox (run_id, kind, name, payload) values (%s, 6, '', '')", world.parent
    )
    shown = cli("runs", "show", world.parent).out
    assert "\nunread\ta request to stop, 1 of signal review\n" in shown
    assert f"\n`continuum explain {world.parent}` says what holds it" in shown
    ended = cli("runs", "show", world.failed)
    assert "unread" not in ended.out
    assert "continuum explain" not in ended.out


def test_show_names_activities_that_have_not_ended_with_their_summaries(
    cli: CommandLine, dsn: str, schema: str
) -> None:
    world = stored_world(dsn, schema)
    update(dsn, schema, "delete from events where run_id = %s", world.asleep)
    head = ("charge", "flow", "flow.py:3", b"\x01\x92\x90\x80", None)
    insert = "insert into events (run_id, seq, type, at, payload) values (%s, %s, 1, now(), %s)"
    for seq, body in enumerate([(*head, None, "charge o-1\x9b"), head, (*head, None, 7)]):
        update(dsn, schema, insert, world.asleep, seq, pack_body(body))
    shown = cli("runs", "show", world.asleep)
    assert shown.err == ""
    assert (
        "\nactivities\tcharge, attempt 1: charge o-1\\x9b charge, attempt 1 charge, attempt 1\n" in shown.out
    )
    found = cli("runs", "show", world.asleep, "--json").json["activities"]
    assert [each["summary"] for each in found] == ["charge o-1\x9b", None, None]
    assert cli("runs", "history", world.asleep, "--json").json[0]["payload"]["summary"] == "charge o-1\x9b"


def test_a_lost_wake_names_the_command_that_mends_it(cli: CommandLine, dsn: str, schema: str) -> None:
    world = stored_world(dsn, schema)
    update(
        dsn, schema, "insert into inbox (run_id, kind, name, payload) values (%s, 1, 'a', '')", world.asleep
    )
    first = cli("explain", world.asleep, "--json").json["causes"][0]
    assert first["code"] == "lost_wake"
    assert first["fixes"][0]["command"] == f"continuum repair lost-wake {world.asleep} --schema {schema}"


def test_the_commands_name_the_database_unless_the_environment_does(
    cli: CommandLine, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = stored_world(dsn, schema)
    monkeypatch.delenv("CONTINUUM_DSN")
    for fix in cli("explain", world.blocked, "--json").json["causes"][0]["fixes"]:
        assert split(fix["command"])[-4:] == ["--schema", schema, "--dsn", dsn]
        assert "--dsn" in cli("explain", world.blocked).out
    # The command works as it is.
    command = cli("explain", world.blocked, "--json").json["causes"][0]["fixes"][0]["command"]
    assert cli.bare(*split(command)[1:], "--yes").code == 0


def test_no_command_has_the_password(
    cli: CommandLine, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = stored_world(dsn, schema)
    monkeypatch.delenv("CONTINUUM_DSN")
    secret = make_conninfo(dsn, password="tiger's", sslpassword="tiger")
    for arguments in (("explain", world.blocked), ("health",), ("doctor",)):
        said = cli.bare(*arguments, "--dsn", secret, "--schema", schema)
        assert "tiger" not in said.out + said.err
    assert "password=PASSWORD" in cli.bare("explain", world.blocked, "--dsn", secret, "--schema", schema).out


def test_python_gets_commands_with_the_schema_of_the_client(cli: CommandLine, dsn: str, schema: str) -> None:
    world = stored_world(dsn, schema)
    with continuum.connect_sync(dsn, schema=schema) as client:
        fixes = client.explain(world.blocked).causes[0].fixes
    assert [fix.command for fix in fixes] == [
        f"continuum runs unblock {world.blocked} --schema {schema}",
        f"continuum cancel {world.blocked} --schema {schema}",
    ]


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ("continuum signal RUN -- -go VALUE", "continuum signal RUN --dsn host=db -- -go VALUE"),
        ("continuum operations resume ID", "continuum operations resume ID --dsn host=db"),
        ("continuum health", "continuum health --dsn host=db"),
        ("continuum completion bash", "continuum completion bash"),
        ("VACUUM runs;", "VACUUM runs;"),
    ],
)
def test_only_commands_that_take_a_database_get_it(
    monkeypatch: pytest.MonkeyPatch, given: str, printed: str
) -> None:
    monkeypatch.delenv("CONTINUUM_DSN", raising=False)
    assert repeated(Target("host=db", "public"), given) == printed
    monkeypatch.setenv("CONTINUUM_DSN", "host=db")
    assert repeated(Target("host=db", "public"), given) == given
