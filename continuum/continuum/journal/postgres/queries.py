"""Single runs and keyset pages.

Field names come from a closed list and values are parameters, so a query can
express nothing but what `Query` means.
"""

from __future__ import annotations

import json
from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.port import Fault, Query, RunRow, RunState
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connections import Database

_MICROSECONDS = "to_timestamp(0) + %s * interval '1 microsecond'"
_FIELDS: dict[str, tuple[str, str]] = {
    "id": ("r.id", "%s::uuid"),
    "workflow": ("r.workflow", "%s"),
    "version": ("r.version", "%s"),
    "namespace": ("r.namespace", "%s"),
    "state": ("r.state", "%s::smallint"),
    "idempotency_key": ("r.idempotency_key", "%s"),
    "started_at": ("r.started_at", _MICROSECONDS),
    "updated_at": ("r.updated_at", _MICROSECONDS),
    "completed_at": ("r.completed_at", _MICROSECONDS),
    "parent": ("r.parent_id", "%s::uuid"),
    "root": ("coalesce(r.root, r.id)", "%s::uuid"),
}
_OPERATORS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def run_row(row: tuple[Any, ...]) -> RunRow:
    """Turn the columns of `run_columns` into a row."""
    values = list(row)
    values[0] = RunId(values[0])
    values[4] = RunState(values[4])
    values[-1] = Fault.from_json(values[-1])
    return RunRow(*values)


async def query_rows(database: Database, query: Query) -> list[RunRow]:
    """Return one page."""
    conditions: list[str] = []
    parameters: list[Any] = []
    if query.namespace is not None:
        conditions.append("r.namespace = %s")
        parameters.append(query.namespace)
    for field, operator, value in query.where:
        text, extra = _condition(field, operator, value)
        conditions.append(text)
        parameters.extend(extra)
    field, descending = query.order_by
    column, placeholder = _FIELDS[field]
    if query.after is not None:
        comparison = "<" if descending else ">"
        conditions.append(f"({column}, r.id) {comparison} ({placeholder}, %s::uuid)")
        parameters.extend(query.after)
    direction = "DESC" if descending else "ASC"
    text = database.statements["run_columns"].decode()
    if conditions:
        text += " WHERE " + " AND ".join(conditions)
    text += f" ORDER BY {column} {direction}, r.id {direction} LIMIT %s"
    parameters.append(query.limit)
    return [run_row(row) for row in await database.fetch_text(text.encode(), parameters)]


def _condition(field: str | tuple[str, str], operator: str, value: Any) -> tuple[str, list[Any]]:
    if isinstance(field, tuple):
        return _attribute_condition(field[1], operator, value)
    if field == "root" and operator == "eq":
        # Two conditions that indexes serve; the first run of a chain has no root but itself.
        return "(r.root = %s::uuid OR r.id = %s::uuid)", [value, value]
    column, placeholder = _FIELDS[field]
    if operator == "in" and field == "id":
        return "r.id = ANY (%s)", [packed_arrays.uuids(value)]
    if operator == "in":
        return f"{column} IN ({', '.join([placeholder] * len(value))})" if value else "false", list(value)
    if value is None:
        return f"{column} IS {'NOT ' if operator == 'ne' else ''}NULL", []
    return f"{column} {_OPERATORS[operator]} {placeholder}", [value]


def _attribute_condition(name: str, operator: str, value: Any) -> tuple[str, list[Any]]:
    if operator == "eq":
        # Containment is what the index serves; it tells 1, "1" and true apart.
        return "r.attributes @> %s::jsonb", [json.dumps({name: value})]
    if operator == "ne":
        return "NOT r.attributes @> %s::jsonb", [json.dumps({name: value})]
    if operator == "in":
        wanted = [json.dumps({name: entry}) for entry in value]
        return f"({' OR '.join(['r.attributes @> %s::jsonb'] * len(wanted))})" if wanted else "false", wanted
    # Values of another type than the given one never compare.
    text = (
        f"(jsonb_typeof(r.attributes -> %s) = jsonb_typeof(%s::jsonb) "
        f"AND r.attributes -> %s {_OPERATORS[operator]} %s::jsonb)"
    )
    return text, [name, json.dumps(value), name, json.dumps(value)]
