"""A value whose own code raises, even without words, is refused with its path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from continuum import DurableTermError
from continuum.codec.codec import decode, encode
from tests.hostile_exceptions import Closed, NoWords


@dataclass
class Unreadable:
    """A record whose field raises."""

    number: int

    def __getattribute__(self, name: str) -> object:
        if name == "number":
            raise NoWords
        return super().__getattribute__(name)


class Endless(list[int]):
    """A list that cannot be visited."""

    def __iter__(self) -> Any:
        raise Closed

    def __len__(self) -> int:
        raise Closed


class Masked:
    """A value whose class raises."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise NoWords


@dataclass
class Refusing:
    """A record that cannot be built."""

    number: int

    def __post_init__(self) -> None:
        raise NoWords


MAKERS: list[Callable[[], object]] = [
    lambda: Unreadable(1),
    lambda: [Unreadable(1)],
    lambda: Endless([1]),
    Masked,
    lambda: [Masked()],
]


@pytest.mark.parametrize("make", MAKERS)
def test_a_value_that_raises_while_it_is_written_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(DurableTermError, match="value"):
        encode(make())


def test_a_record_that_raises_while_it_is_built_is_refused() -> None:
    with pytest.raises(DurableTermError, match="its message cannot be read: RuntimeError"):
        decode(encode({"number": 1}), Refusing)
