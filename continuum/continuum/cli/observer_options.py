"""The options of an observer, for the commands that serve one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from continuum.errors import InvalidOption
from continuum.extras import needs_extra

if TYPE_CHECKING:
    from continuum.observer.options import ObserverOptions

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--auth",
        type=click.Choice(["link", "token", "proxy"]),
        default="link",
        show_default=True,
        help="Who may see it: the one who gets the link, those with a token, those that a proxy names.",
    ),
    click.option(
        "--tokens",
        "token_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="With --auth token: lines of ROLE NAME TOKEN, mode 0600. A role is viewer, operator or admin.",
    ),
    click.option(
        "--trusted-proxy",
        "trusted_proxies",
        multiple=True,
        metavar="ADDRESS",
        help="With --auth proxy: who may send X-Forwarded-User and X-Forwarded-Role. Repeatable.",
    ),
    click.option(
        "--host",
        "hosts",
        multiple=True,
        metavar="NAME",
        help="A name that it may be called by, besides loopback. Repeatable; * is any.",
    ),
    click.option("--read-only", is_flag=True, help="Nobody changes anything."),
    click.option(
        "--redact",
        multiple=True,
        metavar="PATH",
        help="Values that nobody sees, such as *.card. Repeatable.",
    ),
)


@dataclass(frozen=True, slots=True)
class GivenOptions:
    """What was given of an observer on a command line, not checked yet."""

    auth: str
    token_file: Path | None
    trusted_proxies: tuple[str, ...]
    hosts: tuple[str, ...]
    read_only: bool
    redact: tuple[str, ...]

    def checked(self, host: str) -> ObserverOptions:
        """Return the options for an observer that listens at `host`; wrong ones are a `UsageError`."""
        require_extra()
        from continuum.observer.guarding.token_file import read_tokens
        from continuum.observer.options import ObserverOptions
        from continuum.observer.serve import check_address

        try:
            options = ObserverOptions(
                auth=self.auth,
                tokens={} if self.token_file is None else read_tokens(self.token_file),
                trusted_proxies=self.trusted_proxies,
                hosts=self.hosts,
                read_only=self.read_only,
                redact=self.redact,
            )
            check_address(host, options)
        except InvalidOption as error:
            raise click.UsageError(str(error)) from error
        return options


def observer_options(command: F) -> F:
    """Give a command --auth, --tokens, --trusted-proxy, --host, --read-only and --redact, as `given`."""

    @functools.wraps(command)
    def with_given(*args: Any, **others: Any) -> Any:
        given = GivenOptions(**{each.name: others.pop(each.name) for each in fields(GivenOptions)})
        return command(*args, given=given, **others)

    for option in reversed(_OPTIONS):
        with_given = option(with_given)
    return with_given  # type: ignore[return-value]  # click calls it with keywords, whatever the command's type


def require_extra() -> None:
    """Refuse where the extra `observer` is not installed."""
    try:
        import_module("continuum.observer.serve")
    except ImportError as error:
        if (error.name or "").startswith("continuum"):
            raise
        raise click.ClickException(needs_extra("the observer", error.name, "observer")) from error
