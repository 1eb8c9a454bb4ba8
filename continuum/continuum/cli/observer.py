"""`continuum observer`: serves the observer by itself."""

from __future__ import annotations

import asyncio

import click

from continuum.cli.database import Target, connected, database_options
from continuum.cli.observer_options import GivenOptions, observer_options
from continuum.cli.values import address


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
def observer(where: tuple[str, int], given: GivenOptions, dsn: str | None, schema: str) -> None:
    """Serve a web page that shows runs, nodes and health, and changes them.

    It listens on loopback, and prints a link that signs you in, once, for ten minutes. Ctrl-C ends it.
    A wider address needs --auth token or --auth proxy.
    """
    options = given.checked(where[0])
    from continuum.observer.serve import serve
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
