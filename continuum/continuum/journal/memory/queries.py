"""Queries of runs: one row, pages of rows by condition, attributes.

A condition is (field, operator, value) with one of `OPERATORS`. A field is one of
id, workflow, version, namespace, state (a `RunState`), idempotency_key, started_at,
updated_at and completed_at (microseconds), parent, root, or ("attributes", name). A field
without a value satisfies only `eq None`.

Attributes are compared as JSON values: 1, "1" and true differ, 1 and 1.0 do not. `eq`
is containment and `ne` its opposite, so a missing attribute differs from
everything. The order operators hold only between two numbers, strings or booleans.

Rows are ordered by a field that every run has, and then by id, both in one direction.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.memory.tables import MemoryTables, StoredRun, json_copy
from continuum.journal.port import Query, RunRow

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "in": lambda value, choices: value in choices,
}


class MemoryQueries(MemoryTables):
    """Rows of runs, readable by any process."""

    async def get_run(self, run_id: RunId) -> RunRow | None:
        """Return a run's row."""
        run = self._runs.get(run_id)
        return None if run is None else _row(run)

    async def query(self, query: Query) -> list[RunRow]:
        """Return up to `query.limit` rows in order."""
        field, descending = query.order_by

        def place(row: RunRow) -> tuple[Any, str]:
            return getattr(row, field), row.id

        rows = [_row(run) for run in self._runs.values() if query.namespace in (None, run.start.namespace)]
        rows = [row for row in rows if all(_holds(row, *condition) for condition in query.where)]
        if query.after is not None:
            after, beyond = query.after, operator.lt if descending else operator.gt
            rows = [row for row in rows if beyond(place(row), after)]
        rows.sort(key=place, reverse=descending)
        return rows[: query.limit]

    async def set_attributes(self, run_id: RunId, attributes: Mapping[str, Any]) -> bool:
        """Merge attributes; False when there is no such run."""
        run = self._latest(run_id)
        if run is None:
            return False
        # A new dict, so that rows returned before do not change.
        run.attributes = run.attributes | json_copy(attributes)
        run.updated_at = self.now()
        return True


def _holds(row: RunRow, field: str | tuple[str, str], name: str, wanted: Any) -> bool:
    if not isinstance(field, str):
        return _attribute_holds(row.attributes, field[1], name, wanted)
    value = getattr(row, field)
    if wanted is None:
        return (value is None) == (name == "eq")
    return value is not None and OPERATORS[name](value, wanted)


def _attribute_holds(attributes: Mapping[str, Any], attribute: str, name: str, wanted: Any) -> bool:
    match name:
        case "eq":
            return _contains(attributes, {attribute: wanted})
        case "ne":
            return not _contains(attributes, {attribute: wanted})
        case "in":
            return any(_contains(attributes, {attribute: choice}) for choice in wanted)
    value = attributes.get(attribute)
    kind = _order_kind(value)
    return kind is not None and kind is _order_kind(wanted) and OPERATORS[name](value, wanted)


def _contains(value: Any, wanted: Any) -> bool:
    """Whether `value` contains `wanted` as JSON columns do: maps and lists may have more items."""
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(
            name in value and _contains(value[name], item) for name, item in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return isinstance(value, list) and all(
            any(_contains(have, item) for have in value) for item in wanted
        )
    # True == 1 in Python, but not in JSON.
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _order_kind(value: Any) -> type | None:
    """Return the type that `value` can be ordered within; None for values without an order."""
    if isinstance(value, bool | str):
        return type(value)
    return float if isinstance(value, int | float) else None


def _row(run: StoredRun) -> RunRow:
    return RunRow(
        id=run.start.id,
        workflow=run.start.workflow,
        version=run.version,
        namespace=run.start.namespace,
        state=run.state,
        input=run.start.input,
        result=run.result,
        error=run.error,
        reason=run.reason,
        attributes=run.attributes,
        idempotency_key=run.start.idempotency_key,
        trace_context=run.start.trace_context,
        owner=run.owner,
        started_at=run.started_at,
        updated_at=run.updated_at,
        completed_at=run.completed_at,
        due_at=run.due_at,
        parent=run.parent,
        root=run.chain,
        continued_from=run.continued_from,
        continued_to=run.continued_to,
        fault=run.fault,
    )
