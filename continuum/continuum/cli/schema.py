"""`continuum migrate`."""

from __future__ import annotations

import asyncio

import click

from continuum.cli.database import database_options
from continuum.client.connecting import database
from continuum.journal.postgres.schema import drop_unused_schema, migrate_schema


@click.command(short_help="Bring the database schema up to this release.")
@click.option("--fresh", is_flag=True, help="First drop the schema with all its runs.")
@click.option("--yes", is_flag=True, help="With --fresh: do not ask for confirmation.")
@database_options
def migrate(fresh: bool, yes: bool, dsn: str | None, schema: str) -> None:
    """Bring the database schema up to this release; no effect if it is up to date."""
    if fresh and not yes and not click.confirm(f"Drop schema {schema} with all its runs and create it anew?"):
        click.echo(f"schema {schema}: nothing changed")
        return

    async def migrating() -> list[str]:
        async with database(dsn) as address:
            if fresh:
                await drop_unused_schema(address, schema)
            return await migrate_schema(address, schema)

    applied = asyncio.run(migrating())
    click.echo(f"schema {schema}: {f'applied {summary(applied)}' if applied else 'up to date'}")


def summary(applied: list[str]) -> str:
    """Return the names of applied files on one line: `tables 0001_initial; functions claims, commit`."""
    names: dict[str, list[str]] = {}
    for file in applied:
        kind, name = file.removesuffix(".sql").split("/")
        names.setdefault(kind, []).append(name)
    return "; ".join(f"{kind} {', '.join(each)}" for kind, each in names.items())
