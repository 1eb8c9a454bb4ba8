"""On the embedded server only the commands that run something create a schema."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from continuum.local_postgres import EmbeddedPostgres
from tests.cli.commands import CommandLine
from tests.postgres.holding import server_directory

RUN = str(uuid.UUID(int=7))
NEEDS_A_SCHEMA = [
    ("runs", "list"),
    ("runs", "show", RUN),
    ("runs", "history", RUN),
    ("runs", "read", RUN, "total"),
    ("nodes", "list"),
    ("nodes", "show", "north"),
    ("nodes", "drain", "north"),
    ("versions", "list"),
    ("versions", "check", "tests.unit.client.working"),
    ("versions", "check", "--live", "tests.unit.client.working"),
    ("versions", "gc"),
    ("start", "greeting", '"ann"'),
    ("signal", RUN, "go", "1"),
    ("cancel", RUN),
    ("result", RUN),
    ("attributes", RUN, "{}"),
]


@pytest.fixture(scope="module")
def embedded() -> Iterator[str]:
    """The DSN of the embedded server that a command without --dsn uses."""
    with server_directory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTINUUM_DATA_DIR", str(directory))
        patch.delenv("CONTINUUM_DSN", raising=False)
        with EmbeddedPostgres(directory) as server:
            yield server.dsn


@pytest.mark.parametrize("arguments", NEEDS_A_SCHEMA, ids=" ".join)
def test_a_command_does_not_create_a_misspelled_schema(
    embedded: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    cli = CommandLine((), capsys)
    assert cli.bare("migrate").code == 0
    outcome = cli.bare(*arguments, "--schema", "continum")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        "continuum: the database has no schema continum, but has continuum; "
        "name one of these, or to create it run continuum migrate --schema continum; "
        f"looked in schema continum of your embedded Postgres in {os.environ['CONTINUUM_DATA_DIR']}\n"
    )
    with psycopg.connect(embedded) as connection:
        assert connection.execute("select to_regnamespace('continum')").fetchone() == (None,)
