"""`run-node`: from a configuration to a node that accepts work, and to its end.

Everything is checked before the first process starts, so that a mistake is one line on the terminal
and not a restart loop in a log. Each step has its file: the code is loaded (`versions/loaded_code.py`),
the database is found (`node_database.py`), the name is checked (`name_check.py`), the processes start
(`running_node.py`), a signal ends it all (`stop_signals.py`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from continuum.engine.ids import NodeId
from continuum.errors import InvalidOption
from continuum.extras import needs_extra
from continuum.node.config import NodeConfig
from continuum.node.name_check import refuse_taken_name
from continuum.node.node_database import node_database
from continuum.node.node_status import NodeStatus
from continuum.node.running_node import RunningNode, running_node, wait_for_end
from continuum.node.stop_signals import StopSignals
from continuum.versions.loaded_code import load_code, modules_without_code
from continuum.versions.used_queues import unused_queues
from continuum_actors.node.log_form import log_as_json
from continuum_actors.node.process_config import ProcessConfig
from continuum_supervision.process.log import LogOutput, log_to_stderr
from continuum_supervision.process.system_start import SystemStart

if TYPE_CHECKING:
    # It needs packages that most nodes lack.
    from continuum.observer.hosted import HostedObserver

log = logging.getLogger("continuum.node")

# Its name in the log.
LAUNCHER = "launcher"


def run_node(
    config: NodeConfig, ahead: SystemStart | None = None, observer: HostedObserver | None = None
) -> int:
    """Run a node until SIGTERM or SIGINT; return the exit code. `ahead` is its first system process.

    `observer`, if any, is served where the node answers over HTTP.
    """
    log_to_stderr(log_output(config), LAUNCHER)
    signals = StopSignals()
    signals.install()
    if not config.modules:
        log.warning("serves no workflow: name modules, e.g. `continuum run-node orders`")
    status = NodeStatus(config.settings.lease_ttl)
    try:
        with served_http(config, status, observer) as address, place_for(config) as process:
            if observer is not None:
                observer.found(process.dsn, process.schema)
            while serve(config, process, signals, ahead, status, address, observer):
                ahead = None
                status.restarts()
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the node was ready\n")
    return 0


def serve(
    config: NodeConfig,
    process: ProcessConfig,
    signals: StopSignals,
    ahead: SystemStart | None,
    status: NodeStatus,
    address: str | None,
    observer: HostedObserver | None,
) -> bool:
    """Run the processes until they are to stop; True if they are to start again."""
    with running_node(config, process, ahead) as node:
        signals.node_is_ready()
        status.ready()
        http = "" if address is None else f" http={address}"
        sys.stdout.write(f"ready node={node.name} hosts={node.hosts}{http}\n")
        if observer is not None and address is not None:
            sys.stdout.write(f"observer {observer.address(address)}\n")
        sys.stdout.flush()
        again = wait_for_end(node.system, signals.stop, status)
        if not again:
            status.stopping()
        return again


@contextmanager
def served_http(
    config: NodeConfig, status: NodeStatus, observer: HostedObserver | None = None
) -> Iterator[str | None]:
    """Answer over HTTP for as long as the block runs, and yield where, if the node is to do so."""
    if config.http is None:
        yield None
        return
    try:
        # Import late: most nodes serve nothing, and lack what it needs.
        from continuum.node.http_server import serving
        from continuum.node.node_routes import node_routes
    except ModuleNotFoundError as error:
        raise InvalidOption(needs_extra("--http", error.name, "metrics")) from error
    routes = [*node_routes(status), *([] if observer is None else observer.routes())]
    with serving(config.http, routes, observer) as address:
        yield address


@contextmanager
def started_node(config: NodeConfig) -> Iterator[RunningNode]:
    """Start a node and wait until it accepts work; drain and stop it at the end of the block."""
    with place_for(config) as process, running_node(config, process) as node:
        yield node


@contextmanager
def place_for(config: NodeConfig) -> Iterator[ProcessConfig]:
    """Check everything that a node needs before its first process starts; keep its database running."""
    code = load_code(config.modules)
    for unused in unused_queues(code, config.settings.queues if config.modules else ()):
        log.warning("%s", unused)
    empty = modules_without_code(config.modules)
    if empty:
        log.warning(
            "no workflow or activity is defined in or imported into %s: name the modules that have them",
            ", ".join(empty),
        )
    with node_database(config.dsn, config.schema) as dsn:
        name = name_of(config)
        asyncio.run(refuse_taken_name(dsn, config.schema, name))
        yield process_config(config, dsn, name)


def name_of(config: NodeConfig) -> str:
    """Return the name of a node; one without is named after its machine and its launcher."""
    return config.name or f"{socket.gethostname()}-{os.getpid()}"


def log_output(config: NodeConfig) -> LogOutput:
    """Return what all processes of a node log, and in which form."""
    dress = partial(log_as_json, name_of(config)) if config.log_format == "json" else None
    return LogOutput(getattr(logging, config.log_level.upper()), dress)


def process_config(config: NodeConfig, dsn: str, name: str) -> ProcessConfig:
    """Return what the processes of a node of this name need."""
    return ProcessConfig(
        dsn=dsn,
        schema=config.schema,
        node=NodeId(name),
        modules=tuple(config.modules),
        address="{}:{}".format(*config.bind) if config.bind else "local",
        launcher_pid=os.getpid(),
        log=log_output(config),
        settings=config.settings,
        reports=config.http is not None,
    )
