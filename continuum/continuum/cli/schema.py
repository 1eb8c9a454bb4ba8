"""`continuum migrate`."""

from __future__ import annotations

import asyncio

import click

from continuum.cli.database import database_options
from continuum.client.connecting import database
from continuum.journal.postgres.schema import migrate_schema


@click.command(short_help="Bring the database schema up to this release.")
@database_options
def migrate(dsn: str | None, schema: str) -> None:
    """Bring the database schema up to this release; no effect if it is up to date."""

    async def migrating() -> list[int]:
        async with database(dsn) as address:
            return await migrate_schema(address, schema)

    applied = asyncio.run(migrating())
    if applied:
        click.echo(f"schema {schema}: applied {', '.join(f'{version:04}' for version in applied)}")
    else:
        click.echo(f"schema {schema}: up to date")
