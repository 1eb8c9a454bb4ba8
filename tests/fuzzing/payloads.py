"""Payloads of user values, read as every kind of type, and as calls."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import msgpack
import pydantic

from continuum.codec.codec import ArgumentsCodec, decode, decoder_for, encode
from continuum.codec.wire_format import HEADER
from continuum.errors import DurableTermError
from continuum.journal.untyped_values import readable, readable_call
from tests.fuzzing.mutation import Mutator
from tests.fuzzing.target import Broken, Target


class Colour(Enum):
    RED = "red"
    TWO = 2


@dataclass(frozen=True)
class Item:
    name: str
    price: Decimal = Decimal(1)
    tags: list[str] = field(default_factory=list)


@dataclass
class Box:
    kind: Literal["box"]
    items: dict[str, Item]
    inner: Box | None = None


@dataclass
class Crate:
    kind: Literal["crate"]
    weight: float


class Point(NamedTuple):
    x: int
    y: int = 0


class Address(TypedDict):
    street: str
    number: NotRequired[int]


@attrs.define
class Parcel:
    id: UUID
    sent: datetime | None = None


class Model(pydantic.BaseModel):
    name: str
    amounts: dict[str, Decimal] = {}
    when: datetime | None = None


def call(item: Item, count: int = 1, *rest: date, colour: Colour = Colour.RED, **more: timedelta) -> None:
    """Stand for a function whose stored calls are read."""


_ANNOTATIONS: tuple[Any, ...] = (
    *(Any, int, str, float, bool, bytes, None, datetime, date, time, timedelta, UUID, Decimal, object),
    *(list[int], list[Any], tuple[int, ...], tuple[str, int], set[str], frozenset[int], dict[str, int]),
    *(dict[int, list[Item]], dict[Point, str], set[Item], Mapping[str, object], Sequence[Item]),
    *(Colour, Literal["a", 1, None], Item, Box, Crate, Box | Crate, Point, Address, Parcel, Model),
    *(Item | None, int | str | None, list[int] | dict[str, Item], list[Box | Crate | None], type(None)),
)
_LOCAL = datetime(2026, 3, 29, 2, 30, tzinfo=UTC).replace(tzinfo=None)
_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**70, 1.5, "text", "é\u2028", b"\0\xff", [], [1, [2, [3]]], (1, "a"), {"a": 1}),
    *({1, 2}, frozenset(("a",)), {(1, 2): "x"}, {1: [Item("a")]}, [{"name": "n", "price": Decimal("1.10")}]),
    *(datetime(2026, 1, 31, 9, tzinfo=UTC), _LOCAL, _LOCAL.replace(fold=1)),
    *(datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), date(2026, 2, 28), time(9, 30)),
    *(timedelta(days=-1, microseconds=5), UUID(int=7), Decimal("NaN"), Decimal("1E+30"), Colour.TWO),
    *(Item("a", Decimal(2), ["b"]), Box("box", {"x": Item("y")}, Box("box", {})), Crate("crate", 2.5)),
    *(Point(1, 2), {"street": "s", "number": 3}, Parcel(UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC))),
    *(Model(name="m", amounts={"a": Decimal(1)}), {Item("k").name: Item("k")}, [[Item("a")], {"b": {1, 2}}]),
)


def mutated_payload(mutator: Mutator, data: bytes, others: Sequence[bytes]) -> bytes:
    """Return a payload whose tree was changed, or else its bytes."""
    if mutator.random.randrange(2):
        try:
            tree = msgpack.unpackb(data[1:], strict_map_key=False)
            packed: bytes = msgpack.packb(mutator.tree_of(tree))
            return data[:1] + packed
        except (ValueError, TypeError, OverflowError, msgpack.exceptions.UnpackException):
            pass
    return mutator.bytes_of(data, others)


class Payloads(Target):
    """Payloads read as a type that the first byte of the input picks."""

    name = "payloads"

    def __init__(self) -> None:
        self._readers: list[Callable[[bytes], Any]] = [decoder_for(annotation) for annotation in _ANNOTATIONS]
        codec = ArgumentsCodec(call, path="call")
        self._readers += [codec.decode_call, readable_call, readable, decode]
        for reader in self._readers:  # compiles what is made on first use
            for value in _VALUES:
                self._read(reader, encode(value))

    def seeds(self) -> Sequence[bytes]:
        stored = [encode(value) for value in _VALUES]
        stored += [encode([[value], {}]) for value in _VALUES[::3]]
        stored.append(encode([[Item("a"), 2, date(2026, 1, 1)], {"colour": "red", "x": timedelta(1)}]))
        stored += [HEADER + b"\x91" * 600 + b"\xc0", HEADER + b"\xc7\x03\x01\x91" * 90]
        return [bytes([at % 256]) + data for at, data in enumerate(stored)]

    def mutate(self, mutator: Mutator, data: bytes, others: Sequence[bytes]) -> bytes:
        picked = bytes([mutator.random.randrange(256)])
        return picked + mutated_payload(mutator, data[1:], others)

    def read(self, data: bytes) -> None:
        if data:
            self._read(self._readers[data[0] % len(self._readers)], data[1:])

    def _read(self, reader: Callable[[bytes], Any], payload: bytes) -> None:
        try:
            value = reader(payload)
        except DurableTermError as error:
            refuse_exhaustion(error)
            if not str(error).isprintable() and "\n" in str(error):
                raise Broken(f"the message has several lines: {error}") from error
            return
        if type(value).__module__ not in _KNOWN_MODULES:
            raise Broken(f"it made a {type(value)}")


_KNOWN_MODULES = {
    "builtins",
    "datetime",
    "uuid",
    "decimal",
    "msgpack",
    "zoneinfo",
    __name__,
    "continuum.journal.untyped_values",
}
_KNOWN_MODULES |= {"msgpack.ext", "continuum.codec.wire_format", "msgpack._cmsgpack"}
assert typing.get_type_hints(Box)


def refuse_exhaustion(error: BaseException | None) -> None:
    """Raise if an error stands for a lack of memory: it was made by what the input announced."""
    while error is not None:
        if isinstance(error, MemoryError):
            raise Broken("it asked for more memory than an input may") from error
        error = error.__cause__ or error.__context__
