"""A contract agrees with its type on every value, also after a round trip through JSON."""

from __future__ import annotations

import collections
import enum
import json
from collections import abc
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NewType, TypeVar
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuum.codec.codec import decode, decoder_for, encode
from continuum.codec.signal_contracts import checker, describe
from continuum.errors import DurableTermError
from tests.property.test_codec import customers, everything, points, trees, values
from tests.unit.codec.models import (
    Account,
    Address,
    Box,
    Card,
    Colour,
    Customer,
    Iban,
    Json,
    Level,
    Model,
    Owner,
    Pair,
    Point,
    Started,
    Stopped,
    StrictModel,
    Tree,
)

T = TypeVar("T")
UserId = NewType("UserId", str)


class Direction(enum.Flag):
    NORTH = 1
    EAST = 2


class Lenient(enum.Enum):
    KNOWN = 1

    @classmethod
    def _missing_(cls, value: object) -> Lenient:
        return cls.KNOWN


class Amount(pydantic.BaseModel):
    amount: int
    note: str = ""


class Positive(int):
    """A subclass of a plain type."""


@dataclass
class Branch:
    """Contains itself through another class."""

    leaves: list[Leaf]


@dataclass
class Leaf:
    branch: Branch | None = None


@dataclass
class Forest:
    """A recursive class that is not the outermost."""

    tree: Tree


@dataclass
class Inherited(Box[str], Generic[T]):
    """Its base uses the same parameter with another meaning."""

    own: T | None = None


@dataclass
class Labelled(Generic[T]):
    """A literal only through its type argument: unions do not tell records apart by it."""

    label: int
    kind: T = "a"  # type: ignore[assignment]  # a default fits one argument only


@dataclass
class Second:
    second: int
    kind: Literal["b"] = "b"


SAME: list[Any] = [
    *(Any, None, int, str, float, bool, bytes, datetime, date, time, timedelta, UUID, Decimal),
    *(list, dict, set, frozenset, tuple, list[int], dict[str, list[int]], set[Point], frozenset[str]),
    *(tuple[int, ...], tuple[int, str], tuple[()], abc.Sequence[Point], abc.Mapping[str, Point]),
    *(abc.Iterable[int], abc.Set[Point], dict[Point, set[Point]], collections.Counter[str]),
    *(Point, Owner, Customer, Tree, Box[Point], Box, Account, Address, Pair, Branch, Leaf, Forest),
    *(Colour, Level, Literal[1, "a", True], Literal[Colour.RED], Lenient, UserId, Annotated[int, []]),
    *(int | None, int | str, list[Card | Iban | None], Started | Stopped, Tree | list[Tree] | None),
    *(
        Labelled[Literal["a"]] | Second,
        Colour | int,
        Pair | str,
        Point | set[str],
        bytearray,
        UserId | Point | bool,
    ),
]
"""Types whose contract lets through exactly what the type takes."""

WIDER: list[Any] = [
    Model,
    StrictModel,
    Amount,
    list[Amount | Card],
    Direction,
    Positive,
    Json,
    Inherited[int],
]
"""Types that have a say of their own: their contract lets more through."""

plain_values = st.one_of(
    values,
    *(source.map(lambda value: decode(encode(value))) for source in (points, customers, trees, everything)),
    st.dictionaries(
        st.sampled_from(["x", "y", "kind", "at", "number", "iban", "content", "inner", "value", "street"]),
        values | st.sampled_from(["started", "stopped", 1, {"x": 1}, None]),
        max_size=4,
    ),
    st.sampled_from([1, True, 1.0, "red", (1, 2), "a", 2, {"leaves": [{"branch": {"leaves": [{}]}}]}]),
)


def accepts(annotation: Any, value: Any) -> bool:
    try:
        decoder_for(annotation)(encode(value))
    except DurableTermError:
        return False
    return True


def contract_accepts(annotation: Any, value: Any) -> bool:
    description = describe(annotation)
    stored = json.loads(json.dumps(description))
    assert stored == description, "a description is JSON"
    try:
        checker(stored)(decode(encode(value)), "value")
    except DurableTermError:
        return False
    return True


@given(plain_values, st.sampled_from(SAME))
def test_a_contract_accepts_exactly_what_its_type_accepts(value: Any, annotation: Any) -> None:
    assert contract_accepts(annotation, value) == accepts(annotation, value)


@given(plain_values, st.sampled_from(WIDER))
def test_a_contract_refuses_nothing_that_its_type_accepts(value: Any, annotation: Any) -> None:
    assert contract_accepts(annotation, value) or not accepts(annotation, value)


@given(st.data(), st.sampled_from([int, Point, Owner, Customer, Tree, Address, Pair, Branch, Card, Amount]))
def test_a_contract_accepts_every_value_of_its_type(data: st.DataObject, annotation: Any) -> None:
    assert contract_accepts(annotation, data.draw(st.from_type(annotation)))


@pytest.mark.parametrize("annotation", [*SAME, *WIDER], ids=str)
def test_a_contract_and_its_type_agree_on_common_values(annotation: Any) -> None:
    sent: list[Any] = [
        None,
        True,
        0,
        1.5,
        "red",
        "2026-01-01",
        b"",
        [],
        {},
        (),
        [1, "a"],
        {"x": 1},
        {"x": "1"},
    ]
    sent += [
        {"kind": "started"},
        {"kind": "stopped", "at": "x"},
        {"number": "1"},
        {"street": "s"},
        (1,),
        {1, 2},
    ]
    sent += [
        {"value": 1, "children": [{"value": 2}], "next": None},
        {"value": 1, "children": [{}]},
        (1, {"x": 1}),
    ]
    sent += [
        {"leaves": [{"branch": {"leaves": [{"branch": 1}]}}]},
        {"content": {"x": 1}},
        [{"x": 1}],
        {"tree": {"value": 1, "children": [{"value": 2}]}},
        {"tree": {"value": 1, "children": [{"tree": 2}]}},
        {"content": "a", "own": 1},
        {"content": "a", "own": "a"},
        {"content": 1, "own": "a"},
        {"label": 1},
        {"label": 1, "kind": "b"},
        {"second": 1},
        datetime(2026, 1, 1, tzinfo=UTC),
    ]
    sent += [{frozenset({1}): 1}, {Point(1)}, {Point(1): {Point(2)}}, 1.0, 2, (1, 2), [[]], {"a": [1, None]}]
    for value in sent:
        if accepts(annotation, value):
            assert contract_accepts(annotation, value), value
        elif annotation not in WIDER:
            assert not contract_accepts(annotation, value), value


def test_a_type_with_too_large_a_description_accepts_anything() -> None:
    annotation: Any = int
    for _ in range(12):
        annotation = tuple[annotation, annotation]
    assert describe(annotation) == "any"


def test_an_older_reader_accepts_what_it_does_not_know() -> None:
    for description in ({"stream": "int"}, "complex", {"again": 7}, {"record": 1}, None):
        checker(description)([1], "value")
    with pytest.raises(DurableTermError, match=r"^value\[1\]: expected int, got str$"):
        checker({"list": "int"})([1, "a"], "value")
