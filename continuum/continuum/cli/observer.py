"""`continuum observer`: serves the observer by itself."""

from __future__ import annotations

import asyncio

import click

from continuum.cli.database import Target, connected, database_options
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
@database_options
def observer(where: tuple[str, int], dsn: str | None, schema: str) -> None:
    """Serve a web page that shows runs, nodes and health, and changes them.

    It listens on loopback, and prints a link that signs you in, once.
    """
    try:
        from continuum.observer.options import ObserverOptions
        from continuum.observer.serve import serve
    except ImportError as error:
        raise click.ClickException(
            f"the observer needs {error.name}: pip install 'continuum-durable[observer]'"
        ) from error
    from continuum.operations.account import account_name

    async def serving() -> None:
        async with connected(Target(dsn, schema), listen=True) as client:
            await serve(
                client,
                *where,
                ObserverOptions(),
                starter=account_name(),
                told=lambda link: click.echo(f"observer {link}"),
            )

    try:
        asyncio.run(serving())
    except InvalidOption as error:
        raise click.UsageError(str(error)) from error
