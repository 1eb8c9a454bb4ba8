"""How each kind of annotation reads a stored value."""

from __future__ import annotations

import collections
import sys
import typing
from collections import abc
from datetime import datetime
from typing import Annotated, Any, Literal, NewType

import pytest

from continuum.codec.codec import decode, decoder_for, encode
from continuum.errors import DurableTermError
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
    OtherCard,
    Owner,
    Pair,
    Point,
    Started,
    Stopped,
    StrictModel,
    Tree,
)
from tests.unit.codec.named_inside import AttrsBranch, Branch

UserId = NewType("UserId", str)

FITTING: list[tuple[Any, Any]] = [
    (Customer(owners=[Owner("ann", frozenset({"a"}))], colour=Colour.PAIR), Customer),
    (Tree(1, [Tree(2)], next=Tree(3)), Tree),
    (Box(Point(1), Box(Point(2))), Box[Point]),
    (Box(1, Box("x")), Box),
    ({Point(1): {Point(2)}}, dict[Point, set[Point]]),
    ({(1, 2): frozenset({Point(2)})}, dict[tuple[int, int], frozenset[Point]]),
    (Account(1, Account(2)), Account),
    ({"street": "s", "points": [Point(1)]}, Address),
    ({"street": "s"}, Address),
    (Pair(1, Point(2)), Pair),
    ([Level.LOW, Level.HIGH], list[Level]),
    ({Level.LOW: Colour.RED}, dict[Level, Colour]),
    (Model(Amount=1, colour=Colour.RED, parts=(1, 2)), Model),
    ([StrictModel(colour=Colour.PAIR, point=Point(1))], list[StrictModel]),
    ([Card("1"), Iban("2"), None], list[Card | Iban | None]),
    ([Started("started"), Stopped("stopped")], list[Started | Stopped]),
    ([1, "a", [1], Point(1)], list[int | str | list[int] | Point]),
    (["red", "blue"], list[Literal["red", "blue"]]),
    (Colour.RED, Literal[Colour.RED]),
    (UserId("u"), UserId),
    (1, Annotated[int, []]),
    ((1, "a"), tuple[int, str]),
    ((), tuple[()]),
    ((1, 2, 3), tuple[int, ...]),
    ([Point(1)], abc.Sequence[Point]),
    ((Point(1),), abc.Sequence[Point]),
    ({"a": Point(1)}, abc.Mapping[str, Point]),
    (collections.Counter("aab"), collections.Counter[str]),
    (collections.OrderedDict(a=1), collections.OrderedDict[str, int]),
    (bytearray(b"x"), bytearray),
    ({"a": [{"b": None}]}, Json),
    (float("inf"), float),
]


@pytest.mark.parametrize(("value", "annotation"), FITTING, ids=lambda item: str(item)[:40])
def test_a_value_is_read_as_its_annotation_says(value: Any, annotation: Any) -> None:
    """PGJ26"""
    restored = decode(encode(value), annotation)
    assert restored == value
    assert type(restored) is type(value)


MISFITS: list[tuple[Any, Any, str]] = [
    ("5", int, "value"),
    (5, str, "value"),
    (1, bool, "value"),
    (1.0, int, "value"),
    ("2026-01-01", datetime, "value"),
    (None, int, "value"),
    ([1, "2"], list[int], "value[1]"),
    ({"a": {"b": [1, None]}}, dict[str, dict[str, list[int]]], "value.a.b[1]"),
    ({"a": 1}, dict[int, int], "value.a"),
    ((1, 2), tuple[int, str], "value[1]"),
    ((1,), tuple[int, str], "value"),
    ({"x": "1"}, Point, "value.x"),
    ({"y": 1}, Point, "value"),
    ([{"owners": [{"name": "a"}, {"name": 3}]}], list[Customer], "value[0].owners[1].name"),
    ({"value": 1, "children": [{"value": 1, "next": {}}]}, Tree, "value.children[0].next"),
    ({"content": 1, "inner": {"content": "x"}}, Box[int], "value.inner.content"),
    ({"street": 1}, Address, "value.street"),
    (("a",), Pair, "value[0]"),
    ("green", Colour, "value"),
    (True, Literal[1], "value"),
    ({"amount": "x", "colour": "red"}, Model, "value.amount"),
    ({"kind": "paused"}, Started | Stopped, "value"),
    ({"other": 1}, Card | Iban, "value"),
    ([1], int | str, "value"),
    ({"a"}, list[str], "value"),
]


@pytest.mark.parametrize(("value", "annotation", "path"), MISFITS, ids=lambda item: str(item)[:40])
def test_the_error_for_a_value_that_does_not_fit_has_the_path(value: Any, annotation: Any, path: str) -> None:
    with pytest.raises(DurableTermError) as caught:
        decode(encode(value), annotation)
    assert caught.value.path == path


@pytest.mark.parametrize("annotation", [Card | OtherCard, Card | dict, print])
def test_an_annotation_that_cannot_be_decoded_is_refused_at_once(annotation: Any) -> None:
    with pytest.raises(DurableTermError):
        decoder_for(annotation)


@pytest.mark.parametrize(("value", "annotation"), [(1, float), (True, int), (True, float)])
def test_values_that_a_type_checker_accepts_stay_unchanged(value: Any, annotation: Any) -> None:
    assert decode(encode(value), annotation) is value


def test_a_list_fits_where_a_tuple_or_a_set_is_expected() -> None:
    assert decode(encode([1, 2]), tuple[int, ...]) == (1, 2)
    assert decode(encode([1, 2]), set[int]) == {1, 2}


def test_a_removed_field_is_ignored_and_a_new_one_takes_its_default() -> None:
    assert decode(encode({"x": 1, "gone": 2}), Point) == Point(1, 0)


def test_without_an_annotation_records_are_maps_and_enums_are_values() -> None:
    value = decode(encode([Point(1), Colour.PAIR, Pair(1)]))
    assert value == [{"x": 1, "y": 0}, (1, 2), (1, {"x": 0, "y": 0})]


def test_a_set_of_records_can_be_read_without_an_annotation() -> None:
    plain = decode(encode({Point(1), Point(2)}))
    assert decode(encode(plain), set[Point]) == {Point(1), Point(2)}


def test_no_name_in_the_data_is_imported() -> None:
    data = encode({"__class__": "antigravity.Thing", "type": "this.s", "__reduce__": ["os.system", "true"]})
    before = set(sys.modules)
    decode(data)
    with pytest.raises(DurableTermError):
        decode(data, Point)
    assert set(sys.modules) - before == set()


def test_an_alias_of_the_type_statement_reads_as_its_value() -> None:
    alias = getattr(typing, "TypeAliasType", None)
    if alias is None:
        pytest.skip("this Python has no type statement")
    assert decode(encode([Point(1)]), alias("Points", list[Point])) == [Point(1)]


def test_a_discriminator_that_cannot_be_hashed_is_refused_as_no_literal() -> None:
    stored = encode({"kind": (set(),), "at": 1})
    with pytest.raises(DurableTermError):
        decoder_for(Started | Stopped, path="event")(stored)


def test_a_name_inside_the_annotation_of_a_field_is_resolved() -> None:
    leaf, attrs_leaf = Branch(1), AttrsBranch(1)
    for tree in (
        Branch(2, [leaf], {"a": [leaf]}, (leaf,), leaf),
        AttrsBranch(2, [attrs_leaf], {"a": [attrs_leaf]}, (attrs_leaf,), attrs_leaf),
    ):
        assert decode(encode(tree), type(tree)) == tree
