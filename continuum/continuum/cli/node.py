"""`continuum run-node`."""

from __future__ import annotations

from pathlib import Path

import click

from continuum.cli.database import database_options
from continuum.cli.values import address, named_number
from continuum.errors import InvalidOption
from continuum.node.config import DEFAULT_ACTIVITY_HOSTS, DEFAULT_RUN_HOSTS, LEASE_TTL_SECONDS, NodeConfig

RUN_HOSTS = "Processes that execute workflows; one for each core is a start."
ACTIVITY_HOSTS = "Processes for activities with executor='process', one at a time in each."
QUEUES = "How many activities of a queue run here at once. Repeatable."
LEASE_TTL = "How long after a node's death others take over its runs."


@click.command(name="run-node", short_help="Run a node that serves the workflows of modules.")
@click.argument("modules", nargs=-1, metavar="[MODULE ...]")
@database_options
@click.option("--name", default="", metavar="TEXT", help="Name of the node; otherwise one is made up.")
@click.option("--namespace", metavar="TEXT", help="Serve this namespace alone.")
@click.option(
    "--run-hosts", type=int, default=DEFAULT_RUN_HOSTS, show_default=True, metavar="N", help=RUN_HOSTS
)
@click.option(
    "--activity-hosts",
    type=int,
    default=DEFAULT_ACTIVITY_HOSTS,
    show_default=True,
    metavar="N",
    help=ACTIVITY_HOSTS,
)
@click.option("--queue", "queues", type=named_number, multiple=True, metavar="NAME=LIMIT", help=QUEUES)
@click.option("--bind", type=address, metavar="HOST:PORT", help="Where other nodes reach this one.")
@click.option("--join", type=address, metavar="HOST:PORT", help="A node of the cluster to join.")
@click.option(
    "--cookie-file", type=click.Path(path_type=Path), metavar="FILE", help="The cluster's secret, mode 0600."
)
@click.option("--no-listen", is_flag=True, help="Poll instead of LISTEN, for poolers.")
@click.option(
    "--lease-ttl", type=float, default=LEASE_TTL_SECONDS, show_default=True, metavar="SECONDS", help=LEASE_TTL
)
@click.pass_context
def run_node(
    context: click.Context,
    modules: tuple[str, ...],
    dsn: str | None,
    schema: str,
    name: str,
    namespace: str | None,
    run_hosts: int,
    activity_hosts: int,
    queues: tuple[tuple[str, int], ...],
    bind: tuple[str, int] | None,
    join: tuple[str, int] | None,
    cookie_file: Path | None,
    no_listen: bool,
    lease_ttl: float,
) -> None:
    """Run a node that serves the workflows and activities of each MODULE."""
    try:
        config = NodeConfig(
            modules=modules,
            dsn=dsn,
            schema=schema,
            name=name,
            namespace=namespace,
            run_hosts=run_hosts,
            activity_hosts=activity_hosts,
            queues=dict(queues),
            bind=bind,
            join=join,
            cookie_file=cookie_file,
            listen=not no_listen,
            lease_ttl=lease_ttl,
        )
    except InvalidOption as error:
        raise click.UsageError(str(error)) from error
    # Not before it is needed: the other commands know no actor.
    from continuum.node.launcher import run_node as run

    context.exit(run(config))
