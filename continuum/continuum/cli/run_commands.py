"""`continuum start`, `signal`, `cancel`, `result` and `attributes`."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import click

from continuum.cli.database import (
    Target,
    ask,
    connected,
    database_options,
    json_option,
    namespace_option,
)
from continuum.cli.values import json_value, named_json, to_json, typed_json
from continuum.client import Client, RunHandle
from continuum.client.namespaces import InNamespace
from continuum.client.runs import Run
from continuum.client.wait_reasons import WAITS_FOR_A_NODE
from continuum.errors import NotReady, UnknownWorkflow
from continuum.quoting import quoted

# A blocked run does not end by itself, so the command that waits for it fails within this time.
BLOCKED_CHECK_SECONDS = 1.0


@click.command()
@click.argument("workflow")
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
@database_options
def start(
    workflow: str,
    arguments: tuple[Any, ...],
    run_id: UUID | None,
    key: str | None,
    namespace: str,
    attributes: tuple[tuple[str, Any], ...],
    dsn: str | None,
    schema: str,
) -> None:
    """Start a run of WORKFLOW with JSON arguments and print its id.

    Write a value that JSON cannot express as {"$datetime": "2026-01-31T09:00:00Z"}; the other names are
    $date, $time, $timedelta (in seconds), $Decimal, $UUID and $bytes (in base64).
    """

    async def starting(client: Client) -> RunHandle[Any]:
        await _check_name(client, workflow)
        configured = client.options(
            id=None if run_id is None else str(run_id),
            idempotency_key=key,
            namespace=namespace,
            attributes=dict(attributes),
        )
        return await configured.start(workflow, *arguments)

    click.echo(ask(Target(dsn, schema), starting).id)


async def _check_name(client: Client, workflow: str) -> None:
    """Refuse a name that no running node has loaded; while no node runs the name cannot be checked."""
    loaded = {name for node in await client.nodes() if node.state != "lost" for name in node.workflows}
    if loaded and workflow not in loaded:
        raise UnknownWorkflow(
            f"no running node has loaded a workflow named {quoted(workflow)}; they have "
            f"{', '.join(sorted(loaded))}"
        )


@click.command()
@click.argument("run")
@click.argument("name")
@click.argument("value", type=typed_json, metavar="JSON")
@click.option("--delivery-id", metavar="TEXT", help="A second signal with the same id has no effect.")
@namespace_option
@database_options
def signal(
    run: str,
    name: str,
    value: Any,
    delivery_id: str | None,
    namespace: InNamespace,
    dsn: str | None,
    schema: str,
) -> None:
    """Send the signal NAME with a JSON value to RUN.

    Write a value that JSON cannot express as {"$datetime": "2026-01-31T09:00:00Z"}; `continuum start --help`
    lists the names.
    """
    ask(
        Target(dsn, schema),
        lambda client: client.signal(run, name, value, delivery_id=delivery_id, namespace=namespace),
    )


@click.command()
@click.argument("run")
@click.option("--force", is_flag=True, help="End RUN at once, without compensation.")
@namespace_option
@database_options
def cancel(run: str, force: bool, namespace: InNamespace, dsn: str | None, schema: str) -> None:
    """Request that RUN stops; it may compensate first. Print whether it has stopped, or who is to stop it."""
    outcome = ask(Target(dsn, schema), lambda client: client.cancel(run, force=force, namespace=namespace))
    click.echo(str(outcome))
    reason = outcome.reason
    if reason is not None and reason.startswith(WAITS_FOR_A_NODE):
        first = ", and cannot stop before one does" if ":" in reason else " before it can stop"
        click.echo(f"run {run} {reason}{first}; --force ends it without its code", err=True)


@click.command()
@click.argument("run")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait at most this long.")
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
                    found = await _latest(client, latest, namespace)
                    latest = found.id
                    if found.state == "blocked":
                        raise NotReady(f"run {latest} is blocked and waits for an operator: {found.reason}")
                return await waiting
            finally:
                # On an interrupt no other code awaits this task, and its exception would be logged as lost.
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

    click.echo(to_json(asyncio.run(awaiting()), indent=None if as_json else 2))


async def _latest(client: Client, run: str, namespace: InNamespace) -> Run:
    """Return the latest run of the chain that a run belongs to."""
    found = await client.get_run(run, namespace=namespace)
    while found.continued_to is not None:
        found = await client.get_run(found.continued_to, namespace=namespace)
    return found


@click.command()
@click.argument("run")
@click.argument("values", type=json_value, metavar="JSON")
@namespace_option
@database_options
def attributes(run: str, values: Any, namespace: InNamespace, dsn: str | None, schema: str) -> None:
    """Merge a JSON map into the attributes of RUN."""
    if not isinstance(values, dict):
        raise click.BadParameter('attributes are a JSON map, like {"vip": true}', param_hint="JSON")
    ask(Target(dsn, schema), lambda client: client.set_attributes(run, values, namespace=namespace))
