"""What commands that change something share: who does it, why, and a question before it cannot be undone."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from continuum.client import Client
    from continuum.operations.actor import Actor, Recorder

F = TypeVar("F", bound=Callable[..., Any])


def changing_options(command: F) -> F:
    """Give a command --by and --reason; it receives them as `actor`."""

    @click.option(
        "--by", metavar="TEXT", help="Who does this; otherwise CONTINUUM_ACTOR, otherwise user@host."
    )
    @click.option("--reason", metavar="TEXT", help="Why, for `continuum audit list`.")
    @functools.wraps(command)
    def with_actor(*args: Any, by: str | None, reason: str | None, **given: Any) -> Any:
        return command(*args, actor=_actor(by, reason), **given)

    return with_actor  # type: ignore[return-value]  # click calls it with keywords, whatever the command's type


def yes_option(command: F) -> F:
    """Give a command --yes."""
    return click.option("--yes", is_flag=True, help="Do it without a question.")(command)


def recorder(actor: Actor, now: int) -> Recorder:
    """Return what records the changes of a command that calls the journal itself, whose time it is."""
    from continuum.operations.actor import recorder_at

    return recorder_at(actor, now, os.urandom)


def acting(client: Client, actor: Actor) -> Client:
    """Return a client whose changes are recorded as those of a person at the command line."""
    return client.as_actor(actor.name, reason=actor.reason, via=actor.via)


def confirmed(question: str, undone: str, *, yes: bool) -> bool:
    """Ask whether to do something, unless `yes` says so; without a terminal refuse: `undone` says what."""
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.ClickException(
            f"{undone}: nobody confirmed it; without a terminal, --yes does it without a question"
        )
    return click.confirm(question, err=True)


def declined(said: str) -> NoReturn:
    """End a command whose question was answered with no: exit code 1, for nothing was done."""
    click.echo(said)
    raise click.exceptions.Exit(1)


def asks(*, yes: bool) -> bool:
    """Return whether a person at a terminal is asked before what scripts do without a question."""
    return not yes and sys.stdin is not None and sys.stdin.isatty()


def agreed(question: str) -> bool:
    """Ask a person at a terminal."""
    return click.confirm(question, err=True)


def _actor(by: str | None, reason: str | None) -> Actor:
    from continuum.operations.account import account_name
    from continuum.operations.actor import Actor, actor_name

    return Actor(actor_name(by, os.environ, account_name), "cli", reason)
