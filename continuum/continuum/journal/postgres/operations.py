"""Operations: changes of many runs, part after part, and counts of what a search finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.facts import Query
from continuum.journal.forked_run import ForkedRun
from continuum.journal.operation_facts import (
    Chosen,
    CountedChange,
    Execution,
    NewOperation,
    OperationRow,
    OperationState,
    Part,
    RunCount,
)
from continuum.journal.operation_reasons import reasons_of
from continuum.journal.postgres.changes import stored_facts
from continuum.journal.postgres.conditions import condition_of
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.driver_errors import first_line
from continuum.journal.postgres.forked_runs import PostgresForks
from continuum.journal.postgres.run_counts import count_runs
from continuum.journal.postgres.run_scans import Scan


class PostgresOperations(PostgresForks):
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
        """One statement; some more for a run that the server refuses to change, which fails by itself.

        That one is found by halving: among 500 runs that takes a dozen statements. Those that succeed are
        transactions of their own.
        """
        runs, number = 0, limit
        # The server has refused a statement about the next so many runs.
        refused = 0
        while True:
            try:
                part = await self._part(execution, number, look, ttl)
            except psycopg.Error as error:
                if number > 1:
                    refused, number = number, number // 2
                    continue
                part = await self._part(execution, 1, look, ttl, first_line(error))
            if part is None:
                return None
            runs, refused = runs + part.runs, refused - number
            if refused <= 0 or part.runs < number or part.state != OperationState.RUNNING:
                return part._replace(runs=runs)
            number = max(refused // 2, 1)

    async def _part(
        self, execution: Execution, limit: int, look: int, ttl: float, error: str | None = None
    ) -> Part | None:
        given = {"ttl": ttl, "error": error}
        rows = await self._with_chosen("operation_part", execution, limit, look, given)
        return Part(*rows[0]) if rows else None

    async def choose(self, execution: Execution, *, limit: int, look: int) -> Chosen | None:
        rows = await self._with_chosen("operation_chosen", execution, limit, look, {})
        if not rows:
            return None
        runs, places, reached = rows[0]
        found = list(zip(runs, places, strict=True))
        return Chosen(found, places[-1] if len(runs) == limit else reached)

    async def fork_found(
        self, execution: Execution, place: RunId, run: ForkedRun, *, ttl: float
    ) -> Part | None:
        """One statement as in `fork_run`; another for a run that the server refuses to change."""
        facts = json.dumps({"new_run": run.id, "at": run.forked.seq})
        fork = await self._stored_fork(run, None)
        try:
            rows = await self._database.fetch(
                "fork_found",
                (execution.operation, execution.token, place, *fork, run.origin, place, facts, ttl),
            )
        except psycopg.Error as error:
            why = first_line(error)
            return await self._refuse(execution, place, run.origin, "failed", {"error": why}, ttl)
        return Part(*rows[0]) if rows else None

    async def refuse_found(
        self,
        execution: Execution,
        place: RunId,
        run_id: RunId,
        outcome: ChangeOutcome,
        why: str,
        *,
        ttl: float,
    ) -> Part | None:
        return await self._refuse(execution, place, run_id, outcome.value, {"why": why}, ttl)

    async def _refuse(
        self,
        execution: Execution,
        place: RunId,
        run_id: RunId,
        outcome: str,
        facts: dict[str, str],
        ttl: float,
    ) -> Part | None:
        given = {"run": run_id, "place": place, "outcome": outcome, "facts": json.dumps(facts), "ttl": ttl}
        return await self._passed("pass_refused", execution, given)

    async def pass_to(self, execution: Execution, reached: RunId | None, *, ttl: float) -> Part | None:
        return await self._passed("pass_to", execution, {"reached": reached, "ttl": ttl})

    async def _passed(self, statement: str, execution: Execution, given: dict[str, Any]) -> Part | None:
        statements = self._database.statements
        text = statements["operation_in_progress"] + b"\n" + statements[statement]
        given |= {"operation": execution.operation, "token": execution.token}
        rows = await self._database.fetch_text(text, given)
        return Part(*rows[0]) if rows else None

    async def _with_chosen(
        self, statement: str, execution: Execution, limit: int, look: int, given: dict[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Return the rows of a statement about the next runs of an operation."""
        scan = Scan(f'"{self.schema}"', "", "id", descending=False, limit=limit)
        meets = scan.all_of([condition_of(*condition) for condition in execution.where])
        until = f"to_timestamp(0) + {scan.bind(execution.until)} * interval '1 microsecond'"
        statements = self._database.statements
        # Chains are read in the order of the ids of their first runs: a chain that continues as new keeps its
        # place. No more runs are read than are looked at. A fork has the time of its origin's start: when it
        # was made counts.
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
                WHERE l.root IS NULL AND l.started_at <= {until} AND m.meets
                  AND NOT EXISTS (
                      SELECT FROM {scan.schema}.forks x WHERE x.fork = l.id AND x.made_at > {until})
                ORDER BY l.id LIMIT %(limit)s
            ) s
        )
        """
        facts = {"operation": execution.operation, "token": execution.token, "limit": limit, "looked": look}
        return await self._database.fetch_text(
            statements["operation_in_progress"] + chosen.encode() + statements[statement],
            scan.parameters | facts | given,
        )

    async def change_operation(
        self, operation: str, state: OperationState, *, audit: AuditFacts | None = None
    ) -> ChangeOutcome:
        given = {"operation": operation, "state": state.value, "audit": stored_facts(audit)}
        ((outcome,),) = await self._database.fetch("change_operation", given)
        return ChangeOutcome(outcome)

    async def set_operation_rate(
        self, operation: str, rate: float, *, audit: AuditFacts | None = None
    ) -> ChangeOutcome:
        given = {"operation": operation, "rate": rate, "audit": stored_facts(audit)}
        ((outcome,),) = await self._database.fetch("set_operation_rate", given)
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

    async def count(self, query: Query, most: int, change: CountedChange | None = None) -> RunCount:
        return await count_runs(self._database, query, most, change)


def _operation_row(row: Sequence[Any]) -> OperationRow:
    id, action, arguments, *rest = row
    rest[-1] = reasons_of(rest[-1])
    return OperationRow(id, action, arguments if isinstance(arguments, dict) else {}, *rest)
