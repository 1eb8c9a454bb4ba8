"""`continuum versions list`, `check` and `gc`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import click

from continuum.cli.changes import changing_options, confirmed, recorder, yes_option
from continuum.cli.database import Target, ask_journal, database_options, json_option
from continuum.cli.drift_output import finding_facts, print_checked_runs, print_elsewhere
from continuum.cli.empty_answers import say_nothing
from continuum.cli.live_checks import LiveCheck, after_option
from continuum.cli.printing import print_table
from continuum.drift.deploy_check import CheckedRuns, loadable
from continuum.drift.ownership import own_workflows
from continuum.journal.audit_facts import Action
from continuum.journal.port import Journal, VersionRow, Versions
from continuum.journal.untyped_values import at
from continuum.operations.actor import Actor
from continuum.operations.json_text import to_json
from continuum.operations.version_use import by_age, unused_versions
from continuum.versions.loaded_code import Code, load_code

DONE, NOT_READY = 0, 1


@click.group(no_args_is_help=False)
def versions() -> None:
    """List and check the versions of workflow code."""


@versions.command(name="list")
@json_option
@database_options
def list_versions(as_json: bool, dsn: str | None, schema: str) -> None:
    """List every version that a node has loaded or that an open run uses."""
    target = Target(dsn, schema)
    rows = sorted(ask_journal(target, lambda journal: journal.versions()), key=by_age)
    if as_json:
        click.echo(to_json([_facts(row) for row in rows]))
        return
    print_table(
        ("workflow", "label", "version", "open_runs", "module", "registered"),
        [
            (row.workflow, row.label, row.version, counted_runs(row), row.module, _registered(row))
            for row in rows
        ],
    )
    if not rows:
        say_nothing(target, "version", "a node records those of the modules that it loads")


@versions.command(short_help="Check whether MODULE can continue every open run.")
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.option("--live", is_flag=True, help="Replay the history of every open run against the code of MODULE.")
@after_option
@json_option
@database_options
@click.pass_context
def check(
    context: click.Context,
    modules: tuple[str, ...],
    live: bool,
    after: UUID | None,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """Check whether a node that serves MODULE could continue every open run; exit 1 if not.

    Without --live the exact version of each run has to be in MODULE, or stored in the database by
    on_change="pin". With --live it is enough that the code repeats the run's history.
    If no node ever loaded a workflow from MODULE, its runs belong to another application: they are
    counted, not checked.
    """
    code = load_code(modules)
    target = Target(dsn, schema)
    if live:
        check = LiveCheck(target, code, modules, after)
        ready = check.run(lambda checked: _print_checked(target, checked, as_json))
    elif after is not None:
        raise click.UsageError("--after continues a check of histories; add --live")
    else:
        ready = _check_versions(target, code, modules, as_json)
    context.exit(DONE if ready else NOT_READY)


def _check_versions(target: Target, code: Code, modules: Sequence[str], as_json: bool) -> bool:
    async def checking(journal: Versions) -> list[tuple[VersionRow, str]]:
        rows = await journal.versions()
        own = own_workflows(code, modules, rows)
        return [
            (row, await loadable(journal, code, row) if row.workflow in own else "elsewhere")
            for row in rows
            if row.open_runs
        ]

    found = sorted(ask_journal(target, checking), key=lambda entry: by_age(entry[0]))
    ready = all(status != "missing" for _, status in found)
    if as_json:
        click.echo(to_json({"ready": ready, "versions": [{**_facts(row), "status": s} for row, s in found]}))
        return ready
    print_table(
        ("workflow", "label", "version", "open_runs", "status"),
        [(row.workflow, row.label, row.version, counted_runs(row), status) for row, status in found],
    )
    if not found:
        say_nothing(target, "open run", "there is nothing to continue")
    elsewhere = groupby((row for row, status in found if status == "elsewhere"), lambda row: row.workflow)
    print_elsewhere({workflow: counted_runs(*rows) for workflow, rows in elsewhere})
    return ready


def _print_checked(target: Target, checked: CheckedRuns, as_json: bool) -> None:
    if as_json:
        runs = [finding_facts(finding) for finding in checked.findings]
        click.echo(to_json({"ready": not checked.findings, "runs": runs, "elsewhere": checked.elsewhere}))
    else:
        print_checked_runs(checked, str(target))


@versions.command(short_help="Delete versions that no open run uses.")
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@yes_option
@changing_options
@json_option
@database_options
def gc(dry_run: bool, yes: bool, actor: Actor, as_json: bool, dsn: str | None, schema: str) -> None:
    """Delete versions that no open run uses, except the latest of each workflow, after a confirmation.

    A version that is used by the time of the answer stays.
    """
    target = Target(dsn, schema)
    unused = ask_journal(target, _unused)
    if not as_json:
        rows = [(row.workflow, row.label, row.version) for row in unused]
        print_table(("workflow", "label", "version"), rows)
    deleted = 0
    agreed = not unused or dry_run or _confirmed_deletion(unused, yes=yes)
    if unused and not dry_run and agreed:
        deleted = ask_journal(target, lambda journal: _delete(journal, unused, actor))
    if as_json:
        click.echo(to_json({"forgotten": deleted, "versions": [_facts(row) for row in unused]}))
    else:
        click.echo(f"{len(unused)} would be deleted" if dry_run else f"{deleted} deleted", err=True)
    if not agreed:
        raise click.exceptions.Exit(1)


async def _unused(journal: Versions) -> list[VersionRow]:
    return unused_versions(await journal.versions(counted=1))


async def _delete(journal: Journal, unused: Sequence[VersionRow], actor: Actor) -> int:
    record = recorder(actor, journal.now())
    subjects = [f"{row.workflow} {row.version}" for row in unused]
    audits = [facts for each in subjects if (facts := record(Action.DELETE_VERSION, each)) is not None]
    return await journal.delete_versions([(row.workflow, row.version) for row in unused], audits=audits)


def _confirmed_deletion(unused: Sequence[VersionRow], *, yes: bool) -> bool:
    count = f"{len(unused)} version{'' if len(unused) == 1 else 's'}"
    return confirmed(f"Delete {count} that no open run uses?", f"{count} not deleted", yes=yes)


def counted_runs(*rows: VersionRow) -> str:
    """Return how many open runs these versions have together, as far as they were counted."""
    runs = sum(row.open_runs for row in rows)
    return f"more than {runs}" if any(row.more_open_runs for row in rows) else str(runs)


def _registered(row: VersionRow) -> str:
    # No time for a version that runs have but no node has registered.
    return at(row.registered_at).isoformat(timespec="seconds") if row.registered_at else ""


def _facts(row: VersionRow) -> dict[str, Any]:
    return {
        "workflow": row.workflow,
        "label": row.label,
        "version": row.version,
        "open_runs": row.open_runs,
        "more_open_runs": row.more_open_runs,
        "module": row.module,
        "registered_at": at(row.registered_at) if row.registered_at else None,
        "signals": row.signals,
    }
