"""Every command that finds nothing names the database where it has looked: the shell may be the wrong one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from continuum.journal.postgres.database_name import database_name
from continuum.local_postgres import EmbeddedPostgres
from tests.cli.commands import CommandLine, place
from tests.cli.test_namespaces import ARGUMENTS
from tests.postgres.holding import server_directory

NOBODY = str(uuid.UUID(int=7))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_command_that_finds_no_run_names_the_database(cli: CommandLine, name: str) -> None:
    refused = cli(*name.split(), NOBODY, *ARGUMENTS[name])
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1)
    assert refused.err.endswith(f"; looked in {place(cli)}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nodes", "show", "x"),
        ("nodes", "drain", "x"),
        ("health", "review", "x"),
        ("verify", "--run", NOBODY),
        ("runs", "export", NOBODY),
        ("runs", "show", NOBODY[:9]),
    ],
    ids=" ".join,
)
def test_a_command_that_finds_nothing_of_that_name_names_the_database(
    cli: CommandLine, arguments: tuple[str, ...]
) -> None:
    refused = cli(*arguments)
    assert (refused.code, len(refused.err.splitlines())) == (1, 1)
    assert refused.err.endswith(f"; looked in {place(cli)}\n")


def test_a_command_with_a_misspelt_schema_names_the_database(
    dsn: str, empty_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = CommandLine(("--dsn", dsn, "--schema", empty_name), capsys)
    assert cli("runs", "list").err.endswith(f"; looked in {place(cli)}\n")
    assert cli("doctor").code == 1


@pytest.mark.parametrize("command", ["health", "verify"])
def test_a_check_without_findings_names_the_database(cli: CommandLine, command: str) -> None:
    assert place(cli) in cli(command).out


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of the embedded server that a command without --dsn uses; it has no data yet."""
    monkeypatch.delenv("CONTINUUM_DSN", raising=False)
    with server_directory() as directory:
        monkeypatch.setenv("CONTINUUM_DATA_DIR", str(directory))
        yield directory


@pytest.mark.parametrize("arguments", [("runs", "list"), ("health",), ("start", "greeting")], ids=" ".join)
def test_no_command_makes_an_embedded_server_because_the_dsn_was_forgotten(
    embedded: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    refused = CommandLine((), capsys).bare(*arguments)
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1)
    assert refused.err.startswith("continuum: neither --dsn nor CONTINUUM_DSN is set, and your embedded")
    assert str(embedded) in refused.err
    assert not EmbeddedPostgres(embedded).has_data


def test_an_embedded_server_without_runs_is_named_once(
    embedded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = CommandLine((), capsys)
    with EmbeddedPostgres(embedded) as server:
        assert cli.bare("migrate").code == 0
        told = (
            "neither --dsn nor CONTINUUM_DSN is set: this is schema continuum of your embedded Postgres in "
            f"{embedded}, which has no runs\n"
        )
        assert cli.bare("versions", "list").err.startswith(told)
        begun = cli.bare("start", "greeting")
        assert begun.err.startswith(told)
        assert told not in cli.bare("runs", "show", begun.out.strip()).err
        assert cli.bare("runs", "show", begun.out.strip(), "--dsn", server.dsn).code == 0


@pytest.mark.parametrize(
    ("dsn", "name"),
    [
        ("postgresql://ann:secret@db/app", "database app on db"),
        ("postgresql://ann:secret@db:5433/app", "database app on db:5433"),
        ("host=a,b port=5433,5432 dbname=app", "database app on a:5433, b"),
        ("host=a,b port=5433 dbname=app", "database app on a:5433, b:5433"),
        ("dbname=app", "database app on this machine"),
        ("dbname=app port=5433", "database app on this machine, port 5433"),
        ("user=ann host=db", "database ann on db"),
        ("hostaddr=10.0.0.7 dbname=app", "database app on 10.0.0.7"),
        ("host=/run/pg dbname=app", "database app on /run/pg"),
        ("service=prod", "the database of service prod"),
    ],
)
def test_a_database_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, dsn: str, name: str
) -> None:
    for variable in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE"):
        monkeypatch.delenv(variable, raising=False)
    assert database_name(dsn) == name


def test_the_environment_adds_to_the_name_of_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db")
    monkeypatch.setenv("PGDATABASE", "app")
    assert database_name("user=ann") == "database app on db"
