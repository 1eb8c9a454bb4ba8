"""The JSON Schema of a type takes only JSON that the decoder reads as that type, and all that states it."""

from __future__ import annotations

import collections
import json
from collections import abc
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from continuum.codec.codec import decode, decoder_for, encode
from continuum.contracts.json_schema import SchemaMaker
from continuum.contracts.notations import GIVEN, PRINTED
from continuum.contracts.typed_json import NotExpressible, as_given, read_json
from continuum.operations.json_text import to_json
from tests.property.schema_values import accepts, values_of
from tests.property.test_codec import customers, everything, points, trees
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
    Owner,
    Pair,
    Point,
    Started,
    Stopped,
    Tree,
)

UserId = NewType("UserId", str)


class Line(pydantic.BaseModel):
    """A model of every kind of field."""

    sku: str
    price: Decimal
    at: datetime
    day: date
    takes: timedelta
    id: UUID
    raw: bytes = b"x"
    counts: dict[str, tuple[str, float]] = {}
    tags: set[str] = set()
    level: Level = Level.LOW
    place: Point | None = None
    inner: Line | None = None


@dataclass
class Basket:
    """Holds a model, and every built-in type."""

    line: Line
    when: datetime | date
    at: time
    takes: timedelta
    total: Decimal
    id: UUID
    raw: bytes
    counts: dict[int, int] = field(default_factory=dict)
    how: Literal["a", 1, None] = "a"
    names: frozenset[str] = frozenset()


@dataclass
class Both:
    """Has the telling field of a card without requiring it."""

    iban: str
    number: int = 0


TYPES: list[Any] = [
    *(Any, None, int, str, float, bool, bytes, datetime, date, time, timedelta, UUID, Decimal),
    *(list, dict, set, frozenset, tuple, list[int], dict[str, list[int]], set[Point], frozenset[str]),
    *(tuple[int, ...], tuple[int, str], tuple[()], abc.Sequence[Point], abc.Mapping[str, Point]),
    *(abc.Iterable[int], abc.Set[int], abc.Collection[str], dict[int, str], dict[Point, int], set[Any]),
    *(dict[Colour, int], dict[Literal["a", "b"], date], dict[str | int, int], collections.Counter[str]),
    *(Point, Owner, Customer, Tree, Box[Point], Box, Account, Address, Pair, Basket, Line),
    *(Colour, Level, Literal[1, "a", True], UserId, Annotated[int, "how many"], bytearray, Json),
    *(int | None, int | str, list[Card | Iban | None], Started | Stopped, Tree | list[Tree] | None),
    *(Card | Both, Colour | int, Pair | str, UserId | Point | bool, date | str | list[date]),
]
accounts = st.builds(Account, st.integers(), st.none() | st.builds(Account, st.integers()))
lines = st.builds(
    Line,
    sku=st.text(),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    at=st.datetimes(timezones=st.just(UTC)),
    day=st.dates(),
    takes=st.timedeltas(timedelta(0), timedelta(days=900)),
    id=st.uuids(),
    raw=st.binary(max_size=5),
    place=st.none() | points,
)
baskets = st.builds(
    Basket,
    line=lines,
    when=st.dates() | st.datetimes(timezones=st.just(UTC)),
    total=st.decimals(allow_nan=False, allow_infinity=False),
    raw=st.binary(max_size=5),
    counts=st.just({}) | st.dictionaries(st.integers(), st.integers(), max_size=2),
)
EMPTY = [abc.Set[int]]
"""Types that no JSON is read as: only a set fits."""


@cache
def given_schema(annotation: Any) -> dict[str, Any]:
    maker = SchemaMaker(GIVEN)
    return maker.whole(maker.schema(annotation))


@cache
def given_values(annotation: Any) -> st.SearchStrategy[Any]:
    """Made once: a new strategy costs more than a value."""
    return values_of(given_schema(annotation))


@cache
def printed_schema(annotation: Any) -> dict[str, Any]:
    maker = SchemaMaker(PRINTED)
    return maker.whole(maker.schema(annotation))


@pytest.mark.parametrize("annotation", [each for each in TYPES if each not in EMPTY], ids=str)
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_decoder_reads_all_json_that_the_schema_takes(data: st.DataObject, annotation: Any) -> None:
    drawn = data.draw(given_values(annotation))
    decoder_for(annotation)(encode(read_json(json.dumps(drawn))))


@pytest.mark.parametrize("annotation", TYPES, ids=str)
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_schema_takes_only_what_the_decoder_reads(annotation: Any, data: st.DataObject) -> None:
    """Values of one type are tried on another, which has much the same fields."""
    other = data.draw(st.sampled_from([*TYPES, Card | Iban, Both, Tree]))
    if other in EMPTY:
        return
    drawn = data.draw(given_values(other))
    # To JSON Schema 1.0 is a whole number, to the decoder none.
    whole = any(isinstance(each, float) and each.is_integer() for each in parts(drawn))
    if not whole and accepts(given_schema(annotation), drawn):
        decoder_for(annotation)(encode(read_json(json.dumps(drawn))))


def kind_of(value: Any) -> Any:
    return type(value)


def parts(value: Any) -> list[Any]:
    """Return everything in a value."""
    if isinstance(value, list):
        return [each for item in value for each in parts(item)]
    if isinstance(value, dict):
        return [each for item in value.values() for each in parts(item)]
    return [value]


@settings(max_examples=60)
@given(st.one_of(points, customers, trees, st.from_type(Pair), accounts, baskets))
def test_the_schema_takes_every_value_that_json_can_state(value: Any) -> None:
    try:
        stated = as_given(value)
    except NotExpressible:
        return
    assert accepts(given_schema(kind_of(value)), stated)


printable: st.SearchStrategy[Any] = st.one_of(
    points, customers, trees, everything, st.from_type(Pair), baskets
)


@settings(max_examples=60)
@given(printable)
def test_the_schema_of_results_takes_what_is_printed(value: Any) -> None:
    printed = json.loads(to_json(decode(encode(value))))
    assert accepts(printed_schema(kind_of(value)), printed)


@pytest.mark.parametrize("annotation", EMPTY, ids=str)
def test_no_json_is_read_as_an_abstract_set(annotation: Any) -> None:
    tried: list[Any] = [[], {}, "a", 1, None]
    for value in tried:
        assert not accepts(given_schema(annotation), value)
