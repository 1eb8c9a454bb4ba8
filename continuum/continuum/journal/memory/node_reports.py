"""What nodes report of themselves while somebody looks."""

from __future__ import annotations

from continuum.engine.ids import NodeId
from continuum.journal.limits import MOST_WATCHED_SECONDS
from continuum.journal.memory.report_row import ReportRow
from continuum.journal.memory.tables import MICROSECONDS, MemoryTables
from continuum.journal.node_report_port import GivenReport, StoredReport, WantedReport
from continuum.journal.notification import Topic


class MemoryNodeReports(MemoryTables):
    """Reports of nodes."""

    async def want_report(self, node: NodeId, seconds: float, *, stacks: bool = False) -> int | None:
        """Have a node report about itself for so many seconds; None if there is no such node."""
        if node not in self._nodes:
            return None
        row = self._reports.setdefault(node, ReportRow())
        if stacks or row.wanted_until <= self.now():
            self._notifications.send(Topic.WATCHED, [node])
        until = self.now() + round(min(seconds, MOST_WATCHED_SECONDS) * MICROSECONDS)
        row.wanted_until = max(row.wanted_until, until)
        row.stacks_asked += stacks
        return row.stacks_asked

    async def node_report(self, node: NodeId) -> StoredReport | None:
        """Return what a node has reported as last; None if nobody has asked."""
        row = self._reports.get(node)
        if row is None:
            return None
        return StoredReport(
            row.report, row.reported_at, row.stacks, row.stacks_told, row.stacks_at, self.now()
        )

    def _reported(self, node: NodeId, given: GivenReport | None) -> WantedReport | None:
        """Store a report that came with a renewal; return what is wanted next."""
        row = self._reports.get(node)
        if row is None:
            return None
        now = self.now()
        if given is not None:
            row.report, row.reported_at = given.report, now
            if given.stacks is not None:
                row.stacks, row.stacks_told, row.stacks_at = given.stacks, given.stacks_for, now
        if row.wanted_until <= now:
            return None
        return WantedReport(row.stacks_asked if row.stacks_asked > row.stacks_told else 0)
