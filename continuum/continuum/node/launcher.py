"""The composition root: a node from its configuration.

Everything is checked before the first process starts, so that what is wrong is
one line on the terminal and not a restart loop in a log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from continuum.client.connecting import default_dsn
from continuum.engine.ids import NodeId
from continuum.errors import ClusterError
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.schema import check_schema, migrate_schema
from continuum.local_postgres import EmbeddedPostgres
from continuum.node.config import NodeConfig
from continuum.versions.loaded_code import load_code
from continuum_actors.host import limits
from continuum_actors.node.control_process import DrainRequested
from continuum_actors.node.node import STOP_SECONDS, node_processes
from continuum_actors.node.process_config import ProcessConfig
from continuum_actors.node.recovery import is_alive
from continuum_supervision.errors import ProcessSystemError
from continuum_supervision.process.events import JoinUnanswered, NodeEnded, Report
from continuum_supervision.process.launcher import ProcessSystem
from continuum_supervision.process.log import log_to_stderr
from continuum_supervision.transport.cookie import find_cookie

log = logging.getLogger("continuum.node")

# Importing user code in every process may take a while on a busy machine.
READY_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RunningNode:
    """A node that accepts work."""

    name: str
    dsn: str
    schema: str
    hosts: int
    system: ProcessSystem

    def stop(self) -> None:
        """Drain and stop; returns when every process is gone."""
        self.system.shutdown(STOP_SECONDS)


def run_node(config: NodeConfig) -> int:
    """Run a node until SIGTERM or SIGINT; return the exit code."""
    log_to_stderr(logging.WARNING)
    stop, started = threading.Event(), threading.Event()

    def asked_to_stop(number: int, frame: FrameType | None) -> None:
        first = not stop.is_set()
        stop.set()
        # Whatever a start waits for, it ends now; a second signal must not disturb the cleaning up.
        if first and not started.is_set():
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, asked_to_stop)
    signal.signal(signal.SIGINT, asked_to_stop)
    if not config.modules:
        log.warning("serves no workflow: name modules, e.g. `continuum run-node orders`")
    try:
        with started_node(config) as node:
            started.set()
            sys.stdout.write(f"ready node={node.name} hosts={node.hosts}\n")
            sys.stdout.flush()
            watch(node.system, stop)
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the node was ready\n")
    return 0


def watch(system: ProcessSystem, stop: threading.Event) -> None:
    """Return when the node is to stop."""
    while not stop.is_set():
        match system.receive(timeout=0.2):
            case Report(message=DrainRequested()):
                return
            case NodeEnded(reason):
                raise ClusterError(reason or "the node ended without having been asked to")
            case JoinUnanswered(reason):
                log.warning("%s", reason)
            case _:
                pass


@contextmanager
def started_node(config: NodeConfig) -> Iterator[RunningNode]:
    """Start a node and wait until it accepts work; stop it in order at the end of the block."""
    load_code(config.modules)
    with ExitStack() as stack:
        dsn = config.dsn or default_dsn()
        if dsn is None:
            dsn = stack.enter_context(EmbeddedPostgres()).dsn
            asyncio.run(migrate_schema(dsn, config.schema))
        else:
            asyncio.run(check_schema(dsn, config.schema))
        name = config.name or f"{socket.gethostname()}-{os.getpid()}"
        asyncio.run(refuse_taken_name(dsn, config.schema, name))
        cookie = None
        try:
            if config.bind is not None:
                cookie = find_cookie(config.cookie_file, os.environ)
            system = ProcessSystem.start(
                node_processes(_process_config(config, dsn, name)),
                node=name,
                bind=config.bind,
                join=config.join,
                cookie=cookie,
            )
        except ProcessSystemError as error:
            raise ClusterError(str(error)) from error
        node = RunningNode(name, dsn, config.schema, config.run_hosts + config.activity_hosts, system)
        try:
            try:
                system.wait_ready(READY_TIMEOUT_SECONDS)
            except ProcessSystemError as error:
                system.kill()
                raise ClusterError(str(error)) from error
            yield node
        finally:
            # Some of its processes may work before all of them are ready.
            node.stop()


async def refuse_taken_name(dsn: str, schema: str, name: str) -> None:
    """Two nodes of one name would speak for each other; one that died may come back under its own."""
    journal = PostgresJournal(dsn, schema=schema, listen=False)
    await journal.open()
    try:
        for node in await journal.nodes():
            if node.node == name and node.state != "lost" and is_alive(node.pid):
                raise ClusterError(
                    f"a node named {name} is running (pid {node.pid}); stop it, or choose another --name"
                )
    finally:
        await journal.close()


def _process_config(config: NodeConfig, dsn: str, name: str) -> ProcessConfig:
    return ProcessConfig(
        dsn=dsn,
        schema=config.schema,
        listen=config.listen,
        node=NodeId(name),
        modules=tuple(config.modules),
        queues=dict(config.queues),
        lease_ttl=config.lease_ttl,
        watchdog=config.watchdog,
        run_hosts=config.run_hosts,
        activity_hosts=config.activity_hosts,
        address="{}:{}".format(*config.bind) if config.bind else "local",
        launcher_pid=os.getpid(),
        active_runs=limits.ACTIVE_RUNS,
        live_parked_runs=config.live_parked_runs or limits.LIVE_PARKED_RUNS,
        log_level=logging.getLogger().getEffectiveLevel(),
    )
