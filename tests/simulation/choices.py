"""Every random choice of a simulation, so that a seed repeats it and a shrinker takes choices away.

A choice belongs to a stream, such as the requests of one process, and is the n-th of it. So one that
is muted does not move the others. The benign choice is 0: no fault, a short delay.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import TypeAlias

Key: TypeAlias = tuple[str, int]


class Stream:
    """The choices of one stream, in order."""

    __slots__ = ("_choices", "_count", "_name", "_random")

    def __init__(self, choices: Choices, name: str) -> None:
        self._choices = choices
        self._name = name
        self._count = 0
        self._random = random.Random(f"{choices.seed}/{name}")

    def fraction(self, *, bends: float = 0.0) -> float:
        """Return a number in [0, 1); a choice above `bends` is not benign, and 0 when it is muted."""
        value = self._random.random()
        key = (self._name, self._count)
        self._count += 1
        if value < bends:
            return value
        only = self._choices.only
        if only is not None and key not in only:
            return 0.0
        self._choices.taken.append(key)
        return value

    def below(self, limit: int) -> int:
        """Return a number from 0, the benign one, up to `limit`."""
        return int(self.fraction() * limit)


class Choices:
    """The streams of one seed. With `only`, every other choice is benign; `taken` are those that were not."""

    def __init__(self, seed: int, only: Collection[Key] | None = None) -> None:
        self.seed = seed
        self.only = None if only is None else frozenset(only)
        self.taken: list[Key] = []
        self._streams: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """Return the stream of that name."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = Stream(self, name)
        return stream

    def random_bytes(self, name: str) -> random.Random:
        """Return a source of randomness whose values are no choices, such as ids."""
        return random.Random(f"{self.seed}/bytes/{name}")
