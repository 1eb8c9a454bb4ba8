"""What people change in runs and nodes, and the record of that.

A change that carries audit facts is made by the function of its name that ends in `_recorded`, in one
transaction with its row. Others touch no table of the record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from continuum.engine.ids import NodeId, RunId
from continuum.journal.audit_facts import AuditFacts, AuditQuery, AuditRow, SeenRun
from continuum.journal.port import Posted
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.packed_code import optional_texts


def stored_facts(audit: AuditFacts | None) -> str | None:
    """Return audit facts as JSON, as the functions of the schema take them."""
    return None if audit is None else json.dumps({**audit._asdict(), "arguments": dict(audit.arguments)})


def stored_facts_of_each(audits: Sequence[AuditFacts | None]) -> packed_arrays.Texts:
    """Return an array of audit facts."""
    return packed_arrays.texts([stored_facts(audit) for audit in audits])


class PostgresChanges:
    """Changes by people, and their record."""

    _database: Database

    async def force_cancel(
        self, run_id: RunId, *, seen: SeenRun | None = None, audit: AuditFacts | None = None
    ) -> Posted:
        guarded = (run_id, *(seen or (None, None)))
        if audit is None:
            rows = await self._database.fetch("force_cancel", guarded)
        else:
            rows = await self._database.fetch("force_cancel_recorded", (*guarded, stored_facts(audit)))
        return Posted(rows[0][0])

    async def unblock(
        self,
        workflows: Sequence[str],
        run_ids: Sequence[RunId] | None = None,
        *,
        namespaces: Sequence[str] | None = None,
        code: str | None = None,
        audit: AuditFacts | None = None,
    ) -> int:
        wanted = (
            packed_arrays.texts(workflows),
            None if run_ids is None else packed_arrays.uuids(run_ids),
            optional_texts(namespaces),
            code,
        )
        if audit is None:
            rows = await self._database.fetch("unblock", wanted)
        else:
            rows = await self._database.fetch("unblock_recorded", (*wanted, stored_facts(audit)))
        return int(rows[0][0])

    async def set_attributes(
        self, run_id: RunId, attributes: Mapping[str, Any], *, audit: AuditFacts | None = None
    ) -> bool:
        merged = json.dumps(dict(attributes))
        rows = await self._database.fetch("set_attributes", (run_id, merged, stored_facts(audit)))
        return bool(rows[0][0])

    async def drain_node(self, node: NodeId, *, audit: AuditFacts | None = None) -> bool:
        if audit is None:
            return bool(await self._database.fetch("drain_node", (node,)))
        rows = await self._database.fetch("drain_node_recorded", (node, stored_facts(audit)))
        return bool(rows[0][0])

    async def audited(self, query: AuditQuery) -> list[AuditRow]:
        before, id = query.before or (None, None)
        rows = await self._database.fetch(
            "audited",
            {
                "since": query.since,
                "actor": query.actor,
                "action": query.action,
                "subject": query.subject,
                "before": before,
                "id": id,
                "limit": query.limit,
            },
        )
        return [AuditRow(*row) for row in rows]
