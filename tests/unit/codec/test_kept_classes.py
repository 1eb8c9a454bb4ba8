"""A value whose class only an annotation restores comes back as this class, or is refused with its path."""

from __future__ import annotations

import collections
import enum
import itertools
import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
import pydantic
import pytest

from continuum.codec.arguments import ArgumentsCodec
from continuum.codec.codec import completeness_check, decode, encode
from continuum.errors import DurableTermError


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 2


class Kind(enum.StrEnum):
    CARD = "card"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Text(str):
    """A text of a class of its own."""


class Tagged(list[int]):
    """A list with an attribute of its own."""

    tag = ""


class Moment(datetime):
    """A time of a class of its own."""


class Money(Decimal):
    """A number of a class of its own."""


class Key(UUID):
    """An id of a class of its own."""


class Point(NamedTuple):
    x: int
    y: int = 0


class Size(NamedTuple):
    x: int
    y: int = 0


@dataclass
class Order:
    kind: str
    tags: list[str] = field(default_factory=list)
    level: Level | int = 0


class Form(TypedDict):
    level: int


class Model(pydantic.BaseModel):
    value: Any = None
    items: list[int] = []


def tagged(tag: str) -> Tagged:
    made = Tagged([1])
    made.tag = tag
    return made


numbers = itertools.count(1)


@dataclass
class Numbered:
    number: int = field(init=False, default_factory=lambda: next(numbers))


@dataclass
class Stated:
    number: int
    state: str = field(init=False, default="new")
    lock: Any = field(init=False, default_factory=threading.Lock)
    seen: int = field(init=False, default=0, compare=False)


@dataclass
class Growing:
    number: int

    def __post_init__(self) -> None:
        self.number += 1


@dataclass(frozen=True)
class Trimmed:
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text.strip())


@dataclass
class Positive:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError(self.number)


def loudly(text: str) -> str:
    return f"{text}!"


@attrs.define
class Loud:
    text: str = attrs.field(converter=loudly)


class Hiding(pydantic.BaseModel):
    number: int = 0
    hidden: int = pydantic.Field(default=0, exclude=True)
    _private: int = pydantic.PrivateAttr(default=0)


class Rounding(pydantic.BaseModel):
    number: int

    @pydantic.field_validator("number")
    @classmethod
    def _grow(cls, number: int) -> int:
        return number + 1


@dataclass
class GrowingByMethod:
    number: int

    def _grow(self) -> None:
        self.number += 1

    def __post_init__(self) -> None:
        self._grow()


@dataclass
class Appending:
    numbers: list[int]

    def __post_init__(self) -> None:
        self.numbers.append(0)


@dataclass
class OwnInit:
    number: int

    def __init__(self, number: int) -> None:
        self.number = number + 1


@attrs.define(init=False)
class OwnAttrsInit:
    number: int

    def __init__(self, number: int) -> None:
        self.number = number + 1


class OwnModelInit(pydantic.BaseModel):
    number: int

    def __init__(self, *, number: int) -> None:
        super().__init__(number=number + 1)


class GrowingAfterInit(pydantic.BaseModel):
    number: int

    def model_post_init(self, context: Any) -> None:
        self.number += 1


class GrowingField(pydantic.BaseModel):
    number: Annotated[int, pydantic.AfterValidator(lambda number: number + 1)]


@dataclass
class SetLater:
    number: int
    later: int = field(init=False)


def set_later() -> SetLater:
    made = SetLater(1)
    made.later = 2
    return made


def stated(**changes: Any) -> Stated:
    made = Stated(1)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def hiding(**changes: int) -> Hiding:
    made = Hiding(hidden=changes.pop("hidden", 0))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


REFUSED: list[tuple[Any, Any, str]] = [
    (Kind.CARD, str, "value"),
    (Level.HIGH, int, "value"),
    (Level.HIGH, float, "value"),
    (Level.HIGH, int | None, "value"),
    (Kind.CARD, Literal["card"], "value"),
    (Color.RED, str, "value"),
    (Text("a"), str, "value"),
    (Moment(2026, 1, 1), datetime, "value"),
    (Moment(2026, 1, 1), date, "value"),
    (Money("1.5"), Decimal, "value"),
    (Key(int=1), UUID, "value"),
    (Point(1), tuple[int, int], "value"),
    (Point(1), tuple, "value"),
    (Point(1), Size, "value"),
    (Point(1), Size | Point, "value"),
    (collections.OrderedDict(a=1), dict[str, int], "value"),
    (collections.defaultdict(int, a=1), dict[str, int], "value"),
    (collections.defaultdict(int, a=1), collections.defaultdict[str, int], "value"),
    (collections.Counter("a"), dict[str, int], "value"),
    (Tagged([1]), list[int], "value"),
    (tagged("a"), Tagged, "value"),
    ([1, Level.HIGH], list[int], "value[1]"),
    ((Level.HIGH,), tuple[int, ...], "value[0]"),
    ({"a": Kind.CARD}, dict[str, str], "value.a"),
    ({Kind.CARD: 1}, dict[str, int], "value[Kind]"),
    (Order(Kind.CARD), Order, "value.kind"),
    (Order("a", ["b", Text("c")]), Order, "value.tags[1]"),
    ({"level": Level.HIGH}, Form, "value.level"),
    (Numbered(), Numbered, "value.number"),
    (stated(state="done"), Stated, "value.state"),
    (Growing(1), Growing, "value.number"),
    ([Growing(1)], list[Growing], "value[0].number"),
    (Loud("a"), Loud, "value.text"),
    (Rounding(number=1), Rounding, "value.number"),
    (GrowingByMethod(1), GrowingByMethod, "value.number"),
    (Appending([]), Appending, "value.numbers"),
    (OwnInit(1), OwnInit, "value.number"),
    (OwnAttrsInit(1), OwnAttrsInit, "value.number"),
    (OwnModelInit(number=1), OwnModelInit, "value.number"),
    (GrowingAfterInit(number=1), GrowingAfterInit, "value.number"),
    (GrowingField(number=1), GrowingField, "value.number"),
    (set_later(), SetLater, "value.later"),
    (hiding(hidden=1), Hiding, "value.hidden"),
    (hiding(_private=1), Hiding, "value._private"),
]

