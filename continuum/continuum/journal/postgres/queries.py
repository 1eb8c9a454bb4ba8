"""Single runs, ended runs and keyset pages.

Field names come from a closed list and values are parameters, so a query can
express nothing but what `Query` means.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.ended_run import EndedRun
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
_HAS_ATTRIBUTES = "r.attributes <> '{}'"
_OPERATORS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


# The fault's place among the columns of `run_columns`.
_FAULT = list(RunRow.__dataclass_fields__).index("fault")


def run_row(row: tuple[Any, ...]) -> RunRow:
    """Turn the columns of `run_columns` into a row."""
    values = list(row)
    values[0] = RunId(values[0])
    values[4] = RunState(values[4])
    values[_FAULT] = Fault.from_json(values[_FAULT])
    return RunRow(*values)


async def ended_runs(database: Database, run_ids: Sequence[RunId]) -> list[EndedRun]:
    """Return those of these runs that have ended."""
    rows = await database.fetch("ended", (packed_arrays.uuids(run_ids),))
    return [EndedRun(row[0], RunState(row[1]), *row[2:]) for row in rows]


async def missing_runs(database: Database, run_ids: Sequence[RunId]) -> list[RunId]:
    """Return those of these ids that no run has."""
    return [RunId(row[0]) for row in await database.fetch("missing", (packed_arrays.uuids(run_ids),))]


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


def _condition(field: str | tuple[str, ...], operator: str, value: Any) -> tuple[str, list[Any]]:
    if isinstance(field, tuple):
        return _attribute_condition(field[1:], operator, value)
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


def _attribute_condition(path: tuple[str, ...], operator: str, value: Any) -> tuple[str, list[Any]]:
    if operator == "eq":
        return _equals(path, value)
    if operator == "ne":
        text, parameters = _equals(path, value)
        # A comparison with what is not there is unknown, not false.
        return f"({text}) IS NOT TRUE", parameters
    if operator == "in":
        choices = [_equals(path, entry) for entry in value]
        text = " OR ".join(f"({text})" for text, _ in choices) or "false"
        return f"({_HAS_ATTRIBUTES} AND ({text}))", [
            parameter for _, parameters in choices for parameter in parameters
        ]
    # Values of another type than the given one never compare.
    place, wanted = _place(path), json.dumps(value)
    text = f"(jsonb_typeof({place}) = jsonb_typeof(%s::jsonb) AND {place} {_OPERATORS[operator]} %s::jsonb)"
    return text, [*path, wanted, *path, wanted]


def _equals(path: tuple[str, ...], value: Any) -> tuple[str, list[Any]]:
    """Return the condition that a value equals the wanted one, where maps may have more entries.

    Containment is what the index serves; it tells 1, "1" and true apart. A list contains every list of
    some of its items, so lists are compared as well.
    """
    # The index has only runs with attributes, and serves only a query that says so.
    conditions, parameters = [f"{_HAS_ATTRIBUTES} AND r.attributes @> %s::jsonb"], [_nested(path, value)]
    for place, items in _lists(path, value):
        conditions.append(f"{_place(place)} = %s::jsonb")
        parameters += [*place, json.dumps(items)]
    return " AND ".join(conditions), parameters


def _place(path: tuple[str, ...]) -> str:
    # Unlike `#>`, this never takes a name for the index of a list.
    return "(r.attributes" + " -> %s::text" * len(path) + ")"


def _nested(path: tuple[str, ...], value: Any) -> str:
    for name in reversed(path):
        value = {name: value}
    return json.dumps(value)


def _lists(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Yield the lists in a value that are in no other list, with their paths."""
    if isinstance(value, list | tuple):
        yield path, list(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _lists((*path, name), item)
