"""`continuum dev`: a database, a node and the observer for the code that is being written."""

from __future__ import annotations

import signal
from contextlib import closing
from importlib.util import find_spec
from types import FrameType

import click

from continuum.cli.database import database_options
from continuum.cli.values import address
from continuum.development.early_start import EarlyStart
from continuum.errors import InvalidOption
from continuum.extras import needs_extra
from continuum.node.config import LOG_LEVELS, NodeConfig
from continuum.settings.settings import Settings

# A person who saves does not want to wait for activities of the code before.
DRAIN_SECONDS = 2.0


@click.command(short_help="Run modules while you write them.")
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@database_options
@click.option(
    "--http",
    type=address,
    default="127.0.0.1:8400",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the observer listens; a port that is in use is replaced by a free one.",
)
@click.option("--no-observer", is_flag=True, help="Serve no observer.")
@click.option(
    "--run-hosts",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that execute workflows.",
)
@click.option(
    "--log-level",
    type=click.Choice(LOG_LEVELS),
    default="warning",
    show_default=True,
    help="The lowest level that is logged, by the code of the modules too.",
)
def dev(
    modules: tuple[str, ...],
    dsn: str | None,
    schema: str,
    http: tuple[str, int],
    no_observer: bool,
    run_hosts: int,
    log_level: str,
) -> None:
    """Serve each MODULE with a Postgres of your own and the observer, and restart the node when you save.

    A save is checked first: code that cannot be imported leaves the code before in service, and open runs
    that would not continue with the new code are named. Ctrl-C ends all of it.
    """
    if find_spec("watchfiles") is None:
        raise click.ClickException(needs_extra("`continuum dev`", "watchfiles to notice a save", "dev"))
    try:
        settings = Settings(run_hosts=run_hosts, activity_hosts=1, connections=2, drain=DRAIN_SECONDS)
        config = NodeConfig(modules, dsn, schema, settings=settings, log_level=log_level)
    except InvalidOption as error:
        raise click.UsageError(str(error)) from error
    _stop_on_signals()
    try:
        with closing(EarlyStart(modules)) as start:
            _serve(config, None if no_observer else http, start)
    except KeyboardInterrupt:
        click.echo("stopped")


def _serve(config: NodeConfig, http: tuple[str, int] | None, start: EarlyStart) -> None:
    # Import late: the two processes that have started import at the same time.
    from rich.console import Console

    from continuum.development.display import Display
    from continuum.development.session import serve
    from continuum.node.launcher import LAUNCHER, log_output
    from continuum_supervision.process.log import log_to_stderr

    log_to_stderr(log_output(config), LAUNCHER)
    serve(config, http, Display(Console(highlight=False)), start)


def _stop_on_signals() -> None:
    """Have the first signal end it, wherever it is; a second one must not disturb the clean-up."""

    def received(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, received)
