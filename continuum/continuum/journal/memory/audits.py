"""The record of what people have changed."""

from __future__ import annotations

from continuum.journal.audit_facts import AuditQuery, AuditRow
from continuum.journal.limits import AUDIT_KEPT_SECONDS
from continuum.journal.memory.tables import MICROSECONDS, MemoryTables


class MemoryAudits(MemoryTables):
    """Reads the record, and removes what is old."""

    async def audited(self, query: AuditQuery) -> list[AuditRow]:
        """Return recorded changes, the latest first."""
        found = [row for row in self._audit.values() if _is_wanted(row, query)]
        found.sort(key=_place, reverse=True)
        return found[: query.limit]

    def _sweep_audit(self) -> None:
        before = self.now() - AUDIT_KEPT_SECONDS * MICROSECONDS
        for row in [row for row in self._audit.values() if row.at < before]:
            del self._audit[row.id]


def _place(row: AuditRow) -> tuple[int, str]:
    return row.at, row.id


def _is_wanted(row: AuditRow, query: AuditQuery) -> bool:
    return (
        query.actor in (None, row.actor)
        and query.action in (None, row.action)
        and query.subject in (None, row.subject)
        and (query.since is None or row.at >= query.since)
        and (query.before is None or _place(row) < query.before)
    )
