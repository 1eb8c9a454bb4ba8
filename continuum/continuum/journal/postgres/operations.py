"""Operations: changes of many runs, part after part, and counts of what a search finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg

from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.facts import Query
from continuum.journal.operation_facts import (
    Execution,
    NewOperation,
    OperationRow,
    OperationState,
    Part,
    RunCount,
)
from continuum.journal.postgres.changes import stored_facts
from continuum.journal.postgres.conditions import condition_of
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.driver_errors import first_line
from continuum.journal.postgres.run_counts import count_runs
from continuum.journal.postgres.run_scans import Scan


class PostgresOperations:
    """The table of operations."""

    _database: Database
    schema: str

    async def begin_operation(self, operation: NewOperation, *, audit: AuditFacts | None = None) -> bool:
        facts = operation._asdict() | {
            "arguments": json.dumps(operation.arguments),
            "audit": stored_facts(audit),
        }
        ((new,),) = await self._database.fetch("begin_operation", facts)
        return bool(new)

    async def lease_operation(self, operation: str, ttl: float) -> int | None:
        rows = await self._database.fetch("lease_operation", {"operation": operation, "ttl": ttl})
        return int(rows[0][0]) if rows else None

    async def renew_operation(self, execution: Execution, ttl: float) -> str | None:
        given = {"operation": execution.operation, "token": execution.token, "ttl": ttl}
        rows = await self._database.fetch("renew_operation", given)
        return str(rows[0][0]) if rows else None

    async def execute_part(self, execution: Execution, *, limit: int, look: int, ttl: float) -> Part | None:
        """One statement; two for a run that the server refuses to change, which fails by itself."""
        try:
            return await self._part(execution, limit, look, ttl)
        except psycopg.Error as error:
            if limit > 1:
                return await self.execute_part(execution, limit=1, look=look, ttl=ttl)
            return await self._part(execution, 1, look, ttl, first_line(error))

    async def _part(
        self, execution: Execution, limit: int, look: int, ttl: float, error: str | None = None
    ) -> Part | None:
        scan = Scan(f'"{self.schema}"', "", "id", descending=False, limit=limit)
        meets = scan.all_of([condition_of(*condition) for condition in execution.where])
        until = f"to_timestamp(0) + {scan.bind(execution.until)} * interval '1 microsecond'"
        statements = self._database.statements
        # Chains are read in the order of the ids of their first runs: a chain that continues as new keeps its
        # place. No more runs are read than are looked at.
        chosen = f""", chosen AS MATERIALIZED (
            SELECT s.place, s.id FROM operation o CROSS JOIN LATERAL (
                SELECT l.id AS place, coalesce(l.latest, l.id) AS id FROM (
                    SELECT f.*, CASE WHEN f.root IS NULL AND f.continued_to IS NOT NULL
                                     THEN {scan.schema}.latest_of_chain(f.id) END AS latest
                    FROM {scan.schema}.runs f WHERE f.id > o.reached ORDER BY f.id LIMIT %(looked)s
                ) l
                CROSS JOIN LATERAL (
                    SELECT bool_or(u.meets) AS meets FROM (
                        SELECT ({meets}) AS meets FROM (SELECT l.*) r
                        UNION ALL SELECT ({meets}) FROM {scan.schema}.runs r WHERE r.id = l.latest
                    ) u
                ) m
                WHERE l.root IS NULL AND l.started_at <= {until} AND m.meets ORDER BY l.id LIMIT %(limit)s
            ) s
        )
        """
        rows = await self._database.fetch_text(
            statements["operation_in_progress"] + chosen.encode() + statements["operation_part"],
            scan.parameters
            | {
                "operation": execution.operation,
                "token": execution.token,
                "limit": limit,
                "looked": look,
                "ttl": ttl,
                "error": error,
            },
        )
        return Part(*rows[0]) if rows else None

    async def change_operation(
        self, operation: str, state: OperationState, *, audit: AuditFacts | None = None
    ) -> ChangeOutcome:
        given = {"operation": operation, "state": state.value, "audit": stored_facts(audit)}
        ((outcome,),) = await self._database.fetch("change_operation", given)
        return ChangeOutcome(outcome)

    async def operation(self, operation: str) -> OperationRow | None:
        text = self._database.statements["operation_columns"] + b" WHERE o.id = %s"
        rows = await self._database.fetch_text(text, (operation,))
        return _operation_row(rows[0]) if rows else None

    async def operations(self, limit: int, before: tuple[int, str] | None = None) -> list[OperationRow]:
        statements = self._database.statements
        at, id = before or (None, None)
        rows = await self._database.fetch_text(
            statements["operation_columns"] + b"\n" + statements["operations_page"],
            {"before": at, "id": id, "limit": limit},
        )
        return [_operation_row(row) for row in rows]

    async def count(self, query: Query, most: int) -> RunCount:
        return await count_runs(self._database, query, most)


def _operation_row(row: Sequence[Any]) -> OperationRow:
    id, action, arguments, *rest = row
    return OperationRow(id, action, arguments if isinstance(arguments, dict) else {}, *rest)
