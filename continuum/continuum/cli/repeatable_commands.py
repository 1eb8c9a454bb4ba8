"""Commands that a command prints, with the options that find the same database once more."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import split

from continuum.cli.database import Target
from continuum.operations.commands import command, with_options

PROGRAM = "continuum"


def repeated(target: Target, given: str) -> str:
    """Return a command with the --dsn with which its output was asked for, unless the environment has that.

    PASSWORD stands for a password in it. SQL, and commands that take no --dsn, stay as they are.
    """
    dsn = _given_dsn(target)
    if dsn is None or not _takes_a_dsn(given):
        return given
    from continuum.journal.postgres.database_name import without_password

    return with_options(given, "--dsn", without_password(dsn))


def all_repeated(target: Target, given: Iterable[str]) -> tuple[str, ...]:
    """Return several commands as `repeated` does."""
    return tuple(repeated(target, each) for each in given)


def command_here(target: Target, *words: str) -> str:
    """Return a command on the same schema and database."""
    return repeated(target, command(target.schema, *words))


def _given_dsn(target: Target) -> str | None:
    from continuum.client.connecting import default_dsn

    return target.dsn if target.dsn and target.dsn != default_dsn() else None


def _takes_a_dsn(given: str) -> bool:
    """Whether this is a command of ours that has the option."""
    import click

    from continuum.cli.main import continuum

    if not given.startswith(f"{PROGRAM} ") or given.endswith(";"):
        return False
    found: click.Command = continuum
    for word in split(given)[1:]:
        if not isinstance(found, click.Group):
            break
        found = found.get_command(click.Context(found), word) or found
    return any(each.name == "dsn" for each in found.params)
