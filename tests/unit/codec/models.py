"""Classes that the codec tests store, defined at module level as users do."""

from __future__ import annotations

import enum
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar

import attrs
import pydantic

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


@dataclass
class Owner:
    name: str
    tags: frozenset[str] = frozenset()


@dataclass(kw_only=True, slots=True)
class Customer:
    owners: list[Owner]
    colour: Colour = Colour.RED
    seen: datetime | None = None
    size: int = field(init=False, default=7)


@dataclass
class Tree:
    value: int
    children: list[Tree] = field(default_factory=list)
    next: Tree | None = None


@dataclass
class Box(Generic[T]):
    content: T
    inner: Box[T] | None = None


@dataclass
class Unkept:
    secret: InitVar[int]


@dataclass
class Card:
    number: str


@dataclass
class Iban:
    iban: str


@dataclass
class OtherCard:
    number: str


@dataclass
class Started:
    kind: Literal["started"]
    at: int = 0


@dataclass
class Stopped:
    kind: Literal["stopped"]
    at: int = 0


@attrs.define
class Account:
    _number: int
    parent: Account | None = None


class Address(TypedDict):
    street: str
    points: NotRequired[list[Point]]


class Pair(NamedTuple):
    left: int
    right: Point = Point(0)


class Model(pydantic.BaseModel):
    amount: int = pydantic.Field(alias="Amount")
    colour: Colour
    parts: tuple[int, ...] = ()
    inner: Model | None = None
    raw: bytes = b"\xff"


class StrictModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    colour: Colour
    inner: StrictModel | None = None
    point: Point | None = None


Json = dict[str, "Json"] | list["Json"] | str | int | None


def place(order: Customer, count: int = 1, *rest: Point, urgent: bool = False, **more: float) -> str:
    return f"{order}{count}{rest}{urgent}{more}"


def only_positional(a: int, b: str = "b", /) -> None: ...


def unresolvable(a: Missing, b: Point) -> None: ...  # type: ignore[name-defined] # noqa: F821


def untyped(a, b=2):  # type: ignore[no-untyped-def]
    return a, b


def grown(order: Customer, count: int = 1, added: Point | None = None) -> None: ...


def grown_without_default(order: Customer, count: int, added: Point) -> None: ...
