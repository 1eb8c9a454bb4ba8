"""The node of `continuum dev`: a system process that was started ahead, and one node after the other.

The new node works before the one before is drained, so that a start that fails leaves the old one as it
is, and no moment is without a node. The process that asks imports nothing of the user's code.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from itertools import count

from continuum.node.config import NODE_MODULES, NodeConfig
from continuum.node.launcher import process_config
from continuum.node.running_node import RunningNode, running_node
from continuum_supervision.process.system_start import SystemStart


class Hosts:
    """Runs one node at a time, of the code that is on disk when it starts."""

    def __init__(self, config: NodeConfig, ahead: SystemStart) -> None:
        self._config = config
        self._numbers = count(1)
        self._ahead: SystemStart | None = ahead
        self._node: RunningNode | None = None
        self._running = ExitStack()

    @property
    def node(self) -> RunningNode | None:
        """The node that works, None before the first."""
        return self._node

    def restart(self, dsn: str) -> None:
        """Start a node, then stop the one before; `ClusterError` leaves that as it is."""
        name = f"dev-{socket.gethostname()}-{os.getpid()}-{next(self._numbers)}"
        ahead, self._ahead = self._ahead, None
        with ExitStack() as starting:
            if ahead is not None:
                starting.enter_context(ahead)
            node = starting.enter_context(
                # Code that ends a host when it is imported there is not worth a hundred restarts.
                running_node(self._config, process_config(self._config, dsn, name), ahead, first_lives=True)
            )
            before, self._running, self._node = self._running, starting.pop_all(), node
        before.close()
        self._ahead = SystemStart(NODE_MODULES)

    def close(self) -> None:
        """Drain the node and stop it."""
        self._running.close()
        if self._ahead is not None:
            self._ahead.close()
