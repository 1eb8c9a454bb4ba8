"""What `continuum dev` starts before it imports anything large: two processes that import meanwhile."""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Sequence

from continuum.development.checks import Checks, Event
from continuum.node.config import NODE_MODULES
from continuum_supervision.process.system_start import SystemStart


class EarlyStart:
    """The first check and the first system process of a node, under way since `began`."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.began = time.monotonic()
        if "" not in sys.path:
            # The path of a console script lacks the current directory.
            sys.path.insert(0, "")
        # Every process imports what is on disk: a compilation of a moment before may be of other code.
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        self.events: queue.Queue[Event] = queue.Queue()
        self._system: SystemStart | None = SystemStart(NODE_MODULES)
        self.checks = Checks(modules, self.events)
        self.checks.begin()

    def system(self) -> SystemStart:
        """Return the system process, which the caller ends."""
        assert self._system is not None
        system, self._system = self._system, None
        return system

    def close(self) -> None:
        """End what no caller has taken."""
        self.checks.close()
        if self._system is not None:
            self._system.close()
