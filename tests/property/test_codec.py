"""Round trips of any value, and damaged payloads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from continuum.codec.codec import ArgumentsCodec, decode, encode
from continuum.errors import DurableTermError
from tests.unit.codec.models import Box, Colour, Customer, Owner, Point, Tree

zones = st.none() | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
hashables = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=zones)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
values = st.recursive(
    hashables | st.sets(hashables, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(hashables, inner, max_size=4)
    ),
    max_leaves=12,
)
points = st.builds(Point, st.integers(), st.integers())
owners = st.builds(Owner, st.text(), st.frozensets(st.text(), max_size=3))
customers = st.builds(
    Customer,
    owners=st.lists(owners, max_size=3),
    colour=st.sampled_from(Colour),
    seen=st.none() | st.datetimes(timezones=zones),
)
trees = st.recursive(
    st.builds(Tree, st.integers()),
    lambda inner: st.builds(Tree, st.integers(), st.lists(inner, max_size=3), st.none() | inner),
    max_leaves=6,
)


@dataclass
class Everything:
    customers: dict[str, Customer]
    trees: tuple[Tree, ...]
    boxes: list[Box[Point] | None]
    places: dict[Point, set[Point]]
    either: int | str | list[Point] | Customer
    plain: Any


everything = st.builds(
    Everything,
    st.dictionaries(st.text(), customers, max_size=2),
    st.lists(trees, max_size=2).map(tuple),
    st.lists(st.none() | st.builds(Box, points), max_size=2),
    st.dictionaries(points, st.sets(points, max_size=2), max_size=2),
    st.integers() | st.text() | st.lists(points, max_size=2) | customers,
    values,
)


def same(left: Any, right: Any) -> bool:
    return repr(left) == repr(right) or (left == right and type(left) is type(right))


@given(values)
def test_any_value_round_trips_without_an_annotation(value: Any) -> None:
    """DUR1, PGJ27"""
    assert same(decode(encode(value)), value)


@given(everything)
def test_any_typed_value_round_trips(value: Everything) -> None:
    """DUR1"""
    assert decode(encode(value), Everything) == value


@given(values | everything, st.data())
def test_a_damaged_payload_raises_only_durable_term_errors(value: Any, data: st.DataObject) -> None:
    payload = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)))
    for annotation in (Any, Everything, dict[str, list[int]]):
        for damaged in (bytes(payload), bytes(payload[:cut])):
            try:
                decode(damaged, annotation)
            except DurableTermError:
                continue


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_durable_term_errors(noise: bytes) -> None:
    def call(a: Point, *b: int, c: str = "") -> None: ...

    codec = ArgumentsCodec(call)
    for read in (lambda data: decode(data), lambda data: decode(data, Tree), codec.decode_call):
        try:
            read(b"\x01" + noise)
        except DurableTermError:
            continue


@given(st.lists(values, max_size=4).map(tuple), st.dictionaries(st.text(min_size=1), values, max_size=3))
def test_any_call_round_trips(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    def call(*args: Any, **kwargs: Any) -> None: ...

    codec = ArgumentsCodec(call)
    assert same(codec.decode_call(codec.encode_call(args, kwargs)), (args, kwargs))
