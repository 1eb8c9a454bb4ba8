"""`continuum observer`: serves the observer by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from continuum.cli.database import Target, connected, database_options
from continuum.cli.observer_options import observer_options, options_of
from continuum.cli.values import address
from continuum.errors import InvalidOption


@click.command(short_help="Serve a web page that shows runs, nodes and health.")
@click.option(
    "--http",
    "where",
    type=address,
    default="127.0.0.1:8400",
    show_default=True,
    metavar="HOST:PORT",
    help="Where it listens.",
)
@observer_options
@database_options
def observer(where: tuple[str, int], dsn: str | None, schema: str, **given: Any) -> None:
    """Serve a web page that shows runs, nodes and health, and changes them.

    It listens on loopback, and prints a link that signs you in, once, for ten minutes. Ctrl-C ends it.
    A wider address needs --auth token or --auth proxy.
    """
    try:
        options = options_of(**given)
        from continuum.observer.serve import check_address, serve

        check_address(where[0], options)
    except InvalidOption as error:
        raise click.UsageError(str(error)) from error
    from continuum.operations.account import account_name

    async def serving() -> None:
        async with connected(Target(dsn, schema), listen=True) as client:
            await serve(
                client,
                *where,
                options,
                starter=account_name(),
                told=lambda link: click.echo(f"observer {link}"),
            )

    asyncio.run(serving())
