"""`continuum pause`, `resume` and `pauses`: of a workflow, a queue or a namespace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from continuum.cli.changes import acting, changing_options, confirmed, declined, yes_option
from continuum.cli.completed_words import queue_names, workflow_names
from continuum.cli.database import Target, ask, ask_journal, database_options, json_option
from continuum.cli.pause_names import not_paused, unknown_name
from continuum.cli.printing import print_table
from continuum.client import Client
from continuum.client.pause_outcome import Pause
from continuum.client.pauses import pause_scope
from continuum.errors import InvalidOption
from continuum.journal.limits import MOST_COUNTED
from continuum.journal.pause_facts import PauseKind, PauseScope, StoredPause
from continuum.journal.pause_port import HeldByPause
from continuum.journal.port import Journal
from continuum.journal.untyped_values import at
from continuum.operations.actor import Actor
from continuum.operations.findings import amount, verb
from continuum.operations.json_text import to_json
from continuum.operations.pause_words import paused_words, scope_words

F = TypeVar("F", bound=Callable[..., Any])

# So many runs that are paused by themselves are counted.
RUNS_COUNTED = 100
_BY_THEMSELVES = [("paused_at", "ne", None)]


def scope_options(command: F) -> F:
    """Give a command --workflow, --queue and --namespace, as parameters."""
    for option in (
        click.option("--namespace", metavar="TEXT", help="This namespace; with --workflow only in it."),
        click.option(
            "--queue",
            metavar="NAME",
            help="The activities of this queue, of all runs.",
            shell_complete=queue_names,
        ),
        click.option(
            "--workflow", metavar="NAME", help="All runs of this workflow.", shell_complete=workflow_names
        ),
    ):
        command = option(command)
    return command


@click.command(short_help="Let nothing of a workflow, queue or namespace begin.")
@scope_options
@yes_option
@changing_options
@json_option
@database_options
def pause(
    workflow: str | None,
    queue: str | None,
    namespace: str | None,
    yes: bool,
    actor: Actor,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """Let nothing of a workflow, queue or namespace begin, until `continuum resume` with the same options.

    Activities that run end, and their results are kept; signals and timers wait, deadlines do not. New runs
    are created and wait. `continuum runs pause RUN` pauses one run.
    """
    scope, target = _scope(workflow, queue, namespace), Target(dsn, schema)
    held, before = ask_journal(target, lambda journal: _preview(journal, scope), read_only=True)
    unknown = ask_journal(target, lambda journal: unknown_name(journal, scope, held), read_only=True)
    if unknown is not None:
        click.echo(f"warning: {unknown}", err=True)
    if before is None and not confirmed(
        f"Pause {scope_words(scope)}: {_amounts(scope, held)}?",
        f"{scope_words(scope)} was not paused",
        yes=yes,
    ):
        declined(f"{scope_words(scope)}: nothing changed")
    outcome = ask(target, lambda client: acting(client, actor).pause(**_keywords(scope)))
    if as_json:
        click.echo(to_json({"pause": outcome.pause, "already": outcome.already, "held": held._asdict()}))
        return
    click.echo(f"{scope_words(scope)} is {outcome}; it holds {_amounts(scope, held)}")


@click.command(short_help="Let a workflow, queue or namespace continue.")
@scope_options
@yes_option
@changing_options
@json_option
@database_options
def resume(
    workflow: str | None,
    queue: str | None,
    namespace: str | None,
    yes: bool,
    actor: Actor,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """End the pause with exactly these options; other pauses, also those of single runs, stay.

    What became due meanwhile is due at once.
    """
    scope, target = _scope(workflow, queue, namespace), Target(dsn, schema)
    held, before = ask_journal(target, lambda journal: _preview(journal, scope), read_only=True)
    if before is not None and not confirmed(
        f"Resume {scope_words(scope)}, {_words(before)}: {_amounts(scope, held)}?",
        f"{scope_words(scope)} was not resumed",
        yes=yes,
    ):
        declined(f"{scope_words(scope)}: nothing changed")
    ended = ask(target, lambda client: acting(client, actor).resume(**_keywords(scope)))
    if as_json:
        click.echo(to_json({"resumed": ended, "held": held._asdict()}))
        return
    if ended:
        done = f"continues: {_amounts(scope, held)}"
    else:
        paused = ask_journal(target, lambda journal: journal.pauses(MOST_COUNTED), read_only=True)
        done = not_paused(scope, [each.scope for each in paused if each.scope is not None])
    click.echo(f"{scope_words(scope)} {done}")


@click.command(short_help="List what is paused.")
@json_option
@database_options
def pauses(as_json: bool, dsn: str | None, schema: str) -> None:
    """List the paused workflows, queues and namespaces, the latest first.

    Runs that are paused by themselves are in `continuum runs list --paused`; how many is on standard error.
    """

    async def listing(client: Client) -> tuple[Sequence[Pause], int, bool]:
        alone = await client.query(_BY_THEMSELVES, limit=RUNS_COUNTED, namespace=None, payloads=False)
        return await client.pauses(), len(alone.entries), alone.next_cursor is not None

    found, runs, more = ask(Target(dsn, schema), listing)
    if runs:
        are = verb(runs, "is", "are", more=more)
        said = f"{amount(runs, 'run', more=more)} {are} paused by {'itself' if are == 'is' else 'themselves'}"
        click.echo(f"{said}: `continuum runs list --paused`", err=True)
    if as_json:
        click.echo(to_json(found))
        return
    rows = [
        (
            each.kind,
            each.name,
            each.namespace or "",
            each.since.isoformat(timespec="seconds"),
            each.by or "",
            each.reason or "",
        )
        for each in found
    ]
    print_table(("kind", "name", "namespace", "since", "by", "reason"), rows)


def _scope(workflow: str | None, queue: str | None, namespace: str | None) -> PauseScope:
    try:
        return pause_scope(workflow, queue, namespace)
    except InvalidOption:
        if workflow is queue is namespace is None:
            raise click.UsageError("say what: --workflow, --queue or --namespace") from None
        if queue is not None and (workflow is not None or namespace is not None):
            raise click.UsageError("--queue is for all workflows and namespaces; give it alone") from None
        raise


def _keywords(scope: PauseScope) -> dict[str, Any]:
    given: dict[str, Any] = {str(scope.kind): scope.name}
    return given | ({"namespace": scope.namespace} if scope.namespace else {})


async def _preview(journal: Journal, scope: PauseScope) -> tuple[HeldByPause, StoredPause | None]:
    """Return what a pause holds, and the pause that there is."""
    found = await journal.pauses(MOST_COUNTED)
    before = next((pause for pause in found if pause.scope == scope), None)
    return await journal.held_by_pause(scope), before


def _words(pause: StoredPause) -> str:
    return paused_words(at(pause.since), pause.by, pause.reason)


def _amounts(scope: PauseScope, held: HeldByPause) -> str:
    tasks = amount(held.tasks, "waiting activity", more=held.more_tasks).replace("activitys", "activities")
    if scope.kind is PauseKind.QUEUE:
        return tasks
    return f"{amount(held.runs, 'open run', more=held.more_runs)}, {tasks}"
