"""Unions: which member a stored value belongs to, decided from the value alone.

The plain type of the value rules out most members; literals and enums are
tried first, then the members that name the type, then those that also accept
it. Records are told apart by a field that only one of them requires,
or by literals in a field they share. A union whose members cannot be told apart is
refused when it is compiled, not when a stored value is read.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from continuum.codec.record_types import field_names
from continuum.codec.shapes import Fit, Mismatch, Shape, kind_of


class AmbiguousUnion(Exception):
    """A stored value would not show which of these members it is."""


Choice = Callable[[dict[str, Any]], Shape | None]


def union(shapes: list[Shape], literals_of: Callable[[type], Mapping[str, frozenset[Any]]]) -> Shape:
    """Make the shape of a union of these; `literals_of` gives a record's literal fields."""
    return replace(
        _union(shapes, literals_of),
        describes=lambda describe: {"union": [describe(shape) for shape in shapes]},
    )


def _union(shapes: list[Shape], literals_of: Callable[[type], Mapping[str, frozenset[Any]]]) -> Shape:
    records = [shape for shape in shapes if shape.record is not None]
    others = [shape for shape in shapes if shape.record is None]
    if len(records) > 1:
        shapes = [*others, _records_shape(records, literals_of)]
    if records and any(dict in shape.takes for shape in others):
        raise AmbiguousUnion(
            f"{_names(records)} and dict are stored alike in a union; wrap one of them in a dataclass"
        )
    if len(shapes) == 2:
        for shape, other in (shapes, shapes[::-1]):
            if shape.takes == {type(None)} and other.takes and not other.passes:
                return _optional(other)
    return _first_that_fits(shapes)


def _optional(shape: Shape) -> Shape:
    inner = shape.fit

    def fit(value: Any) -> Any:
        return None if value is None else inner(value)

    return Shape(fit, shape.takes | {type(None)}, shape.also)


def _first_that_fits(shapes: list[Shape]) -> Shape:
    # Decide the order once; a value only picks its row.
    ordered = sorted(shapes, key=lambda shape: not shape.narrow)
    takes = frozenset[type]().union(*(shape.takes for shape in ordered))
    also = frozenset[type]().union(*(shape.also for shape in ordered)) - takes
    open_ended = [shape.fit for shape in ordered if not shape.takes]
    rows: dict[type, list[Fit]] = {}
    for kind in takes | also:
        exact = [shape.fit for shape in ordered if kind in shape.takes]
        rows[kind] = exact + [shape.fit for shape in ordered if kind in shape.also] + open_ended

    def fit(value: Any) -> Any:
        fits = rows.get(type(value), open_ended)
        mismatch = Mismatch(f"no member of the union takes a value of type {kind_of(value)}")
        for candidate in fits:
            try:
                return candidate(value)
            except Mismatch as error:
                mismatch = error
        raise mismatch

    return Shape(fit, frozenset() if open_ended else takes, also)


def _records_shape(
    records: list[Shape], literals_of: Callable[[type], Mapping[str, frozenset[Any]]]
) -> Shape:
    choose = _choice(records, literals_of)

    def fit(value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch(f"expected one of {_names(records)}, got {kind_of(value)}")
        chosen = choose(value)
        if chosen is None:
            raise Mismatch(f"the fields belong to none of {_names(records)}")
        return chosen.fit(value)

    return Shape(fit, frozenset((dict,)))


def _choice(records: list[Shape], literals_of: Callable[[type], Mapping[str, frozenset[Any]]]) -> Choice:
    by_literal = told_by_literal(records, literals_of)
    if by_literal is not None:
        literal, by_value = by_literal
        return lambda value: _look_up(by_value, value.get(literal))
    known, last = told_by_field(records)

    def choose(value: dict[str, Any]) -> Shape | None:
        for name, shape in known:
            if name in value:
                return shape
        return last

    return choose


def told_by_literal(
    records: Sequence[Shape], literals_of: Callable[[type], Mapping[str, frozenset[Any]]]
) -> tuple[str, Mapping[Any, Shape]] | None:
    """Return the field whose literals tell these records apart, and the record of each; None without one."""
    tables = [literals_of(shape.record) for shape in records if shape.record is not None]
    for name in tables[0]:
        if all(name in table for table in tables):
            by_value = {
                _plain(value): shape
                for shape, table in zip(records, tables, strict=True)
                for value in table[name]
            }
            if len(by_value) == sum(len(table[name]) for table in tables):
                return name, by_value
    return None


def _plain(value: object) -> object:
    return value.value if isinstance(value, enum.Enum) else value


def _look_up(by_value: Mapping[Any, Shape], key: Any) -> Shape | None:
    try:
        return by_value.get(key)
    except TypeError:
        # Not hashable, like a list or a tuple that holds one: no literal is.
        return None


def told_by_field(records: Sequence[Shape]) -> tuple[Sequence[tuple[str, Shape]], Shape | None]:
    """Return the fields that tell these records apart, in the order they are looked for, and the other one.

    What tells a record is a field that it requires and no other one has; one of them may have none.
    """
    fields = [field_names(shape.record) for shape in records]
    telltales: list[tuple[str, Shape]] = []
    fallback: Shape | None = None
    for position, shape in enumerate(records):
        elsewhere = frozenset[str]().union(*(every for at, (_, every) in enumerate(fields) if at != position))
        own = fields[position][0] - elsewhere
        if own:
            telltales.append((min(own), shape))
        elif fallback is None:
            fallback = shape
        else:
            raise AmbiguousUnion(
                f"{_names([fallback, shape])} cannot be told apart in a union; give one of them a required "
                "field that the other lacks, or both a Literal field"
            )
    return telltales, fallback


def _names(records: Sequence[Shape]) -> str:
    return " and ".join(shape.record.__name__ for shape in records if shape.record is not None)
