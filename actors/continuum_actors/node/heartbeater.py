"""The heartbeater: renews the leases of this node's workers, and kills a process that is stuck.

One UPDATE, three times within a lease, renews every worker of the node whose loop still turns. A
process whose loop has not turned for too long is in an endless loop of user code: it is killed, and
its runs are claimed again, as after any other death.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from continuum.engine.ids import WorkerId
from continuum.journal.port import NodeFacts
from continuum.journal.resilient import ResilientJournal
from continuum_actors.host import limits
from continuum_actors.host.looping_actor import LoopingActor
from continuum_supervision import ExitReason

log = logging.getLogger("continuum.heartbeater")


@dataclass(frozen=True, slots=True)
class Alive:
    """A process of this node, its worker, and the seconds since its loop last turned."""

    process_id: str
    worker: WorkerId
    silent_for: float


class Node(Protocol):
    """The node, as its heartbeater needs it."""

    def processes(self) -> Sequence[Alive]:
        """Return the processes that have registered as workers."""
        ...

    def facts(self) -> NodeFacts | None:
        """Return what the node reports about itself."""
        ...

    def kill(self, process_id: str) -> None:
        """Kill a process that is stuck."""
        ...

    def drain(self) -> None:
        """Begin to drain: an operator wants the node to stop in order."""
        ...


class Heartbeater(LoopingActor):
    """Renews leases; calls `expiring` with the seconds until the lease of some other worker runs out."""

    def __init__(
        self,
        journal: ResilientJournal,
        node: Node,
        *,
        ttl: float,
        expiring: Callable[[float], None],
        watchdog: float,
    ) -> None:
        self._journal = journal
        self._node = node
        self._ttl = ttl
        self._expiring = expiring
        self._watchdog = watchdog
        self._now = asyncio.Event()

    def init(self) -> None:
        self._renewing = self.start_loop(self._keep_renewing())

    async def terminate(self, reason: ExitReason) -> None:
        """Wait for the end of a renewal in flight: it would list a node again that has just left."""
        self._renewing.cancel()
        await asyncio.wait([self._renewing], timeout=limits.TASKS_END_SECONDS)

    def handle_cast(self, message: object) -> None:
        """Renew at once, so that others see what changed about the node."""
        self._now.set()

    async def _keep_renewing(self) -> None:
        # A long lease must not make the watchdog slow.
        every = min(self._ttl / limits.RENEWALS_PER_LEASE, self._watchdog / 2)
        while True:
            self._now.clear()
            workers: list[WorkerId] = []
            for process in self._node.processes():
                if process.silent_for > self._watchdog:
                    log.error(
                        "process %s has not answered for %.0f s: killing it; look for code that never awaits",
                        process.process_id,
                        process.silent_for,
                    )
                    self._node.kill(process.process_id)
                else:
                    workers.append(process.worker)
            renewal = await self._journal.renew(workers, self._ttl, self._node.facts())
            if renewal.others is not None:
                self._expiring(renewal.others)
            if renewal.drain:
                self._node.drain()
            try:
                async with asyncio.timeout(every):
                    await self._now.wait()
            except TimeoutError:
                continue
