"""Reports of nodes: a row for each node that somebody has looked at, in a table that costs no WAL."""

from __future__ import annotations

import json
from typing import Any

from continuum.engine.ids import NodeId
from continuum.journal.limits import MOST_WATCHED_SECONDS
from continuum.journal.node_report_port import GivenReport, StoredReport, WantedReport
from continuum.journal.postgres.connections import Database


def report_parameters(given: GivenReport | None) -> dict[str, Any]:
    """Return the parameters of `renew` that bring a report."""
    told = None if given is None or given.stacks is None else given
    return {
        "report": None if given is None else json.dumps(given.report),
        "stacks": None if told is None else json.dumps(told.stacks),
        "stacks_for": 0 if told is None else told.stacks_for,
    }


def wanted_report(column: int | None) -> WantedReport | None:
    """Return what a renewal says is wanted."""
    return None if column is None else WantedReport(column)


class PostgresNodeReports:
    """The reports of the journal."""

    _database: Database

    def open_connections(self) -> int:
        return self._database.opened()

    async def want_report(self, node: NodeId, seconds: float, *, stacks: bool = False) -> int | None:
        asked = {
            "node": node,
            "seconds": min(seconds, MOST_WATCHED_SECONDS),
            "most": MOST_WATCHED_SECONDS,
            "stacks": stacks,
        }
        rows = await self._database.fetch("want_report", asked)
        return rows[0][0] if rows else None

    async def node_report(self, node: NodeId) -> StoredReport | None:
        rows = await self._database.fetch("node_report", (node,))
        return StoredReport(*rows[0]) if rows else None
