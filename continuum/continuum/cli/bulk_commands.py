"""`continuum runs cancel`, `signal`, `unblock`, `attributes` and `delete`: one run, or all that are found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from continuum.cli.bulk import BulkOptions, bulk_options, change_found, change_runs
from continuum.cli.cancel_previews import preview_cancel
from continuum.cli.changes import acting, changing_options
from continuum.cli.completed_words import first_word, run_ids
from continuum.cli.database import Target, ask, ask_journal, database_options, namespace_option
from continuum.cli.run_commands import cancel_one
from continuum.cli.run_ids import RUN
from continuum.cli.single_changes import Change, set_attributes_of_one, unblock_one
from continuum.cli.values import json_value, typed_json
from continuum.client.argument_checks import run_id_of
from continuum.client.namespaces import InNamespace, guarded
from continuum.journal.port import Journal
from continuum.operations.actor import Actor
from continuum.operations.bulk import bulk_change
from continuum.operations.run_deletion import latest_deletable

# The other words are names and values of code.
RUN_FIRST = first_word(run_ids)


@click.command(short_help="Ask RUN, or all runs found, to stop.")
@click.argument("run", type=RUN, required=False)
@click.option("--force", is_flag=True, help="End RUN at once, without compensation. Not with --find.")
@bulk_options
@changing_options
@namespace_option
@database_options
def cancel(
    run: str | None,
    force: bool,
    bulk: BulkOptions,
    namespace: InNamespace,
    actor: Actor,
    dsn: str | None,
    schema: str,
) -> None:
    """Request that RUN, or all runs that a search finds, stop; they may compensate first."""
    target = Target(dsn, schema)
    one = bulk.one(run, shown=True)
    if one is not None and bulk.only_preview:
        preview_cancel(target, one, namespace, force=force)
        return
    if one is not None:
        cancel_one(target, one, namespace, actor, force=force, yes=bulk.yes)
        return
    if force:
        raise click.UsageError("--force is for one RUN: it leaves out the compensation")
    change_found(target, "cancel", namespace, bulk, actor)


@click.command(short_help="Send a signal to RUN, or to all runs found.")
@click.argument("words", nargs=-1, required=True, metavar="[RUN] NAME JSON", shell_complete=RUN_FIRST)
@bulk_options
@changing_options
@namespace_option
@database_options
def signal(
    words: tuple[str, ...],
    bulk: BulkOptions,
    namespace: InNamespace,
    actor: Actor,
    dsn: str | None,
    schema: str,
) -> None:
    """Send the signal NAME with a JSON value to RUN, or with --find to all runs that a search finds.

    A run whose code declares its signals and not this one is skipped.
    """
    target = Target(dsn, schema)
    run, name, value = _cut(words, 3, bulk)
    given = typed_json(value)
    if run is not None:
        ask(target, lambda client: acting(client, actor).signal(run, name, given, namespace=namespace))
        return
    change_found(target, "signal", namespace, bulk, actor, signal=name, value=given)


@click.command(short_help="Let nodes try the blocked RUN, or all runs found, again.")
@click.argument("run", type=RUN, required=False)
@bulk_options
@changing_options
@namespace_option
@database_options
def unblock(
    run: str | None, bulk: BulkOptions, namespace: InNamespace, actor: Actor, dsn: str | None, schema: str
) -> None:
    """Let nodes try blocked runs again, after the cause is mended: RUN, or all that a search finds."""
    one = bulk.one(run)
    if one is None:
        change_found(Target(dsn, schema), "unblock", namespace, bulk, actor)
        return

    unblock_one(Change(Target(dsn, schema), one, namespace, actor, bulk.yes))


@click.command(short_help="Merge attributes into those of RUN, or of all runs found.")
@click.argument("words", nargs=-1, required=True, metavar="[RUN] JSON", shell_complete=RUN_FIRST)
@bulk_options
@changing_options
@namespace_option
@database_options
def attributes(
    words: tuple[str, ...],
    bulk: BulkOptions,
    namespace: InNamespace,
    actor: Actor,
    dsn: str | None,
    schema: str,
) -> None:
    """Merge a JSON map into the attributes of RUN, or with --find of all runs that a search finds."""
    target = Target(dsn, schema)
    run, text = _cut(words, 2, bulk)
    values = _map_of(text)
    if run is not None:
        set_attributes_of_one(Change(target, run, namespace, actor, bulk.yes), values)
        return
    change_found(target, "attributes", namespace, bulk, actor, attributes=values)


@click.command(short_help="Remove the ended RUN, or all ended runs found.")
@click.argument("run", type=RUN, required=False)
@bulk_options
@changing_options
@namespace_option
@database_options
def delete(
    run: str | None, bulk: BulkOptions, namespace: InNamespace, actor: Actor, dsn: str | None, schema: str
) -> None:
    """Remove ended runs with their histories, and each chain as a whole: RUN, or all that a search finds.

    An open run stays, and so does a child whose parent is open. Results under idempotency keys stay.
    """
    target = Target(dsn, schema)
    one = bulk.one(run, shown=True)
    if one is None:
        change_found(target, "delete", namespace, bulk, actor)
        return
    latest = ask_journal(target, lambda journal: _deletable(journal, one, namespace))
    change_runs(target, bulk_change("delete", f"id:{latest}"), bulk, actor)


def _cut(words: tuple[str, ...], most: int, bulk: BulkOptions) -> tuple[Any, ...]:
    """Return the words with the run first, None if a search is given."""
    run, rest = (words[0], words[1:]) if len(words) == most else (None, words)
    if len(rest) != most - 1:
        raise click.UsageError(f"{most} words are wanted, or {most - 1} with --find, not {len(words)}")
    one = bulk.one(run)
    return None if one is None else RUN.convert(one, None, click.get_current_context()), *rest


def _map_of(text: str) -> Mapping[str, Any]:
    values = json_value(text)
    if not isinstance(values, dict):
        raise click.BadParameter('attributes are a JSON map, like {"vip": true}', param_hint="JSON")
    return values


async def _deletable(journal: Journal, run: str, namespace: InNamespace) -> str:
    run_id = run_id_of(run)
    return await latest_deletable(journal, guarded(run_id, await journal.get_run(run_id), namespace))
