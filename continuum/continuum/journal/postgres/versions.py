"""Versions of code, the histories they refused, the signals they declare; and published values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts
from continuum.journal.limits import COUNTED_RUNS
from continuum.journal.port import ContractRow, Fault, PublishedValue, Refusal, VersionRow
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.changes import stored_facts_of_each
from continuum.journal.postgres.connections import Database


class PostgresVersions:
    """The versions and published values of the journal."""

    _database: Database

    async def register_versions(self, versions: Sequence[VersionRow]) -> None:
        latest = {(row.workflow, row.version): row for row in versions}
        # In one order, because nodes of the same code start at the same time.
        rows = [latest[key] for key in sorted(latest)]
        await self._database.fetch(
            "register_versions",
            (
                packed_arrays.texts([row.workflow for row in rows]),
                packed_arrays.texts([row.version for row in rows]),
                packed_arrays.texts([row.label for row in rows]),
                packed_arrays.texts([row.module for row in rows]),
                packed_arrays.texts(
                    [None if row.signals is None else json.dumps(dict(row.signals)) for row in rows]
                ),
                packed_arrays.byteas([row.source for row in rows]),
                packed_arrays.doubles([row.retention for row in rows]),
                packed_arrays.texts(
                    [None if row.contract is None else json.dumps(dict(row.contract)) for row in rows]
                ),
            ),
        )

    async def versions(self, counted: int = COUNTED_RUNS) -> list[VersionRow]:
        return [VersionRow(*row) for row in await self._database.fetch("versions", (counted,))]

    async def version_source(self, workflow: str, version: str) -> bytes | None:
        rows = await self._database.fetch("version_source", (workflow, version))
        return rows[0][0] if rows else None

    async def contracts(self, workflow: str) -> list[ContractRow]:
        rows = await self._database.fetch("contracts", (workflow,))
        return [ContractRow(*row) for row in rows if isinstance(row[3], dict)]

    async def delete_versions(
        self, versions: Sequence[tuple[str, str]], *, audits: Sequence[AuditFacts] | None = None
    ) -> int:
        rows = await self._database.fetch(
            "delete_versions",
            (
                packed_arrays.texts([workflow for workflow, _ in versions]),
                packed_arrays.texts([version for _, version in versions]),
                stored_facts_of_each([None] * len(versions) if audits is None else audits),
            ),
        )
        return int(rows[0][0])

    async def refusals(self, run_id: RunId) -> list[Refusal]:
        return [
            Refusal(version, reason, Fault.from_json(fault))
            for version, reason, fault in await self._database.fetch("refusals", (run_id,))
        ]

    async def declared_signals(self, run_id: RunId) -> Mapping[str, Any] | None:
        rows = await self._database.fetch("declared_signals", (run_id,))
        return rows[0][0] if rows else None

    async def read_published(self, run_id: RunId, names: Sequence[str]) -> dict[str, PublishedValue]:
        rows = await self._database.fetch("read_published", (packed_arrays.texts(names), run_id))
        return {name: PublishedValue(value, changed_at) for name, value, changed_at in rows}
