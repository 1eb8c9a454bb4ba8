"""`continuum runs pause` and `resume`."""

from __future__ import annotations

import click

from continuum.cli.bulk import BulkOptions, bulk_and_json_options, change_found
from continuum.cli.changes import acting, agreed, asks, changing_options, declined
from continuum.cli.database import Target, ask, database_options, namespace_option
from continuum.cli.printing import escaped
from continuum.cli.run_ids import RUN
from continuum.cli.single_changes import latest_of
from continuum.client import Client, Run
from continuum.client.namespaces import InNamespace
from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.operations.actor import Actor
from continuum.operations.json_text import to_json
from continuum.operations.pause_words import scope_options, scope_words
from continuum.quoting import one_line


@click.command(short_help="Let nothing of RUN, or of all runs found, begin.")
@click.argument("run", type=RUN, required=False)
@bulk_and_json_options
@changing_options
@namespace_option
@database_options
def pause(
    run: str | None,
    bulk: BulkOptions,
    namespace: InNamespace,
    actor: Actor,
    dsn: str | None,
    schema: str,
) -> None:
    """Let nothing of RUN begin, or of a run that continues it, until `continuum runs resume`.

    With --find, pause all runs that a search finds, each by itself.

    Activities that run end, and their results are kept; signals and timers wait, deadlines do not. A request
    to stop lifts the pause. `continuum pause` pauses all runs of a workflow or a namespace, or a queue.
    """
    target = Target(dsn, schema)
    one = bulk.one(run)
    if one is None:
        change_found(target, "pause", namespace, bulk, actor)
        return
    seen: Run | None = None
    if asks(yes=bulk.yes):
        seen = ask(target, lambda client: latest_of(client, one, namespace))
        changes = seen.completed_at is None and (seen.pause is None or seen.pause.kind != "run")
        if changes and not _agreed("Pause", seen):
            declined(f"run {seen.id}: nothing changed")
        seen = seen if changes else None
    outcome = ask(target, lambda client: acting(client, actor).pause_run(one, seen=seen, namespace=namespace))
    if bulk.as_json:
        click.echo(to_json(outcome))
        return
    click.echo(f"run {outcome.pause.name} is {outcome}")


@click.command(short_help="Let the paused RUN, or all runs found, continue.")
@click.argument("run", type=RUN, required=False)
@bulk_and_json_options
@changing_options
@namespace_option
@database_options
def resume(
    run: str | None,
    bulk: BulkOptions,
    namespace: InNamespace,
    actor: Actor,
    dsn: str | None,
    schema: str,
) -> None:
    """Let the paused RUN continue, or with --find all paused runs that a search finds.

    What became due meanwhile is due at once.
    """
    target = Target(dsn, schema)
    one = bulk.one(run)
    if one is None:
        change_found(target, "resume", namespace, bulk, actor)
        return
    if asks(yes=bulk.yes):
        seen = ask(target, lambda client: latest_of(client, one, namespace))
        changes = seen.completed_at is None and seen.pause is not None and seen.pause.kind == "run"
        if changes and not _agreed("Resume", seen):
            declined(f"run {seen.id}: nothing changed")

    async def resuming(client: Client) -> tuple[bool, Run]:
        done = await acting(client, actor).resume_run(one, namespace=namespace)
        return done, await latest_of(client, one, namespace)

    resumed, now = ask(target, resuming)
    if bulk.as_json:
        click.echo(to_json({"resumed": resumed, "pause": now.pause}))
    elif now.pause is not None and now.pause.kind != "run":
        scope = PauseScope(PauseKind(now.pause.kind), now.pause.name, now.pause.namespace or "")
        raise click.ClickException(
            f"run {now.id} is still paused, with {scope_words(scope)}; "
            f"`continuum resume {scope_options(scope)}` ends that"
        )
    else:
        click.echo(f"run {now.id} {'continues' if resumed else 'was not paused'}")


def _agreed(verb: str, seen: Run) -> bool:
    waits = "" if seen.reason is None else f", {one_line(seen.reason)}"
    return agreed(escaped(f"{verb} run {seen.id} of {seen.workflow} ({seen.state}{waits})?"))
