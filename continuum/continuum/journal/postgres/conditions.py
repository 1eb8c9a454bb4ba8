"""The conditions of queries as SQL.

Field names come from a closed list and values are parameters, so a query can
express nothing but what `Query` means.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from continuum.journal.facts import RunState
from continuum.journal.name_pattern import like
from continuum.journal.postgres import packed_arrays
from continuum.journal.wait import NOTHING
from continuum_migrations.names import with_numbers

_MICROSECONDS = "to_timestamp(0) + %s * interval '1 microsecond'"
# The column of each field, and what makes a parameter comparable with it.
FIELDS: Mapping[str, tuple[str, str]] = {
    "id": ("r.id", "%s::uuid"),
    "workflow": ("r.workflow", "%s"),
    "version": ("r.version", "%s"),
    "namespace": ("r.namespace", "%s"),
    "state": ("r.state", "%s::smallint"),
    "idempotency_key": ("r.idempotency_key", "%s"),
    "started_at": ("r.started_at", _MICROSECONDS),
    "updated_at": ("r.updated_at", _MICROSECONDS),
    "completed_at": ("r.completed_at", _MICROSECONDS),
    # A run that has ended is not paused any more.
    "paused_at": ("CASE WHEN r.completed_at IS NULL THEN r.paused_at END", _MICROSECONDS),
    "parent": ("r.parent_id", "%s::uuid"),
    "root": ("coalesce(r.root, r.id)", "%s::uuid"),
    "continued_to": ("r.continued_to", "%s::uuid"),
}
# Names that only the runs in one state have.
NAMED_STATES: Mapping[object, RunState] = {"failure": RunState.FAILED, "fault": RunState.BLOCKED}
# Where they are. That of a failure is in the encoded error, and an index has this expression. It shows bytes
# that are no text as well.
_NAMES: Mapping[str, str] = {
    "failure": (
        """(CASE WHEN octet_length(r.error) >= 4 AND substring(r.error FROM 1 FOR 2) = '\\x0193' THEN
            CASE WHEN get_byte(r.error, 2) BETWEEN 160 AND 191
                 THEN encode(substring(r.error FROM 4 FOR get_byte(r.error, 2) - 160), 'escape')
                 WHEN get_byte(r.error, 2) = 217
                 THEN encode(substring(r.error FROM 5 FOR get_byte(r.error, 3)), 'escape')
                 WHEN get_byte(r.error, 2) = 218
                 THEN encode(substring(r.error FROM 6 FOR 255), 'escape') END END)"""
    ),
    "fault": "(r.fault ->> 'kind')",
}
# What an activity or a child had failed with, of runs that failed with that; another index has it, with the
# condition. See `failure_causes.py`.
_MESSAGE = "encode(substring(r.error FROM 25 FOR 2000), 'escape')"
_CAUSE = f"""(CASE WHEN
            substring(r.error FROM 1 FOR 26) = '\\x0193b7636f6e74696e75756d2e41637469766974794572726f72'
            OR substring(r.error FROM 1 FOR 24) = '\\x0193b5636f6e74696e75756d2e4368696c644661696c6564'
        THEN left(coalesce(
            nullif(split_part(split_part({_MESSAGE}, ' failed on attempt ', 2), ': ', 2), ''),
            nullif(split_part(split_part({_MESSAGE}, ' failed: ', 2), ': ', 1), '')), 1020) END)"""
_HAS_CAUSE = (
    "substring(r.error FROM 1 FOR 13) IN ('\\x0193b7636f6e74696e75756d2e', '\\x0193b5636f6e74696e75756d2e')"
)
_WAITS = with_numbers(
    "CASE WHEN r.state = {state.suspended} AND jsonb_typeof(r.waits_for) = 'array' "
    "THEN r.waits_for ELSE '[]' END"
)
_WAITS_FOR_NOTHING = with_numbers(
    "(r.for_nothing AND r.state = {state.suspended} "
    "AND (r.waits_for = '[]' OR r.waits_for #>> '{0,0}' = 'unread')) IS TRUE"
)
_NOT = "not "
_HAS_ATTRIBUTES = "r.attributes <> '{}'"
_OPERATORS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_RANGES = frozenset({"eq", "lt", "le", "gt", "ge"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: what was asked, and its text with a `%s` for each of its parameters."""

    field: str | tuple[str, ...]
    operator: str
    value: Any
    text: str
    parameters: Sequence[Any]

    def values(self) -> Sequence[Any] | None:
        """Return the values that the field may have, None if the condition is not about single values."""
        if self.value is None or self.field not in FIELDS:
            return None
        return [self.value] if self.operator == "eq" else self.value if self.operator == "in" else None

    def bounds(self) -> bool:
        """Return whether the condition holds between two places in the order of the field."""
        return self.operator in _RANGES and self.value is not None

    @property
    def negated(self) -> bool:
        """Whether it holds where the rest of it does not."""
        return self.operator.startswith(_NOT)

    @property
    def for_nothing(self) -> bool:
        """Whether an index has the runs for which it holds: those that wait for nothing that could come."""
        return (
            self.field == "waits" and self.operator == "in" and {kind for kind, _ in self.value} == {NOTHING}
        )

    @property
    def by_attribute(self) -> bool:
        """Whether the index of attributes serves it."""
        return not isinstance(self.field, str) and self.operator in ("eq", "in")


