"""Values that cannot be written, and the path in the error."""

from __future__ import annotations

import asyncio
import enum
import threading
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Any

import pytest

from continuum.codec.codec import ArgumentsCodec, decode, encode
from continuum.codec.writing import VALUE_BYTES
from continuum.errors import DurableTermError
from tests.unit.codec.models import Card, Model, Owner, Tree, Unkept


class Holder(enum.Enum):
    BAD = object()


class Nowhere(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None

    dst = utcoffset

    def tzname(self, moment: datetime | None) -> str | None:
        return None


BAD: list[tuple[Any, str]] = [
    (object(), "input"),
    ({"customer": {"owners": ["ann", object()]}}, "input.customer.owners[1]"),
    ({"two words": [object()]}, "input['two words'][0]"),
    ({1: object()}, "input[1]"),
    ((1, (2, print)), "input[1][1]"),
    ({object()}, "input{}"),
    ({Card: 1}, "input[type]"),
    ([Owner("ann"), Owner(object())], "input[1].name"),  # type: ignore[arg-type]
    (Tree(1, next=Tree(2, [Tree(object())])), "input.next.children[0].value"),  # type: ignore[arg-type]
    (["fine", "\ud800"], "input[1]"),
    ({"a": {"\ud800": 1}}, "input.a['\\ud800']"),
    ([Unkept(1)], "input[0]"),
    ([Holder.BAD], "input[0]"),
    ([time(1, tzinfo=Nowhere())], "input[0]"),
    ([Model.model_construct(amount="x", colour=3)], "input[0]"),
    ([lambda: None], "input[0]"),
    ([1, 2j], "input[1]"),
    (threading.Lock(), "input"),
]


@pytest.mark.parametrize(
    ("value", "path"), BAD, ids=[f"{type(value).__name__}-{path}" for value, path in BAD]
)
def test_the_error_names_the_first_element_that_cannot_be_written(value: Any, path: str) -> None:
    """DUR2, DUR3, DUR4: also the last element of a tuple or of a linked record."""
    with pytest.raises(DurableTermError) as caught:
        encode(value, path="input")
    assert caught.value.path == path
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (threading.Lock(), "lock"),
        (print, "builtin_function_or_method"),
        (lambda: None, "function"),
        (2j, "complex"),
        (asyncio.Event(), "Event"),
    ],
    ids=["lock", "builtin", "function", "complex", "event"],
)
def test_the_error_names_the_type_that_cannot_be_written(value: object, kind: str) -> None:
    """DUR3"""
    with pytest.raises(DurableTermError) as caught:
        encode(("fine", value), path="input")
    assert caught.value.path == "input[1]"
    assert kind in caught.value.reason


def test_a_list_that_contains_itself_is_refused() -> None:
    inner: list[Any] = []
    value = {"parts": inner}
    inner.append(value)
    with pytest.raises(DurableTermError) as caught:
        encode(value)
    assert caught.value.path == "value.parts[0]"
    assert "contains itself" in caught.value.reason


def test_a_record_that_contains_itself_is_refused() -> None:
    tree = Tree(1)
    tree.children.append(tree)
    with pytest.raises(DurableTermError) as caught:
        encode(tree)
    assert caught.value.path == "value.children[0]"


def nested(value: Any, levels: int, wrap: Any) -> Any:
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap", [lambda v: [v], lambda v: (v,), lambda v: {"a": v}, lambda v: Tree(1, next=v)]
)
def test_absurd_depth_is_refused_in_one_short_line(wrap: Any) -> None:
    with pytest.raises(DurableTermError, match="nested") as caught:
        encode(nested(Tree(0), 5000, wrap))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("levels", [100, 500, 1020, 1021, 1022, 1023, 1024, 1025])
def test_a_deep_value_that_can_be_written_can_be_read(levels: int) -> None:
    tree = nested(None, levels, lambda inner: Tree(1, next=inner))
    plain = nested(1, levels, lambda inner: [inner])
    for value, annotation in ((tree, Tree), (plain, Any)):
        try:
            payload = encode(value)
        except DurableTermError:
            continue
        assert encode(decode(payload, annotation)) == payload


def test_a_failed_encode_does_not_affect_the_next() -> None:
    with pytest.raises(DurableTermError):
        encode([1, (2, object())])
    assert decode(encode((1, (2,)))) == (1, (2,))


def test_threads_encode_at_the_same_time() -> None:
    @dataclass
    class Slow:
        number: int

        @property
        def twice(self) -> int:
            return self.number * 2

    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(300):
            if decode(encode((Slow(number), [(number,)] * 20))) != ({"number": number}, [(number,)] * 20):
                wrong.append(number)  # noqa: PERF401

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


LARGE = b"x" * (VALUE_BYTES + 1)


def test_a_value_that_is_too_large_is_refused_with_its_size_and_the_limit() -> None:
    with pytest.raises(DurableTermError, match=rf"result: takes \d+ bytes, .* {VALUE_BYTES};"):
        encode(LARGE, path="result")


def test_the_error_names_the_argument_that_is_too_large() -> None:
    def call(small: int, large: bytes) -> None: ...

    with pytest.raises(DurableTermError, match=r"input\.large"):
        ArgumentsCodec(call).encode_call((1, LARGE), {})


def test_a_value_of_exactly_the_largest_size_is_written() -> None:
    assert len(encode(LARGE[:-32])) < VALUE_BYTES
