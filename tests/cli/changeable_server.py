"""A durable server of its own for tests that break its settings, and what mends them again."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from continuum.local_postgres import EmbeddedPostgres, server
from continuum.local_postgres.commands import server_command
from tests.cli.commands import CommandLine
from tests.postgres.holding import server_directory, server_of
from tests.process.node.nodes import eventually

# What the command line of the embedded server sets no statement could change.
CHANGEABLE = ("fsync", "synchronous_commit", "full_page_writes", "max_connections")


@contextmanager
def changeable_server() -> Iterator[tuple[str, Path]]:
    """Yield the DSN and the directory of a server whose settings can be changed by SQL."""

    def without_fixed_settings(*arguments: object, **options: object) -> list[str]:
        command = server_command(*arguments, **options)  # type: ignore[arg-type]
        fixed = {f"{name}=" for name in CHANGEABLE}
        kept = [
            word
            for option, word in zip(command[1::2], command[2::2], strict=True)
            if option == "-c" and not any(word.startswith(name) for name in fixed)
        ]
        return [
            command[0],
            *(part for word in (*kept, "max_prepared_transactions=5") for part in ("-c", word)),
        ]

    with server_directory() as directory:
        running = EmbeddedPostgres(directory, durable=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "server_command", without_fixed_settings)
            running.start()
        try:
            yield running.dsn, directory
        finally:
            running.stop()


def restart(dsn: str, directory: Path) -> None:
    """Restart the server as an operator does; its keeper starts it again."""
    postmaster: psutil.Process = server_of(directory).postmaster
    postmaster.send_signal(signal.SIGINT)

    def answers() -> bool:
        try:
            with psycopg.connect(dsn):
                return not postmaster.is_running()
        except psycopg.OperationalError:
            return False

    eventually(answers, "the server does not answer")


def run_sql(dsn: str, *statements: str) -> None:
    """Run statements in one session, each by itself."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def run_fixes(cli: CommandLine, dsn: str, fixes: Sequence[str]) -> None:
    """Run the commands of a finding as a person does: SQL in one session, the others in a shell."""
    assert fixes, "there is nothing to run"
    run_sql(dsn, *(fix for fix in fixes if fix.endswith(";")))
    for fix in fixes:
        if not fix.endswith(";"):
            program, *words = shlex.split(fix)
            assert program == "continuum"
            # It asks otherwise.
            asks = words[0] in ("repair", "cancel", "resume") or words[:2] == ["runs", "resume"]
            changes = asks or ("--find" in words and words[1] != "list")
            answer = ["--yes"] if changes else []
            done = cli.bare(*words, *answer, "--dsn", dsn)
            assert done.code == 0, done.err


def until_holds(claim: Callable[[], bool]) -> None:
    """Return once the claim holds: the server reads changed settings a moment later."""
    eventually(claim, "it never held")
