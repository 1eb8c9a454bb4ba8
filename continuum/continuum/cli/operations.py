"""`continuum operations list`, `show`, `pause`, `resume` and `cancel`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import click

from continuum.cli.bulk import finish, make, progress, reason_lines, resumes
from continuum.cli.changes import changing_options, recorder
from continuum.cli.completed_words import operation_ids
from continuum.cli.database import Target, ask_journal, database_options, json_option
from continuum.cli.empty_answers import say_nothing
from continuum.cli.printing import escaped, print_table
from continuum.cli.repeatable_commands import command_here
from continuum.client.limits import PAGE_ENTRIES
from continuum.journal.audit_facts import Action, ChangeOutcome
from continuum.journal.operation_facts import OperationRow, OperationState
from continuum.journal.port import Journal
from continuum.operations.actor import Actor
from continuum.operations.bulk_arguments import check_rate
from continuum.operations.bulk_execution import check_changed, execute, found
from continuum.operations.bulk_records import Operation, operation_of
from continuum.operations.json_text import to_json
from continuum.operations.operation_lists import operation_page
from continuum.quoting import quoted


@click.group(no_args_is_help=False)
def operations() -> None:
    """List and steer changes of many runs."""


def _read_id(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    try:
        return str(uuid.UUID(given))
    except ValueError:
        raise click.BadParameter(f"an operation's id is a UUID, not {quoted(given)}") from None


operation_argument = click.argument("operation", callback=_read_id, shell_complete=operation_ids)


@operations.command(name="list")
@click.option(
    "--limit", type=click.IntRange(1, PAGE_ENTRIES), default=25, show_default=True, help="How many per page."
)
@click.option("--cursor", metavar="TEXT", help="Cursor printed by the previous page.")
@json_option
@database_options
def list_operations(limit: int, cursor: str | None, as_json: bool, dsn: str | None, schema: str) -> None:
    """List changes of many runs, the latest first."""
    target = Target(dsn, schema)
    page = ask_journal(target, lambda journal: operation_page(journal, limit=limit, cursor=cursor))
    if as_json:
        click.echo(to_json(page))
        return
    print_table(
        ("id", "action", "search", "state", "done", "skipped", "failed", "of", "by", "begun"),
        [_cells(each) for each in page.entries],
    )
    if not page.entries:
        say_nothing(target, "operation", "`continuum runs cancel --find SEARCH` begins one")
    for each in page.entries:
        if each.interrupted:
            click.echo(f"operation {each.id} is {_interrupted(target, each)}", err=True)
    if page.next_cursor is not None:
        click.echo(f"more: --cursor {page.next_cursor}", err=True)


@operations.command()
@operation_argument
@json_option
@database_options
def show(operation: str, as_json: bool, dsn: str | None, schema: str) -> None:
    """Show how far OPERATION is."""
    target = Target(dsn, schema)
    known = operation_of(ask_journal(target, lambda journal: found(journal, operation)))
    if as_json:
        click.echo(to_json(known))
        return
    facts = {field.name: getattr(known, field.name) for field in fields(known)}
    if known.interrupted:
        facts["state"] = _interrupted(target, known)
    rows = [(name, _shown(value)) for name, value in facts.items() if value is not None and name != "reasons"]
    print_table(("field", "value"), [*rows, *(("why", line) for line in reason_lines(known.reasons))])


@operations.command()
@operation_argument
@changing_options
@database_options
def pause(operation: str, actor: Actor, dsn: str | None, schema: str) -> None:
    """Pause OPERATION after the part that is under way, in whichever process that is."""
    target = Target(dsn, schema)
    _change(target, operation, OperationState.PAUSED, Action.PAUSE_OPERATION, actor)
    click.echo(f"operation {operation} is paused; {resumes(target, operation)}")


@operations.command()
@operation_argument
@changing_options
@database_options
def cancel(operation: str, actor: Actor, dsn: str | None, schema: str) -> None:
    """End OPERATION after the part that is under way. What it has changed stays so."""
    _change(Target(dsn, schema), operation, OperationState.CANCELLED, Action.CANCEL_OPERATION, actor)
    row = ask_journal(Target(dsn, schema), lambda journal: found(journal, operation))
    click.echo(f"operation {operation} is cancelled: {row.done:,} runs were changed before")


@operations.command()
@operation_argument
@click.option(
    "--rate", type=float, metavar="NUMBER", help="From now on change at most so many runs a second."
)
@changing_options
@json_option
@database_options
def resume(
    operation: str, rate: float | None, actor: Actor, as_json: bool, dsn: str | None, schema: str
) -> None:
    """Continue OPERATION here: one that is paused, or whose process has died or was interrupted."""
    check_rate(rate)
    target = Target(dsn, schema)
    row = ask_journal(target, lambda journal: found(journal, operation))
    if rate is not None:
        _set_rate(target, operation, rate, actor)
    if row.state == OperationState.PAUSED:
        _change(target, operation, OperationState.RUNNING, Action.RESUME_OPERATION, actor)

    async def making(journal: Journal) -> OperationRow:
        with progress(operation, None) as told:
            return await execute(journal, operation, told)

    finish(target, make(target, operation, making), as_json=as_json)


def _change(target: Target, operation: str, state: OperationState, action: Action, actor: Actor) -> None:
    async def changing(journal: Journal) -> ChangeOutcome:
        audit = recorder(actor, journal.now())(action, operation)
        return await journal.change_operation(operation, state, audit=audit)

    check_changed(operation, ask_journal(target, changing))


def _set_rate(target: Target, operation: str, rate: float, actor: Actor) -> None:
    """Set the rate, unless somebody executes the operation or it is over, which the next call says."""

    async def setting(journal: Journal) -> ChangeOutcome:
        audit = recorder(actor, journal.now())(Action.RESUME_OPERATION, operation, rate=rate)
        return await journal.set_operation_rate(operation, rate, audit=audit)

    ask_journal(target, setting)


def _cells(row: Operation) -> tuple[str, ...]:
    begun = row.created_at.isoformat(timespec="seconds")
    state = "interrupted" if row.interrupted else row.state
    counts = (f"{row.done}", f"{row.skipped}", f"{row.failed}", row.expected)
    return row.id, row.action, escaped(row.search), state, *counts, row.actor, begun


def _interrupted(target: Target, row: Operation) -> str:
    resume = f"`{command_here(target, 'operations', 'resume', row.id)}`"
    return f"interrupted: nobody carries it out; continue it with {resume}"


def _shown(value: Any) -> str:
    match value:
        case str():
            return escaped(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            return to_json(value)
        case _:
            return str(value)