KEPT: list[tuple[Any, Any]] = [
    (Kind.CARD, Kind),
    (Kind.CARD, Kind | int),
    (Level.HIGH, Level | None),
    (Right.READ | Right.WRITE, Right),
    (Text("a"), Text),
    (Point(1), Point),
    (Point(1), Point | None),
    (Tagged([1]), Tagged),
    (collections.OrderedDict(a=1), collections.OrderedDict[str, int]),
    (collections.Counter("a"), collections.Counter[str]),
    ({Kind.CARD: [Level.HIGH]}, dict[Kind, list[Level]]),
    (Order("a", ["b"], Level.HIGH), Order),
    (stated(seen=3), Stated),
    (Trimmed(" a "), Trimmed),
    (Positive(1), Positive),
    (hiding(), Hiding),
]


@pytest.mark.parametrize(("value", "annotation", "path"), REFUSED, ids=lambda item: repr(item)[:60])
def test_a_value_that_would_come_back_changed_is_refused_with_the_path(
    value: Any, annotation: Any, path: str
) -> None:
    with pytest.raises(DurableTermError, match=r"come back|would change") as caught:
        encode(value, check=completeness_check(annotation))
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("value", "annotation", "advice"),
    [
        (Kind.CARD, str, "; annotate Kind, or pass a plain value"),
        (Moment(2026, 1, 1), datetime, "names; pass a plain value"),
    ],
)
def test_the_error_advises_only_an_annotation_that_can_be_read(
    value: Any, annotation: Any, advice: str
) -> None:
    with pytest.raises(DurableTermError) as caught:
        encode(value, check=completeness_check(annotation))
    assert str(caught.value).endswith(advice)


@pytest.mark.parametrize(("value", "annotation"), KEPT, ids=lambda item: repr(item)[:60])
def test_a_value_of_the_annotated_class_comes_back_as_this_class(value: Any, annotation: Any) -> None:
    read = decode(encode(value, check=completeness_check(annotation)), annotation)
    assert type(read) is type(value)
    assert read == value or isinstance(value, Stated)


@pytest.mark.parametrize("value", [Kind.CARD, Point(1), Text("a"), Order("a")], ids=repr)
@pytest.mark.parametrize("annotation", [Any, object])
def test_an_open_annotation_takes_the_value_as_plain_data(value: Any, annotation: Any) -> None:
    encode(value, check=completeness_check(annotation))


def test_a_plain_value_of_another_type_is_left_to_the_reader() -> None:
    encode([Kind.CARD, "a"], check=completeness_check(list[Kind]))
    encode((Kind.CARD, "a"), check=completeness_check(tuple[Kind, int]))


def _call(kind: str, *levels: int, order: Order | None = None) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        ((Kind.CARD,), {}, "input.kind"),
        (("a", 1, Level.HIGH), {}, "input.levels[1]"),
        (("a",), {"order": Order(Kind.CARD)}, "input.order.kind"),
    ],
)
def test_the_error_of_a_call_names_the_argument_of_another_class(args: Any, kwargs: Any, path: str) -> None:
    with pytest.raises(DurableTermError, match=r"would come back as (str|int)") as caught:
        ArgumentsCodec(_call).encode_call(args, kwargs)
    assert caught.value.path == path


class SummerTime(tzinfo):
    """A zone that gives its winter time when it is asked without a date."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        return timedelta(hours=2 if when is not None and 3 < when.month < 11 else 1)

    def dst(self, when: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, when: datetime | None) -> str:
        return "summer"


class Fixed(SummerTime):
    """A fixed offset of a class of its own."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        return timedelta(hours=1)


def test_a_zone_with_summer_time_is_refused_and_a_fixed_offset_of_any_class_is_kept() -> None:
    with pytest.raises(DurableTermError, match="use zoneinfo"):
        encode(datetime(2026, 1, 1, tzinfo=SummerTime()))
    kept = datetime(2026, 1, 1, tzinfo=Fixed())
    assert decode(encode(kept), datetime) == kept == datetime(2025, 12, 31, 23, tzinfo=UTC)
