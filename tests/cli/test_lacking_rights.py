"""A command whose role lacks a right ends with one line: what is lacking, and where the grant is."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.cli.commands import CommandLine
from tests.cli.test_commands import started


@pytest.fixture
def reader(cli: CommandLine, dsn: str, schema: str) -> Iterator[CommandLine]:
    """The command line as a role that only reads tables."""
    role = f"reader_{uuid4().hex[:6]}"
    with psycopg.connect(dsn, autocommit=True) as owner:
        for statement in (
            f"create role {role} login",
            f"grant usage on schema {schema} to {role}",
            f"grant select on all tables in schema {schema} to {role}",
        ):
            owner.execute(statement.encode())
        yield CommandLine(("--dsn", make_conninfo(dsn, user=role), "--schema", schema), cli.captured)
        for statement in (f"drop owned by {role}", f"drop role {role}"):
            owner.execute(statement.encode())


@pytest.mark.parametrize(
    "command",
    [
        ("verify",),
        ("repair", "lost-wake", "{}", "--yes"),
        ("runs", "events", "--limit", "1"),
        ("start", "greeting", '"a"'),
        ("signal", "{}", "go", "1"),
        ("cancel", "{}", "--yes"),
        ("nodes", "drain", "north", "--yes"),
    ],
    ids=" ".join,
)
def test_a_role_without_a_right_is_told_in_one_line(
    cli: CommandLine, reader: CommandLine, command: tuple[str, ...]
) -> None:
    run_id = started(cli)
    refused = reader(*(word.format(run_id) for word in command))
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1), refused
    assert "the role of the DSN lacks a right (permission denied for " in refused.err
    assert "`continuum doctor` has the grant" in refused.err


@pytest.mark.parametrize(
    "command", [("runs", "cancel", "{}", "--yes"), ("signal", "{}", "go", "1")], ids=" ".join
)
def test_a_server_that_takes_no_writes_says_so_in_one_line(
    cli: CommandLine, caplog: pytest.LogCaptureFixture, command: tuple[str, ...]
) -> None:
    """The driver would log that a pipeline ends after a refusal."""
    run_id = started(cli)
    dsn = make_conninfo(cli.options[1], options="-c default_transaction_read_only=on")
    frozen = CommandLine(("--dsn", dsn, *cli.options[2:]), cli.captured)
    refused = frozen(*(word.format(run_id) for word in command))
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1), refused
    assert "Postgres takes no writes" in refused.err
    assert caplog.messages == []
