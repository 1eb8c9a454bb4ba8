"""Summaries of calls: templates that are checked, and lines for which no code of the user's runs."""

from __future__ import annotations

import inspect
from collections import namedtuple
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from continuum import InvalidDefinition, activity
from continuum.definitions.summaries import SUMMARY_CHARACTERS, TEMPLATE_CHARACTERS, summary_of


class Size(Enum):
    """How large."""

    LARGE = "l"


class Key(str):
    """A text of the user's."""

    def __str__(self) -> str:
        raise AssertionError("code of the user's runs")

    def __format__(self, spec: str) -> str:
        raise AssertionError("code of the user's runs")


@dataclass(frozen=True, slots=True)
class Line:
    """A record with slots."""

    sku: str
    price: Decimal


@dataclass
class Order:
    """A record that computes."""

    id: str
    lines: list[Line]
    size: Size = Size.LARGE

    @property
    def total(self) -> int:
        """Compute something."""
        raise AssertionError("code of the user's runs")

    def __getattr__(self, name: str) -> Any:
        raise AssertionError("code of the user's runs")

    def __str__(self) -> str:
        raise AssertionError("code of the user's runs")


class Place(NamedTuple):
    """A named tuple."""

    city: str


Point = namedtuple("Point", ["x"])


def call(order: Any = None, amount: Any = 1, *rest: Any, **more: Any) -> None:
    """Have parameters."""


SIGNATURE = inspect.signature(call)
ORDER = Order("o-1", [Line("pen", Decimal("1.50"))])


def line(template: str, *args: Any, **kwargs: Any) -> str | None:
    """Return the summary of a call."""
    return summary_of(template, SIGNATURE, args, kwargs)


@pytest.mark.parametrize(
    ("template", "args", "said"),
    [
        ("charge {order.id}", (ORDER,), "charge o-1"),
        ("{order.lines[0].sku} {order.lines[0].price:.1f}", (ORDER,), "pen 1.5"),
        ("{order.size} {order.size.name}", (ORDER,), "l LARGE"),
        ("{order[id]} {order[7]}", ({"id": "a", 7: "b"},), "a b"),
        ("{order.city} {amount.x}", (Place("Ulm"), Point(3)), "Ulm 3"),
        ("{order:%d.%m.} {amount!r:>4}", (date(2026, 12, 1), "x"), "01.12.  'x'"),
        ("{order} {amount}", (UUID(int=1), True), "00000000-0000-0000-0000-000000000001 True"),
        ("{order} of {rest[1]} {more[a]}", (Key("k"), 1, "b", "c"), "k of c ?"),
        ("{{{amount}}}", (), "{1}"),
    ],
)
def test_a_summary_has_the_values_of_its_places(template: str, args: tuple[Any, ...], said: str) -> None:
    assert line(template, *args) == said


@pytest.mark.parametrize(
    ("template", "args", "said"),
    [
        ("{order.total}", (ORDER,), "?"),
        ("{order.nothing}", (ORDER,), "?"),
        ("{order}", (ORDER,), "Order"),
        ("{order.lines[5].sku}", (ORDER,), "?"),
        ("{order[x]}", ({},), "?"),
        ("{order[0]}", ("text",), "?"),
        ("{order.id:.2f}", (ORDER,), "o-1"),
        ("{order:.2f}", (None,), "?"),
        ("{order:f}", (Decimal("1e999999999"),), "1E+999999999"),
        ("{order}", (10**5000,), "?"),
        ("{order.upper}", ("text",), "?"),
        ("a{order}b", ("x\0\n\ud800y",), "ax yb"),
    ],
)
def test_a_value_that_cannot_be_shown_is_said_to_be_unknown(
    template: str, args: tuple[Any, ...], said: str
) -> None:
    """No property, no `__getattr__`, no `__str__` of the user's runs, and nothing takes long."""
    assert line(template, *args) == said


def test_a_summary_is_a_short_line() -> None:
    said = line("{order}", "x" * 10_000_000)
    assert said is not None
    assert len(said) == SUMMARY_CHARACTERS
    assert line("{order}", "") is None


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{nobody}", "not one of its parameters"),
        ("{}", "is not a parameter"),
        ("{0}", "is not a parameter"),
        ("{order", "not a template"),
        ("{order.id()}", "is not a parameter"),
        ("{order.__class__}", "__class__, which is not public"),
        ("{order._secret.id}", "_secret, which is not public"),
        ("{order:{amount}}", "too much for a line"),
        ("{order:>1000}", "too much for a line"),
        ("x" * (TEMPLATE_CHARACTERS + 1), "1 to 200 characters"),
        ("", "1 to 200 characters"),
        (7, "1 to 200 characters"),
    ],
)
def test_a_wrong_template_is_refused_when_it_is_defined(template: Any, message: str) -> None:
    with pytest.raises(InvalidDefinition, match=r"summary of summaries\.") as refused:

        @activity(name="summaries.wrong", summary=template)
        def wrong(order: str, amount: int) -> None:
            """Have parameters."""

    assert message in str(refused.value)
    with pytest.raises(InvalidDefinition, match=r"summary of summaries\."):
        sound.options(summary=template)


@activity(name="summaries.sound", summary="charge {order}")
def sound(order: str, amount: int) -> None:
    """Have parameters."""
