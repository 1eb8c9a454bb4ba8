"""`continuum runs list`, `show`, `history`, `events`, `read`, and the commands of other files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

import click

from continuum.cli.bulk_commands import attributes, cancel, delete, signal, unblock
from continuum.cli.completed_words import workflow_names
from continuum.cli.database import (
    Target,
    ask,
    ask_journal,
    connected,
    database_options,
    json_option,
    namespace_option,
)
from continuum.cli.drift_output import print_problems, problem_facts
from continuum.cli.empty_answers import say_nothing
from continuum.cli.open_work import activities_in_words, in_words, open_facts
from continuum.cli.printing import escaped, print_table, say
from continuum.cli.run_export import export
from continuum.cli.run_filters import RunFilter, filter_options
from continuum.cli.run_forks import fork, reset, restart
from continuum.cli.run_ids import RUN
from continuum.cli.run_pauses import pause, resume
from continuum.cli.tracebacks import print_tracebacks
from continuum.client import Client, Owner, Page, Run, StateChange
from continuum.client.error_causes import ErrorCause, cause_of
from continuum.client.limits import PAGE_ENTRIES
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace
from continuum.client.runs import RunError
from continuum.client.wait_reasons import WAITS_FOR_A_NODE
from continuum.drift.deploy_check import StoredRuns
from continuum.drift.run_report import Refused, drift_of
from continuum.errors import NotPublished
from continuum.operations.json_text import to_json
from continuum.quoting import quoted

# Where no index serves a list, a page is of so many runs at most, which takes some tenths of a second.
LOOKED_AT = 50_000


@click.group(no_args_is_help=False)
def runs() -> None:
    """List and inspect runs."""


for command in (attributes, cancel, delete, export, fork, pause, reset, restart, resume, signal, unblock):
    runs.add_command(command)


@runs.command(name="list")
@filter_options
@click.option("--namespace", metavar="TEXT", help="Only this namespace; otherwise all.")
@click.option(
    "--limit", type=click.IntRange(1, PAGE_ENTRIES), default=25, show_default=True, help="Runs per page."
)
@click.option("--cursor", metavar="TEXT", help="Cursor printed by the previous page.")
@json_option
@database_options
def list_runs(
    chosen: RunFilter,
    namespace: str | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """List runs, the latest first.

    Where no index leads to the runs that are asked for, a page has those among the next 50,000 runs. A line
    says so, or `looked_at` with --json, and --cursor continues.
    """
    target = Target(dsn, schema)

    async def asking(client: Client) -> Page:
        return await client.query(
            chosen.conditions(),
            limit=limit,
            cursor=cursor,
            namespace=namespace,
            payloads=as_json,
            find=chosen.find,
            look_at=LOOKED_AT,
        )

    page = ask(target, asking)
    if as_json:
        click.echo(to_json(page))
        return
    _print_page(page.entries)
    if page.looked_at is not None:
        where = "the newest" if cursor is None else "the next"
        why = (
            "because no index leads to what was asked for; narrow it with workflow:, started: or an attribute"
        )
        click.echo(f"looked at {where} {page.looked_at:,} runs alone, {why}", err=True)
    elif not page.entries:
        say_nothing(target, "run", "`continuum start WORKFLOW` starts one")
        if "error:" in (chosen.find or ""):
            click.echo("error:TimeoutError is a whole type, error:*Timeout* a part of one", err=True)
    if page.next_cursor is not None:
        click.echo(f"more: --cursor {page.next_cursor}", err=True)


@runs.command(short_help="Show everything about RUN.")
@click.argument("run", type=RUN)
@click.option(
    "--module", "modules", multiple=True, metavar="MODULE", help="Replay RUN against this code. Repeatable."
)
@click.option("--verbose", "-v", is_flag=True, help="Print tracebacks whole.")
@namespace_option
@json_option
@database_options
def show(
    run: str,
    modules: tuple[str, ...],
    verbose: bool,
    namespace: InNamespace,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """Show everything about RUN, and where its code has drifted from its journal.

    With --json, `refusals` are the versions of code that cannot continue RUN, and `replay` is what a replay
    against the code of --module found: an empty list if that code continues RUN, null without --module.
    `caused_by` is the failure of an activity or a child that the error of RUN repeats.
    `unread` is what lies in the inbox of a run that has not ended: whether it was asked to stop, and how many
    signals by their names; `activities` are those that it has called and that have not ended, each with its
    summary. `continuum explain RUN` says what holds it.
    """
    found, owner, alone, cause = ask(Target(dsn, schema), lambda client: _looked_at(client, run, namespace))
    facts = {name: getattr(found, name) for name in Run.__dataclass_fields__} | {"owner": owner}
    if found.completed_at is None:
        mail, calls = ask_journal(Target(dsn, schema), lambda journal: open_facts(journal, found.id))
        facts["unread"] = mail if as_json else in_words(mail)
        facts["activities"] = calls if as_json else activities_in_words(calls)
    if as_json:
        facts |= ask_journal(Target(dsn, schema), lambda journal: _drift_facts(journal, run, modules))
        click.echo(to_json(facts | {"caused_by": cause}))
        return
    # The reason says the same as the fault, which is for programs.
    shown = [(name, _shown(value)) for name, value in facts.items() if value is not None and name != "fault"]
    print_table(("field", "value"), shown)
    if found.error is not None:
        print_tracebacks(found.error, cause, whole=verbose)
    if alone is not None:
        say(f"\n{alone}")
    problems = ask_journal(Target(dsn, schema), lambda journal: drift_of(journal, run, modules))
    print_problems(problems, known=None if modules else found.reason)
    if found.completed_at is None:
        click.echo(f"\n`continuum explain {found.id}` says what holds it, who ends that, and what helps")


async def _looked_at(
    client: Client, run: str, namespace: InNamespace
) -> tuple[Run, Owner | None, str | None, ErrorCause | None]:
    """Return a run, where it is, and for a failed one the failure that its error repeats."""
    found, owner, alone = await _run_and_place(client, run, namespace)
    history = [] if found.error is None else await client.history(found.id)
    return found, owner, alone, cause_of(found.error, history)


async def _run_and_place(
    client: Client, run: str, namespace: InNamespace
) -> tuple[Run, Owner | None, str | None]:
    """Return a run, its owner, and what its reason does not say: that no node could continue it now."""
    found = await client.get_run(run, namespace=namespace)
    if found.completed_at is not None:
        return found, None, None
    # The owner of a run that has continued is that of its latest run.
    owner = await client.owner(found.id)
    if (found.reason or "").startswith(WAITS_FOR_A_NODE):
        return found, owner, None
    nodes = {node.node: node for node in await client.nodes()}
    if owner is not None and (owner.node not in nodes or nodes[owner.node].state != "lost"):
        return found, owner, None
    serves = any(
        node.state != "lost"
        and found.workflow in node.workflows
        and (node.namespaces is None or found.namespace in node.namespaces)
        for node in nodes.values()
    )
    lost = "" if owner is None else f"node {owner.node} is lost, and "
    missing = f"no running node of its namespace has loaded {found.workflow}: nothing continues this run"
    return found, owner, None if serves else f"{lost}{missing}"


async def _drift_facts(journal: StoredRuns, run: str, modules: Sequence[str]) -> dict[str, Any]:
    recorded = await drift_of(journal, run, ())
    replayed = await drift_of(journal, run, modules) if modules else None
    return {
        "refusals": [problem_facts(problem) for problem in recorded if isinstance(problem, Refused)],
        "replay": None if replayed is None else [problem_facts(problem) for problem in replayed],
    }


@runs.command()
@click.argument("run", type=RUN)
@namespace_option
@json_option
@database_options
def history(run: str, namespace: InNamespace, as_json: bool, dsn: str | None, schema: str) -> None:
    """Show the journaled events of RUN, oldest first."""
    target = Target(dsn, schema)
    events = ask(target, lambda client: client.history(run, namespace=namespace))
    if as_json:
        click.echo(to_json(events))
        return
    rows = [
        (
            str(event.seq),
            event.at.isoformat(timespec="milliseconds"),
            event.type,
            event.name or "",
            to_json(event.payload),
        )
        for event in events
    ]
    print_table(("seq", "at", "type", "name", "payload"), rows)
    if not events:
        say_nothing(target, f"event of run {run}", f"`continuum explain {run}` says what it waits for")


@runs.command(short_help="Print changes of states, and wait for more.")
@click.option(
    "--since", metavar="CURSOR", help="Continue after this cursor; `now` leaves out what has happened so far."
)
@click.option("--workflow", metavar="NAME", help="Only runs of this workflow.", shell_complete=workflow_names)
@click.option("--namespace", metavar="TEXT", help="Only this namespace; otherwise all.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="NUMBER", help="End after so many; otherwise never."
)
@json_option
@database_options
def events(
    since: str | None,
    workflow: str | None,
    namespace: str | None,
    limit: int | None,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """Print each change of the state of a run, oldest first, and wait for more.

    The first column is the cursor: --since with it prints what comes after. With --json a line is an object.
    """

    async def following() -> None:
        async with connected(Target(dsn, schema), listen=True) as client:
            within = ANY_NAMESPACE if namespace is None else namespace
            found = client.events(cursor=since, workflow=workflow, namespace=within)
            async with aclosing(found) as changes:
                printed = 0
                async for change in changes:
                    click.echo(to_json(change) if as_json else _line(change))
                    printed += 1
                    if printed == limit:
                        return

    asyncio.run(following())


@runs.command(short_help="Print the value that RUN has published under NAME.")
@click.argument("run", type=RUN)
@click.argument("name")
@namespace_option
@json_option
@database_options
def read(run: str, name: str, namespace: InNamespace, as_json: bool, dsn: str | None, schema: str) -> None:
    """Print the latest value that RUN, or a run that continues it, published under NAME, as JSON."""
    try:
        value = ask(Target(dsn, schema), lambda client: client.read(run, name, namespace=namespace))
    except NotPublished as error:
        raise click.ClickException(f"run {error.run_id} has published no {quoted(error.name)}") from error
    click.echo(to_json(value, indent=None if as_json else 2))


def _print_page(entries: Sequence[Run]) -> None:
    """Print a line for each run; with its namespace if they are not all of the same."""
    named = len({run.namespace for run in entries}) > 1
    print_table(
        ("id", "workflow", *(["namespace"] if named else []), "state", "started", "note"),
        [_summary(run, named=named) for run in entries],
    )


def _summary(run: Run, *, named: bool) -> Sequence[str]:
    why = _error(run.error) if run.error is not None else run.reason or ""
    goes_on = "" if run.continued_to is None else f"continues as {run.continued_to}"
    note = "; ".join(each for each in (goes_on, why) if each)
    namespace = [run.namespace] if named else []
    return run.id, run.workflow, *namespace, run.state, run.started_at.isoformat(timespec="seconds"), note


def _line(change: StateChange) -> str:
    at = change.at.isoformat(timespec="milliseconds")
    cells = change.cursor, at, change.run_id, change.state, change.workflow, change.namespace
    return "\t".join(map(escaped, cells))


def _error(error: RunError) -> str:
    return f"{error.type}: {error.message}" if error.message else error.type


def _shown(value: Any) -> str:
    match value:
        case str():
            return value
        case datetime():
            return value.isoformat()
        case Owner():
            return str(value)
        case RunError():
            return _error(value)
        case _:
            return to_json(value)
