"""The processes of a node, as its launcher holds them: started, ready, watched, stopped."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from continuum.errors import ClusterError
from continuum.node.config import NodeConfig
from continuum.node.node_status import NodeStatus
from continuum.settings.settings import Settings
from continuum_actors.node.launcher_reports import Counted, DrainRequested, Renewed
from continuum_actors.node.node import node_processes, stop_seconds
from continuum_actors.node.process_config import ProcessConfig
from continuum_supervision.errors import ProcessSystemError
from continuum_supervision.process.events import JoinUnanswered, NodeEnded, Report
from continuum_supervision.process.launcher import ProcessSystem
from continuum_supervision.process.system_start import SystemStart
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
    settings: Settings
    system: ProcessSystem

    @property
    def hosts(self) -> int:
        """Return how many processes execute user code."""
        return self.settings.run_hosts + self.settings.activity_hosts

    def stop(self) -> None:
        """Drain and stop; return when every process is gone."""
        over = self.system.ended is not None
        ended = self.system.shutdown(stop_seconds(self.settings))
        if not over and ended.reason is not None:
            log.warning("%s", ended.reason)


@contextmanager
def running_node(
    config: NodeConfig,
    process: ProcessConfig,
    ahead: SystemStart | None = None,
    *,
    first_lives: bool = False,
) -> Iterator[RunningNode]:
    """Start the processes and wait until they accept work; drain and stop them at the end of the block.

    `ahead` is a system process that was started before the checks; without it one is started now. With
    `first_lives` it is a failure if a process dies before all of them are ready.
    """
    try:
        system = ProcessSystem.start(
            node_processes(process),
            node=process.node,
            bind=config.bind,
            join=config.join,
            # Only a node that others can reach needs the secret of the cluster.
            hung_after=process.settings.watchdog,
            cookie=None if config.bind is None else find_cookie(config.cookie_file, os.environ),
            system=ahead,
            log=process.log,
        )
    except ProcessSystemError as error:
        raise ClusterError(str(error)) from error
    node = RunningNode(process.node, process.dsn, process.schema, process.settings, system)
    try:
        try:
            system.wait_ready(READY_TIMEOUT_SECONDS, first_lives=first_lives)
        except ProcessSystemError as error:
            system.kill()
            raise ClusterError(str(error)) from error
        yield node
    finally:
        # Some processes may work before all of them are ready.
        node.stop()


def wait_for_end(system: ProcessSystem, stop: threading.Event, status: NodeStatus | None = None) -> bool:
    """Wait until `stop` is set or an operator drains the node; raise if the node ends by itself.

    True if its processes had to be killed because the root supervisor hung, and are to be started again.
    """
    while not stop.is_set():
        match system.receive(timeout=0.2):
            case Report(message=DrainRequested()):
                return False
            case Report(message=Renewed() | Counted() as report) if status is not None:
                status.take(report)
            case NodeEnded(reason, hung=True):
                log.error("%s; its processes start again", reason)
                return True
            case NodeEnded(reason):
                raise ClusterError(reason or "the node ended without having been asked to")
            case JoinUnanswered(reason):
                log.warning("%s", reason)
            case _:
                pass
    return False