def condition_of(field: str | tuple[str, ...], operator: str, value: Any) -> Condition:
    """Return a condition of a query."""
    if operator.startswith(_NOT):
        inner = condition_of(field, operator.removeprefix(_NOT), value)
        return Condition(field, operator, value, f"({inner.text}) IS NOT TRUE", inner.parameters)
    if isinstance(field, tuple):
        text, parameters = _attribute_condition(field[1:], operator, value)
    elif field == "waits":
        text, parameters = _waits_condition(value)
    elif field in NAMED_STATES:
        text, parameters = _name_condition(_NAMES[field], operator, value, escaped=field == "failure")
        if field == "failure":
            cause, given = _name_condition(_CAUSE, operator, value, escaped=True)
            # Each side by an index of its own.
            text, parameters = f"({text} OR ({_HAS_CAUSE} AND {cause}))", [*parameters, *given]
        text = f"(r.seldom = {NAMED_STATES[field]:d} AND {text})"
    elif operator == "like":
        text, parameters = _name_condition(FIELDS[field][0], operator, value)
    else:
        text, parameters = _column_condition(field, operator, value)
    return Condition(field, operator, value, text, parameters)


def _column_condition(field: str, operator: str, value: Any) -> tuple[str, list[Any]]:
    if field == "root" and operator == "eq":
        # Two conditions that indexes serve; the first run of a chain has no root but itself.
        return "(r.root = %s::uuid OR r.id = %s::uuid)", [value, value]
    column, placeholder = FIELDS[field]
    if operator == "in" and field == "id":
        return "r.id = ANY (%s)", [packed_arrays.uuids(value)]
    if operator == "in":
        return f"{column} IN ({', '.join([placeholder] * len(value))})" if value else "false", list(value)
    if value is None:
        return f"{column} IS {'NOT ' if operator == 'ne' else ''}NULL", []
    return f"{column} {_OPERATORS[operator]} {placeholder}", [value]


def _name_condition(
    column: str, operator: str, value: Sequence[Any], *, escaped: bool = False
) -> tuple[str, list[Any]]:
    """Return the condition that a name is one of these, or that one of these patterns stands for it."""
    stored = escaped_bytes if escaped else str
    if operator == "in":
        return f"{column} = ANY (%s)", [[stored(name) for name in value]]
    return f"{column} LIKE ANY (%s)", [[like([stored(part) for part in pattern]) for pattern in value]]


def escaped_bytes(name: str) -> str:
    """Return a name as Postgres shows bytes, which it can do with any: `encode(…, 'escape')`."""
    return "".join(
        "\\\\" if byte == 0x5C else chr(byte) if 0 < byte < 0x80 else f"\\{byte:03o}"
        for byte in name.encode()
    )


def _waits_condition(value: Sequence[tuple[str, Sequence[str]]]) -> tuple[str, list[Any]]:
    named = [(kind, pattern) for kind, pattern in value if kind != NOTHING]
    wanted = " OR ".join("w.wait ->> 0 = %s AND w.wait ->> 2 LIKE %s" for _ in named)
    texts = (
        [f"EXISTS (SELECT FROM jsonb_array_elements({_WAITS}) AS w (wait) WHERE {wanted})"] if named else []
    )
    if len(named) < len(value):
        texts.append(_WAITS_FOR_NOTHING)
    return f"({' OR '.join(texts)})", [part for kind, pattern in named for part in (kind, like(pattern))]


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
        parameters = [parameter for _, parameters in choices for parameter in parameters]
        return f"({_HAS_ATTRIBUTES} AND ({text}))", parameters
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
