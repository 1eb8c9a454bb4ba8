"""`continuum migrate`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import click

from continuum.cli.changes import changing_options, declined, recorder
from continuum.cli.database import database_options
from continuum.client.connecting import database
from continuum.journal.audit_facts import Action, AuditFacts
from continuum.journal.postgres.schema import (
    Droppable,
    Migrated,
    drop_unused_schema,
    inspect_unused_schema,
    migrate_schema,
)
from continuum.operations.actor import Actor
from continuum.operations.findings import verb
from continuum.operations.repair_commands import repair_command
from continuum_migrations import expected_objects


@click.command(short_help="Bring the database schema up to this release.")
@click.option("--fresh", is_flag=True, help="First drop the schema with all its runs.")
@click.option("--yes", is_flag=True, help="With --fresh: do not ask for confirmation.")
@changing_options
@database_options
def migrate(fresh: bool, yes: bool, actor: Actor, dsn: str | None, schema: str) -> None:
    """Bring the database schema up to this release, and create functions again that it has lost.

    No effect if it is up to date.
    """
    if fresh and not yes and not _confirmed(dsn, schema):
        declined(f"schema {schema}: nothing changed")

    def facts_about(files: Sequence[str]) -> AuditFacts | None:
        record = recorder(actor, time.time_ns() // 1000)
        return record(Action.MIGRATE, schema, files=list(files), fresh=fresh)

    async def migrating() -> Migrated:
        async with database(dsn) as address:
            if fresh:
                await drop_unused_schema(address, schema)
            return await migrate_schema(address, schema, facts_about=facts_about)

    done = asyncio.run(migrating())
    changes = [f"applied {summary(done.files)}"] if done.files else []
    if done.restored:
        were = verb(len(done.restored), "which was lost", "which were lost")
        changes.append(f"created again {_with_kinds(done.restored)}, {were}")
    click.echo(f"schema {schema}: {'; '.join(changes) or 'up to date'}")
    for index in done.lost_indexes:
        mend = repair_command("index-missing", index, schema)
        click.echo(f"schema {schema}: index {index} is lost, and a migration builds none again: {mend}")


def _with_kinds(restored: Sequence[str]) -> str:
    """Return the names of functions and views with what they are."""
    views = [name for name in restored if name in expected_objects().views]
    functions = [name for name in restored if name not in views]
    kinds = ((functions, "function"), (views, "view"))
    return " and ".join(f"{noun}{'s'[: len(names) - 1]} {', '.join(names)}" for names, noun in kinds if names)


def _confirmed(dsn: str | None, schema: str) -> bool:
    """Check that the schema may be dropped, and ask whether to do so; no question if nothing is there."""

    async def inspecting() -> Droppable | None:
        async with database(dsn) as address:
            return await inspect_unused_schema(address, schema)

    # It ends before the prompt: inside the loop an interrupt would not end the wait for input.
    found = asyncio.run(inspecting())
    if found is None:
        return True
    runs = f"its {found.runs} run{'' if found.runs == 1 else 's'}" if found.runs else "no runs in it"
    where = f"in database {found.database} on {found.host}"
    try:
        return click.confirm(f"Drop schema {schema} {where}, with {runs}, and create it anew?")
    except click.Abort as error:
        if not isinstance(error.__context__, EOFError):
            raise
        click.echo()
        raise click.ClickException(
            f"schema {schema} was not dropped: nobody confirmed it; "
            "without a terminal, --yes drops it without a question"
        ) from error


def summary(applied: Sequence[str]) -> str:
    """Return the names of applied files on one line: `tables 0001_initial; functions claims, commit`."""
    names: dict[str, list[str]] = {}
    for file in applied:
        kind, name = file.removesuffix(".sql").split("/")
        names.setdefault(kind, []).append(name)
    return "; ".join(f"{kind} {', '.join(each)}" for kind, each in names.items())
