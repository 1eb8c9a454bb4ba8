"""Mocked activities, and the order in which activities begin and complete.

The actors that run them are in `mocked_actors.py`.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

from continuum.definitions.activity import Activity
from continuum.testing.public import public

P = ParamSpec("P")
R = TypeVar("R")

# How many turns of the loop a seed delays a result at most: enough for any other result to overtake it.
MOST_TURNS = 12


class Call(NamedTuple):
    """One call of a mocked activity."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@public
class MockedActivity(Generic[P, R]):
    """The function that replaces an activity; `calls` are the attempts made, in order."""

    def __init__(self, activity: Activity[P, R], fn: Callable[P, R | Awaitable[R]]) -> None:
        self.name = activity.name
        self.calls: list[Call] = []
        self._fn = fn

    def __repr__(self) -> str:
        return f"<mocked activity {self.name}, called {len(self.calls)} times>"

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Record the call and run the function of the test."""
        self.calls.append(Call(args, kwargs))
        result: Any = self._fn(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result


Mocks = dict[str, MockedActivity[..., Any]]

# The mocks made by `continuum.testing.mock_activity`, which apply to every environment.
EVERYWHERE: Mocks = {}


@contextmanager
def mocked(
    mocks: Mocks, activity: Activity[P, R], fn: Callable[P, R | Awaitable[R]]
) -> Iterator[MockedActivity[P, R]]:
    """Keep a mock in `mocks` for the duration of a block."""
    mock = MockedActivity(activity, fn)
    previous = mocks.get(activity.name)
    mocks[activity.name] = mock
    try:
        yield mock
    finally:
        if previous is None:
            del mocks[activity.name]
        else:
            mocks[activity.name] = previous


@public
def mock_activity(
    activity: Activity[P, R], fn: Callable[P, R | Awaitable[R]]
) -> AbstractContextManager[MockedActivity[P, R]]:
    """Call `fn` instead of `activity` in every environment, for the duration of a block."""
    return mocked(EVERYWHERE, activity, fn)


class Substitutes:
    """Chooses the function that runs for each activity in one environment.

    With `shuffle`, calls begin and complete in a random order.
    """

    def __init__(
        self, mocks: Mapping[str, MockedActivity[..., Any]], shuffle: random.Random | None = None
    ) -> None:
        self._mocks = mocks
        self._shuffle = shuffle

    def definition_of(self, activity: Activity[..., Any]) -> Activity[..., Any]:
        """Return the activity itself, or a copy that runs the mock of the test."""
        mock = self._mocks.get(activity.name) or EVERYWHERE.get(activity.name)
        if mock is None and (self._shuffle is None or not activity.is_async):
            return activity
        # A copy: the definition itself is shared with other environments.
        changed = copy.copy(activity)
        changed.is_async = True
        changed.fn = _delayed(mock or activity.fn, self._shuffle)
        return changed


def _delayed(fn: Callable[..., Any], shuffle: random.Random | None) -> Callable[..., Any]:
    """Return `fn`, delayed by some turns of the loop before and after it if there is a shuffle."""
    if shuffle is None:
        return fn
    before, after = shuffle.randrange(MOST_TURNS), shuffle.randrange(MOST_TURNS)

    async def delayed(*args: Any, **kwargs: Any) -> Any:
        for _ in range(before):
            await asyncio.sleep(0)
        try:
            return await fn(*args, **kwargs)
        finally:
            for _ in range(after):
                await asyncio.sleep(0)

    return delayed
