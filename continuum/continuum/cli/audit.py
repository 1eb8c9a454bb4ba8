"""`continuum audit list`."""

from __future__ import annotations

from datetime import datetime

import click

from continuum.cli.database import Target, ask_journal, database_options, json_option
from continuum.cli.empty_answers import say_nothing
from continuum.cli.printing import print_table
from continuum.cli.times import read_time
from continuum.client.limits import PAGE_ENTRIES
from continuum.journal.audit_facts import Action
from continuum.operations.audit import AuditEntry, audit_page
from continuum.operations.json_text import to_json


@click.group(no_args_is_help=False)
def audit() -> None:
    """Show who changed what."""


@audit.command(name="list", short_help="List changes that people have made, the latest first.")
@click.option("--actor", metavar="TEXT", help="Only changes by this actor.")
@click.option(
    "--action", type=click.Choice([each.value for each in Action]), help="Only this kind of change."
)
@click.option("--subject", metavar="TEXT", help="Only changes of this run, node or version.")
@click.option(
    "--since", callback=read_time, metavar="TIME", help="Only since then: a time, or 30m, 24h, 7d ago."
)
@click.option(
    "--limit", type=click.IntRange(1, PAGE_ENTRIES), default=25, show_default=True, help="Changes per page."
)
@click.option("--cursor", metavar="TEXT", help="Cursor printed by the previous page.")
@json_option
@database_options
def list_changes(
    actor: str | None,
    action: str | None,
    subject: str | None,
    since: datetime | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """List changes that people have made, the latest first: who, through what, what, and what came of it.

    Arguments are names and sizes; values of signals and attributes are not recorded.
    """
    target = Target(dsn, schema)
    page = ask_journal(
        target,
        lambda journal: audit_page(
            journal, actor=actor, action=action, subject=subject, since=since, limit=limit, cursor=cursor
        ),
    )
    if as_json:
        click.echo(to_json(page))
        return
    print_table(
        ("at", "actor", "via", "action", "subject", "outcome", "reason", "arguments"),
        [_cells(entry) for entry in page.entries],
    )
    if not page.entries:
        say_nothing(
            target, "change", "what people change with our commands and clients is recorded as they do it"
        )
    if page.next_cursor is not None:
        click.echo(f"more: --cursor {page.next_cursor}", err=True)


def _cells(entry: AuditEntry) -> tuple[str, ...]:
    at = entry.at.isoformat(timespec="seconds")
    arguments = to_json(entry.arguments) if entry.arguments else ""
    return (
        at,
        entry.actor,
        entry.via,
        entry.action,
        entry.subject,
        entry.outcome,
        entry.reason or "",
        arguments,
    )
