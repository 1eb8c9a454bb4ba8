"""A definition works as it is written, or is refused where it is made, with what to write instead."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypedDict

import pytest

from continuum import InvalidDefinition, activity, workflow
from continuum.definitions.activity import Activity
from continuum.testing import env


def plain_wrapper(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapper


def async_wrapper(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await fn(*args, **kwargs)

    return wrapper


def list_wrapper(fn: Callable[..., Iterator[Any]]) -> Callable[..., list[Any]]:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> list[Any]:
        return list(fn(*args, **kwargs))

    return wrapper


class Shop:
    async def charge(self, amount: int) -> int:
        return amount

    def refund(self, amount: int) -> int:
        return amount

    async def __call__(self, amount: int) -> int:
        return amount

    @classmethod
    async def of(cls, amount: int) -> int:
        return amount


def rows(amount: int) -> Iterator[int]:
    yield amount


async def events(amount: int) -> AsyncIterator[int]:
    yield amount


async def read(amount: int) -> int:
    return amount


async def unreadable(amount: int) -> int:
    return amount


async def endless(amount: int) -> int:
    return amount


unreadable.__signature__ = 5  # type: ignore[attr-defined]
endless.__wrapped__ = endless  # type: ignore[attr-defined]

REFUSED = [
    (contextlib.contextmanager(rows), "the context manager rows.*enters it"),
    (contextlib.asynccontextmanager(events), "the context manager events.*enters it"),
    (unreadable, "signature can be read, and that of unreadable cannot.*remove its __signature__"),
    (endless, "signature can be read, and that of endless cannot: wrapper loop"),
    (Shop.charge, r"the method Shop\.charge.*module level"),
    (Shop.refund, r"the method Shop\.refund.*module level"),
    (async_wrapper(Shop.charge), r"the method Shop\.charge"),
    (Shop().charge, r"the bound method Shop\.charge; write a function"),
    (Shop(), "an object of Shop that can be called; write a function"),
    (Shop, "the class Shop; write a function"),
    (Shop.__dict__["of"], r"the classmethod Shop\.of; write a function at module level"),
    (functools.partial(read, 1), "a partial of .*read.*; write a function"),
    (len, "the built-in function len; write a function"),
    (rows, "the generator function rows.*in a list"),
    (events, "the generator function events.*in a list"),
    (plain_wrapper(read), "a plain wrapper of the async function read.*`async def`"),
    (plain_wrapper(plain_wrapper(read)), "a plain wrapper of the async function read"),
    (plain_wrapper(events), "a plain wrapper of the async function events"),
    (7, "not on 7"),
]


@pytest.mark.parametrize("decorator", [activity, workflow], ids=["activity", "workflow"])
@pytest.mark.parametrize(("fn", "words"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_definition_that_cannot_work_is_refused(decorator: Any, fn: Any, words: str) -> None:
    with pytest.raises(InvalidDefinition, match=words):
        decorator(fn)
    with pytest.raises(InvalidDefinition, match=words):
        decorator(name="functions.refused")(fn)


@pytest.mark.parametrize("decorator", [activity, workflow], ids=["activity", "workflow"])
@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "\ud800", "n" * 513, 5], ids=repr)
def test_a_name_that_cannot_be_stored_is_refused(decorator: Any, name: Any) -> None:
    with pytest.raises(InvalidDefinition, match="name has 1 to 512 bytes and no control characters"):
        decorator(name=name)(read)


def test_a_coroutine_that_a_plain_function_returns_is_an_error_outside_a_workflow() -> None:
    def bare(amount: int) -> Any:
        return read(amount)

    with pytest.raises(TypeError, match="returned a coroutine: write `async def`"):
        asyncio.run(activity(name="functions.bare")(bare)(3))


def test_methods_are_refused_in_the_class_body() -> None:
    with pytest.raises(InvalidDefinition, match=r"the method .*Flow\.run"):

        class Flow:
            @workflow(name="functions.method")
            async def run(self, amount: int) -> int:
                return amount

    with pytest.raises(InvalidDefinition, match=r"the method .*Bank\.charge"):

        class Bank:
            @classmethod
            @activity(name="functions.classmethod")
            async def charge(cls, amount: int) -> int:
                return amount


def test_a_staticmethod_below_the_decorator_is_refused_with_the_order() -> None:
    with pytest.raises(InvalidDefinition, match="write @staticmethod above @activity"):
        activity(staticmethod(read))


class Bank:
    @staticmethod
    @activity(name="functions.static")
    async def charge(amount: int) -> int:
        return amount

    @activity(name="functions.in_class")
    def refund(amount: int) -> int:  # noqa: N805 - a class used as a namespace
        return amount


ACCEPTED = [
    Bank.charge,
    Bank.refund,
    activity(name="functions.wrapped")(async_wrapper(read)),
    activity(name="functions.listed")(list_wrapper(rows)),
    activity(name="functions.lambda")(lambda amount: amount),
]


@pytest.mark.parametrize("accepted", ACCEPTED, ids=str)
def test_a_definition_that_works_is_accepted(accepted: Activity[..., Any]) -> None:
    expected = [4] if accepted.name == "functions.listed" else 4
    assert asyncio.run(accepted(4)) == expected


def test_an_async_idempotency_key_is_refused() -> None:
    async def key(amount: int) -> str:
        return str(amount)

    with pytest.raises(InvalidDefinition, match="idempotency_key must be a plain function"):
        activity(idempotency_key=key)  # type: ignore[arg-type]


def test_local_classes_under_postponed_annotations_are_read_back() -> None:
    @dataclass
    class Order:
        amount: int

    class Receipt(TypedDict):
        paid: int

    @activity(name="functions.local_pay")
    async def pay(order: Order) -> Receipt:
        assert isinstance(order, Order)
        return {"paid": order.amount}

    @workflow(name="functions.local")
    async def flow(orders: list[Order]) -> Order:
        receipt = await pay(orders[0])
        return Order(receipt["paid"])

    async def main() -> None:
        async with env() as environment:
            run = await environment.start(flow, [Order(7)])
            assert await run.result() == Order(7)

    asyncio.run(main())


def test_a_local_class_defined_further_down_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"names Order, which is local to .*; define Order before it"):

        @workflow(name="functions.early")
        async def flow(order: Order) -> None: ...

    @dataclass
    class Order:
        amount: int


def test_a_local_class_with_a_field_of_a_local_class_is_refused() -> None:
    @dataclass
    class Line:
        amount: int

    @dataclass
    class Order:
        lines: list[Line]

    with pytest.raises(InvalidDefinition, match="'Line' is not defined; define both classes at module level"):

        @activity(name="functions.nested")
        async def pay(order: Order) -> None: ...
