"""`continuum run-node`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from continuum.cli.database import database_options
from continuum.cli.observer_options import GivenOptions, observer_options
from continuum.cli.values import address, http_address, named_number
from continuum.errors import InvalidOption
from continuum.node.config import LOG_FORMATS, LOG_LEVELS, NODE_MODULES, NodeConfig
from continuum.settings.settings import NODE_SETTINGS, Settings
from continuum_supervision.process.system_start import SystemStart

if TYPE_CHECKING:
    from continuum.observer.hosted import HostedObserver

RUN_HOSTS = "Processes that execute workflows; one for each core is a start."
ACTIVITY_HOSTS = "Processes for activities with executor='process', one at a time in each."
QUEUES = "How many activities of a queue run here at once. Repeatable."
NAMESPACES = "Claim runs and activities of this namespace only; otherwise of all. Repeatable."
CONNECTIONS = "Connections to Postgres of each run host at most; the node has three more."
LOG_FORMAT = "Lines for people, or one JSON object a line with node, process, run and trace."
LOG_LEVEL = "The lowest level that is logged, by the code of the modules too."
HTTP = "Answer /healthz, /readyz and /metrics there; a port alone is one of loopback."
OBSERVER = "Serve the web page too, at --http or 127.0.0.1:8400; the next six options are for it."
OBSERVER_AT = ("127.0.0.1", 8400)
LEASE_TTL = "How long after a node's death others take over its runs."


@click.command(name="run-node", short_help="Run a node that serves the workflows of modules.")
@click.argument("modules", nargs=-1, metavar="[MODULE ...]")
@database_options
@click.option("--name", default="", metavar="TEXT", help="Name of the node; otherwise one is made up.")
@click.option(
    "--run-hosts", type=int, default=NODE_SETTINGS.run_hosts, show_default=True, metavar="N", help=RUN_HOSTS
)
@click.option(
    "--activity-hosts",
    type=int,
    default=NODE_SETTINGS.activity_hosts,
    show_default=True,
    metavar="N",
    help=ACTIVITY_HOSTS,
)
@click.option("--queue", "queues", type=named_number, multiple=True, metavar="NAME=LIMIT", help=QUEUES)
@click.option("--namespace", "namespaces", multiple=True, metavar="TEXT", help=NAMESPACES)
@click.option("--bind", type=address, metavar="HOST:PORT", help="Where other nodes reach this one.")
@click.option("--join", type=address, metavar="HOST:PORT", help="A node of the cluster to join.")
@click.option(
    "--cookie-file", type=click.Path(path_type=Path), metavar="FILE", help="The cluster's secret, mode 0600."
)
@click.option("--http", type=http_address, metavar="HOST:PORT", help=HTTP)
@click.option("--observer", "observes", is_flag=True, help=OBSERVER)
@observer_options
@click.option("--no-listen", is_flag=True, help="Poll instead of LISTEN, for poolers.")
@click.option(
    "--connections",
    type=int,
    default=NODE_SETTINGS.connections,
    show_default=True,
    metavar="N",
    help=CONNECTIONS,
)
@click.option(
    "--lease-ttl",
    type=float,
    default=NODE_SETTINGS.lease_ttl,
    show_default=True,
    metavar="SECONDS",
    help=LEASE_TTL,
)
@click.option(
    "--log-format",
    type=click.Choice(LOG_FORMATS),
    default=LOG_FORMATS[0],
    show_default=True,
    help=LOG_FORMAT,
)
@click.option(
    "--log-level",
    type=click.Choice(LOG_LEVELS, case_sensitive=False),
    default="warning",
    show_default=True,
    help=LOG_LEVEL,
)
@click.pass_context
def run_node(
    context: click.Context,
    /,
    modules: tuple[str, ...],
    dsn: str | None,
    schema: str,
    name: str,
    bind: tuple[str, int] | None,
    join: tuple[str, int] | None,
    cookie_file: Path | None,
    http: tuple[str, int] | None,
    observes: bool,
    given: GivenOptions,
    queues: tuple[tuple[str, int], ...],
    namespaces: tuple[str, ...],
    no_listen: bool,
    log_format: str,
    log_level: str,
    **settings: Any,
) -> None:
    """Run a node that serves the workflows and activities of each MODULE."""
    observer = None
    if observes:
        http = http or OBSERVER_AT
        observer = _hosted(given, http[0])
    try:
        config = NodeConfig(
            modules=modules,
            dsn=dsn,
            schema=schema,
            name=name,
            bind=bind,
            join=join,
            cookie_file=cookie_file,
            http=http,
            log_format=log_format,
            log_level=log_level,
            # Every other option has the name of its setting.
            settings=Settings(
                queues=dict(queues),
                namespaces=tuple(dict.fromkeys(namespaces)) or None,
                listen=not no_listen,
                **settings,
            ),
        )
    except InvalidOption as error:
        raise click.UsageError(str(error)) from error
    # The process from which all others are forked imports at the same time as this one.
    with SystemStart(NODE_MODULES) as ahead:
        # Import late: the other commands load no actors.
        from continuum.node.launcher import run_node as run

        code = run(config, ahead, observer)
    context.exit(code)


def _hosted(given: GivenOptions, host: str) -> HostedObserver:
    """Return an observer for this node; it signs the user who starts the node in."""
    options = given.checked(host)
    from continuum.observer.hosted import HostedObserver
    from continuum.operations.account import account_name

    return HostedObserver(options, account_name())
