"""Builders of operations for the contract tests."""

from __future__ import annotations

from typing import Any

from continuum.journal.audit_facts import AuditQuery
from continuum.journal.operation_facts import Execution, NewOperation, OperationRow, Part
from continuum.journal.port import Journal
from continuum.operations.actor import Actor
from continuum.operations.bulk import BulkChange, bulk_change, conditions
from continuum.operations.bulk_preview import preview

TTL = 60.0
ANN = Actor("ann", "cli", "ticket 7")


async def operation_of(journal: Journal, change: BulkChange, rate: float | None = None) -> NewOperation:
    """Return the operation of a change as it is previewed now."""
    shown = await preview(journal, change)
    return change.operation(shown.digest, ANN, shown.text, rate)


async def leased(journal: Journal, operation: NewOperation, ttl: float = TTL) -> Execution:
    """Take the lease of an operation."""
    token = await journal.lease_operation(operation.id, ttl)
    assert token is not None
    where = conditions(operation.search, operation.namespace, operation.until)
    return Execution(operation.id, token, where, operation.until)


async def begun(journal: Journal, action: str, search: str, **facts: Any) -> Execution:
    """Begin an operation and take its lease."""
    operation = await operation_of(journal, bulk_change(action, search, **facts))
    assert await journal.begin_operation(operation)
    return await leased(journal, operation)


async def part(journal: Journal, execution: Execution, limit: int = 100, look: int = 1_000) -> Part | None:
    """Execute the next part."""
    return await journal.execute_part(execution, limit=limit, look=look, ttl=TTL)


async def row_of(journal: Journal, execution: Execution) -> OperationRow:
    """Return the row of an operation that exists."""
    found = await journal.operation(execution.operation)
    assert found is not None
    return found


async def outcomes(journal: Journal, execution: Execution) -> dict[str, tuple[str, str]]:
    """Return what the record says of each run of an operation: the action and the outcome."""
    rows = await journal.audited(AuditQuery(10_000))
    of_runs = [row for row in rows if row.arguments.get("operation") == execution.operation]
    found = {row.subject: (row.action, row.outcome) for row in of_runs}
    assert len(found) == len(of_runs), "each run has one row"
    return found
