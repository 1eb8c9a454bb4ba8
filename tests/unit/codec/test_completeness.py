"""A record comes back as the class it has, or is refused with the path before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, NotRequired, TypedDict, TypeVar

import attrs
import pydantic
import pytest

from continuum import Signal, activity, workflow
from continuum.codec.arguments import ArgumentsCodec
from continuum.codec.codec import completeness_check, decode, encode
from continuum.errors import DurableTermError

T = TypeVar("T")


@dataclass(frozen=True)
class Payment:
    cents: int


@dataclass(frozen=True)
class CardPayment(Payment):
    last4: str


@dataclass(frozen=True)
class SilentPayment(Payment):
    """It adds no field, but behaves differently."""


@dataclass(frozen=True)
class Voucher:
    cents: int


@attrs.define(frozen=True)
class Vehicle:
    wheels: int


@attrs.define(frozen=True)
class Bike(Vehicle):
    bell: bool = True


class Event(pydantic.BaseModel):
    at: int


class Shipped(Event):
    parcel: str


class Envelope(pydantic.BaseModel):
    event: Event
    others: list[Event] = []


class Anything(pydantic.BaseModel, Generic[T]):
    content: T


class Restoring(pydantic.BaseModel):
    """It restores its subclasses itself."""

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _restore(cls, value: Any, handler: Callable[[Any], Any]) -> Any:
        if isinstance(value, dict) and "more" in value and cls is Restoring:
            return Restored.model_validate(value)
        return handler(value)


class Restored(Restoring):
    more: int


@dataclass
class Order:
    payment: Payment
    earlier: list[Payment] = field(default_factory=list)


@dataclass
class Node:
    payment: Payment
    children: list[Node] = field(default_factory=list)
    next: Node | None = None


@dataclass
class Box(Generic[T]):
    content: T


class Paid(NamedTuple):
    payment: Payment
    note: str = ""


class Form(TypedDict):
    payment: Payment
    second: NotRequired[Payment]


PAY, CARD = Payment(5), CardPayment(5, "4242")

LOST: list[tuple[Any, Any, str]] = [
    (CARD, Payment, "value"),
    (SilentPayment(5), Payment, "value"),
    (Voucher(5), Payment, "value"),
    (Bike(2), Vehicle, "value"),
    (Shipped(at=1, parcel="x"), Event, "value"),
    ([PAY, CARD], list[Payment], "value[1]"),
    ((PAY, CARD), tuple[Payment, ...], "value[1]"),
    ((1, CARD), tuple[int, Payment], "value[1]"),
    ([CARD], Sequence[Payment], "value[0]"),
    ({CARD}, set[Payment], "value{}"),
    (frozenset({CARD}), frozenset[Payment], "value{}"),
    ({"a": CARD}, dict[str, Payment], "value.a"),
    ({"a": [CARD]}, Mapping[str, list[Payment]], "value.a[0]"),
    ({CARD: 1}, dict[Payment, int], "value[CardPayment]"),
    (CARD, Payment | None, "value"),
    (CARD, Payment | str, "value"),
    ([CARD], list[Payment] | str, "value[0]"),
    (Order(CARD), Order, "value.payment"),
    (Order(PAY, [PAY, CARD]), Order, "value.earlier[1]"),
    (Node(PAY, [Node(PAY, next=Node(CARD))]), Node, "value.children[0].next.payment"),
    (Box(CARD), Box[Payment], "value.content"),
    (Paid(CARD), Paid, "value[0]"),
    ({"payment": CARD}, Form, "value.payment"),
    ({"payment": PAY, "second": CARD}, Form, "value.second"),
    (Envelope(event=Shipped(at=1, parcel="x")), Envelope, "value.event"),
    (Envelope(event=Event(at=1), others=[Shipped(at=1, parcel="x")]), Envelope, "value.others[0]"),
]

KEPT: list[tuple[Any, Any]] = [
    (PAY, Payment),
    (CARD, CardPayment),
    (CARD, Payment | CardPayment),
    (PAY, Payment | CardPayment),
    ([PAY, CARD], list[Payment | CardPayment]),
    (Bike(2), Bike | None),
    (Order(PAY, [PAY]), Order),
    (Node(PAY, [Node(PAY)], Node(PAY)), Node),
    (Box(CARD), Box[CardPayment]),
    (Paid(PAY), Paid),
    ({"payment": PAY}, Form),
    (Envelope(event=Event(at=1)), Envelope),
    (Anything[int](content=1), Anything[int]),
    (Restored(more=1), Restoring),
]


@pytest.mark.parametrize(("value", "annotation", "path"), LOST, ids=lambda item: str(item)[:60])
def test_a_record_that_would_lose_its_class_is_refused_with_the_path(
    value: Any, annotation: Any, path: str
) -> None:
    with pytest.raises(DurableTermError, match="would come back as") as caught:
        encode(value, check=completeness_check(annotation))
    assert caught.value.path == path


@pytest.mark.parametrize(("value", "annotation"), KEPT, ids=lambda item: str(item)[:60])
def test_a_record_of_the_annotated_class_comes_back_equal(value: Any, annotation: Any) -> None:
    read = decode(encode(value, check=completeness_check(annotation)), annotation)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("annotation", [Any, object, T])
def test_an_annotation_that_takes_everything_needs_no_check(annotation: Any) -> None:
    assert completeness_check(annotation) is None


def test_plain_values_are_not_checked() -> None:
    def fail(value: object, has_classes: bool) -> None:
        raise AssertionError(value)

    encode({"a": [1, (2, "x"), {3}]}, check=fail)


def test_a_refused_value_leaves_no_trace_on_the_next_one() -> None:
    with pytest.raises(DurableTermError):
        encode([CARD, object()])
    seen: list[object] = []

    def see(value: object, has_classes: bool) -> None:
        seen.append((value, has_classes))

    encode(PAY, check=see)
    encode(1, check=see)
    encode([PAY, Paid(PAY)], check=see)
    assert seen == [(PAY, False), ([PAY, Paid(PAY)], True)]


def test_a_map_for_a_record_is_taken() -> None:
    assert decode(encode({"cents": 5}, check=completeness_check(Payment)), Payment) == PAY


def test_a_class_that_was_loaded_twice_is_taken() -> None:
    again: Any = dataclass(frozen=True)(type("Payment", (), {"__annotations__": {"cents": int}}))
    assert decode(encode(again(5), check=completeness_check(Payment)), Payment) == PAY


def test_a_deeply_nested_value_is_checked() -> None:
    node = Node(PAY)
    for _ in range(400):
        node = Node(PAY, next=node)
    encode(node, check=completeness_check(Node))


def _call(payment: Payment, *rest: Payment, other: Payment = PAY, **more: Payment) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        ((CARD,), {}, "input.payment"),
        ((PAY, PAY, CARD), {}, "input.rest[1]"),
        ((PAY,), {"other": CARD}, "input.other"),
        ((PAY,), {"unknown": CARD}, "input.unknown"),
    ],
)
def test_the_error_of_a_call_names_the_argument(args: Any, kwargs: Any, path: str) -> None:
    with pytest.raises(DurableTermError, match="CardPayment") as caught:
        ArgumentsCodec(_call).encode_call(args, kwargs)
    assert caught.value.path == path


def test_a_signal_refuses_a_subclass() -> None:
    with pytest.raises(DurableTermError, match="signal paid: a CardPayment"):
        Signal("paid", Payment).encode(CARD)


@activity
async def pay_with_another_class() -> Payment:
    return CARD


@workflow
async def end_with_another_class() -> Payment:
    return CARD


@pytest.mark.parametrize(
    "definition", [pay_with_another_class, end_with_another_class], ids=["activity", "workflow"]
)
def test_a_result_of_a_subclass_is_refused(definition: Any) -> None:
    with pytest.raises(DurableTermError, match="a CardPayment would come back as Payment"):
        definition.encode_result(CARD)
