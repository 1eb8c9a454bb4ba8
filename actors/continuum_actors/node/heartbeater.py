"""The heartbeater: renews the leases of this node's workers.

One UPDATE, three times within a lease, renews every worker whose process lives. A process that hangs is the
watchdog's matter (`continuum_supervision.process.watchdog`): it is killed, and its lease ends with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from continuum.engine.ids import WorkerId
from continuum.journal.node_report_port import GivenReport, WantedReport
from continuum.journal.port import NodeFacts
from continuum.journal.resilient import ResilientJournal
from continuum.telemetry.tallies import Tally
from continuum_actors.host import limits
from continuum_actors.host.looping_actor import LoopingActor
from continuum_actors.node.node_reporter import Leases
from continuum_supervision import ExitReason

log = logging.getLogger("continuum.node")


class Node(Protocol):
    """The node, as its heartbeater needs it."""

    def workers(self) -> Sequence[WorkerId]:
        """Return the workers whose processes live."""
        ...

    def facts(self) -> NodeFacts | None:
        """Return what the node reports about itself."""
        ...

    def take_counted(self) -> Sequence[Tally]:
        """Return what the processes of the node have counted since the last time."""
        ...

    def renewed(self) -> None:
        """The leases have just been renewed."""
        ...

    def drain(self) -> None:
        """Begin to drain: an operator wants the node to stop in order."""
        ...


# Gathers what somebody who looks at the node wants to see, within so many seconds.
Reporting = Callable[[WantedReport, Leases, float], Awaitable[GivenReport]]


class Heartbeater(LoopingActor):
    """Renews leases; calls `expiring` with the seconds until the lease of some other worker runs out.

    While somebody looks at the node it renews every second, and each time brings what `reporting` gathers.
    """

    def __init__(
        self,
        journal: ResilientJournal,
        node: Node,
        *,
        ttl: float,
        expiring: Callable[[float], None],
        reporting: Reporting | None = None,
    ) -> None:
        self._reporting = reporting
        self._wanted: WantedReport | None = None
        self._held: frozenset[WorkerId] = frozenset()
        self._journal = journal
        self._node = node
        self._ttl = ttl
        self._expiring = expiring
        self._now = asyncio.Event()
        self._patient_until = 0.0
        self._leaving = False
        self._counted = False

    def init(self) -> None:
        self._renewed_at = asyncio.get_running_loop().time()
        self._renewing = self.start_loop(self._keep_renewing())

    async def terminate(self, reason: ExitReason) -> None:
        """Wait for the end of a renewal in flight: it would list a node again that has just left."""
        # A renewal that is cancelled ends here at once, and on the server perhaps later.
        self._leaving = True
        self._now.set()
        await asyncio.wait([self._renewing], timeout=limits.TASKS_END_SECONDS)
        self._renewing.cancel()

    def handle_cast(self, message: object) -> None:
        """Renew at once, so that others see what changed about the node."""
        self._now.set()

    async def _keep_renewing(self) -> None:
        every = limits.renewal_pause(self._ttl)
        while not self._leaving:
            self._now.clear()
            report = await self._gathered(every)
            if self._leaving:
                return
            facts = self._node.facts()
            renewal = await self._journal.renew(
                self._node.workers(), self._ttl, facts, report, self._node.take_counted()
            )
            self._node.renewed()
            if not self._counted and facts is not None and facts.connections:
                self._counted = True
                await self._count_connections()
            self._report(renewal.others, every)
            if renewal.drain:
                self._node.drain()
            wanted = None if self._reporting is None else renewal.wanted
            begun = self._wanted is None and wanted is not None
            self._held, self._wanted = renewal.held, wanted
            if begun:
                # The first answer comes at once.
                continue
            nap = every if self._wanted is None else min(every, limits.REPORT_EVERY_SECONDS)
            try:
                async with asyncio.timeout(nap):
                    await self._now.wait()
            except TimeoutError:
                continue

    async def _gathered(self, every: float) -> GivenReport | None:
        """Return what those who look want to see; a fault in that does not keep the node from renewing."""
        if self._wanted is None or self._reporting is None:
            return None
        age = asyncio.get_running_loop().time() - self._renewed_at
        try:
            return await self._reporting(
                self._wanted, Leases(self._held, age), min(every / 2, limits.REPORT_ANSWER_SECONDS)
            )
        except Exception:
            log.exception("what this node is asked to report of itself could not be gathered")
            return None

    async def _count_connections(self) -> None:
        """Warn before the server is full: now that this node is listed, it counts too."""
        room = await self._journal.connection_room()
        if room is not None and room.warning is not None:
            log.warning("%s", room.warning)

    def _report(self, others: float | None, every: float) -> None:
        """Report when the lease of another worker runs out; after an outage every owner may renew first."""
        now = asyncio.get_running_loop().time()
        if now - self._renewed_at > every + limits.LATE_RENEWAL_SECONDS:
            self._patient_until = now + limits.RECONNECTING_SECONDS
        self._renewed_at = now
        if others is not None:
            self._expiring(max(others, self._patient_until - now))


class Listing(Heartbeater):
    """Stands in for a heartbeater that was left out: it lists the node once, and renews no lease."""

    async def _keep_renewing(self) -> None:
        await self._journal.renew([], self._ttl, self._node.facts())
