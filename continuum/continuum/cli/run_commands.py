"""`continuum start`, `signal`, `cancel`, `result` and `attributes`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click

from continuum.cli.cancel_previews import confirmed_end, what_ends
from continuum.cli.changes import acting, changing_options, declined, yes_option
from continuum.cli.completed_words import workflow_names
from continuum.cli.database import (
    Target,
    ask,
    connected,
    database_options,
    json_option,
    namespace_option,
)
from continuum.cli.printing import escaped
from continuum.cli.run_ids import RUN
from continuum.cli.single_changes import Change, latest_of, set_attributes_of_one
from continuum.cli.start_checks import check_name, missing_node, pause_of_new
from continuum.cli.times import Seconds
from continuum.cli.values import json_value, named_json, typed_json
from continuum.client import Client, Run, RunHandle
from continuum.client.cancel_outcome import UNTIL_UNBLOCKED
from continuum.client.namespaces import InNamespace
from continuum.client.wait_reasons import WAITS_FOR_A_NODE
from continuum.errors import NotReady
from continuum.journal.facts import NodeRow
from continuum.operations.actor import Actor
from continuum.operations.json_text import to_json

# A blocked run does not end by itself, so the command that waits for it fails within this time.
BLOCKED_CHECK_SECONDS = 1.0


@click.command()
@click.argument("workflow", shell_complete=workflow_names)
@click.argument("arguments", nargs=-1, type=typed_json, metavar="[JSON ...]")
@click.option("--id", "run_id", type=click.UUID, metavar="UUID", help="Id of the new run.")
@click.option("--key", metavar="TEXT", help="Idempotency key: a second start returns the run of the first.")
@click.option(
    "--namespace", default="default", show_default=True, metavar="TEXT", help="Namespace of the new run."
)
@click.option(
    "--attribute",
    "attributes",
    type=named_json,
    multiple=True,
    metavar="NAME=JSON",
    help="An attribute to find the run by. Repeatable.",
)
@changing_options
@database_options
def start(
    workflow: str,
    arguments: tuple[Any, ...],
    run_id: UUID | None,
    key: str | None,
    namespace: str,
    attributes: tuple[tuple[str, Any], ...],
    actor: Actor,
    dsn: str | None,
    schema: str,
) -> None:
    """Start a run of WORKFLOW with JSON arguments and print its id.

    Write a value that JSON cannot express as {"$datetime": "2026-01-31T09:00:00Z"}; the other names are
    $date, $time, $timedelta (in seconds), $Decimal, $UUID and $bytes (in base64).
    """

    target = Target(dsn, schema)

    async def starting(client: Client) -> tuple[RunHandle[Any], Sequence[NodeRow], Run]:
        nodes = await client.nodes()
        check_name(workflow, nodes)
        configured = acting(client, actor).options(
            id=None if run_id is None else str(run_id),
            idempotency_key=key,
            namespace=namespace,
            attributes=dict(attributes),
        )
        run = await configured.start(workflow, *arguments)
        return run, nodes, await client.get_run(run.id)

    run, nodes, found = ask(target, starting)
    click.echo(run.id)
    if run.existing:
        click.echo(f"run {run.id} was there already, and is {found.state}: nothing was started", err=True)
        return
    paused = pause_of_new(found)
    if paused is not None:
        click.echo(escaped(f"run {run.id} {paused}"), err=True)
    missing = missing_node(target, workflow, namespace, nodes)
    if missing is not None:
        click.echo(f"run {run.id} {missing}; `continuum cancel {run.id} --force` ends it", err=True)


@click.command()
@click.argument("run", type=RUN)
@click.argument("name")
@click.argument("value", type=typed_json, metavar="JSON")
@click.option("--delivery-id", metavar="TEXT", help="A second signal with the same id has no effect.")
@changing_options
@namespace_option
@database_options
def signal(
    run: str,
    name: str,
    value: Any,
    delivery_id: str | None,
    namespace: InNamespace,
    actor: Actor,
    dsn: str | None,
    schema: str,
) -> None:
    """Send the signal NAME with a JSON value to RUN.

    Write a value that JSON cannot express as {"$datetime": "2026-01-31T09:00:00Z"}; `continuum start --help`
    lists the names.
    """
    ask(
        Target(dsn, schema),
        lambda client: acting(client, actor).signal(
            run, name, value, delivery_id=delivery_id, namespace=namespace
        ),
    )


@click.command()
@click.argument("run", type=RUN)
@click.option("--force", is_flag=True, help="End RUN at once, without compensation.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@changing_options
@namespace_option
@database_options
def cancel(
    run: str,
    force: bool,
    yes: bool,
    namespace: InNamespace,
    actor: Actor,
    dsn: str | None,
    schema: str,
) -> None:
    """Request that RUN stops; it may compensate first. Print whether it has stopped, or who is to stop it.

    A blocked run keeps the request, and compensates once it is unblocked. With --force it shows what would
    end, and asks. What has changed by the answer stays as it is.
    """
    cancel_one(Target(dsn, schema), run, namespace, actor, force=force, yes=yes)


def cancel_one(
    target: Target, run: str, namespace: InNamespace, actor: Actor, *, force: bool, yes: bool
) -> None:
    """Request that a run stops, or end it; print which, or who is to stop it."""
    seen = None
    if force and not yes:
        # The question comes between two connections: an interrupt inside of a loop would not end it.
        seen, children = ask(target, lambda client: what_ends(client, run, namespace))
        if seen.completed_at is None and not confirmed_end(seen, children):
            declined(f"run {run}: nothing changed")
    outcome = ask(
        target,
        lambda client: acting(client, actor).cancel(run, force=force, seen=seen, namespace=namespace),
    )
    click.echo(str(outcome))
    reason = outcome.reason or ""
    if reason.startswith(UNTIL_UNBLOCKED):
        unblock = f"`continuum runs unblock {outcome.run_id}`"
        how = (
            f"once the cause is mended, {unblock} lets it read the signals that came before, compensate and "
            "end; --force ends it at once"
        )
        click.echo(f"run {run} is blocked and keeps the request: {how}", err=True)
    elif reason.startswith(WAITS_FOR_A_NODE):
        first = ", and cannot stop before one does" if ":" in reason else " before it can stop"
        click.echo(f"run {run} {reason}{first}; --force ends it without its code", err=True)


@click.command()
@click.argument("run", type=RUN)
@click.option("--timeout", type=Seconds(), metavar="SECONDS", help="Wait at most this long.")
@namespace_option
@json_option
@database_options
def result(
    run: str,
    timeout: float | None,
    namespace: InNamespace,
    as_json: bool,
    dsn: str | None,
    schema: str,
) -> None:
    """Wait for RUN to end and print its result as JSON."""

    async def awaiting() -> Any:
        async with connected(Target(dsn, schema), listen=True) as client:
            waiting = asyncio.ensure_future(client.await_run(run, timeout, namespace=namespace))
            latest = run
            try:
                while not (await asyncio.wait([waiting], timeout=BLOCKED_CHECK_SECONDS))[0]:
                    found = await latest_of(client, latest, namespace)
                    latest = found.id
                    if found.state == "blocked":
                        raise NotReady(f"run {latest} is blocked and waits for an operator: {found.reason}")
                return await waiting
            finally:
                # On an interrupt no other code awaits this task, and its exception would be logged as lost.
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

    click.echo(to_json(asyncio.run(awaiting()), indent=None if as_json else 2))


@click.command()
@click.argument("run", type=RUN)
@click.argument("values", type=json_value, metavar="JSON")
@yes_option
@changing_options
@namespace_option
@database_options
def attributes(
    run: str, values: Any, yes: bool, namespace: InNamespace, actor: Actor, dsn: str | None, schema: str
) -> None:
    """Merge a JSON map into the attributes of RUN.

    At a terminal it says which would change, and asks.
    """
    if not isinstance(values, dict):
        raise click.BadParameter('attributes are a JSON map, like {"vip": true}', param_hint="JSON")
    set_attributes_of_one(Change(Target(dsn, schema), run, namespace, actor, yes), values)
