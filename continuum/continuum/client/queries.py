"""Queries for runs, checked against a closed list of fields before they reach the journal.

A condition is (field, operator, value); ("attributes", name, ...) is a field too, with further names for a
value inside maps. A cursor holds where a page ended; it is bound
to its query by a digest, and its contents are checked like any other value.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from continuum.client.limits import CHOICES, PAGE_ENTRIES
from continuum.definitions.attributes import json_value
from continuum.definitions.name_rules import short_text
from continuum.errors import InvalidOption, InvalidQuery
from continuum.journal.facts import Query, RunRow, RunState
from continuum.journal.untyped_values import microseconds_of
from continuum.operations.search import search_of
from continuum.quoting import quoted

T = TypeVar("T")
Field: TypeAlias = str | tuple[str, ...]
Condition: TypeAlias = tuple[Field, str, Any]

OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge", "in")
_UNORDERED = ("eq", "ne", "in")
_CURSOR_FORMAT = 1


def _id(value: object) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise InvalidOption(f"a run's id is a UUID, not {quoted(value)}") from None


def _text(value: object) -> str:
    return short_text(value, "the value")


def _version(value: object) -> str:
    return _text(str(value) if type(value) is int else value)


def _state(value: object) -> RunState:
    if isinstance(value, str) and value.upper() in RunState.__members__:
        return RunState[value.upper()]
    names = ", ".join(state.name.lower() for state in RunState)
    raise InvalidQuery(f"state is one of {names}, not {quoted(value)}")


def _time(value: object) -> int:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidQuery(
                f"a time is written like 2025-01-31T12:00:00+00:00, not {quoted(value)}"
            ) from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidQuery(
            f"a time is compared with an aware datetime, e.g. datetime.now(UTC), not {quoted(value)}"
        )
    return microseconds_of(value)


_READERS: Mapping[str, Callable[[object], Any]] = {
    "id": _id,
    "workflow": _text,
    "version": _version,
    "namespace": _text,
    "state": _state,
    "idempotency_key": _text,
    "parent_run_id": _id,
    "started_at": _time,
    "updated_at": _time,
    "completed_at": _time,
    "paused_at": _time,
}
_MAY_BE_NONE = ("version", "idempotency_key", "parent_run_id", "completed_at", "paused_at")
# The journal names these columns differently.
_STORED_AS = {"parent_run_id": "parent"}
# A cursor needs a field that every run has.
_SORTABLE = tuple(field for field in _READERS if field not in _MAY_BE_NONE)


@dataclass(frozen=True, slots=True)
class Question:
    """A checked query, and a digest that is the same for all its pages."""

    query: Query
    digest: str

    def one_more(self, *, payloads: bool) -> Query:
        """Return the query with one row more than a page; that row means that another page follows."""
        return replace(self.query, limit=self.query.limit + 1, payloads=payloads)

    def cursor_after(self, row: RunRow) -> str:
        """Return the cursor of the page that begins after `row`."""
        return self.cursor_at(getattr(row, self.query.order_by[0]), row.id)

    def cursor_at(self, value: Any, run_id: str) -> str:
        """Return the cursor of the page that begins after this place in the order."""
        text = json.dumps([_CURSOR_FORMAT, self.digest, value, run_id], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def question_of(
    where: Iterable[Condition],
    order_by: tuple[str, str] | str,
    limit: int,
    cursor: str | None,
    namespace: str | None,
    find: str | None = None,
    now: int = 0,
) -> Question:
    """Check a query as users write it, with a search; `InvalidQuery` says what is wrong.

    Ages in the search are before `now`, in microseconds.
    """
    if namespace is not None:
        namespace = _checked(lambda: short_text(namespace, "namespace"))
    if type(limit) is not int or not 1 <= limit <= PAGE_ENTRIES:
        raise InvalidQuery(
            f"limit is a whole number from 1 to {PAGE_ENTRIES}, not {quoted(limit)}; page with cursor="
        )
    if isinstance(where, str | bytes | Mapping) or not isinstance(where, Iterable):
        raise InvalidQuery('where is a list of conditions like [("state", "eq", "suspended")]')
    conditions = [_condition_of(entry) for entry in where]
    found = [] if find is None else search_of(find).conditions(now)
    query = Query(namespace, [*conditions, *found], _order_of(order_by), limit, None)
    # Ages mean other times on the next page, which is one of the same query.
    asked = [] if find is None else [find]
    shape = json.dumps([namespace, conditions, query.order_by, *asked], default=str)
    question = Question(query, hashlib.sha256(shape.encode()).hexdigest()[:16])
    return (
        question
        if cursor is None
        else replace(question, query=replace(query, after=_place(cursor, question)))
    )


def _order_of(order_by: object) -> tuple[str, bool]:
    match (order_by, "asc") if isinstance(order_by, str) else order_by:
        case (str(field), "asc" | "desc" as direction) if field in _SORTABLE:
            return field, direction == "desc"
        case _:
            raise InvalidQuery(
                f"order_by is a pair of {', '.join(_SORTABLE)} and asc or desc, not {quoted(order_by)}"
            )


def _condition_of(entry: object) -> Condition:
    match entry:
        case (field, str(operator), value) if operator in OPERATORS:
            pass
        case (_, operator, _):
            raise InvalidQuery(f"the operator is one of {', '.join(OPERATORS)}, not {quoted(operator)}")
        case _:
            raise InvalidQuery(f"a condition is (field, operator, value), not {quoted(entry)}")
    match field:
        case str() if field in _READERS:
            return _STORED_AS.get(field, field), operator, _value_of(field, operator, value)
        case ("attributes", str(), *_):
            path = [_attribute_name(name) for name in field[1:]]
            return ("attributes", *path), operator, _attribute_of(operator, value)
        case _:
            raise InvalidQuery(
                f'the field is one of {", ".join(_READERS)} or ("attributes", name, ...), not {quoted(field)}'
            )


def _value_of(field: str, operator: str, value: Any) -> Any:
    if operator == "in":
        return [_one_value(field, operator, choice) for choice in _choices(value)]
    return _one_value(field, operator, value)


def _one_value(field: str, operator: str, value: Any) -> Any:
    if field == "state" and operator not in _UNORDERED:
        raise InvalidQuery("states have no order; compare them with eq, ne or in")
    if value is None:
        if field in _MAY_BE_NONE and operator in ("eq", "ne"):
            return None
        raise InvalidQuery(f"{field} is never compared with None by {operator}")
    return _checked(lambda: _READERS[field](value), f"{field}: ")


def _attribute_of(operator: str, value: Any) -> Any:
    if operator == "in":
        value = list(_choices(value))
    # Convert to what a JSON column holds, because that is what the database compares.
    stored = _checked(lambda: json_value(value, "the value"))
    if operator not in _UNORDERED and not isinstance(stored, str | int | float | bool):
        raise InvalidQuery(
            f"{operator} compares an attribute with a number, text or truth value, not {quoted(value)}"
        )
    return stored


def _attribute_name(name: object) -> str:
    return _checked(lambda: short_text(name, "an attribute's name"))


def _choices(value: object) -> Sequence[Any]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise InvalidQuery(f"in is followed by a list of values, not {quoted(value)}")
    if len(value) > CHOICES:
        raise InvalidQuery(f"in takes {CHOICES} values at most, not {len(value)}; ask in parts")
    return tuple(value)


def _checked(read: Callable[[], T], prefix: str = "") -> T:
    try:
        return read()
    except InvalidOption as error:
        raise InvalidQuery(f"{prefix}{error}") from None


def _place(cursor: object, question: Question) -> tuple[Any, str]:
    """Return where a page begins, if the cursor belongs to this query."""
    field = question.query.order_by[0]
    try:
        text = str(cursor)
        form, digest, value, run_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if form != _CURSOR_FORMAT:
            raise ValueError(form)
        place = _stored_value(field, value), _id(run_id)
    except (ValueError, TypeError, RecursionError, InvalidOption, InvalidQuery):
        raise InvalidQuery(
            "the cursor is not one that a page gave; leave it out for the first page"
        ) from None
    if digest != question.digest:
        raise InvalidQuery(
            "the cursor is of another query; ask the same again, or leave it out for the first page"
        )
    return place


def _stored_value(field: str, value: object) -> Any:
    reader = _READERS[field]
    if reader is _time:
        if type(value) is not int or not abs(value) < 1 << 60:
            raise ValueError(value)
        return value
    if reader is _state:
        return RunState(int(str(value)))
    return _checked(lambda: reader(value))
